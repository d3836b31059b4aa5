//! The pages in headless Chromium (002-C6).

use crate::support::http::TestWeb;

#[test]
#[ignore = "serves the seeded pages until it is killed, to look at them"]
fn serve_for_looking() {
    let web = TestWeb::seeded();
    eprintln!("LISTENING {}", web.address);
    std::fs::write("/tmp/inkweb.addr", web.address.to_string()).unwrap();
    web.run(async { tokio::time::sleep(std::time::Duration::from_secs(3_600)).await });
}
