//! Rules of the house that a compiler does not check.

use inkdex::alert::AlertKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, with its path from the root.
fn rust_files(folder: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!files.is_empty(), "no Rust files below {folder}");
    files
}

/// The part of a file before its tests.
fn product(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

/// Dependencies point inward: domain <- ports <- jobs <- actors, web <- app.
#[test]
fn dependencies_point_inward() {
    const PORTS: &[&str] = &["store", "queue", "feed", "search", "discover", "alert", "objects", "scrape"];
    let mut wrong = Vec::new();
    for (name, text) in rust_files("src") {
        let Some(layer) = name.strip_prefix("src/").and_then(|rest| rest.split(['/', '.']).next()) else { continue };
        let forbidden: &[&str] = match layer {
            "domain" => &[
                "store", "queue", "feed", "search", "discover", "alert", "objects", "scrape", "extract", "jobs", "actors", "web", "app",
                "config", "metrics",
            ],
            "extract" => &[
                "store", "queue", "feed", "search", "discover", "alert", "objects", "scrape", "jobs", "actors", "web", "app", "config",
                "metrics",
            ],
            layer if PORTS.contains(&layer) => &["jobs", "actors", "web", "app", "config", "metrics"],
            "jobs" => &["actors", "web", "app", "config", "metrics"],
            "actors" => &["web", "app", "config"],
            "web" => &["actors", "app", "config"],
            _ => &[],
        };
        for module in forbidden {
            if product(&text).lines().any(|line| !line.trim_start().starts_with("//") && line.contains(&format!("crate::{module}::"))) {
                wrong.push(format!("{name} uses crate::{module}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_domain_does_no_input_or_output() {
    for (name, text) in rust_files("src/domain") {
        for word in ["tokio::", "std::fs", "std::net", "reqwest::", "rusqlite::"] {
            assert!(!product(&text).contains(word), "{name} uses {word}");
        }
    }
}

#[test]
fn files_open_with_what_they_are_and_stay_short() {
    let mut wrong = Vec::new();
    for (name, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        if !text.starts_with("//!") {
            wrong.push(format!("{name} does not open with //!"));
        }
        let lines = product(&text).lines().count();
        if name.starts_with("src/") && lines > 400 && !name.ends_with("tests.rs") {
            wrong.push(format!("{name} has {lines} lines before its tests"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// 002-C7: no dead letter comes or goes past what owes it to its index.
#[test]
fn jobs_are_put_in_one_way() {
    let puts = |text: &str| product(text).contains("store.put_job(") || product(text).contains("Ledger::put_job(");
    let named: Vec<String> = rust_files("src").into_iter().filter(|(_, text)| puts(text)).map(|(name, _)| name).collect();
    assert_eq!(named, ["src/jobs/letter_index.rs"]);
}

/// The actor table of docs/ARCHITECTURE.md says what the code says.
#[test]
fn the_actor_table_is_documented() {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let header = "| actor | mailbox | from | stops |";
    let documented: Vec<String> =
        text.lines().skip_while(|line| *line != header).skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
    let stop = |phase| serde_json::to_value(phase).unwrap().as_str().unwrap().to_owned();
    let from = |names: &[&str]| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let coded: Vec<String> = inkdex::actors::CHILDREN
        .iter()
        .map(|child| format!("| {} | {} | {} | {} |", child.name, child.mailbox, from(child.from), stop(child.stop)))
        .collect();
    assert_eq!(documented, coded);
}

/// Every alert has its section in docs/OPERATIONS.md.
#[test]
fn every_alert_is_documented() {
    let operations = std::fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    for kind in AlertKind::ALL {
        let name = kind.as_str();
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
        assert!(operations.contains(&format!("## {name}\n")), "{name} has no section");
    }
}

/// Documents name files that exist.
#[test]
fn every_file_of_the_documents_exists() {
    let mut named = 0;
    for document in ["README.md", "docs/ARCHITECTURE.md", "docs/ADDING.md", "docs/OPERATIONS.md", "docs/QUIRKS.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for word in text.split(['`', ' ', '(', ')', ',', ';', '\n']) {
            let path = word.split("::").next().unwrap_or(word).trim_end_matches(['.', ':']);
            let of_the_root = ["src/", "tests/", "docs/", "config/", "deploy/", "scripts/"].iter().any(|folder| path.starts_with(folder));
            // Walkthroughs name files below `src/` without it.
            let below_src = path.ends_with(".rs") && path.contains('/') && !of_the_root;
            if of_the_root || below_src {
                let file = if below_src { root().join("src").join(path) } else { root().join(path) };
                assert!(Path::new(&file).exists(), "{document} names {path}, which is not there");
                named += 1;
            }
        }
    }
    assert!(named > 40, "the documents name files: {named}");
}
