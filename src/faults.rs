//! Planned faults for tests: compiled into debug builds only, and silent unless the environment names a plan.
//!
//! `INKDEX_FAULTS="read_page:abort:MARKER,writer:panic*2:MARKER"`: at the point, for texts that hold the marker, abort,
//! panic, hang or, as `sleep50`, hold the thread for 50 ms; `*2` does it twice. With `INKDEX_FAULTS_TALLY=FOLDER` the count
//! holds for all processes together, restarts and children included, and `FOLDER/hits` has a line for each that happened.

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
pub fn hit(point: Point, text: &str) {
    static PLAN: std::sync::OnceLock<planned::Plan> = std::sync::OnceLock::new();
    PLAN.get_or_init(planned::Plan::of_the_environment).hit(point.as_str(), text);
}

#[cfg(debug_assertions)]
mod planned {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Fault {
        at: String,
        action: String,
        marker: String,
        times: Option<u32>,
        done: AtomicU32,
    }

    /// What is planned, and the folder in which it is tallied.
    pub struct Plan {
        faults: Vec<Fault>,
        tally: Option<PathBuf>,
    }

    fn read(entry: &str) -> Option<Fault> {
        let mut parts = entry.splitn(3, ':');
        let (at, action, marker) = (parts.next()?, parts.next()?, parts.next()?);
        let (action, times) = action.split_once('*').map_or((action, None), |(action, times)| (action, times.parse().ok()));
        Some(Fault { at: at.to_owned(), action: action.to_owned(), marker: marker.to_owned(), times, done: AtomicU32::new(0) })
    }

    impl Plan {
        pub fn of_the_environment() -> Self {
            let text = std::env::var("INKDEX_FAULTS").unwrap_or_default();
            Self { faults: text.split(',').filter_map(read).collect(), tally: std::env::var_os("INKDEX_FAULTS_TALLY").map(PathBuf::from) }
        }

        pub fn hit(&self, point: &str, text: &str) {
            for (index, fault) in self.faults.iter().enumerate() {
                if fault.at == point && text.contains(&fault.marker) && self.takes(index, fault) {
                    act(fault);
                }
            }
        }

        /// Whether it is to happen once more; it is tallied before it does.
        fn takes(&self, index: usize, fault: &Fault) -> bool {
            let take = |done: u32| (fault.times.is_none_or(|times| done < times)).then(|| done.saturating_add(1));
            let Some(tally) = &self.tally else { return fault.done.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() };
            // Over all processes together: each takes the first number that nobody has.
            let mut made = (0..fault.times.unwrap_or(1)).map(|number| tally.join(format!("{index}-{number}")));
            let taken = made.any(|file| OpenOptions::new().write(true).create_new(true).open(file).is_ok());
            if taken || fault.times.is_none() {
                let hits = OpenOptions::new().append(true).create(true).open(tally.join("hits"));
                let line = format!("{} {}\n", fault.at, fault.action);
                // Only the test that planned it reads the tally, and it fails if it misses a line.
                let _told_by_the_test = hits.and_then(|mut hits| hits.write_all(line.as_bytes()));
            }
            taken || fault.times.is_none()
        }
    }

    fn act(fault: &Fault) {
        match fault.action.as_str() {
            "abort" => std::process::abort(),
            "panic" => panic!("planned fault at {}", fault.at),
            "hang" => loop {
                std::thread::park();
            },
            action => {
                let pause = action.strip_prefix("sleep").and_then(|ms| ms.parse().ok());
                #[expect(clippy::disallowed_methods, reason = "a planned fault blocks its thread on purpose")]
                std::thread::sleep(std::time::Duration::from_millis(pause.unwrap_or(0)));
            }
        }
    }
}
