//! A TCP proxy on loopback that can be cut: connections drop and new ones are refused until it is restored.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Stands between a client and its server. Ends with the test's runtime.
#[derive(Debug)]
pub struct CuttingProxy {
    address: SocketAddr,
    wanted: watch::Sender<bool>,
    open: watch::Receiver<bool>,
}

impl CuttingProxy {
    /// Forwards from a free port to `server`.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (wanted, want) = watch::channel(true);
        let (opened, open) = watch::channel(true);
        tokio::spawn(serve(listener, address, server, want, opened));
        Self { address, wanted, open }
    }

    /// Forwards to the server of a URL (`http://host:port`) or of a bare `host:port`.
    pub async fn to_url(url: &str) -> Self {
        let bare = url.rsplit_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
        Self::to(bare.parse().expect("an address and a port")).await
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection and refuses new ones; once this answers it is so.
    pub async fn cut(&self) {
        self.set(false).await;
    }

    /// Forwards again.
    pub async fn restore(&self) {
        self.set(true).await;
    }

    async fn set(&self, open: bool) {
        self.wanted.send_replace(open);
        self.open.clone().wait_for(|now| *now == open).await.expect("the proxy lives as long as its runtime");
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections that were cut linger at the port; it is ours all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn serve(first: TcpListener, address: SocketAddr, server: SocketAddr, mut want: watch::Receiver<bool>, opened: watch::Sender<bool>) {
    let mut listener = first;
    loop {
        let mut forwards = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((client, _)) = accepted {
                        forwards.spawn(forward(client, server));
                    }
                }
                Some(_ended) = forwards.join_next() => {}
                cut = want.wait_for(|open| !*open) => {
                    if cut.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
        drop(listener);
        forwards.shutdown().await;
        opened.send_replace(false);
        if want.wait_for(|open| *open).await.is_err() {
            return;
        }
        listener = listen(address).expect("nobody takes a port in the second that it is free");
        opened.send_replace(true);
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr) {
    if let Ok(mut upstream) = TcpStream::connect(server).await {
        // One side hung up, or was cut: nothing more is to be done for either.
        let _ended = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::wait::{LONG, until};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn echo_server() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reading, mut writing) = client.split();
                    tokio::io::copy(&mut reading, &mut writing).await
                });
            }
        });
        address
    }

    async fn echoes(connection: &mut TcpStream) -> bool {
        let mut answer = [0; 4];
        connection.write_all(b"ping").await.is_ok() && connection.read_exact(&mut answer).await.is_ok() && &answer == b"ping"
    }

    #[tokio::test]
    async fn a_cut_drops_and_refuses_until_it_is_restored() {
        let proxy = CuttingProxy::to(echo_server().await).await;
        for _ in 0..5 {
            let mut connection = TcpStream::connect(proxy.address()).await.unwrap();
            assert!(echoes(&mut connection).await);
            proxy.cut().await;
            assert!(!echoes(&mut connection).await, "a live connection is dropped");
            assert!(TcpStream::connect(proxy.address()).await.is_err(), "a new one is refused");
            proxy.restore().await;
            assert!(!echoes(&mut connection).await, "what was dropped stays dropped");
            let mut again = until("the server is reached again", LONG, async || TcpStream::connect(proxy.address()).await.ok()).await;
            assert!(echoes(&mut again).await);
        }
    }
}
