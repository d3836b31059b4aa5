//! Hostile pages (C9), each in a browser of its own: whatever they try, nobody is reached whom the guard refuses, nothing is
//! written and nothing stays. Each page says that it tried.

use super::bench::{Bench, HOST, files_below, processes_of, serve};
use inkdex::scrape::draw::{Draw, DrawError, Drawn};
use inkdex::scrape::{FetchError, Limit};
use std::time::Duration;

/// The limit over which a page was given up.
fn limit(drawn: Result<Drawn, DrawError>) -> Limit {
    match drawn {
        Err(DrawError::Page(FetchError::OverLimit { limit, .. })) => limit,
        other => panic!("it is under every limit: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_machine_stay_closed() {
    let bench = Bench::new().await;
    let text = bench
        .text(
            "<iframe src='file:///etc/passwd'></iframe><object data='file:///etc/passwd'></object><p id=p>tried</p>
             <script>fetch('file:///etc/passwd').then(a => a.text()).then(t => p.append(t)).catch(e => p.append(' failed'));
             try { location.href = 'file:///etc/passwd' } catch (e) {} window.open('file:///etc/passwd')</script>",
        )
        .await;
    assert!(text.contains("tried failed") && !text.contains("root:"), "{text}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_browser_itself_stay_closed() {
    let bench = Bench::new().await;
    for target in
        ["chrome://version/", "chrome://settings/", "view-source:http://shell.example/", "devtools://devtools/bundled/inspector.html"]
    {
        let text = format!(
            "<iframe src='{target}'></iframe><p>tried</p><script>try {{ location.href = '{target}' }} catch (e) {{}} window.open('{target}')</script>"
        );
        let text = bench.text(&text).await;
        assert!(text.contains("<p>tried</p>") && !text.contains("Chromium"), "{text}");
    }
    bench.end().await;
}

/// A move by a script is a hop: it comes back to whoever asked, whose guard refuses it like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_to_the_metadata_service_is_a_hop_that_is_refused() {
    let bench = Bench::new().await;
    let inwards = format!("http://{}/", bench.canary.tcp);
    for target in ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/", &inwards] {
        let moves = [
            format!("<script>location.href = '{target}'</script>"),
            format!(
                "<script>const meta = document.createElement('meta'); meta.httpEquiv = 'refresh'; meta.content = '0;url={target}';
                 document.head.append(meta)</script>"
            ),
            format!("<a id=a href='{target}'>x</a><script>a.click()</script>"),
        ];
        for text in moves {
            let Ok(Drawn::Moved { to }) = bench.draw(&text).await else { panic!("{text} does not move") };
            assert_eq!(to.as_str(), target);
            assert!(matches!(bench.guard.check_url(&to), Err(FetchError::Guarded(_))), "{to}");
        }
    }
    bench.end().await;
}

/// Requests from within the page, by every means: what is refused is counted, so it was tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_inwards_are_refused() {
    let bench = Bench::new().await;
    let (port, tcp) = (bench.canary.tcp.port(), bench.canary.tcp);
    let targets = [
        format!("http://{tcp}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://2130706433:{port}/"),
        "http://inwards.example/".to_owned(),
        "https://inwards.example/".to_owned(),
        "http://127.0.0.1/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://{HOST}:{port}/"),
    ];
    let list = serde_json::to_string(&targets).unwrap();
    let text = format!(
        "<p id=p></p><script>const all = {list}; let failed = 0;
         for (const one of all) {{
            fetch(one, {{ mode: 'no-cors' }}).then(() => p.append(' reached ' + one)).catch(() => {{ failed += 1; if (failed === all.length) p.append('all failed') }});
            navigator.sendBeacon(one, 'x');
            for (const [tag, name] of [['script', 'src'], ['iframe', 'src'], ['embed', 'src'], ['img', 'src'], ['video', 'src']]) {{
                const element = document.createElement(tag); element[name] = one; document.body.append(element);
            }}
            for (const rel of ['stylesheet', 'preconnect', 'dns-prefetch', 'prefetch', 'preload', 'icon', 'manifest']) {{
                const link = document.createElement('link'); link.rel = rel; link.href = one; document.head.append(link);
            }}
         }}</script>"
    );
    let text = bench.text(&text).await;
    assert!(text.contains("all failed") && !text.contains("reached http"), "{text}");
    assert!(bench.chrome.counts().refused >= targets.len() as u64, "{:?}", bench.chrome.counts());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_stay_open_lead_nowhere_inwards() {
    let bench = Bench::new().await;
    let tcp = bench.canary.tcp;
    let text = format!(
        "<p id=p></p><script>let ends = 0; const ended = () => {{ ends += 1; if (ends === 3) p.append('all ended') }};
         for (const one of ['ws://{tcp}/', 'ws://inwards.example/', 'wss://inwards.example/']) {{
            const socket = new WebSocket(one); socket.onopen = () => p.append('reached'); socket.onclose = ended;
         }}
         new EventSource('http://{tcp}/').onopen = () => p.append('reached');
         if (window.WebTransport) try {{ new WebTransport('https://{tcp}/') }} catch (e) {{}}</script>"
    );
    let text = bench.text(&text).await;
    assert!(text.contains("all ended") && !text.contains("reached</p>"), "{text}");
    assert!(bench.chrome.counts().refused >= 3, "{:?}", bench.chrome.counts());
    bench.end().await;
}

