//! Starts Chromium: which program, as whom, with which arguments, in which folder. The crate's own launcher knows neither users
//! nor process groups, and gives up its sandbox for root.

use super::ChromeSettings;
use super::leash::Leash;
use crate::domain::text::clean_line;
use headless_chrome::Browser;
use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What Chromium is called, the first found being taken.
const PROGRAMS: &[&str] = &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// Runs a program that dies with us, as somebody else if need be (util-linux).
const RUNNER: &str = "setpriv";
/// How folders of browsers begin; the process that made them follows.
const FOLDER: &str = "inkdex-browser-";
/// How often the start is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a connection without a word is kept; a browser that has nothing to draw is ended earlier.
const SILENCE: Duration = Duration::from_secs(180);

/// Arguments of every browser, beside those that depend on the configuration.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--disable-gpu",
    "--disable-3d-apis",
    "--remote-debugging-port=0",
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    "--lang=en-US",
    "--window-size=1280,2400",
    "--password-store=basic",
    // Nothing around the proxy: without the first, loopback and link-local addresses go directly; the second leaves nothing to
    // look names up with; the rest is what does not speak HTTP.
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    // What a page does not need to be read.
    "--blink-settings=imagesEnabled=false",
    "--disable-remote-fonts",
    "--mute-audio",
    "--autoplay-policy=user-gesture-required",
    "--block-new-web-contents",
    "--deny-permission-prompts",
    "--disable-notifications",
    "--disable-shared-workers",
    "--disable-file-system",
    "--disable-speech-api",
    // Errands of its own.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--no-pings",
    "--allow-browser-signin=false",
    "--disable-features=AutofillServerCommunication,CertificateTransparencyComponentUpdater,HttpsUpgrades,MediaRouter,\
     NetworkTimeServiceQuerying,OptimizationHints,Translate",
];

/// What the profile begins with: no downloads, no questions.
const PREFERENCES: &str = r#"{"download_restrictions":3,"profile":{"default_content_setting_values":{"geolocation":2,"media_stream":2,"notifications":2,"popups":2}}}"#;

/// A user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

/// A browser that answers.
pub(super) struct Launched {
    pub browser: Browser,
    pub leash: Arc<Leash>,
    /// Its name and version.
    pub version: String,
}

/// The program that would be started.
///
/// # Errors
/// What to install, or what to set.
pub(super) fn program(settings: &ChromeSettings) -> Result<PathBuf, String> {
    if !settings.program.as_os_str().is_empty() {
        let program = settings.program.clone();
        return if program.is_file() { Ok(program) } else { Err(format!("browser.program is {}, which is no file", program.display())) };
    }
    PROGRAMS.iter().find_map(|name| on_path(name)).ok_or_else(|| "Chromium is not installed: apt-get install chromium".to_owned())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// As whom the browser runs, if not as we do: root would have no sandbox.
fn user(settings: &ChromeSettings) -> Result<Option<User>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd cannot be read: {error}"))?;
    let found = find_user(&users, &settings.user);
    let found = found.ok_or_else(|| format!("browser.user is `{}`, and this machine has no such user", settings.user))?;
    if found.uid == 0 { Err("browser.user is root, which has no sandbox; name another user".to_owned()) } else { Ok(Some(found)) }
}

fn find_user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [this, _, uid, gid, ..] = fields.as_slice() else { return None };
        (*this == name).then_some(User { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    })
}

/// Removes what processes that are gone have left; a running one keeps its own.
pub(super) fn tidy(settings: &ChromeSettings) {
    let Ok(entries) = std::fs::read_dir(&settings.folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(FOLDER).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::debug!("{} was left by a browser and cannot be removed: {error}", entry.path().display());
        }
    }
}

/// A folder of its own with a fresh profile, which nobody but the browser's user may enter.
fn make_folder(settings: &ChromeSettings, user: Option<User>) -> std::io::Result<PathBuf> {
    // Short, as the path of a socket below it is limited to 108 bytes.
    let folder = settings.folder.join(format!("{FOLDER}{}-{:08x}", std::process::id(), rand::random::<u32>()));
    let (profile, home) = (folder.join("profile"), folder.join("home"));
    let mut builder = DirBuilder::new();
    builder.mode(0o700).recursive(false);
    for path in [&folder, &profile, &home, &profile.join("Default")] {
        builder.create(path)?;
    }
    let preferences = profile.join("Default/Preferences");
    std::fs::write(&preferences, PREFERENCES)?;
    if let Some(User { uid, gid }) = user {
        for path in [&folder, &profile, &home, &profile.join("Default"), &preferences] {
            chown(path, Some(uid), Some(gid))?;
        }
    }
    Ok(folder)
}

