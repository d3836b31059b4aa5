//! A server of ours that speaks as the Places API (New) and as an Overpass server do: their ceilings, page tokens and error
//! bodies, over a made-up world of tattoo studios. What it answers can be planned call by call.

mod overpass;
mod places;

use inkdex::scrape::guard::{HostMap, MappedHost};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The name under which the Places API is asked.
pub const PLACES_HOST: &str = "places.test";
/// The name under which the Overpass server is asked.
pub const OVERPASS_HOST: &str = "overpass.test";
/// The key that the Places API lets in.
pub const KEY: &str = "AIza-hush-0123456789";

/// No call hangs longer than this, so that a test that forgot one ends.
const HANG: Duration = Duration::from_secs(60);

/// A studio of the made-up world.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its number: its ids at both services come from it.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub at: (f64, f64),
    /// Its site.
    pub website: Option<String>,
    /// Its telephone.
    pub phone: Option<String>,
    /// Its city, as OpenStreetMap has it.
    pub city: String,
    /// Whether Google knows it.
    pub google: bool,
    /// As what OpenStreetMap knows it.
    pub osm: Option<&'static str>,
}

impl Known {
    /// A studio that both services know.
    pub fn new(number: u64, name: &str, at: (f64, f64)) -> Self {
        let kind = ["node", "way", "relation"][number as usize % 3];
        Self { number, name: name.to_owned(), at, website: None, phone: None, city: "London".to_owned(), google: true, osm: Some(kind) }
    }

    /// Its id at Google.
    pub fn place_id(&self) -> String {
        format!("ChIJ{:08}", self.number)
    }

    fn is_in(&self, south: f64, west: f64, north: f64, east: f64) -> bool {
        (south..=north).contains(&self.at.0) && (west..=east).contains(&self.at.1)
    }
}

/// An answer as it is sent.
#[derive(Debug, Clone)]
pub struct Canned {
    /// Status line after the version.
    pub status: &'static str,
    /// Further header lines.
    pub headers: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Canned {
    /// JSON with a status.
    pub fn json(status: &'static str, body: &Value) -> Self {
        Self { status, headers: "Content-Type: application/json; charset=UTF-8\r\n".to_owned(), body: body.to_string().into_bytes() }
    }

    /// A page for people with a status.
    pub fn html(status: &'static str, body: &str) -> Self {
        Self { status, headers: "Content-Type: text/html; charset=utf-8\r\n".to_owned(), body: body.as_bytes().to_vec() }
    }

    /// An error as Google's APIs word it.
    pub fn google(status: &'static str, code: &str, message: &str) -> Self {
        let number: u16 = status.split(' ').next().and_then(|number| number.parse().ok()).expect("a status begins with its number");
        Self::json(status, &json!({ "error": { "code": number, "message": message, "status": code } }))
    }

    /// With another header line.
    pub fn with(mut self, header: &str) -> Self {
        self.headers.push_str(header);
        self.headers.push_str("\r\n");
        self
    }
}

/// What a call meets.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The answer of the service.
    Answered,
    /// Another answer.
    Canned(Canned),
    /// The connection is closed without one.
    Cut,
    /// Nothing at all.
    Hang,
}

/// A call as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `places` or `overpass`.
    pub service: &'static str,
    /// South, west, north, east.
    pub cell: (f64, f64, f64, f64),
    /// Whether it continues another.
    pub paging: bool,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

type Plan = Box<dyn Fn(usize, &Call) -> Fate + Send>;

/// What the server knows and does.
struct State {
    world: Vec<Known>,
    calls: Vec<Call>,
    plan: Plan,
    places: places::Rules,
    overpass: overpass::Rules,
}

/// A running server; it ends with the test's process.
pub struct StudioApis {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl StudioApis {
    /// Serves a world.
    pub fn start(world: Vec<Known>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let rules = (places::Rules::default(), overpass::Rules::default());
        let state = State { world, calls: Vec::new(), plan: Box::new(|_, _| Fate::Answered), places: rules.0, overpass: rules.1 };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                // A client that goes away is what some tests are about.
                std::thread::spawn(move || drop(serve(&stream, &state)));
            }
        });
        Self { address, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Plans what each call from now on meets, by its number from 0 since the start.
    pub fn plan(&self, plan: impl Fn(usize, &Call) -> Fate + Send + 'static) {
        self.state().plan = Box::new(plan);
    }

    /// Every call is answered from now on.
    pub fn answer_all(&self) {
        self.plan(|_, _| Fate::Answered);
    }

    /// The field that the Places API does not know any more.
    pub fn forget_field(&self, field: &str) {
        self.state().places.unknown_field = Some(field.to_owned());
    }

    /// After how many further calls a page token is no longer valid.
    pub fn expire_tokens_after(&self, calls: usize) {
        self.state().places.token_life = calls;
    }

    /// The Overpass server stops after so many elements, as if its time were over.
    pub fn time_out_after(&self, elements: usize) {
        self.state().overpass.elements_in_time = elements;
    }

    /// Another world from now on.
    pub fn change(&self, change: impl Fn(&mut Vec<Known>)) {
        change(&mut self.state().world);
    }

    /// Calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Both names mapped to it.
    pub fn hosts(&self) -> HostMap {
        let mut map = HostMap::none();
        for host in [PLACES_HOST, OVERPASS_HOST] {
            map.add(host, MappedHost { address: self.address.ip(), port: self.address.port(), spacing_ms: 0 }).expect("a host");
        }
        map
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request, read to its end.
struct Request {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None => break,
            }
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Self { target, headers, body })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn serve(stream: &TcpStream, state: &Arc<Mutex<State>>) -> std::io::Result<()> {
    let request = Request::read(stream)?;
    let (answer, fate) = {
        let mut state = locked(state);
        let number = state.calls.len();
        let (call, answer) = match request.target.as_str() {
            "/v1/places:searchText" => places::answer(&request, number, &state.places, &state.world),
            "/api/interpreter" => overpass::answer(&request, &state.overpass, &state.world),
            _ => return send(stream, &Canned::html("404 Not Found", "<p>not found")),
        };
        let fate = (state.plan)(number, &call);
        state.calls.push(call);
        (answer, fate)
    };
    match fate {
        Fate::Answered => send(stream, &answer),
        Fate::Canned(canned) => send(stream, &canned),
        Fate::Cut => Ok(()),
        Fate::Hang => {
            // Until the client is gone, or has waited longer than any test does.
            stream.set_read_timeout(Some(HANG))?;
            let mut stream = stream;
            stream.read(&mut [0]).map(drop)
        }
    }
}

fn send(mut stream: &TcpStream, answer: &Canned) -> std::io::Result<()> {
    let head =
        format!("HTTP/1.1 {}\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n", answer.status, answer.headers, answer.body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)
}
