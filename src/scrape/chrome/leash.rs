//! The processes of one browser: ended as a group, counted, weighed, and looked for again after the end.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the end is looked at, and how many times at most.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: usize = 250;

/// The processes of a browser, and the folder that is all they may write to.
#[derive(Debug)]
pub(super) struct Leash {
    group: u32,
    folder: PathBuf,
    /// Until it is reaped its number, and so that of the group, is nobody else's.
    child: Mutex<Option<Child>>,
}

/// A process of a browser, as `/proc` shows it.
struct Process {
    pid: u32,
    anonymous_bytes: u64,
}

impl Leash {
    /// Around a child that leads a process group of its own.
    pub fn new(child: Child, folder: PathBuf) -> Self {
        Self { group: child.id(), folder, child: Mutex::new(Some(child)) }
    }

    /// All that the browser may write to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the browser's first process runs. It is not reaped here.
    pub fn runs(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.group));
        self.child().is_some() && stat.is_ok_and(|stat| state_and_group(&stat).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X')))
    }

    /// Kills the group at once, without waiting; its folder stays until [`Leash::end`].
    pub fn kill(&self) {
        if self.child().is_some()
            && let Some(group) = pid(self.group)
        {
            // All of them may be gone already.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }

    /// Kills whatever belongs to the browser, waits until it is gone, and removes its folder. Answers how many processes
    /// outlived that: none, or there is a leak.
    pub fn end(&self) -> u64 {
        let mut left = Vec::new();
        for _ in 0..LOOKS {
            self.kill();
            left = self.processes();
            // Crash handlers lead groups of their own.
            for process in left.iter().filter_map(|process| pid(process.pid)) {
                let _gone = kill_process(process, Signal::KILL);
            }
            if left.is_empty() {
                break;
            }
            std::thread::park_timeout(LOOK);
        }
        if let Some(mut child) = self.child().take() {
            // It was killed above; a process that cannot be killed is counted, not waited for.
            let reaped = if left.is_empty() { child.wait().map(|_| ()) } else { child.try_wait().map(|_| ()) };
            if let Err(error) = reaped {
                tracing::debug!("a browser was not reaped: {error}");
            }
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::debug!("{} of a browser was not removed: {error}", self.folder.display());
        }
        left.len() as u64
    }

    /// Memory that is nobody else's, of all its processes, bytes.
    pub fn anonymous_bytes(&self) -> u64 {
        self.processes().iter().map(|process| process.anonymous_bytes).sum()
    }

    /// Its living processes: those of its group, and those that name its folder.
    fn processes(&self) -> Vec<Process> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let folder = self.folder.as_os_str().as_encoded_bytes();
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((state, group)) = state_and_group(&stat) else { continue };
            // A dead one waits for its parent only.
            if matches!(state, 'Z' | 'X') {
                continue;
            }
            let names_us = || {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                line.windows(folder.len()).any(|part| part == folder)
            };
            if group == self.group || names_us() {
                let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                found.push(Process { pid, anonymous_bytes: anonymous_bytes(&status) });
            }
        }
        found
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.child().is_some() {
            self.end();
        }
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// State and process group in `/proc/PID/stat`; the name before them may hold anything.
fn state_and_group(stat: &str) -> Option<(char, u32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

/// Anonymous and shared memory in `/proc/PID/status`, bytes.
fn anonymous_bytes(status: &str) -> u64 {
    let of = |line: &str| line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0);
    status.lines().filter(|line| line.starts_with("RssAnon:") || line.starts_with("RssShmem:")).map(of).sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn proc_is_read() {
        assert_eq!(state_and_group("7 (a) b) S 1 4078 4078 0 -1"), Some(('S', 4078)));
        assert_eq!(state_and_group("7 (a"), None);
        assert_eq!(anonymous_bytes("Name:\ta\nRssAnon:\t  10 kB\nRssFile:\t 99 kB\nRssShmem:\t 2 kB\n"), 12 * 1024);
    }

    /// A whole group is ended, and a process that left it but names the folder.
    #[test]
    fn everything_is_ended() {
        let folder = tempfile::tempdir().unwrap().keep();
        std::fs::write(folder.join("file"), "").unwrap();
        let script = format!("sleep 1000 & setsid tail -f {}/file & wait", folder.display());
        let child = Command::new("sh").args(["-c", &script]).process_group(0).stdout(Stdio::null()).spawn().unwrap();
        let leash = Leash::new(child, folder.clone());
        for _ in 0..LOOKS * 10 {
            if leash.processes().len() >= 3 {
                break;
            }
            std::thread::park_timeout(LOOK);
        }
        assert!(leash.processes().len() >= 3 && leash.runs() && leash.anonymous_bytes() > 0);
        assert_eq!(leash.end(), 0);
        assert!(!leash.runs() && leash.processes().is_empty() && !folder.exists());
    }
}
