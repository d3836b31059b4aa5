//! `make hostile`: everything hostile a crawler meets, counted. The same checks are in `cargo test`; here they run alone, so that
//! what they leave behind can be counted too, and say what they found.

mod child;
mod costs;
mod guard;
mod limits;
mod rebinding;
mod robots;
mod slow;
mod support;

use std::io::Write;

/// Where the last line is told once more, for whoever prints it last.
const TOLD: &str = "INKDEX_HOSTILE_TOLD";

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
    let left = processes_left();
    let last = format!(
        "hostile: {} attempts, {} canary hits, {} shapes cut, {} bombs cut, {left} processes left",
        guard.attempts + rebinding.fetches,
        guard.canary_hits + rebinding.canary_hits,
        shapes.cut,
        bombs.cut
    );
    say(&last);
    if let Some(file) = std::env::var_os(TOLD) {
        std::fs::write(file, last + "\n").unwrap();
    }
    assert_eq!(left, 0);
}
