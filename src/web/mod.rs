//! HTTP: route table, auth, errors, one file a resource, pages.

/// State.
#[derive(Clone, Debug)]
pub struct WebState {
    pub ports: crate::jobs::Ports,
    pub control: std::sync::Arc<dyn crate::jobs::control::Control>,
    pub metrics: std::sync::Arc<crate::metrics::Metrics>,
    pub admin: bool,
    pub token_key: std::sync::Arc<[u8]>,
    pub body_deadline: std::time::Duration,
    pub stopping: tokio::sync::watch::Receiver<bool>,
}
/// Start.
pub fn start(_state: WebState, bind: std::net::SocketAddr) -> std::io::Result<(std::net::SocketAddr, actix_web::dev::Server)> {
    let server = actix_web::HttpServer::new(actix_web::App::new).workers(1).bind(bind)?;
    let addr = server.addrs()[0];
    Ok((addr, server.run()))
}
