//! Shapes and bombs: each is cut at its named limit, in time, and in little more memory than an honest page.

use super::child::{Reading, SITEMAPS, limits, read_in_child};
use crate::support::hostile::bombs;
use crate::support::hostile::shapes::SHAPES;
use crate::support::hostile::{HOST, HostileServer, PATHS, codes, expect};
use inkdex::extract::ParseLimits;
use std::ops::RangeInclusive;

/// Memory above that of an honest page, kilobytes.
const ABOVE_KB: u64 = 32 * 1024;

/// What came of it.
#[derive(Debug)]
pub struct Costs {
    pub cut: usize,
    pub above_kb: u64,
    pub slowest_ms: u64,
    pub dearest_ms: u64,
}

impl std::fmt::Display for Costs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cut, above_kb, slowest_ms, dearest_ms } = self;
        write!(
            f,
            "{cut} cut, the slowest in {slowest_ms} ms, at most {dearest_ms} ms of the processor and {above_kb} kB above an honest page"
        )
    }
}

/// What the readings cost; none of them may cost much memory.
fn costs(readings: &[Reading]) -> Costs {
    let base = readings[0].peak_kb;
    let above_kb = readings.last().map_or(0, |last| last.peak_kb - base);
    let steps: Vec<String> = readings.iter().map(|reading| format!("{} {} kB", reading.path, reading.peak_kb)).collect();
    assert!(above_kb <= ABOVE_KB, "{above_kb} kB above an honest page:\n{}", steps.join("\n"));
    let slowest_ms = readings.iter().map(|reading| reading.took_ms).max().unwrap_or(0);
    let dearest_ms = readings.iter().map(|reading| reading.cpu_ms).max().unwrap_or(0);
    Costs { cut: readings.len() - 1, above_kb, slowest_ms, dearest_ms }
}

async fn read(server: HostileServer, paths: Vec<String>) -> Vec<Reading> {
    tokio::task::spawn_blocking(move || read_in_child(server.addr, &paths)).await.unwrap()
}

/// S5: 75 pages, each cut within a second of the parser's limit of time.
pub async fn every_shape_is_cut() -> Costs {
    let server = HostileServer::start().unwrap();
    let mut paths = Vec::new();
    let mut expected = Vec::new();
    for shape in &SHAPES {
        for page in shape.pages() {
            let path = format!("/shape/{}/{}", shape.name.replace(' ', "-"), page.len());
            // Compressed, or their size on the wire would save the parser.
            let body = zstd::bulk::compress(page.as_bytes(), 1).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: zstd\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            server.put_up(HOST, &path, [head.as_bytes(), &body].concat());
            paths.push(path);
            expected.push(shape.cut);
        }
    }
    let readings = read(server, paths).await;
    let wrong: Vec<String> = readings[1..]
        .iter()
        .zip(expected)
        .filter(|(reading, cut)| !cut.contains(&reading.ended.as_str()))
        .map(|(reading, cut)| format!("{reading:?} instead of {cut:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The parser's limit is one of processor time, fetching and unpacking come on top: a loaded machine changes neither.
    let limit_ms = ParseLimits::default().time_ms + 1_000;
    let dear: Vec<String> = readings.iter().filter(|reading| reading.cpu_ms > limit_ms).map(|reading| format!("{reading:?}")).collect();
    assert!(dear.is_empty(), "more than {limit_ms} ms of the processor:\n{}", dear.join("\n"));
    costs(&readings)
}

/// When something is to be cut, milliseconds from its beginning: at its own limit, and within a second if that is no time.
pub fn when(expected: &str) -> RangeInclusive<u64> {
    let limits = limits();
    let at = match expected {
        expect::HEAD_TIMEOUT => limits.head_ms,
        expect::IDLE_TIMEOUT => limits.idle_ms,
        expect::TOTAL_TIMEOUT => limits.total_ms,
        _ => 0,
    };
    at..=at + 1_000
}

/// Sitemaps that unpack, nest and go on as none should, and how each ends.
fn sitemap_bombs() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let attributes: String = (0..120_000).map(|at| format!(" a{at}='x'")).collect();
    vec![
        ("packed.xml.gz", bombs::gzip(), &["decoded_too_large"]),
        ("twice-packed.xml.gz", bombs::gzip_in_gzip(), &["wrong_type", "decoded_too_large"]),
        ("deep.xml", "<url>".repeat(390_000).into_bytes(), &["too_deep"]),
        ("attributes.xml", format!("<urlset{attributes}/>").into_bytes(), &["no_sitemap"]),
        // Names that would be looked at letter by letter if they were not cut.
        (
            "names.xml",
            format!("<urlset>{}", format!("<sitemap><loc>http://{HOST}/{}</loc></sitemap>", "a-".repeat(900)).repeat(1_000)).into_bytes(),
            &["read"],
        ),
        (
            "paths.xml",
            format!("<urlset>{}", format!("<url><loc>http://{HOST}/{}</loc></url>", "a-b/".repeat(450)).repeat(1_000)).into_bytes(),
            &["read"],
        ),
        ("empty.xml", "<url/>".repeat(330_000).into_bytes(), &["no_sitemap", "over_time"]),
    ]
}

/// S3, S4: what is too large, too slow or no encoding, by its table; each names its limit.
pub async fn every_bomb_is_cut() -> Costs {
    let server = HostileServer::start().unwrap();
    let is_bomb = |expected: &str| {
        [
            expect::TOO_LARGE,
            expect::BOUNDED,
            expect::BAD_ENCODING,
            expect::HEAD_TOO_LARGE,
            expect::CUT_SHORT,
            expect::HEAD_TIMEOUT,
            expect::IDLE_TIMEOUT,
            expect::TOTAL_TIMEOUT,
        ]
        .contains(&expected)
    };
    let mut bombs: Vec<(String, &[&str], RangeInclusive<u64>)> = PATHS
        .iter()
        .filter(|case| is_bomb(case.expect))
        .map(|case| (case.path.to_owned(), codes(case.expect), when(case.expect)))
        .collect();
    assert!(bombs.len() >= 12);
    for (name, body, ended) in sitemap_bombs() {
        let path = format!("{SITEMAPS}-{name}");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        server.put_up(HOST, &path, [head.as_bytes(), &body].concat());
        bombs.push((path, ended, when(expect::TOO_LARGE)));
    }
    let readings = read(server, bombs.iter().map(|(path, ..)| path.clone()).collect()).await;
    let wrong: Vec<String> = readings[1..]
        .iter()
        .zip(&bombs)
        .filter(|(reading, (_, codes, when))| !codes.contains(&reading.ended.as_str()) || !when.contains(&reading.took_ms))
        .map(|(reading, (_, codes, _))| format!("{reading:?} instead of {codes:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    costs(&readings)
}
