//! The start on the real server: what is made, what is checked, and the sentences for what is wrong.

use super::{put, total};
use crate::support::opensearch::{OwnIndexes, open};
use crate::support::wait::{LONG, until};
use inkdex::search::opensearch::{Login, OpenSearchSettings};
use inkdex::search::{SearchError, SearchIndex};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use url::Url;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

async fn refusal(settings: OpenSearchSettings) -> String {
    match open(settings).await {
        Err(SearchError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

async fn outage(settings: OpenSearchSettings) -> String {
    match open(settings).await {
        Err(SearchError::Unavailable(why)) => why,
        other => panic!("not unavailable: {other:?}"),
    }
}

/// Eight processes that start at once make one index.
#[tokio::test(flavor = "multi_thread")]
async fn many_starts_make_one_index() {
    let own = OwnIndexes::new();
    let starts = (0..8).map(|_| tokio::spawn(open(own.settings.clone())));
    let mut opened = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        opened.push(start.await.expect("no panic").expect("a start"));
    }
    assert_eq!(own.names(), [format!("{}-v1-000001", own.settings.prefix)]);
    opened[0].apply(vec![put("a", 1, "Ana")], None).await.expect("a batch");
    assert_eq!(total(&opened[7]).await, 1);
    let generation = opened[0].generation().await.expect("a generation");
    assert_eq!(opened[1].generation().await.expect("a generation"), generation);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_of_another_build_stops_the_start() {
    let own = OwnIndexes::new();
    drop(own.open().await.expect("the index can be used"));
    let name = own.names().remove(0);
    assert_eq!(own.ask("PUT", &format!("/{name}/_mapping"), r#"{"properties":{"shoe_size":{"type":"long"}}}"#).0, 200);
    let why = refusal(own.settings.clone()).await;
    assert!(why.contains("shoe_size") && why.contains("inkdex reindex") && why.contains(&name), "{why}");

    assert_eq!(own.ask("PUT", &format!("/{name}/_mapping"), r#"{"_meta":{"document_form":0}}"#).0, 200);
    let why = refusal(own.settings.clone()).await;
    assert!(why.contains("form 0") && why.contains("inkdex reindex"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_that_mean_something_else_stop_the_start() {
    let own = OwnIndexes::new();
    drop(own.open().await.expect("the index can be used"));
    let name = own.names().remove(0);
    let bare = format!(r#"{{"actions":[{{"add":{{"index":"{name}","alias":"{}"}}}}]}}"#, own.settings.searched());
    assert_eq!(own.ask("POST", "/_aliases", &bare).0, 200);
    let why = refusal(own.settings.clone()).await;
    assert!(why.contains("tombstones"), "{why}");

    let other = format!("/{}-v1-2", own.settings.prefix);
    let aliased = format!(r#"{{"aliases":{{"{}":{{}}}}}}"#, own.settings.written());
    assert_eq!(own.ask("PUT", &other, &aliased).0, 200);
    let why = refusal(own.settings.clone()).await;
    assert!(why.contains("2 indexes") && why.contains("opensearch.prefix"), "{why}");

    let taken = OwnIndexes::new();
    assert_eq!(taken.ask("PUT", "/{prefix}", "").0, 200);
    let why = refusal(taken.settings.clone()).await;
    assert!(why.contains("the name of our alias") && why.contains("opensearch.prefix"), "{why}");
}

/// A rebuild that was killed may have left refreshes off; then nothing would become searchable.
#[tokio::test(flavor = "multi_thread")]
async fn refreshes_are_switched_on_again() {
    let own = OwnIndexes::new();
    drop(own.open().await.expect("the index can be used"));
    assert_eq!(own.ask("PUT", "/{all}/_settings", r#"{"index":{"refresh_interval":"-1"}}"#).0, 200);
    let index = own.open().await.expect("the index can be used");
    index.apply(vec![put("a", 1, "Ana")], None).await.expect("a batch");
    assert_eq!(total(&index).await, 1);
}

/// A server of one answer.
fn answering(status: &'static str, body: &'static str) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 16_384];
            let _whole_of_a_small_request = stream.read(&mut asked);
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}", body.len());
            // Whoever asked may be gone.
            drop(stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()));
        }
    });
    url(&format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_missing_rights_stop_the_start() {
    let login = Some(Login { user: "inkdex".to_owned(), password: "hunter2".to_owned() });
    let settings = OpenSearchSettings { login, ..OpenSearchSettings::new(answering("401 Unauthorized", "Unauthorized"), "artists") };
    let why = refusal(settings).await;
    assert!(why.contains("opensearch.user and opensearch.password") && !why.contains("hunter2"), "{why}");

    let body = r#"{"error":{"type":"security_exception","reason":"no permissions for [indices:admin/index_template/put]"},"status":403}"#;
    let why = refusal(OpenSearchSettings::new(answering("403 Forbidden", body), "artists")).await;
    assert!(why.contains("index_template/put") && why.contains("give opensearch.user"), "{why}");

    let why = outage(OpenSearchSettings::new(answering("503 Unavailable", "no nodes"), "artists")).await;
    assert!(why.contains("503") && why.contains("no nodes"), "{why}");
    let why = outage(OpenSearchSettings::new(answering("200 OK", "<html>a portal</html>"), "artists")).await;
    assert!(why.contains("no JSON"), "{why}");
}

/// Nobody listens, or who listens never answers: told within the time limit, at the start and later.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_unavailable_within_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = listener.local_addr().expect("an address");
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    for (address, word) in [(closed, "opensearch.url"), (silent, "within 300 ms")] {
        let limit = Duration::from_millis(300);
        let settings = OpenSearchSettings {
            search_within: limit,
            write_within: limit,
            admin_within: limit,
            ..OpenSearchSettings::new(url(&format!("http://{address}")), "artists")
        };
        let at_once = tokio::time::timeout(Duration::from_secs(5), outage(settings.clone()));
        let why = at_once.await.expect("the limit is kept");
        assert!(why.contains(word), "{why}");
        let index = crate::support::opensearch::connect(settings);
        let calls = async {
            let applied = index.apply(vec![put("a", 1, "Ana")], None).await;
            assert!(matches!(applied, Err(SearchError::Unavailable(_))), "{applied:?}");
            let searched = index.search(&inkdex::search::SearchQuery { limit: 1, ..Default::default() }).await;
            assert!(matches!(searched, Err(SearchError::Unavailable(_))), "{searched:?}");
        };
        tokio::time::timeout(Duration::from_secs(10), calls).await.expect("the limit is kept");
    }
}

/// A TLS server with a certificate that nobody signed.
struct TlsServer {
    server: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl TlsServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=search.example"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let server = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-key", "key.pem", "-cert", "cert.pem", "-www", "-quiet"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        Self { server, folder, port }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_certificate_stops_the_start_and_a_trusted_one_does_not() {
    let server = TlsServer::start();
    let limit = Duration::from_secs(5);
    let address = url(&format!("https://127.0.0.1:{}", server.port));
    let settings = OpenSearchSettings { admin_within: limit, ..OpenSearchSettings::new(address, "artists") };
    let why = until("the server listens", LONG, async || match open(settings.clone()).await {
        Err(SearchError::Refused(why)) => Some(why),
        _ => None,
    })
    .await;
    assert!(why.contains("certificate") && why.contains("opensearch.ca_file"), "{why}");

    let trusting = OpenSearchSettings { ca_file: Some(server.folder.path().join("cert.pem")), ..settings.clone() };
    match open(trusting).await {
        Err(error) => assert!(!error.to_string().contains("certificate"), "it speaks to the server now: {error}"),
        Ok(index) => panic!("that is no OpenSearch: {index:?}"),
    }
    let missing = OpenSearchSettings { ca_file: Some(server.folder.path().join("none.pem")), ..settings };
    let why = refusal(missing).await;
    assert!(why.contains("none.pem"), "{why}");
}
