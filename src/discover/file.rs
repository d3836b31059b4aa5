//! Studios from a file: YAML, JSON or CSV with name, website, place, and optionally lat, lon and place_id.
//!
//! Each entry stands by itself: a bad one is named by its line, the others are used.

use crate::discover::{Asking, Discovered, EntryProblem, SourceError, StudioSource};
use crate::domain::place::{Coordinates, Place, country_code};
use crate::domain::studio::{FoundStudio, Terms};
use crate::domain::text::{clean_line, in_plain_words};
use crate::scrape::FetchError;
use crate::scrape::guard::read_url;
use async_trait::async_trait;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use url::Url;

/// Largest file read, bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A file of studios.
#[derive(Debug, Clone)]
pub struct StudioFile {
    path: PathBuf,
    name: String,
}

impl StudioFile {
    /// The file at `path`, read anew each time studios are asked for.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = format!("file:{}", path.file_name().unwrap_or_default().to_string_lossy());
        Self { path, name }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`SourceError::Refused`] with what is wrong with the file as a whole.
    pub async fn read(&self) -> Result<Discovered, SourceError> {
        let refuse = |why: String| SourceError::Refused { source_name: self.name.clone(), why };
        let shown = self.path.display();
        let metadata = tokio::fs::metadata(&self.path)
            .await
            .map_err(|error| refuse(format!("{shown} cannot be read: {error}; check discovery.studio_files")))?;
        if metadata.len() > FILE_MAX_BYTES {
            return Err(refuse(format!("{shown} has {} bytes, at most {FILE_MAX_BYTES} are read; split it", metadata.len())));
        }
        let text = tokio::fs::read_to_string(&self.path).await.map_err(|error| refuse(format!("{shown} cannot be read: {error}")))?;
        parse(&self.path, &self.name, &text).map_err(refuse)
    }
}

#[async_trait]
impl StudioSource for StudioFile {
    fn name(&self) -> &str {
        &self.name
    }

    async fn studios(&self, _: &Asking) -> Result<Discovered, SourceError> {
        self.read().await
    }
}

/// One entry as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    website: Option<String>,
    place: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    place_id: Option<String>,
}

/// Entries with their lines, each good or not by itself.
type Numbered = Vec<(usize, Result<Entry, String>)>;

/// Reads a studio file by its ending.
///
/// # Errors
/// What is wrong with the file as a whole; bad entries are in [`Discovered::problems`].
pub fn parse(path: &Path, source: &str, text: &str) -> Result<Discovered, String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let entries: Numbered = match ending.as_str() {
        "yaml" | "yml" => yaml_entries(text)?,
        "json" => json_entries(text)?,
        "csv" => csv_entries(text)?,
        _ => return Err(format!("{file} ends in `.{ending}`; studio files are .yaml, .json or .csv")),
    };
    if entries.is_empty() {
        return Err(format!("{file} holds no studio; give each a `name` and a `website`"));
    }
    let mut discovered = Discovered::default();
    for (line, entry) in entries {
        match entry.and_then(|entry| studio(entry, source)) {
            Ok(found) => discovered.studios.push(found),
            Err(problem) => discovered.problems.push(EntryProblem { place: format!("{file}:{line}"), problem }),
        }
    }
    Ok(discovered)
}

fn studio(entry: Entry, source: &str) -> Result<FoundStudio, String> {
    let name = clean_line(entry.name.as_deref().unwrap_or_default(), 200);
    if name.is_empty() {
        return Err("the entry has no name; give each studio a `name`".to_owned());
    }
    let website = entry.website.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(|text| website(&name, text)).transpose()?;
    let coordinates = match (entry.lat, entry.lon) {
        (None, None) => None,
        (Some(lat), Some(lon)) => Some(
            Coordinates::new(lat, lon)
                .ok_or_else(|| format!("{name}: {lat}, {lon} is no point on the earth; lat is -90 to 90, lon -180 to 180"))?,
        ),
        _ => return Err(format!("{name}: lat and lon belong together; give both or neither")),
    };
    let place_text = entry.place.map(|text| clean_line(&text, 200)).filter(|text| !text.is_empty());
    let mut place = place_text.as_deref().map(read_place).unwrap_or_default();
    place.coordinates = coordinates;
    let place_id = entry.place_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    Ok(FoundStudio { name, website, place, place_text, place_id, phone: None, source: source.to_owned(), terms: Terms::Own })
}

fn website(name: &str, text: &str) -> Result<Url, String> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = read_url(&with_scheme, None).map_err(|error| match error {
        FetchError::BadResponse { url, why } => format!("{name}: website `{url}`: {why}"),
        other => format!("{name}: website {other}"),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{name}: website `{}` is neither http nor https", clean_line(text, 100)));
    }
    Ok(url)
}

