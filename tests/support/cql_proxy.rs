//! A proxy before Cassandra that understands the frames of CQL (v3 and v4) and loses one that it was told to: a request that never
//! arrives, or the answer to one that did.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What is lost of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The request: the server never hears of it.
    Request,
    /// The answer: the server did what was asked.
    Answer,
}

/// Version, flags, stream, opcode and length of the body.
const HEAD: usize = 9;
/// The opcode of a request that executes a prepared statement.
const EXECUTE: u8 = 0x0a;

#[derive(Default)]
struct Plan {
    /// The next execution whose values hold these bytes.
    next: Option<(Lost, Vec<u8>)>,
    lost: usize,
}

/// Stands between a driver and its node. Ends with the test's runtime.
pub struct CqlProxy {
    /// Where drivers connect.
    pub address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

impl CqlProxy {
    /// Before the node at `host:port`.
    pub async fn before(node: &str) -> Self {
        let node: SocketAddr = node.parse().expect("an address and a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let plan = Arc::new(Mutex::new(Plan::default()));
        let planned = plan.clone();
        tokio::spawn(async move {
            while let Ok((driver, _)) = listener.accept().await {
                let plan = planned.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(node).await else { return };
                    let (from_driver, to_driver) = driver.into_split();
                    let (from_server, to_server) = server.into_split();
                    let waited_for = Arc::default();
                    // Whichever side hangs up ends both.
                    tokio::select! {
                        _ended = requests(from_driver, to_server, &plan, &waited_for) => {}
                        _ended = answers(from_server, to_driver, &plan, &waited_for) => {}
                    }
                });
            }
        });
        Self { address, plan }
    }

    /// Loses the next execution of a statement whose values hold `bytes`, once.
    pub fn lose(&self, what: Lost, bytes: &str) {
        self.plan.lock().unwrap().next = Some((what, bytes.as_bytes().to_vec()));
    }

    /// How many exchanges were lost so far.
    pub fn lost(&self) -> usize {
        self.plan.lock().unwrap().lost
    }
}

/// Streams whose answer is to be lost.
type Waited = Mutex<HashSet<[u8; 2]>>;

async fn frame(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; HEAD];
    from.read_exact(&mut frame).await?;
    let length = u32::from_be_bytes([frame[5], frame[6], frame[7], frame[8]]);
    frame.resize(HEAD + usize::try_from(length).expect("a frame fits the memory"), 0);
    from.read_exact(&mut frame[HEAD..]).await?;
    Ok(frame)
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, plan: &Mutex<Plan>, waited: &Waited) -> std::io::Result<()> {
    loop {
        let frame = frame(&mut from).await?;
        let lost = {
            let mut plan = plan.lock().unwrap();
            let meant = |(_, bytes): &mut (Lost, Vec<u8>)| {
                frame[4] == EXECUTE && frame[HEAD..].windows(bytes.len()).any(|window| window == bytes.as_slice())
            };
            let lost = plan.next.take_if(meant).map(|(lost, _)| lost);
            plan.lost += usize::from(lost == Some(Lost::Request));
            lost
        };
        match lost {
            Some(Lost::Request) => continue,
            Some(Lost::Answer) => drop(waited.lock().unwrap().insert([frame[2], frame[3]])),
            None => {}
        }
        to.write_all(&frame).await?;
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, plan: &Mutex<Plan>, waited: &Waited) -> std::io::Result<()> {
    loop {
        let frame = frame(&mut from).await?;
        if waited.lock().unwrap().remove(&[frame[2], frame[3]]) {
            plan.lock().unwrap().lost += 1;
            continue;
        }
        to.write_all(&frame).await?;
    }
}
