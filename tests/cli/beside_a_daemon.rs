//! The daemon as people start and stop it, and the verbs beside it.

use super::{inkdex, told};
use crate::support::wait::{LONG, until};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A child process that does not outlive its test.
pub(super) struct Process(Child);

impl Process {
    /// Starts a command and waits for its first line.
    pub fn start(arguments: &[&str]) -> (Self, String) {
        let mut child =
            inkdex(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "{arguments:?} ended before it said anything");
        (Self(child), line)
    }

    /// SIGTERM, and the exit code.
    fn terminate(&mut self) -> Option<i32> {
        let sent = std::process::Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        self.0.wait().expect("an end").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is only reaped.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A configuration over the made-up web at `port`.
pub(super) fn configuration(folder: &Path, port: u16, bind: &str) -> PathBuf {
    let file = folder.join("inkdex.toml");
    let studios = folder.join("studios.yaml");
    std::fs::write(&studios, inkdex::demo::DemoWeb::generate(7).studio_file()).expect("a file");
    let text = format!(
        "[data]\nfolder = {:?}\n[server]\nbind = \"{bind}\"\n[discovery]\nstudio_files = [{:?}]\n\
         [fetch]\nonly_mapped = true\nask_again_ms = 20\n\
         hosts = [{{ host = \"*.example\", address = \"127.0.0.1\", port = {port}, spacing_ms = 2 }}]\n\
         [pipeline]\nscheduled = false\ntick_ms = 20\n[ledger]\nsweep_every_ms = 50\n[workers]\nresize_every_ms = 50\n",
        folder.join("data"),
        studios
    );
    std::fs::write(&file, text).expect("a file");
    file
}

pub(super) fn json(arguments: &[&str]) -> Value {
    let (out, err, code) = told(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?} printed no JSON ({error}): {out}"))
}

/// Reading verbs work beside a daemon, doing verbs go through its API, and SIGTERM ends it with 0 (002-C5, 002-C7).
#[test]
fn verbs_work_beside_a_running_daemon_and_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (web, listening) = Process::start(&["__demo-web"]);
    let port = listening.trim().trim_start_matches("listening ").parse().expect("a port");
    let file = configuration(folder.path(), port, "127.0.0.1:0").display().to_string();
    let (mut daemon, line) = Process::start(&["serve", "--json", "-c", &file]);
    let said: Value = serde_json::from_str(&line).expect("one object");
    let address = said["listening"].as_str().expect("an address").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let bind = format!("server.bind={address}");
    let with =
        |verb: &[&str]| -> Vec<String> { verb.iter().chain(&["-c", &file, "--set", &bind]).map(|part| (*part).to_owned()).collect() };
    let ask = |verb: &[&str]| {
        let arguments = with(verb);
        json(&arguments.iter().map(String::as_str).chain(["--json"]).collect::<Vec<_>>())
    };
    let hear = |verb: &[&str]| {
        let arguments = with(verb);
        told(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };

    let session = ask(&["run"]);
    assert_eq!((session["state"].as_str(), session["report"]["new"].as_u64()), (Some("COMPLETED"), Some(31)), "{session}");
    let id = session["id"].as_str().expect("an id");
    assert_eq!(ask(&["sessions", "show", "last"])["id"].as_str(), Some(id));
    assert_eq!(ask(&["sessions"])["sessions"].as_array().map(Vec::len), Some(1));

    let fine = ask(&["search", "--style", "fine-line", "--limit", "1"]);
    assert_eq!(
        (fine["artists"].as_array().map(Vec::len), fine["total"].as_u64().is_some_and(|total| total > 1)),
        (Some(1), true),
        "{fine}"
    );
    let (_, err, code) = hear(&["search", "--style", "tradtional"]);
    assert!(code == Some(1) && err.contains("did you mean traditional?"), "{err}");

    let artist = fine["artists"][0]["id"].as_str().expect("an id").to_owned();
    let shown = ask(&["show", &artist]);
    let facts = shown["facts"].as_array().expect("facts");
    assert!(facts.len() >= 4, "{shown}");
    for fact in facts {
        let known = fact["page"].as_str().is_some_and(|page| page.starts_with("http")) && fact["extractor"].is_string();
        assert!(known && fact["confidence"].as_f64().is_some() && fact["observed_at"].is_string(), "{fact}");
    }

    let letters = ask(&["dead-letters"]);
    let letter = letters["dead_letters"][0]["job_id"].as_str().expect("a letter").to_owned();
    assert_eq!(letters["dead_letters"][0]["death"]["code"].as_str(), Some("parse_over_budget"), "{letters}");
    // The daemon's index answers filters beside it.
    let cause = letters["dead_letters"][0]["death"]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(until("the index finds the letter by its cause", LONG, async || {
        let found = ask(&["dead-letters", "--fingerprint", &cause, "--code", "parse_over_budget"]);
        (found["dead_letters"][0]["job_id"].as_str() == Some(&letter) && found["degraded"] == false).then_some(())
    }));
    let (_, err, code) = hear(&["dead-letters", "--kind", "sad"]);
    assert!(code == Some(1) && err.contains("scrape_artist"), "{err}");
    assert_eq!(ask(&["dead-letters", "show", &letter])["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&["dead-letters", "show", &letter[..10]])["job"]["job_id"].as_str(), Some(letter.as_str()), "by its beginning");
    assert_eq!(ask(&["dead-letters", "requeue", &letter, "--reason", "again"])["generation"].as_u64(), Some(2));
    let (_, err, code) = hear(&["dead-letters", "discard", "no-such-job"]);
    assert!(code == Some(1) && err.contains("the daemon refuses: there is no job no-such-job"), "{err}");
    let (_, err, code) = hear(&["reconcile"]);
    assert!(code == Some(1) && err.contains("keeps it in step by itself"), "{err}");

    let (_, err, code) = hear(&["remove", &artist]);
    assert!(code == Some(1) && err.contains("give --yes"), "nobody can be asked: {err}");
    assert_eq!(ask(&["remove", &artist, "--yes", "--reason", "asked"])["removed"].as_bool(), Some(true));
    let (_, err, code) = hear(&["show", &artist]);
    assert!(code == Some(1) && err.contains("was removed for good"), "{err}");

    assert_eq!(daemon.terminate(), Some(0));
    // Without the daemon the same verbs open the database themselves.
    let left = ask(&["search", "--limit", "50"]);
    assert_eq!(left["total"].as_u64(), Some(30), "{left}");
    assert_eq!(ask(&["reconcile"])["in_step"].as_bool(), Some(true));
    let other = left["artists"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ask(&["remove", &other, "--yes"])["removed"].as_bool(), Some(true));
    assert_eq!(ask(&["search"])["total"].as_u64(), Some(29));
    let (out, _, code) = hear(&["doctor"]);
    assert!(code == Some(0) && out.contains("table, keys and index say the same") && !out.contains('✗'), "{out}");
    drop(web);
}