/// Reads `London, UK` or `Leeds, West Yorkshire, GB`: the last part is a country if it is a code or an English name of one.
fn read_place(text: &str) -> Place {
    let mut parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let country = parts.last().and_then(|last| crate::domain::country::find(last).or_else(|| country_code(last)));
    if country.is_some() {
        parts.pop();
    }
    let city = parts.first().map(|part| (*part).to_owned());
    let region = parts.get(1).map(|part| (*part).to_owned());
    Place { country, region, city, coordinates: None }
}

fn yaml_entries(text: &str) -> Result<Numbered, String> {
    let values: Vec<serde_norway::Value> = serde_norway::from_str(text).map_err(|error| format!("not a YAML list of studios: {error}"))?;
    // A list's items begin at the lines that start with a dash at the list's own indentation.
    let dash = text.lines().find(|line| line.trim_start().starts_with('-')).map(|line| line.len() - line.trim_start().len()).unwrap_or(0);
    let is_item =
        |line: &&str| line.len() - line.trim_start().len() == dash && (line.trim_start() == "-" || line.trim_start().starts_with("- "));
    let lines: Vec<usize> = text.lines().enumerate().filter(|(_, line)| is_item(line)).map(|(index, _)| index + 1).collect();
    let entry = |value: serde_norway::Value| serde_norway::from_value::<Entry>(value).map_err(|error| in_plain_words(&error.to_string()));
    Ok(values.into_iter().enumerate().map(|(index, value)| (lines.get(index).copied().unwrap_or(index + 1), entry(value))).collect())
}

fn json_entries(text: &str) -> Result<Numbered, String> {
    let broken = |why: &str| format!("not a JSON list of studios: {why}");
    let mut at = text.len() - text.trim_start().len();
    if !text[at..].starts_with('[') {
        return Err(broken("it must begin with `[`"));
    }
    at += 1;
    let mut entries = Vec::new();
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        if text[at..].starts_with(']') {
            return Ok(entries);
        }
        let line = 1 + text[..at].matches('\n').count();
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<serde_json::Value>();
        let value =
            values.next().ok_or_else(|| broken("it ends without `]`"))?.map_err(|error| broken(&format!("line {line}: {error}")))?;
        at += values.byte_offset();
        entries.push((line, serde_json::from_value::<Entry>(value).map_err(|error| in_plain_words(&error.to_string()))));
    }
}

fn csv_entries(text: &str) -> Result<Numbered, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(false).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| format!("not a CSV file of studios: {error}"))?.clone();
    if !headers.iter().any(|header| header == "name") {
        return Err(
            "the CSV file has no `name` column; its first line must name the columns: name,website,place,lat,lon,place_id".to_owned()
        );
    }
    let mut entries = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = usize::try_from(reader.position().line()).unwrap_or(usize::MAX);
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(entries),
            Ok(true) => {
                let line = record.position().map_or(line, |position| usize::try_from(position.line()).unwrap_or(line));
                entries.push((line, record.deserialize::<Entry>(Some(&headers)).map_err(|error| error.to_string())));
            }
            Err(error) => entries.push((line, Err(error.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(name: &str, text: &str) -> (usize, Vec<String>) {
        let found = parse(Path::new(name), "file:test", text).unwrap();
        (found.studios.len(), found.problems.into_iter().map(|problem| problem.place).collect())
    }

    #[test]
    fn bad_entries_are_named_by_line_and_the_others_stand() {
        let yaml = "- name: A\n  website: https://a.example\n- website: https://nameless.example\n- name: B\n  website: 'ftp://b.example'\n- name: C\n  lat: 99\n  lon: 0\n- {name: D, website: d.example, place: 'São Paulo, Brazil'}\n";
        assert_eq!(places("s.yaml", yaml), (2, vec!["s.yaml:3".into(), "s.yaml:4".into(), "s.yaml:6".into()]));
        let json = "[\n {\"name\": \"A\"},\n {\"nam\": \"B\"},\n {\"name\": \"C\"}\n]";
        assert_eq!(places("s.json", json), (2, vec!["s.json:3".into()]));
        let csv = "name,website,place,lat,lon\nA,https://a.example,London,,\nB,https://b.example,X,one,2\n,https://c.example,,,\nD,d.example,\"Leeds, UK\",53.8,-1.5\nE,too,many,1,2,3\n";
        assert_eq!(places("s.csv", csv), (2, vec!["s.csv:3".into(), "s.csv:4".into(), "s.csv:6".into()]));
    }

    #[test]
    fn places_are_read_from_the_right() {
        let place = read_place("London, UK");
        assert_eq!((place.city.as_deref(), place.country.as_deref()), (Some("London"), Some("GB")));
        let place = read_place("Portland, Oregon, US");
        assert_eq!(
            (place.city.as_deref(), place.region.as_deref(), place.country.as_deref()),
            (Some("Portland"), Some("Oregon"), Some("US"))
        );
    }

    #[test]
    fn wrong_files_say_what_to_write() {
        assert!(parse(Path::new("s.txt"), "x", "").unwrap_err().contains(".yaml, .json or .csv"));
        assert!(parse(Path::new("s.csv"), "x", "studio\nA\n").unwrap_err().contains("no `name` column"));
    }
}
