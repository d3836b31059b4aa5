//! `inkdex why`: judged by a file at hand, by lines on standard input, and by a site that is there.

use super::{inkdex, told};
use crate::support::hostile::HostileServer;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

const ROBOTS: &str = "User-agent: *\nDisallow: /private\n\nUser-agent: Inkdex\nDisallow: /drafts\n";

/// What most sites with signals say to all, and a site that wants in no directory says to us.
const SIGNALS: &str = "User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n\nUser-agent: Inkdex\nAllow: /\nContent-Signal: search=no, ai-train=no # why\n";

fn read(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Rule 13, rule 14: what would happen, and the line that says so.
#[test]
fn a_file_at_hand_decides_by_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("robots.txt");
    std::fs::write(&file, ROBOTS).expect("the file is written");
    let file = file.to_str().expect("text");
    let (text, _, code) = told(&["why", "https://studio.example/drafts/1", "https://studio.example/private", "--robots", file]);
    assert_eq!(code, Some(0));
    assert!(text.contains("refused by line 5, `Disallow: /drafts`, in the group of inkdex that begins at line 4"), "{text}");
    assert!(text.contains("allowed: no rule for inkdex matches"), "{text}");
    let (text, _, _) = told(&["why", "https://studio.example/private", "--robots", file, "--agent", "otherbot", "--json"]);
    let why = &read(&text)[0];
    assert_eq!((why["allowed"].as_bool(), why["robots"]["rule"]["line"].as_u64()), (Some(false), Some(2)));
    let (_, complaint, code) = told(&["why", "https://studio.example/", "--robots", "/no/such/file"]);
    assert!(code != Some(0) && complaint.contains("/no/such/file"), "{complaint}");
}

/// A `Content-Signal` decides as a rule does, by its line; offline, and on standard input.
#[test]
fn a_content_signal_decides_by_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("robots.txt");
    std::fs::write(&file, SIGNALS).expect("the file is written");
    let file = file.to_str().expect("text");
    let (text, _, code) = told(&["why", "https://studio.example/team", "--robots", file]);
    assert_eq!(code, Some(0));
    assert!(
        text.contains("refused by line 7, `Content-Signal: search=no, ai-train=no`, in the group of inkdex that begins at line 5"),
        "{text}"
    );
    let (text, _, _) = told(&["why", "https://studio.example/team", "--robots", file, "--json"]);
    let why = &read(&text)[0];
    assert_eq!((why["allowed"].as_bool(), why["decided_by"].as_str()), (Some(false), Some("robots")));
    assert_eq!((why["robots"]["rule"]["line"].as_u64(), why["robots"]["rule"]["group_line"].as_u64()), (Some(7), Some(5)));
    let (text, _, _) = told(&["why", "https://studio.example/team", "--robots", file, "--agent", "otherbot"]);
    assert!(text.contains("allowed by line 3, `Allow: /`, in the group of * that begins at line 1"), "{text}");
}

#[test]
fn lines_on_standard_input_are_answered_in_order() {
    let mut child = inkdex(&["why", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let asked = [("/a", "Inkdex"), ("/drafts", "Inkdex"), ("/private", "otherbot"), ("/private", "Inkdex")];
    let mut lines: String = asked
        .iter()
        .map(|(path, agent)| format!("{}\n", json!({ "url": format!("https://studio.example{path}"), "robots": ROBOTS, "agent": agent })))
        .collect();
    lines.push_str(&format!("{}\n", json!({ "url": "http://169.254.169.254/latest", "robots": "" })));
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let answers = read(&String::from_utf8(output.stdout).expect("text"));
    let allowed: Vec<bool> = answers.iter().map(|why| why["allowed"].as_bool().expect("a verdict")).collect();
    assert_eq!(allowed, [true, false, false, true, false]);
    assert_eq!(answers[4]["decided_by"], "guard");
}

#[test]
fn a_line_that_is_no_question_is_named() {
    let mut child = inkdex(&["why"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(b"\n{\"uri\": 1}\n").expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && complaint.contains("line 2"), "{complaint}");
}

/// The site itself is asked for its robots.txt, and for nothing else.
#[test]
fn a_site_is_asked_for_its_robots_txt_alone() {
    let server = HostileServer::start().expect("a server");
    let address = server.addr;
    let folder = tempfile::tempdir().expect("a folder");
    let host = "studio.example";
    let config = folder.path().join("inkdex.toml");
    let mapped = format!("[[fetch.hosts]]\nhost = \"{host}\"\naddress = \"{}\"\nport = {}\nspacing_ms = 1\n", address.ip(), address.port());
    std::fs::write(&config, format!("[data]\nfolder = {:?}\n{mapped}", folder.path().join("data"))).expect("it is written");
    let url = format!("http://{host}:{}/secret", address.port());
    let (text, complaint, _) = told(&["why", &url, "--json", "--config", config.to_str().expect("text")]);
    assert!(!text.is_empty(), "{complaint}");
    let why = &read(&text)[0];
    assert_eq!(why["decision"], "fetch", "{text}");
    let parts: Vec<&str> = why["parts"].as_array().expect("parts").iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(parts, ["denylist", "guard", "robots", "slot"]);
    let hits = |path: &str| server.hits_on(host, path);
    assert_eq!((hits("/robots.txt"), hits("/secret")), (1, 0));
}
