//! A proxy before OpenSearch that fails as planned: whole bulk requests, single items, answers cut or withheld.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use url::Url;

/// What happens to a bulk request; others are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passed on.
    None,
    /// Answered so, and nothing is passed on.
    Status(u16),
    /// Requests with more operations than this are answered 413.
    TooLargeAbove(usize),
    /// The first half is passed on, the second is answered 429 item by item, and the items come in reverse order.
    HalfBusy,
    /// Passed on, and half of the answer comes back.
    Truncated,
    /// Passed on, and the connection ends without an answer.
    AnswerLost,
    /// Not passed on, and no answer comes while the proxy lives.
    Silent,
}

/// A running proxy; it ends with the test.
pub struct FaultProxy {
    pub url: Url,
    plan: Arc<Mutex<VecDeque<Fault>>>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl FaultProxy {
    /// Before a server; bulk requests meet the faults of `plan` one after the other, the last one again and again.
    pub fn before(server: &Url, plan: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
        let target = format!("{}:{}", server.host_str().expect("a host"), server.port_or_known_default().expect("a port"));
        let plan = Arc::new(Mutex::new(plan.iter().copied().collect::<VecDeque<_>>()));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let (planned, seen) = (Arc::clone(&plan), Arc::clone(&sizes));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (planned, seen, target) = (Arc::clone(&planned), Arc::clone(&seen), target.clone());
                // A broken connection is what some of the faults are.
                std::thread::spawn(move || drop(serve(stream, &target, &planned, &seen)));
            }
        });
        Self { url, plan, sizes }
    }

    /// Other faults from now on.
    pub fn plan(&self, plan: &[Fault]) {
        *self.plan.lock().unwrap() = plan.iter().copied().collect();
    }

    /// Operations of each bulk request met so far.
    pub fn bulk_sizes(&self) -> Vec<usize> {
        self.sizes.lock().unwrap().clone()
    }
}

struct Asked {
    head: String,
    body: Vec<u8>,
}

fn read(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        // One request a connection: each meets its own fault.
        // And in plain text, to be taken apart.
        let dropped = ["connection:", "accept-encoding:"];
        if !dropped.iter().any(|name| line.to_ascii_lowercase().starts_with(name)) {
            head.push_str(&line);
        }
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Asked { head, body })
}

fn pass_on(target: &str, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(target)?;
    let kept: String = head.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")).collect();
    server.write_all(format!("{kept}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())?;
    server.write_all(body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

fn serve(mut stream: TcpStream, target: &str, plan: &Mutex<VecDeque<Fault>>, sizes: &Mutex<Vec<usize>>) -> std::io::Result<()> {
    let asked = read(&stream)?;
    if !asked.head.lines().next().unwrap_or_default().contains("/_bulk") {
        stream.write_all(&closing(pass_on(target, &asked.head, &asked.body)?))?;
        return stream.shutdown(Shutdown::Both);
    }
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let operations = lines.len() / 2;
    sizes.lock().unwrap().push(operations);
    let fault = {
        let mut plan = plan.lock().unwrap();
        if plan.len() > 1 { plan.pop_front() } else { plan.front().copied() }
    };
    let answer = match fault.unwrap_or(Fault::None) {
        Fault::TooLargeAbove(most) if operations > most => told(413, &json!({ "error": "too large" })),
        Fault::None | Fault::TooLargeAbove(_) => closing(pass_on(target, &asked.head, &asked.body)?),
        Fault::Status(status) => told(status, &json!({ "error": { "type": "planned", "reason": "a planned fault" }, "status": status })),
        Fault::HalfBusy => half_busy(target, &asked, &lines)?,
        Fault::Truncated => {
            let whole = closing(pass_on(target, &asked.head, &asked.body)?);
            whole[..whole.len() - whole.len() / 3].to_vec()
        }
        Fault::AnswerLost => {
            pass_on(target, &asked.head, &asked.body)?;
            Vec::new()
        }
        Fault::Silent => {
            // Until the other side hangs up.
            stream.read_to_end(&mut Vec::new())?;
            Vec::new()
        }
    };
    stream.write_all(&answer)?;
    stream.shutdown(Shutdown::Both)
}

/// The first half passed on, the rest busy, all of it in reverse order.
fn half_busy(target: &str, asked: &Asked, lines: &[&str]) -> std::io::Result<Vec<u8>> {
    let kept = (lines.len() / 2).div_ceil(2) * 2;
    let answer = pass_on(target, &asked.head, lines[..kept].concat().as_bytes())?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let mut reply: Value = serde_json::from_str(body).expect("the server answers JSON");
    let items = reply["items"].as_array_mut().expect("items");
    for head in lines[kept..].iter().step_by(2) {
        let head: Value = serde_json::from_str(head).expect("an action");
        let error = json!({ "type": "rejected_execution_exception", "reason": "a planned fault" });
        items.push(json!({ "index": { "_id": head["index"]["_id"], "status": 429, "error": error } }));
    }
    items.reverse();
    reply["errors"] = json!(true);
    Ok(told(200, &reply))
}

fn told(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} Planned\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The server's answer, with the word that the connection ends.
fn closing(answer: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&answer).into_owned();
    match text.split_once("\r\n") {
        Some((status, rest)) if !rest.to_ascii_lowercase().contains("connection: close") => {
            format!("{status}\r\nConnection: close\r\n{rest}").into_bytes()
        }
        _ => answer,
    }
}
