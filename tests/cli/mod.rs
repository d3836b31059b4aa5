//! The command line: the real binary, what it prints and how it ends.

mod beside_a_daemon;
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
mod doctor;
mod labelled_sites;
mod removals;
mod why;

use inkdex::domain::clock::SystemClock;
use inkdex::store::sqlite::{OpenMode, SqliteDb};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

/// A command of this build.
fn inkdex(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkdex"));
    command.args(arguments).env_remove("INKDEX_CONFIG").stdin(std::process::Stdio::null());
    command
}

/// What a command printed on standard output and standard error, and its exit code.
fn told(arguments: &[&str]) -> (String, String, Option<i32>) {
    let Output { status, stdout, stderr } = inkdex(arguments).output().expect("the binary runs");
    (String::from_utf8(stdout).expect("text"), String::from_utf8(stderr).expect("text"), status.code())
}

fn setting(folder: &Path) -> String {
    format!("data.folder={}", folder.display())
}

#[test]
fn every_verb_explains_itself_with_examples() {
    let (help, _, code) = told(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(help.contains("First steps:") && !help.contains("__"), "{help}");
    let verbs = [
        "demo",
        "run",
        "serve",
        "search",
        "show",
        "sessions",
        "dead-letters",
        "remove",
        "removals",
        "correct",
        "identity",
        "reconcile",
        "extract",
        "eval",
        "rehearse",
        "config",
        "doctor",
        "why",
    ];
    for verb in verbs {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{verb} "))), "{verb} is not in --help");
        let (text, _, code) = told(&[verb, "--help"]);
        assert_eq!(code, Some(0), "{verb}");
        assert!(text.contains("Examples:\n") && text.contains(&format!("inkdex {verb}")), "{verb}: {text}");
    }
}

#[test]
fn every_problem_of_a_configuration_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "[worker]\nmax = 1\n[workers]\nmax = 0\nmini = 3\n").expect("a file");
    let bad = file.display().to_string();
    for verb in [vec!["config", "check"], vec!["serve"], vec!["run"], vec!["search", "x"]] {
        let arguments: Vec<&str> =
            verb.iter().copied().chain(["-c", &bad, "-c", "/nowhere.toml", "--set", "foo", "--set", "log.format=xml"]).collect();
        let (out, err, code) = told(&arguments);
        assert_eq!((out.as_str(), code), ("", Some(1)), "{verb:?}");
        for part in [
            "has 6 problems",
            "bad.toml:1 worker: unknown section `worker`\n    did you mean `workers`?",
            "bad.toml:4 workers.max: 0 is out of range: it must be 1 to 1000",
            "bad.toml:5 workers.mini: unknown key `mini`\n    did you mean `min`?",
            "/nowhere.toml: cannot be read",
            "--set foo: has another form than section.key=value",
            "--set log.format=xml log.format: \"xml\" is out of range: it must be `text` or `json`",
        ] {
            assert!(err.contains(part), "{verb:?} does not say {part:?}:\n{err}");
        }
    }
    assert_eq!(told(&["config", "check"]), ("the configuration is good\n".to_owned(), String::new(), Some(0)));
}

/// `config/default.toml` is what the binary prints.
#[test]
fn the_default_configuration_is_the_one_in_the_repository() {
    let stored = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default.toml")).expect("a file");
    assert_eq!(told(&["config", "default"]).0, stored);
}

/// 100 entries, three of them bad, at lines 5, 51 and 100 of a CSV file.
fn studios(folder: &Path) -> String {
    let mut text = "name,website,place,lat,lon\n".to_owned();
    for line in 2..=101 {
        text.push_str(&match line {
            5 => ",https://nameless.example,,,\n".to_owned(),
            51 => "Half a point,https://half.example,,3.5,\n".to_owned(),
            100 => "Old Gopher,gopher://old.example,,,\n".to_owned(),
            _ => format!("Studio {line},https://studio-{line}.example,\"London, UK\",,\n"),
        });
    }
    let file = folder.join("studios.csv");
    std::fs::write(&file, text).expect("a file");
    file.display().to_string()
}

