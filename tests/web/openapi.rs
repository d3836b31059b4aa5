//! The API's description against what there is: the routes in the source, and what the server answers.

use crate::support::http::TestWeb;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// `(method, path)` of every route attribute of the API in the source, with the text that follows it.
fn routes_in_source() -> Vec<(String, String, String)> {
    let mut routes = Vec::new();
    for folder in ["src/web", "src/web/api", "src/web/admin"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for method in ["get", "post", "put", "delete", "patch"] {
                for part in text.split(&format!("\n#[{method}(\"")).skip(1) {
                    let (route, rest) = part.split_once("\")]").expect("an attribute ends");
                    routes.push((method.to_owned(), route.to_owned(), rest.chars().take(200).collect()));
                }
            }
        }
    }
    assert!(routes.len() >= 18, "{routes:?}");
    routes
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            operations.push((method.clone(), path.clone(), operation));
        }
    }
    operations
}

/// 002-X9: what is described is what is routed, and the reverse.
#[test]
fn every_route_is_described_and_every_description_is_routed() {
    let web = TestWeb::start();
    let document = web.get("/openapi.json").json();
    let described: BTreeSet<(String, String)> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<(String, String)> = routes_in_source().into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(described, routed);
    for (method, path) in &described {
        let answer = web.send(&method.to_uppercase(), &path.replace("{id}", "some-id"), &[], None);
        let code = serde_json::from_str::<Value>(&answer.body).ok().and_then(|body| body["code"].as_str().map(str::to_owned));
        assert!(!matches!(code.as_deref(), Some("unknown_route" | "method_not_allowed" | "internal")), "{method} {path}: {}", answer.body);
    }
}

/// Authorisation stands in the type of each handler of the admin API, first of its arguments.
#[test]
fn every_admin_handler_asks_who_it_is() {
    let handlers: Vec<_> = routes_in_source().into_iter().filter(|(_, path, _)| path.starts_with("/admin/")).collect();
    assert!(handlers.len() >= 11, "{handlers:?}");
    for (method, path, rest) in handlers {
        let arguments = rest.split_once('(').map(|(_, arguments)| arguments.trim_start()).unwrap_or_default();
        assert!(arguments.starts_with("_: Operator,"), "{method} {path}: {rest}");
    }
}

#[test]
fn the_description_is_whole() {
    let web = TestWeb::start();
    let text = web.get("/openapi.json").body;
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", document["openapi"]);
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for reference in text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let name = reference.strip_prefix("#/components/schemas/").expect("a reference to a schema");
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path} has no summary");
        let in_path = path.matches('{').count();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        assert_eq!(parameters.iter().filter(|parameter| parameter["in"] == "path").count(), in_path, "{method} {path}");
        if method != "get" || !path.contains("/v1/") {
            continue;
        }
        // Every parameter that is described is taken (blank counts as absent), and no other.
        let target = path.replace("{id}", "some-id");
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().expect("a name");
            assert_eq!(web.get(&format!("{target}?{name}=")).status, 200, "{target}?{name}=");
        }
        assert_eq!(web.get(&format!("{target}?surprise=")).status, 400, "{target}");
    }
}
