//! `eval` and `extract` over labelled sites that say nothing without their scripts: what they need lies in their folders, and
//! nothing else is asked.

use std::path::{Path, PathBuf};
use std::process::Command;

fn drawn() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/drawn")
}

/// Runs a verb with times that a loaded machine keeps. Answers what it printed on standard output and standard error.
fn told(arguments: &[&str]) -> (String, String) {
    let patient = [
        "browser.launch_ms=100000",
        "browser.page_ms=60000",
        "browser.settle_ms=20000",
        "fetch.total_ms=200000",
        "workers.stall_ms=600000",
    ]
    .map(|one| ["--set", one]);
    let done = Command::new(env!("CARGO_BIN_EXE_inkdex")).args(patient.as_flattened()).args(arguments).env_remove("INKDEX_CONFIG").output();
    let done = done.expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (out, error) = (text(done.stdout), text(done.stderr));
    assert!(done.status.success(), "{error}");
    (out, error)
}

/// 002-X8: a bundle built for a path of its host, with routes of its own, and a site whose head alone gives the name away.
#[test]
fn labelled_sites_are_drawn_from_their_folders() {
    let folder = drawn().display().to_string();
    let (table, error) = told(&["eval", &folder, "--errors"]);
    assert!(table.contains("macro      1.000") && table.contains("inventions 0"), "{table}{error}");
    assert!(!table.contains("missed ") && error.is_empty(), "{table}{error}");
    let site = drawn().join("reed-and-rust").display().to_string();
    let (facts, _) = told(&["extract", &site, "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("one object");
    assert_eq!(facts["artists"].as_array().map(Vec::len), Some(2), "{facts}");
}

/// Without a browser such a site gives what its head says, and the evaluation says why that is all.
#[test]
fn without_a_browser_labelled_sites_are_read_as_they_are() {
    let folder = drawn().display().to_string();
    let (table, error) = told(&["eval", &folder, "--static", "--errors"]);
    assert!(table.contains("macro      1.000") && error.is_empty(), "{table}{error}");
    let (table, error) = told(&["eval", &folder, "--set", "browser.program=/no/such/browser"]);
    assert!(!table.contains("macro      1.000"), "{table}");
    for site in ["reed-and-rust", "joana-vidal"] {
        assert!(error.contains(&format!("{site}: read as it was sent: ")), "{error}");
    }
}