/// Peer connections would go past every proxy. A frame's own window has them too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_connections_reach_nobody() {
    let bench = Bench::new().await;
    let (tcp, udp) = (bench.canary.tcp, bench.canary.udp.port());
    let text = format!(
        "<p id=p></p><iframe id=f srcdoc='<p>x'></iframe><script>const begin = where => {{
            const Connection = where.RTCPeerConnection; p.append(typeof Connection + ' ');
            try {{
                const peer = new Connection({{ iceServers: [{{ urls: 'stun:127.0.0.1:{udp}' }},
                    {{ urls: 'turn:{tcp}?transport=tcp', username: 'a', credential: 'b' }}, {{ urls: 'turn:127.0.0.1:{udp}', username: 'a', credential: 'b' }}] }});
                peer.onicecandidate = event => p.append(event.candidate ? ' candidate ' + event.candidate.candidate : ' gathered');
                peer.createDataChannel('x'); peer.createOffer().then(offer => peer.setLocalDescription(offer));
            }} catch (error) {{ p.append('refused ') }}
         }};
         begin(window); begin(f.contentWindow); setTimeout(() => begin(f.contentWindow), 100); setTimeout(() => p.append('tried'), 3000);
         setInterval(() => {{ document.title += 'x' }}, 100)</script>"
    );
    let text = bench.text(&text).await;
    assert!(text.contains("tried") && !text.contains("candidate:"), "{text}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_downloaded() {
    let site = serve(|_, path| {
        path.starts_with("/evil")
            .then(|| ("content-type: application/octet-stream\r\ncontent-disposition: attachment; filename=evil.bin\r\n", vec![7; 5_000]))
    })
    .await;
    let bench = Bench::with(site.address, |_| ()).await;
    let text = bench
        .text(
            "<a id=b download='evil.txt' href='data:text/plain,evil'>x</a><p>tried</p>
             <script>b.click(); const c = document.createElement('a'); c.download = 'evil.html';
             c.href = URL.createObjectURL(new Blob(['evil'])); c.click();
             for (let i = 0; i < 20; i++) { const f = document.createElement('iframe'); f.src = '/evil.bin?' + i; document.body.append(f) }</script>",
        )
        .await;
    assert!(text.contains("<p>tried</p>"), "{text}");
    // A file that a page of its own offers is asked for as a page: whoever asked finds that it is none.
    for text in ["<a id=a href='/evil.bin' download>x</a><script>a.click()</script>", "<script>location.href = '/evil.bin'</script>"] {
        let Ok(Drawn::Moved { to }) = bench.draw(text).await else { panic!("{text}") };
        assert_eq!(to.path(), "/evil.bin");
    }
    assert_eq!(site.asked("shell.example/evil.bin"), 0);
    let files = files_below(bench.folder.path());
    assert!(!files.is_empty(), "the browser's own files are there");
    let evil: Vec<_> = files
        .iter()
        .filter(|file| file.display().to_string().contains("evil") || file.extension().is_some_and(|end| end == "crdownload"))
        .collect();
    assert!(evil.is_empty(), "{evil:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_popups_opens_nothing() {
    let site = serve(|_, _| Some(("content-type: text/html\r\n", b"<p>a popup".to_vec()))).await;
    let bench = Bench::with(site.address, |_| ()).await;
    bench.text("<p>before").await;
    let before = processes_of(bench.folder.path()).len();
    let text = bench
        .text(
            "<p id=p></p><a id=a href='/popup' target=_blank>x</a><form id=f action='/popup' target=_blank></form><script>let opened = 0;
             for (let i = 0; i < 500; i++) { if (window.open('/popup?' + i, '_blank')) opened += 1; if (i < 50) { a.click(); f.submit() } }
             p.append('opened ' + opened)</script>",
        )
        .await;
    assert!(text.contains("opened 0"), "{text}");
    assert_eq!((site.asked("shell.example/popup"), site.asked("shell.example/popup?0")), (0, 0));
    // Renderers come and go, but not by the hundred.
    assert!(processes_of(bench.folder.path()).len() <= before + 3, "{before}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_not_waited_for() {
    let bench = Bench::new().await;
    let text = bench
        .text(
            "<p id=p></p><iframe id=f srcdoc='<p>x'></iframe><script>for (let i = 0; i < 300; i++) { alert(i); confirm(i); prompt(i); print() }
             f.contentWindow.alert(1); p.append('asked'); onbeforeunload = () => 'stay'</script>",
        )
        .await;
    assert!(text.contains("asked"), "{text}");
    bench.end().await;
}

/// A page that never lets go of its thread costs its time and its browser, and the next page has a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_alerts_and_scripts_are_cut_at_the_deadline() {
    let bench = Bench::with(serve(|_, _| None).await.address, |settings| settings.page = Duration::from_secs(15)).await;
    for text in ["<script>for (;;) alert(1)</script>", "<p>x<script>setTimeout(() => { for (;;) {} })</script>"] {
        assert_eq!(limit(bench.draw(text).await), Limit::Drawing, "{text}");
    }
    assert!(bench.text("<p id=p></p><script>p.append('next')</script>").await.contains("next"));
    let counts = bench.chrome.counts();
    assert_eq!((counts.started, counts.killed, counts.drawn), (3, 2, 1), "{counts:?}");
    bench.end().await;
}

/// Huge canvases, and arrays that never end: memory is limited over all processes of the browser, or the page ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_limited() {
    // They change and are not taken as they are, or a slow machine would be done with them before they are large.
    let bench = Bench::with(serve(|_, _| None).await.address, |settings| settings.settle = 2 * settings.page).await;
    let hogs = [
        "<script>const all = []; setInterval(() => { const c = document.createElement('canvas'); c.width = c.height = 8000;
         const d = c.getContext('2d'); d.fillStyle = '#' + (all.length % 10) + '23'; d.fillRect(0, 0, 8000, 8000);
         all.push(c, d.getImageData(0, 0, 8000, 8000)); document.title = all.length }, 1)</script>",
        "<script>const all = []; setInterval(() => { document.title = all.push(new Uint8Array(50_000_000).fill(all.length)) }, 1)</script>",
    ];
    for text in hogs {
        // What breaks first is the browser's own limit or ours, and in both cases the browser is replaced.
        match bench.draw(text).await {
            Err(DrawError::Page(
                FetchError::OverLimit { limit: Limit::DrawingMemory | Limit::Drawing, .. } | FetchError::NotDrawn { .. },
            )) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(bench.text("<p id=p></p><script>p.append('next')</script>").await.contains("next"));
    let counts = bench.chrome.counts();
    assert_eq!((counts.killed, counts.drawn), (2, 1), "{counts:?}");
    bench.end().await;
}

/// A page that changes for ever is taken as it is after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_timers_end() {
    let bench = Bench::with(serve(|_, _| None).await.address, |settings| settings.settle = Duration::from_secs(3)).await;
    let text = bench
        .text("<p id=p></p><script>setInterval(() => { p.append('tick '); history.pushState({}, '', '/' + Math.random()) }, 20)</script>")
        .await;
    assert!(text.contains("tick tick"), "{text}");
    bench.end().await;
}

