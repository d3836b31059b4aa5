//! Canaries: listeners on loopback, IPv4 and IPv6, that nothing of ours may ever connect to. Each connection is counted and
//! answered, so that whoever comes by mistake is met.

use super::vectors::CANARIES;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Listeners on one port of several loopback addresses. They end when this is dropped.
#[derive(Debug)]
pub struct Canary {
    /// The port they share.
    pub port: u16,
    /// Where they listen.
    pub addresses: Vec<IpAddr>,
    hits: Arc<AtomicUsize>,
    _listeners: JoinSet<()>,
}

impl Canary {
    /// Listens. A machine without IPv6 has no `::1`, and nothing can be reached there.
    pub async fn listen() -> io::Result<Self> {
        let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok();
        let mut addresses: Vec<IpAddr> = CANARIES.iter().map(|address| (*address).into()).collect();
        addresses.extend(has_v6.then_some(IpAddr::from(Ipv6Addr::LOCALHOST)));
        // A port that is free at one address may be taken at another.
        for _ in 0..100 {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let port = first.local_addr()?.port();
            let mut all = vec![first];
            for address in &addresses[1..] {
                match TcpListener::bind((*address, port)).await {
                    Ok(listener) => all.push(listener),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => break,
                    Err(error) => return Err(error),
                }
            }
            if all.len() == addresses.len() {
                let hits = Arc::new(AtomicUsize::new(0));
                let mut listeners = JoinSet::new();
                for listener in all {
                    listeners.spawn(serve(listener, Arc::clone(&hits)));
                }
                return Ok(Self { port, addresses, hits, _listeners: listeners });
            }
        }
        Err(io::Error::other("no port is free at all loopback addresses"))
    }

    /// Connections so far.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Connects to each of them, so that their silence means something. Answers how many connections were counted.
    pub async fn sing(&self) -> io::Result<usize> {
        let before = self.hits();
        for address in &self.addresses {
            let mut stream = TcpStream::connect(SocketAddr::new(*address, self.port)).await?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: canary\r\n\r\n").await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
        }
        Ok(self.hits() - before)
    }
}

async fn serve(listener: TcpListener, hits: Arc<AtomicUsize>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        hits.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                // Whoever came is counted, whether they wait for the answer or not.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ninside").await;
            }
        });
    }
}
