//! `make hostile`: everything hostile a crawler meets, counted. The same checks are in `cargo test`; here they run alone, so that
//! what they leave behind can be counted too, and say what they found.

mod child;
mod costs;
mod entries;
mod guard;
mod limits;
mod rebinding;
mod robots;
mod slow;
mod support;

use crate::support::hostile::told;
use std::ffi::OsString;
use std::io::Write;

/// Tells how it goes, past the runner's capture.
fn say(line: &str) {
    // Nobody may be listening.
    let _told = writeln!(std::io::stderr(), "{line}");
}

/// Processes that this one started and that are not gone, dead ones included.
fn processes_left() -> usize {
    let ours = format!("PPid:\t{}", std::process::id());
    let statuses = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("status"));
    statuses.filter_map(|file| std::fs::read_to_string(file).ok()).filter(|status| status.lines().any(|line| line == ours)).count()
}

/// What each browser left, as they told.
fn left_by_browsers(file: &OsString) -> Vec<usize> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().filter_map(|line| line.strip_prefix(told::BROWSER)).map(|count| count.parse().unwrap()).collect()
}

/// S1 to S5, S10, rule 13, 002-X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hostile_gets_through() {
    let guard = guard::every_vector_by_every_entry().await;
    say(&format!("guard: {guard}"));
    let rebinding = rebinding::no_second_answer_is_believed(1_000).await;
    say(&format!("rebinding: {rebinding}"));
    let shapes = costs::every_shape_is_cut().await;
    say(&format!("shapes: {shapes}"));
    let bombs = costs::every_bomb_is_cut().await;
    say(&format!("bombs: {bombs}"));
    say(&format!("slow answers: {}", slow::each_is_cut_at_its_limit().await));
    say(&format!("limits: {} met by their names", limits::every_limit_has_its_name().await));
    let robots = tokio::task::spawn_blocking(robots::read_as_google_reads_them).await.unwrap();
    say(&format!("robots: {robots}"));
    // Only browsers start processes here: those that drew hostile pages told what they left.
    let told = std::env::var_os(told::FILE);
    let by_browsers: Vec<usize> = told.as_ref().map(left_by_browsers).unwrap_or_default();
    let of_whom = if told.is_some() { "" } else { " (no browser was run)" };
    if told.is_some() {
        assert!(!by_browsers.is_empty(), "no browser told what it left: `make hostile` runs them first");
        say(&format!("browsers: {} ended, {} of their processes left", by_browsers.len(), by_browsers.iter().sum::<usize>()));
    }
    let left = processes_left() + by_browsers.iter().sum::<usize>();
    let last = format!(
        "hostile: {} attempts, {} canary hits, {} shapes cut, {} bombs cut, {left} processes left{of_whom}",
        guard.attempts + rebinding.fetches,
        guard.canary_hits + rebinding.canary_hits,
        shapes.cut,
        bombs.cut
    );
    say(&last);
    if let Some(file) = told {
        std::fs::write(file, last + "\n").unwrap();
    }
    assert_eq!(left, 0);
}