/// Three bad lines of a hundred are named and the run goes on; nothing is visited, as no host is mapped.
#[test]
fn bad_entries_of_a_studio_file_are_named_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, data) = (studios(folder.path()), setting(&folder.path().join("data")));
    let quick = ["--set", "fetch.only_mapped=true", "--set", "pipeline.tick_ms=10", "--set", "ledger.sweep_every_ms=20"];
    let arguments = [vec!["run", "--studios", &file, "--set", &data, "--json"], quick.to_vec()].concat();
    let (out, err, code) = told(&arguments);
    for place in ["studios.csv:5: ", "studios.csv:51: ", "studios.csv:100: "] {
        assert_eq!(err.matches(place).count(), 1, "{place} in {err}");
    }
    assert!(err.contains("97 studios can be used, 3 entries cannot"), "{err}");
    let session: serde_json::Value = serde_json::from_str(&out).expect("one object");
    assert_eq!((code, session["state"].as_str(), session["report"]["studios"].as_u64()), (Some(0), Some("COMPLETED"), Some(0)), "{out}");
    assert_eq!(session["report"]["discovery"]["studios"].as_u64(), Some(97), "{out}");
    assert_eq!(session["report"]["dead_by_reason"]["guarded"].as_u64(), Some(97), "{out}");

    for strict in [vec!["--strict"], vec!["--set", "discovery.strict=true"]] {
        let fresh = setting(&folder.path().join("never-made"));
        let (out, err, code) = told(&[vec!["run", "--studios", &file, "--set", &fresh], strict].concat());
        assert_eq!((out.as_str(), code), ("", Some(1)));
        assert!(err.contains("studios.csv:51: ") && err.contains("strict is set and 3 entries cannot be used"), "{err}");
        assert!(!folder.path().join("never-made").exists(), "nothing is made before the file is good");
    }
    let (_, err, code) = told(&["run", "--set", &data]);
    assert!(code == Some(1) && err.contains("no studios are configured; give --studios FILE"), "{err}");
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("inkdex.db");
    let data = setting(folder.path());
    let refused = |verb: &[&str], part: &str| {
        let (_, err, code) = told(&[verb, &["--set", &data]].concat());
        assert!(code == Some(1) && err.contains(part), "{verb:?}: {err}");
    };
    for verb in [&["search", "x"][..], &["show", "x"], &["sessions"], &["dead-letters"], &["reconcile"], &["remove", "x", "--yes"]] {
        refused(verb, "there is no database at");
    }
    assert!(!database.exists());

    std::fs::write(&database, "recipes of my grandmother").expect("a file");
    for verb in [&["serve"][..], &["search", "x"], &["sessions"], &["remove", "x", "--yes"]] {
        refused(verb, "is not a database of inkdex; name another file, this one was left untouched");
    }
    assert_eq!(std::fs::read(&database).expect("a file"), b"recipes of my grandmother");
    let (out, _, code) = told(&["doctor", "--set", &data]);
    assert!(code == Some(1) && out.contains("✗ database") && out.contains("is not a database of inkdex"), "{out}");

    std::fs::remove_file(&database).expect("a file");
    drop(SqliteDb::open(&database, OpenMode::Owner, Arc::new(SystemClock::new())).expect("a database"));
    rusqlite::Connection::open(&database).expect("a file").pragma_update(None, "user_version", 99).expect("a pragma");
    for verb in [&["serve"][..], &["sessions"]] {
        refused(verb, "schema 99, newer than the");
    }
}

/// A database that another process holds: reading works, owning is refused, and commands look for the holder's API.
#[test]
fn a_held_database_can_be_read_and_not_owned() {
    let folder = tempfile::tempdir().expect("a folder");
    let holder = SqliteDb::open(&folder.path().join("inkdex.db"), OpenMode::Owner, Arc::new(SystemClock::new())).expect("a database");
    let data = setting(folder.path());
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let bind = format!("server.bind={nobody}");
    let run = |verb: &[&str]| told(&[verb, &["--set", &data, "--set", &bind]].concat());

    let (out, _, code) = run(&["sessions"]);
    assert_eq!((out.as_str(), code), ("no session has run yet; `inkdex run` starts one\n", Some(0)));
    assert_eq!(run(&["dead-letters"]).0, "no dead letters\n");
    let (_, err, code) = run(&["serve"]);
    assert!(code == Some(1) && err.contains(&format!("is held by another inkdex process (pid {}", std::process::id())), "{err}");
    for verb in [&["search", "x"][..], &["run"], &["dead-letters", "requeue", "x"]] {
        let (_, err, code) = run(verb);
        assert!(code == Some(1) && err.contains(&format!("nothing listens at http://{nobody}/")), "{verb:?}: {err}");
    }
    let (_, err, _) = run(&["run", "--studios", "x.yaml"]);
    assert!(err.contains("leave --studios and --strict out"), "{err}");
    let (out, _, code) = run(&["doctor"]);
    assert!(code == Some(0) && out.contains(&format!("process {} holds the database", std::process::id())), "{out}");
    drop(holder);
    let (out, _, code) = run(&["search", "--json"]);
    assert_eq!((out.as_str(), code), ("{\"artists\":[],\"total\":0}\n", Some(0)));
}

#[test]
fn bad_searches_name_every_parameter() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(SqliteDb::open(&folder.path().join("inkdex.db"), OpenMode::Owner, Arc::new(SystemClock::new())).expect("a database"));
    let (_, err, code) = told(&["search", "--style", "tradtional", "--near", "-91,0", "--limit", "51", "--set", &setting(folder.path())]);
    assert_eq!(code, Some(1));
    for part in ["style: `tradtional` is no style that we know; did you mean traditional?", "near: `-91,0` is no point", "limit: `51`"] {
        assert!(err.contains(part), "{part:?} is missing in {err}");
    }
}

/// The made-up web for other tests: one line with its port, and its end when its input ends.
#[test]
fn the_made_up_web_ends_with_its_input() {
    use std::io::{BufRead, BufReader};
    let mut child = inkdex(&["__demo-web", "--port", "0", "--seed", "3", "--studios", "2", "--artists", "1"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let port: u16 = line.trim().strip_prefix("listening ").and_then(|port| port.parse().ok()).expect("a port");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    drop(child.stdin.take());
    assert!(child.wait().expect("an end").success());
}
