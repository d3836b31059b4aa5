//! Serves folders as web sites on 127.0.0.1, choosing the folder by the Host header. Labels are never served.

use crate::scrape::folder::FolderSite;
use actix_web::dev::ServerHandle;
use actix_web::http::{Method, header};
use actix_web::middleware::Compress;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;

/// A running server of folders; dropping it stops it without waiting for answers under way.
#[derive(Debug)]
pub struct FolderServer {
    /// Where it listens.
    pub addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl FolderServer {
    /// Binds a free port and serves. An error is that of binding or of starting the thread.
    pub async fn start(sites: Vec<FolderSite>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let roots: HashMap<String, FolderSite> = sites.into_iter().map(|site| (site.host.clone(), site)).collect();
        let data = web::Data::new(roots);
        let (started, handle) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("folder-web".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server =
                    HttpServer::new(move || App::new().app_data(data.clone()).wrap(Compress::default()).default_service(web::to(answer)))
                        .workers(1)
                        .disable_signals()
                        .shutdown_timeout(1)
                        .listen(listener)?
                        .run();
                // The receiver is gone only if the caller gave up on starting.
                let _caller_gone = started.send(server.handle());
                server.await
            })
        })?;
        match handle.await {
            Ok(handle) => Ok(Self { addr, handle, thread: Some(thread) }),
            Err(_) => Err(std::io::Error::other("the server of folders ended before it served")),
        }
    }

    /// Stops, after at most a second for answers under way, and frees the port.
    pub async fn stop(mut self) {
        self.handle.stop(true).await;
        if let Some(thread) = self.thread.take() {
            // How the server's loop ended no longer matters to anyone.
            let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for FolderServer {
    fn drop(&mut self) {
        // The command is sent when the future is made; nobody waits for its end here.
        drop(self.handle.stop(false));
    }
}

async fn answer(request: HttpRequest, roots: web::Data<HashMap<String, FolderSite>>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish();
    }
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.unwrap_or_default().split(':').next().unwrap_or_default().to_ascii_lowercase();
    let Some(site) = roots.get(&host).cloned() else { return HttpResponse::MisdirectedRequest().finish() };
    let path = request.uri().path().to_owned();
    let found = web::block(move || {
        let file = site.file_at(&path)?;
        Some((media_type(&file), std::fs::read(&file).ok()?))
    });
    match found.await {
        Ok(Some((kind, body))) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, kind)).body(body),
        Ok(None) => HttpResponse::NotFound().finish(),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// The type of a file by its ending, without a charset: the page says it, as on the servers these sites stood on.
fn media_type(file: &Path) -> &'static str {
    let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match ending.as_str() {
        "html" | "htm" | "php" => "text/html",
        "xhtml" => "application/xhtml+xml",
        "txt" => "text/plain",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "it asks the server of this test, never a site")]
    async fn the_folder_is_chosen_by_host_and_the_label_is_never_served() {
        let folder = tempfile::tempdir().unwrap();
        for site in ["one", "two"] {
            std::fs::create_dir(folder.path().join(site)).unwrap();
            std::fs::write(folder.path().join(site).join("index.html"), format!("<p>{site}")).unwrap();
            std::fs::write(folder.path().join(site).join("truth.json"), "{}").unwrap();
        }
        let site = |name: &str, base: &str| FolderSite {
            host: format!("{name}.test"),
            root: folder.path().join(name),
            base: base.to_owned(),
            entry: "index.html".to_owned(),
        };
        let server = FolderServer::start(vec![site("one", "/"), site("two", "/ana/")]).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let get = async |host: &str, path: &str| {
            let answer = client.get(format!("http://{}{path}", server.addr)).header("host", host).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(get("one.test", "/").await, (200, "<p>one".to_owned()));
        assert_eq!(get("two.test:80", "/index.html").await, (200, "<p>two".to_owned()));
        assert_eq!(get("two.test", "/ana/index.html").await, (200, "<p>two".to_owned()));
        for (host, path, status) in [
            ("two.test", "/ana/truth.json", 404),
            ("two.test", "/ana/..%2Ftwo%2Findex.html", 404),
            ("one.test", "/truth.json", 404),
            ("one.test", "/%74ruth.json", 404),
            ("one.test", "/../two/index.html", 404),
            ("one.test", "/..%2Ftwo%2Findex.html", 404),
            ("three.test", "/", 421),
        ] {
            assert_eq!(get(host, path).await.0, status, "{host}{path}");
        }
        server.stop().await;
    }
}
