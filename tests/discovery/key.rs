//! The key of Google Places goes to that API alone: into no other request, no error, no log, no row and no file.

use super::{Bench, asking, crowded};
use crate::support::studio_apis::{Canned, Fate, KEY};
use inkdex::discover::StudioSource;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every byte below a folder.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => bytes.extend(bytes_below(&path)),
            path => bytes.extend(std::fs::read(path).unwrap_or_default()),
        }
    }
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn the_key_never_leaves_its_client() {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let quiet = tracing::subscriber::set_default(subscriber);

    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let elsewhere = format!("Location: http://{}/v1/places:searchText", trap.local_addr().unwrap());
    let bench = Bench::over(crowded(41));
    // An API that repeats the key in its errors, a redirect, a broken connection.
    let repeats = format!("The provided API key {KEY} is invalid.");
    let errors = [
        Canned::google("429 Too Many Requests", "RESOURCE_EXHAUSTED", &repeats),
        Canned::google("400 Bad Request", KEY, &repeats),
        Canned::html("200 OK", &repeats),
        Canned::json("200 OK", &serde_json::json!({ KEY: 1 })),
        Canned::google("307 Temporary Redirect", "x", "x").with(&elsewhere),
        Canned::google("403 Forbidden", "PERMISSION_DENIED", &repeats),
    ];
    let mut told = String::new();
    for error in errors {
        bench.apis.plan(move |_, _| Fate::Canned(error.clone()));
        let source = bench.places();
        told.push_str(&format!("{source:?} {:?}\n", source.studios(&asking("daily-1")).await));
    }
    bench.apis.plan(|_, _| Fate::Cut);
    told.push_str(&format!("{:?}\n", bench.places().studios(&asking("daily-2")).await));
    bench.apis.answer_all();
    // Some cells are given up by now, others are answered.
    let found = bench.places().studios(&asking("daily-3")).await;
    told.push_str(&format!("{found:?}"));
    // A source that was told the key asks OpenStreetMap as well.
    bench.overpass(100).studios(&asking("daily-3")).await.unwrap();
    drop(quiet);

    let calls = bench.apis.calls();
    let with_key = |service: &str| {
        calls.iter().filter(|call| call.service == service && call.headers.iter().any(|(_, value)| value.contains(KEY))).count()
    };
    assert!(with_key("places") > 7 && with_key("overpass") == 0);
    assert!(trap.accept().is_err(), "the redirect was followed");
    assert!(told.contains("(secret)") && told.contains("RESOURCE_EXHAUSTED"), "{told}");
    assert!(!told.contains(KEY), "{told}");
    let logs = logged.0.lock().unwrap().clone();
    assert!(holds(&logs, "no use of google_places for"), "{}", String::from_utf8_lossy(&logs[..logs.len().min(2_000)]));
    assert!(!holds(&logs, KEY), "the key was logged");
    let kept = bytes_below(bench.folder.path());
    assert!(holds(&kept, "discovery.grid/google_places/london"));
    assert!(!holds(&kept, KEY), "the key was stored");
}
