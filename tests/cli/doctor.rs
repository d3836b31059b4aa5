//! `inkdex doctor` on the production backends: every line green, and with one server out of reach the right one red.

use super::told;
use crate::support::proxy::CuttingProxy;
use crate::support::world::{World, run};
use inkdex::demo::DemoWeb;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the doctor finds: its verdict, each part's mark and text, and its exit code.
async fn findings(config: &str) -> (bool, BTreeMap<String, (String, String)>, Option<i32>) {
    let config = config.to_owned();
    let (out, err, code) = tokio::task::spawn_blocking(move || told(&["doctor", "--json", "-c", &config])).await.unwrap();
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let parts = found["parts"].as_array().unwrap().iter();
    let marks = parts.map(|finding| (text(finding, "part"), (text(finding, "mark"), text(finding, "text")))).collect();
    (found["good"].as_bool().unwrap(), marks, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_names_the_server_that_is_out() {
    let mut world = World::on_servers(DemoWeb::generate_sized(5, 2, 2)).await;
    // Something to compare, and a key of the denylist.
    let app = world.start().await;
    run(&app).await;
    app.stop().await;

    let config = &mut world.config;
    let store = CuttingProxy::to_url(&config.cql.nodes[0]).await;
    let queue = CuttingProxy::to_url(&config.sqs.endpoint).await;
    let index = CuttingProxy::to_url(&config.opensearch.url).await;
    let objects = CuttingProxy::to_url(&config.s3.endpoint).await;
    config.cql.nodes = vec![store.address().to_string()];
    config.cql.connect_ms = 5_000;
    config.server.bind = "127.0.0.1:0".parse().unwrap();
    config.fetch.user_agent = "Inkdex/0.1 (+https://directory.example/bot)".to_owned();
    config.sqs.endpoint = format!("http://{}", queue.address());
    config.opensearch.url = format!("http://{}", index.address());
    config.s3.endpoint = format!("http://{}", objects.address());
    let file = config.alerts.file.with_file_name("doctor.toml");
    std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
    let file = file.display().to_string();

    let (good, parts, code) = findings(&file).await;
    assert_eq!((good, code), (true, Some(0)), "{parts:?}");
    let green = [
        "configuration",
        "address",
        "pipeline",
        "studio files",
        "browser",
        "store",
        "queue",
        "index",
        "objects",
        "ledger",
        "denylist key",
        "search index",
    ];
    for part in green {
        assert_eq!(parts.get(part).map(|(mark, _)| mark.as_str()), Some("good"), "{part} in {parts:?}");
    }
    assert_eq!(parts.len(), green.len(), "{parts:?}");

    for (out, proxy) in [("store", &store), ("queue", &queue), ("index", &index), ("objects", &objects)] {
        proxy.cut().await;
        let (good, parts, code) = findings(&file).await;
        proxy.restore().await;
        assert_eq!((good, code), (false, Some(1)), "without the {out}: {parts:?}");
        let marked = |mark: &str| parts.iter().filter(|(_, (found, _))| found == mark).map(|(part, _)| part.as_str()).collect::<Vec<_>>();
        assert_eq!(marked("bad"), [out], "without the {out}: {parts:?}");
        for part in ["store", "queue", "index", "objects"].into_iter().filter(|part| *part != out) {
            assert_eq!(parts[part].0, "good", "without the {out}: {parts:?}");
        }
        assert!(!parts[out].1.is_empty(), "it says what is wrong");
    }
    assert!(findings(&file).await.0, "all of it is reached again");
}
