//! Many pages in a row: processes, threads and memory stay flat. 40 here; INKDEX_BROWSER_PAGES=200 for the long run.

use super::bench::{Bench, processes_of, serve};
use inkdex::scrape::draw::Draw;

/// What this process has: threads, and anonymous memory in kilobytes.
fn own() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok()).unwrap();
    (of("Threads:"), of("RssAnon:"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_and_memory_stay_flat() {
    let pages: usize = std::env::var("INKDEX_BROWSER_PAGES").ok().map_or(40, |pages| pages.parse().expect("a number of pages"));
    let script = "fetch('/data').then(a => a.text()).then(t => { for (let i = 0; i < 200; i++) { const e = document.createElement('p'); e.textContent = t + i; document.body.append(e) } })";
    let site = serve(move |_, path| (path == "/data").then(|| ("content-type: text/plain\r\n", b"row ".to_vec()))).await;
    let bench =
        Bench::with(site.address, |settings| (settings.recycle_after, settings.quiet) = (10, std::time::Duration::from_millis(50))).await;
    let mut seen = Vec::new();
    for page in 0..pages {
        let text = bench.text(&format!("<h1>page {page}</h1><script>{script}</script>")).await;
        assert!(text.contains("row 199") && text.contains(&format!("page {page}<")), "{text}");
        let (threads, memory) = own();
        seen.push((processes_of(bench.folder.path()).len() as u64, threads, memory));
    }
    let counts = bench.chrome.counts();
    assert_eq!((counts.drawn, counts.killed, counts.leaked), (pages as u64, 0, 0), "{counts:?}");
    assert_eq!(counts.started, (pages as u64).div_ceil(10), "each browser draws ten");
    // Of the first two browsers, and of all later ones.
    let most =
        |part: &[(u64, u64, u64)]| part.iter().fold((0, 0, 0), |most, one| (most.0.max(one.0), most.1.max(one.1), most.2.max(one.2)));
    let (first, later) = (most(&seen[..20]), most(&seen[20..]));
    println!("pages {pages}: at most {first:?} processes, threads and kB in the first 20, {later:?} later");
    assert!(later.0 <= first.0 + 3, "processes grow: {first:?} {later:?}");
    assert!(later.1 <= first.1 + 40, "threads grow: {first:?} {later:?}");
    assert!(later.2 <= first.2 + 64 * 1024, "memory grows: {first:?} {later:?}");
    bench.end().await;
}
