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
    /// What it is now: forwarding, or cut with so many connections dropped.
    state: watch::Receiver<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Open,
    Cut { dropped: usize },
}

impl CuttingProxy {
    /// Forwards from a free port to `server`.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (wanted, want) = watch::channel(true);
        let (now, state) = watch::channel(State::Open);
        tokio::spawn(serve(listener, address, server, want, now));
        Self { address, wanted, state }
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

    /// Drops every connection and refuses new ones; once this answers it is so. Answers how many were dropped.
    pub async fn cut(&self) -> usize {
        self.wanted.send_replace(false);
        match self.until(|state| matches!(state, State::Cut { .. })).await {
            State::Cut { dropped } => dropped,
            State::Open => unreachable!("it was waited for"),
        }
    }

    /// Forwards again.
    pub async fn restore(&self) {
        self.wanted.send_replace(true);
        self.until(|state| matches!(state, State::Open)).await;
    }

    async fn until(&self, reached: impl FnMut(&State) -> bool) -> State {
        *self.state.clone().wait_for(reached).await.expect("the proxy lives as long as its runtime")
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections that were cut linger at the port; it is ours all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn serve(first: TcpListener, address: SocketAddr, server: SocketAddr, mut want: watch::Receiver<bool>, now: watch::Sender<State>) {
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
        let dropped = forwards.len();
        forwards.shutdown().await;
        now.send_replace(State::Cut { dropped });
        if want.wait_for(|open| *open).await.is_err() {
            return;
        }
        listener = listen(address).expect("nobody takes a port in the second that it is free");
        now.send_replace(State::Open);
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr) {
    if let Ok(mut upstream) = TcpStream::connect(server).await {
        // One side hung up, or was cut: nothing more is to be done for either.
        let _ended = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
    }
}
