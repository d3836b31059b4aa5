//! Planned faults for tests: compiled into debug builds only, and silent unless the environment names a plan.
//!
//! `INKDEX_FAULTS="read_page:abort:MARKER,writer:panic*2:MARKER"`: at the point, for texts that hold the marker, abort,
//! panic, hang or, as `sleep50`, hold the thread for 50 ms; `*2` does it twice.

/// Where a fault can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before a page is parsed; the text is the page.
    ReadPage,
    /// In the Writer actor's handler; the text is the job's id.
    Writer,
    /// In the body of a write, before identity is resolved; the text is the artist's name.
    WriteArtist,
    /// In IndexSync, before a batch is applied; the text is the ids of the batch.
    SyncBatch,
    /// Between the outcome's row and the ack; the text is the job's id.
    BeforeAck,
    /// Between staging the write and the write; the text is the artist's name.
    BeforePut,
}

impl Point {
    #[cfg(debug_assertions)]
    fn as_str(self) -> &'static str {
        match self {
            Self::ReadPage => "read_page",
            Self::Writer => "writer",
            Self::WriteArtist => "write_artist",
            Self::SyncBatch => "sync_batch",
            Self::BeforeAck => "before_ack",
            Self::BeforePut => "before_put",
        }
    }
}

/// Does what the plan says for this point and text; in release builds nothing.
#[cfg(not(debug_assertions))]
pub fn hit(_point: Point, _text: &str) {}

/// Does what the plan says for this point and text; in release builds nothing.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "a planned fault blocks its thread on purpose")]
pub fn hit(point: Point, text: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    struct Planned {
        at: String,
        action: String,
        marker: String,
        left: AtomicU32,
    }
    static PLAN: OnceLock<Vec<Planned>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let text = std::env::var("INKDEX_FAULTS").unwrap_or_default();
        let planned = |entry: &str| {
            let mut parts = entry.splitn(3, ':');
            let (at, action, marker) = (parts.next()?, parts.next()?, parts.next()?);
            let (action, times) = action.split_once('*').unwrap_or((action, "4294967295"));
            let left = AtomicU32::new(times.parse().unwrap_or(1));
            Some(Planned { at: at.to_owned(), action: action.to_owned(), marker: marker.to_owned(), left })
        };
        text.split(',').filter_map(planned).collect()
    });
    for fault in plan.iter().filter(|fault| fault.at == point.as_str() && text.contains(&fault.marker)) {
        let take = |left: u32| left.checked_sub(1);
        if fault.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
            continue;
        }
        match fault.action.as_str() {
            "abort" => std::process::abort(),
            "panic" => panic!("planned fault at {}", fault.at),
            "hang" => loop {
                std::thread::park();
            },
            action => {
                let pause = action.strip_prefix("sleep").and_then(|ms| ms.parse().ok());
                std::thread::sleep(std::time::Duration::from_millis(pause.unwrap_or(0)));
            }
        }
    }
}
