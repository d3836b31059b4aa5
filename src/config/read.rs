//! Reading configuration: defaults, then files in order, then `--set` values; every problem with its place.

use crate::config::Config;
use crate::config::section::Problem;
use std::fmt;
use std::path::Path;

/// A configuration text and where it came from.
#[derive(Debug, Clone)]
pub struct ConfigText {
    /// For messages: the file's path, or `--set`.
    pub name: String,
    /// TOML.
    pub text: String,
}

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// In the order of the texts.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        writeln!(f, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        write!(f, "`inkdex config default` prints every key with its default")
    }
}

impl ConfigText {
    /// Reads a file.
    ///
    /// # Errors
    /// A [`ConfigError`] with the one problem that it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            problems: vec![Problem {
                place: name.clone(),
                what: format!("cannot be read: {error}"),
                hint: "check the path given to --config".to_owned(),
            }],
        })?;
        Ok(Self { name, text })
    }

    /// A `section.key=value` of the command line; a value that is no TOML is taken as a string.
    ///
    /// # Errors
    /// A [`ConfigError`] if it has another form.
    pub fn from_setting(setting: &str) -> Result<Self, ConfigError> {
        let parts = setting.split_once('=').and_then(|(key, value)| Some((key.trim().split_once('.')?, value.trim())));
        let Some(((section, key), value)) = parts else {
            return Err(ConfigError {
                problems: vec![Problem {
                    place: format!("--set {setting}"),
                    what: "has another form than section.key=value".to_owned(),
                    hint: "write for example --set workers.max=4".to_owned(),
                }],
            });
        };
        let as_written = format!("[{section}]\n{key} = {value}\n");
        let text = if as_written.parse::<toml::Table>().is_ok() {
            as_written
        } else {
            format!("[{section}]\n{key} = {}\n", toml::Value::String(value.to_owned()))
        };
        Ok(Self { name: format!("--set {setting}"), text })
    }
}

impl Config {
    /// Reads `texts` over the defaults, later ones winning.
    ///
    /// # Errors
    /// A [`ConfigError`] with every problem found.
    pub fn read(texts: &[ConfigText]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        for text in texts {
            config.overlay(text, &mut problems);
        }
        problems.extend(config.check_together());
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    fn overlay(&mut self, source: &ConfigText, problems: &mut Vec<Problem>) {
        let table: toml::Table = match source.text.parse() {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| 1 + source.text[..span.start.min(source.text.len())].matches('\n').count());
                let hint = "write TOML: `[section]`, then `key = value`".to_owned();
                problems.push(Problem { place: format!("{}:{line}", source.name), what: error.message().to_owned(), hint });
                return;
            }
        };
        for (section, value) in &table {
            let Some(doc) = Self::SECTIONS.iter().find(|doc| doc.name == section.as_str()) else {
                let names = Self::SECTIONS.iter().map(|doc| doc.name);
                problems.push(unknown(source, section, None, "section", closest(section, names)));
                continue;
            };
            let Some(keys) = value.as_table() else {
                let what = format!("`{section}` is a section, not a value");
                problems.push(Problem { place: place(source, section, None), what, hint: format!("write [{section}] and its keys below") });
                continue;
            };
            for (key, value) in keys {
                if !doc.keys.iter().any(|known| known.name == key.as_str()) {
                    let names = doc.keys.iter().map(|known| known.name);
                    problems.push(unknown(source, section, Some(key), "key", closest(key, names)));
                } else if let Err(what) = self.set(section, key, value) {
                    let hint = format!("`inkdex config default` explains {section}.{key}");
                    problems.push(Problem { place: place(source, section, Some(key)), what, hint });
                }
            }
        }
    }
}

fn unknown(source: &ConfigText, section: &str, key: Option<&str>, kind: &str, closest: Option<&str>) -> Problem {
    let hint = match closest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("`inkdex config default` lists every {kind}"),
    };
    Problem { place: place(source, section, key), what: format!("unknown {kind} `{}`", key.unwrap_or(section)), hint }
}

fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// `file:line section.key`, the line found by reading the text as a person does.
fn place(source: &ConfigText, section: &str, key: Option<&str>) -> String {
    let mut in_section = false;
    let mut found = None;
    for (index, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            in_section = header.trim_start_matches('[').split(']').next().is_some_and(|name| name.trim() == section);
            if in_section && key.is_none() {
                found = Some(index + 1);
                break;
            }
        } else if in_section && line.split('=').next().is_some_and(|name| Some(name.trim()) == key) {
            found = Some(index + 1);
            break;
        }
    }
    let dotted = key.map_or(section.to_owned(), |key| format!("{section}.{key}"));
    match found {
        Some(line) if !source.name.starts_with("--set") => format!("{}:{line} {dotted}", source.name),
        _ => format!("{} {dotted}", source.name),
    }
}

/// `config/default.toml`: every key with its default and its documentation, generated from the structs.
pub fn default_toml() -> String {
    let mut out = String::from("# Every key of Inkdex with its default. Generated by `inkdex config default`; a test compares the two.\n");
    for section in Config::SECTIONS {
        out.push('\n');
        for line in section.doc {
            out.push_str(&format!("#{line}\n"));
        }
        out.push_str(&format!("[{}]\n", section.name));
        for key in section.keys {
            for line in key.doc {
                out.push_str(&format!("#{line}\n"));
            }
            out.push_str(&format!("{} = {}\n", key.name, (key.default)()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::read(&[ConfigText { name: "c.toml".into(), text: text.into() }])
    }

    #[test]
    fn the_default_file_is_what_the_structs_say() {
        let stored = include_str!("../../config/default.toml");
        assert_eq!(stored, default_toml(), "run `inkdex config default > config/default.toml`");
        assert_eq!(read(stored).unwrap(), Config::default());
    }

    #[test]
    fn every_problem_is_told_with_its_place_and_a_hint() {
        let error = read("[workers]\nmax = 0\nmini = 3\n\n[worker]\nmax = 1\n[ledger]\nlease_ms = \"long\"\n").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.problems.len(), 4, "{text}");
        assert!(text.contains("c.toml:2 workers.max: 0 is out of range: it must be 1 to 1000"), "{text}");
        assert!(text.contains("c.toml:3 workers.mini: unknown key `mini`\n    did you mean `min`?"), "{text}");
        assert!(text.contains("c.toml:5 worker: unknown section `worker`\n    did you mean `workers`?"), "{text}");
        assert!(text.contains("c.toml:8 ledger.lease_ms"), "{text}");
    }

    #[test]
    fn the_user_agent_carries_the_name_that_robots_txt_is_read_for() {
        for agent in
            ["AcmeBot/1.0", "inkdex/1", "Inkdex", "Inkdex/", "Inkdex/ x", "Inkdex-Fork/1.0", "Inkdex/1 (caf\u{e9})", "Inkdex/1\\tx", ""]
        {
            let text = read(&format!("[fetch]\nuser_agent = \"{agent}\"\n")).unwrap_err().to_string();
            assert!(text.contains("c.toml:2 fetch.user_agent: ") && text.contains("it must be `Inkdex/`, a version"), "{agent}: {text}");
        }
        read("[fetch]\nuser_agent = \"Inkdex/0.1 (+https://acme.example/bot)\"\n").unwrap();
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = read("[workers]\nmax = \n").unwrap_err();
        assert!(error.problems[0].place.starts_with("c.toml:2"), "{error}");
    }

    #[test]
    fn keys_are_checked_against_each_other() {
        let error = read("[workers]\nmin = 9\nmax = 3\n[server]\nbind = \"0.0.0.0:80\"\n").unwrap_err();
        assert_eq!(error.problems.len(), 2, "{error}");
        let error = read("[workers]\nstall_ms = 30000\n[fetch]\ntotal_ms = 30000\n").unwrap_err().to_string();
        assert!(error.contains("workers.stall_ms: a job is given up after 30000 ms, and one request may take 30000 ms"), "{error}");
        read("[workers]\nstall_ms = 30001\n[fetch]\ntotal_ms = 30000\n").unwrap();
    }

    #[test]
    fn settings_of_the_command_line_win() {
        let texts = ["workers.max=4", "data.folder=/tmp/x", "discovery.studio_files=[\"a.yaml\"]"];
        let texts: Vec<ConfigText> = texts.iter().map(|text| ConfigText::from_setting(text).unwrap()).collect();
        let config = Config::read(&texts).unwrap();
        assert_eq!((config.workers.max, config.discovery.studio_files.len()), (4, 1));
        assert_eq!(config.data.folder, std::path::PathBuf::from("/tmp/x"));
        assert!(ConfigText::from_setting("workers").is_err());
    }
}