fn command(settings: &ChromeSettings, program: &Path, runner: &Path, user: Option<User>, folder: &Path, proxy: SocketAddr) -> Command {
    let mut command = Command::new(runner);
    command.args(["--pdeathsig", "KILL"]);
    if let Some(User { uid, gid }) = user {
        command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
    }
    let mut profile = OsString::from("--user-data-dir=");
    profile.push(folder.join("profile"));
    command.arg("--").arg(program).args(ARGUMENTS).arg(profile);
    command.arg(format!("--proxy-server=http://{proxy}")).arg(format!("--user-agent={}", settings.user_agent));
    if settings.without_sandbox {
        command.args(["--no-sandbox", "--disable-setuid-sandbox"]);
    }
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
    command.env("HOME", folder.join("home")).env("TMPDIR", folder).current_dir(folder).process_group(0);
    command
}

/// Starts a browser that reaches the web through `proxy` only, and waits until it answers.
///
/// # Errors
/// Why there is none, and what to do.
pub(super) fn launch(settings: &ChromeSettings, proxy: SocketAddr, started: impl FnOnce(&Arc<Leash>)) -> Result<Launched, String> {
    let program = program(settings)?;
    let runner = on_path(RUNNER).ok_or_else(|| format!("{RUNNER} is not installed: apt-get install util-linux"))?;
    let user = user(settings)?;
    let folder =
        make_folder(settings, user).map_err(|error| format!("no folder for a browser in {}: {error}", settings.folder.display()))?;
    let complaints = folder.join("complaints");
    let spawned = File::create(&complaints).and_then(|file| {
        let mut command = command(settings, &program, &runner, user, &folder, proxy);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn()
    });
    let leash = match spawned {
        Ok(child) => Arc::new(Leash::new(child, folder)),
        Err(error) => {
            let _left_for_tidy = std::fs::remove_dir_all(&folder);
            return Err(format!("{} cannot be started: {error}", program.display()));
        }
    };
    started(&leash);
    let answering = wait_for_address(settings, &leash).and_then(|address| {
        let browser = Browser::connect_with_timeout(address, SILENCE).map_err(|error| format!("it does not answer: {error}"))?;
        let version = browser.get_version().map_err(|error| format!("it does not answer: {error}"))?.product;
        Ok((browser, version))
    });
    match answering {
        Ok((browser, version)) => Ok(Launched { browser, leash, version }),
        Err(why) => {
            let said = explain(&std::fs::read_to_string(&complaints).unwrap_or_default());
            leash.end();
            Err(format!("{} does not start: {}", program.display(), said.unwrap_or(why)))
        }
    }
}

/// Where the browser listens for us, which it writes into its profile.
fn wait_for_address(settings: &ChromeSettings, leash: &Leash) -> Result<String, String> {
    let file = leash.folder().join("profile/DevToolsActivePort");
    let looks = settings.launch.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if let Ok(text) = std::fs::read_to_string(&file)
            && let [port, path] = text.lines().collect::<Vec<_>>().as_slice()
        {
            return Ok(format!("ws://127.0.0.1:{port}{path}"));
        }
        if !leash.runs() {
            return Err("it ended at once".to_owned());
        }
        std::thread::park_timeout(LOOK);
    }
    Err(format!("it was not ready within {} ms", settings.launch.as_millis()))
}

/// What of the browser's complaints says why it does not start.
fn explain(complaints: &str) -> Option<String> {
    let line = complaints.lines().find(|line| line.contains("FATAL") || line.contains("sandbox"))?;
    let said = clean_line(line, 300);
    Some(if line.contains("sandbox") {
        format!(
            "its sandbox cannot be had ({said}); allow unprivileged user namespaces, or apt-get install chromium-sandbox, and in a \
             container use a seccomp profile that lets Chromium make namespaces"
        )
    } else {
        said
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\nbroken\nnobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";
        assert_eq!(find_user(users, "nobody"), Some(User { uid: 65_534, gid: 65_533 }));
        assert_eq!(find_user(users, "root"), Some(User { uid: 0, gid: 0 }));
        assert_eq!(find_user(users, "nob"), None);
    }

    #[test]
    fn a_missing_sandbox_is_explained() {
        let text = "[1:1:ERROR:bus.cc] Failed to connect\n[1:1:FATAL:zygote.cc] No usable sandbox! If you are running\n";
        assert!(explain(text).unwrap().contains("user namespaces"));
        assert_eq!(explain("[1:1:ERROR:bus.cc] Failed to connect\n"), None);
        assert_eq!(explain("[1:1:FATAL:x.cc] out of \u{7}memory").as_deref(), Some("[1:1:FATAL:x.cc] out of memory"));
    }

    /// Certificate checks and the sandbox are never argued away, and nothing goes around the proxy.
    #[test]
    fn no_argument_opens_what_is_to_stay_closed() {
        for closed in [
            "--no-sandbox",
            "--disable-setuid-sandbox",
            "--ignore-certificate-errors",
            "--disable-web-security",
            "--disable-popup-blocking",
        ] {
            assert!(!ARGUMENTS.iter().any(|argument| argument.starts_with(closed)), "{closed}");
        }
        assert!(ARGUMENTS.contains(&"--proxy-bypass-list=<-loopback>"));
        assert!(ARGUMENTS.iter().all(|argument| argument.starts_with("--") && !argument.contains('\n')), "{ARGUMENTS:?}");
    }
}