/// A document that grows without end is refused by its length, and nothing of it comes to us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_document_is_over_the_limit() {
    let bench = Bench::with(serve(|_, _| None).await.address, |settings| settings.text_bytes = 1_000_000).await;
    assert_eq!(limit(bench.draw("<p id=p></p><script>p.append('x'.repeat(2_000_000))</script>").await), Limit::DecodedBytes);
    assert_eq!(limit(bench.draw("<p id=p></p><script>p.append('ü'.repeat(900_000))</script>").await), Limit::DecodedBytes, "bytes count");
    bench.end().await;
}

/// What a page asks for beyond its share does not come: connections, and bytes of an endless answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_its_share_of_the_network() {
    let site = serve(|_, path| {
        Some(("content-type: text/plain\r\naccess-control-allow-origin: *\r\n", vec![b'x'; if path == "/much" { 3_000_000 } else { 5 }]))
    })
    .await;
    let bench = Bench::with(site.address, |settings| (settings.connections, settings.bytes) = (10, 1_000_000)).await;
    let text = bench
        .text(
            "<p id=p></p><script>(async () => { let came = 0; for (let i = 0; i < 30; i++) try { if ((await fetch('/a?' + i)).ok) came += 1 } catch (e) {}
             p.append('came ' + came + '.') })()</script>",
        )
        .await;
    assert!(text.contains("came 10."), "{text}");
    let text = bench
        .text(
            "<p id=p></p><script>fetch('/much').then(a => a.text()).then(t => p.append('all of it')).catch(e => p.append('cut'))</script>",
        )
        .await;
    assert!(text.contains("cut"), "{text}");
    bench.end().await;
}
