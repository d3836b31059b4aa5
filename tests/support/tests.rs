//! Tests of what tests share.

use super::proxy::CuttingProxy;
use super::servers::{OwnServers, Server, shared};
use super::wait::{LONG, until};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn listens(address: &str) -> bool {
    std::net::TcpStream::connect(address.trim_start_matches("http://")).is_ok()
}

#[test]
fn every_server_listens() {
    let servers = shared();
    for address in [servers.cassandra, servers.opensearch, servers.sqs, servers.s3] {
        assert!(listens(&address), "{address}");
    }
}

#[test]
fn a_server_of_ones_own_comes_back_where_it_was() {
    let own = OwnServers::start(&[Server::Moto]);
    let (address, pid) = (own.address(Server::Moto), own.pid(Server::Moto));
    assert!(listens(&address));
    own.stop(Server::Moto);
    assert!(!listens(&address));
    own.start_again(&[Server::Moto]);
    assert!(listens(&address));
    assert_eq!(own.address(Server::Moto), address);
    assert_ne!(own.pid(Server::Moto), pid);
}

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
        assert_eq!(proxy.cut().await, 1, "the one connection there is");
        assert!(!echoes(&mut connection).await, "a live connection is dropped");
        assert!(TcpStream::connect(proxy.address()).await.is_err(), "a new one is refused");
        proxy.restore().await;
        assert!(!echoes(&mut connection).await, "what was dropped stays dropped");
        let mut again = until("the server is reached again", LONG, async || TcpStream::connect(proxy.address()).await.ok()).await;
        assert!(echoes(&mut again).await);
    }
}
