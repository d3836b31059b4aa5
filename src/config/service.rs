//! Configuration of what surrounds the work: data, HTTP, alerts, privacy, logs.

use crate::actors::Role;
use crate::config::section::section;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

section! {
    /// Where data lies.
    DataConfig in "data" {
        /// Folder of the embedded database, the search index and the objects. Made at the first start.
        folder: PathBuf = PathBuf::from("inkdex-data");
    }
}

impl DataConfig {
    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("inkdex.db")
    }

    /// The embedded search index.
    pub fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// The embedded index of dead letters.
    pub fn letters(&self) -> PathBuf {
        self.index().join("letters")
    }

    /// Pages, reports and evidence.
    pub fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }
}

section! {
    /// This process among others.
    ProcessConfig in "process" {
        /// What it does, any of `web`, `schedule`, `work`, `sync`; other processes on the same backends do the rest. Embedded backends
        /// have one process, which does it all.
        roles: Vec<Role> = Role::ALL.to_vec(), |roles| !roles.is_empty() => "at least one of web, schedule, work, sync";
    }
}

section! {
    /// HTTP: the search page, the public API, the admin API.
    ServerConfig in "server" {
        /// Address and port to listen at. The admin API has no keys yet, so anything but loopback is refused with it.
        bind: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);
        /// Whether the admin API is served.
        admin: bool = true;
        /// How long a request's body may take, milliseconds.
        body_deadline_ms: u64 = 5_000, |ms| (10..=60_000).contains(ms) => "10 to 60000";
    }
}

section! {
    /// Alerts: what a row owes is delivered to every sink named here.
    AlertsConfig in "alerts" {
        /// Write alerts to the log.
        log: bool = true;
        /// Append alerts to this file, one JSON object a line. Empty: no file.
        file: PathBuf = PathBuf::new();
        /// How often owed alerts are looked for, milliseconds.
        every_ms: u64 = 1_000, |ms| (10..=600_000).contains(ms) => "10 to 600000";
    }
}

section! {
    /// Removal of people, for good.
    PrivacyConfig in "privacy" {
        /// File with the key of the denylist's hashes. Empty: `denylist.key` in the data folder, made at the first start.
        /// Whoever loses it cannot recognise removed people again, so a lost or changed key refuses the start.
        hash_key_file: PathBuf = PathBuf::new();
        /// Whom people write to who want to be removed or corrected: an e-mail address or the address of a page. It stands on
        /// /privacy and /bot.
        contact: String = String::new(), |contact| contact.is_empty() || link_of_contact(contact).is_some() => "an e-mail address or an http(s) address";
        /// Milliseconds after which a removal looks once more for what was put by attempts that were under way: as long as a job
        /// may take.
        look_again_ms: u64 = 3_600_000, |ms| (100..=86_400_000).contains(ms) => "100 to 86400000";
    }
}

section! {
    /// Logs, on standard error.
    LogConfig in "log" {
        /// Filter, as `info` or `inkdex=debug,warn`.
        filter: String = "info".to_owned();
        /// `text` for people or `json` for programs.
        format: String = "text".to_owned(), |format| matches!(format.as_str(), "text" | "json") => "`text` or `json`";
    }
}

/// The link that leads to a contact; `None` if it is neither an e-mail address nor a page's.
pub fn link_of_contact(contact: &str) -> Option<String> {
    if let Ok(url) = url::Url::parse(contact)
        && matches!(url.scheme(), "http" | "https")
    {
        return Some(url.into());
    }
    let (user, host) = contact.split_once('@')?;
    let is_plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_+".contains(c));
    (is_plain(user) && is_plain(host) && host.contains('.')).then(|| format!("mailto:{contact}"))
}
