//! `extract`, `eval` and `rehearse` over our own labelled sites.

use super::told;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sites")
}

fn extracted(site: &Path, more: &[&str]) -> Value {
    let site = site.display().to_string();
    let (out, err, code) = told(&[&["extract", &site, "--json"], more].concat());
    assert_eq!(code, Some(0), "{site}: {err}");
    assert_eq!(out.lines().count(), 1, "one line");
    serde_json::from_str(&out).expect("one object")
}

/// A folder served through the fetch port says what the evaluation reads from the files, with the keys agreed on.
#[test]
fn extract_says_what_the_evaluation_scores() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("predictions.jsonl");
    let (out, err, code) = told(&["eval", &fixtures().display().to_string(), "--predictions", &file.display().to_string(), "--errors"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("macro      1.000") && out.contains("field") && out.contains("members_styles"), "{out}");
    let predictions = std::fs::read_to_string(&file).expect("predictions");
    assert!(predictions.lines().count() >= 16);
    let keys = [
        "kind",
        "name",
        "studio",
        "city",
        "region",
        "country",
        "instagram",
        "emails",
        "phones",
        "socials",
        "styles",
        "images",
        "bio",
        "artists",
        "evidence",
    ];
    for line in predictions.lines() {
        let mut predicted: Value = serde_json::from_str(line).expect("one object");
        let id = predicted.as_object_mut().and_then(|object| object.remove("id")).expect("an id");
        let found = extracted(&fixtures().join(id.as_str().expect("text")), &[]);
        let named: BTreeSet<&str> = found.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(named, keys.into_iter().collect(), "{id}");
        assert_eq!(found, predicted, "{id}");
    }
    let (out, _, _) = told(&["eval", &fixtures().display().to_string(), "--json", "--static"]);
    let figures: Value = serde_json::from_str(&out).expect("one object");
    assert_eq!((figures["static"].as_bool(), figures["inventions"].as_u64()), (Some(true), Some(0)));
}

/// Neither the label nor anything outside the folder is read, and names of pages carry no information.
#[test]
fn extract_reads_pages_of_the_folder_by_links_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = folder.path().join("site");
    std::fs::create_dir(&site).expect("a folder");
    let home = "<title>Mila Vento Tattoo</title><p>Tattoo artist</p><a href=truth.json>About</a><a href=../outside.html>Contact</a>\
                <a href=q7.html>Contact</a>";
    std::fs::write(site.join("first.html"), home).expect("a page");
    std::fs::write(site.join("q7.html"), "<h1>Contact</h1><a href=mailto:mila@vento.example>mail</a>").expect("a page");
    std::fs::write(site.join("orphan.html"), "<a href=mailto:orphan@vento.example>mail</a>").expect("a page");
    std::fs::write(site.join("truth.json"), "<p>secret@label.example</p>").expect("a label");
    std::fs::write(folder.path().join("outside.html"), "<p>secret@outside.example</p>").expect("a page");
    let (_, err, code) = told(&["extract", &site.display().to_string()]);
    assert!(code == Some(1) && err.contains("has no page index.html; name its first page with --entry"), "{err}");
    let found = extracted(&site, &["--entry", "first.html"]);
    assert_eq!((found["kind"].as_str(), &found["emails"]), (Some("artist"), &serde_json::json!(["mila@vento.example"])));
}

#[test]
fn extract_refuses_what_leads_inwards() {
    for (address, part) in [
        ("http://127.0.0.1/", "is not globally routable"),
        ("http://[::1]/", "is not globally routable"),
        ("http://printer.local/", "leads inwards"),
        ("https://studio.example:8443/", "only 80 and 443 are fetched"),
        ("ftp://studio.example/", "is neither a folder nor an address"),
        ("./no/such/folder", "is neither a folder nor an address"),
    ] {
        let (out, err, code) = told(&["extract", address]);
        assert_eq!((out.as_str(), code), ("", Some(1)), "{address}");
        assert!(err.contains(part), "{address}: {err}");
    }
}

/// A whole session over labelled sites: nobody is left over, and the figures are told.
#[test]
fn a_rehearsal_drains() {
    let (out, err, code) = told(&["rehearse", &fixtures().display().to_string(), "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let figures: Value = serde_json::from_str(&out).expect("one object");
    let count = |key: &str| figures[key].as_u64().unwrap_or_default();
    assert_eq!((figures["session"].as_str(), count("open")), (Some("COMPLETED"), 0), "{out}");
    assert!(count("artists_searchable") >= 10 && count("not_tattoo") >= 3 && count("sites") >= 16, "{out}");
    assert!(figures["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{out}");
    #[cfg(target_os = "linux")]
    assert!(figures["peak_memory_mb"].as_f64().is_some_and(|megabytes| megabytes > 1.0), "{out}");
}
