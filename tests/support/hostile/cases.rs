//! Every hostile behaviour with the path or host that shows it and what a good client makes of it.

/// One hostile page.
#[derive(Debug, Clone, Copy)]
pub struct HostileCase {
    pub path: &'static str,
    pub what: &'static str,
    /// One of the words of [`super::expect`], or [`READS`] and a phrase the decoded page contains.
    pub expect: &'static str,
}

/// One robots.txt, told apart by host.
#[derive(Debug, Clone, Copy)]
pub struct RobotsCase {
    pub host: &'static str,
    pub what: &'static str,
    /// `allow`, `allow except /secret`, `disallow`, `wait` (for the host, uncounted), `wait or disallow`, `refuse` (for
    /// good: it leads to where nobody may go), or `either`: allow or disallow, but an answer.
    pub expect: &'static str,
}

/// What a client should answer to a case.
pub mod expect {
    /// No complete head within the head limit.
    pub const HEAD_TIMEOUT: &str = "head timeout";
    /// The body stands still for longer than the idle limit.
    pub const IDLE_TIMEOUT: &str = "idle timeout";
    /// Bytes keep coming, too slowly to end within the total limit.
    pub const TOTAL_TIMEOUT: &str = "total timeout";
    /// More bytes, on the wire or decoded, than the limit.
    pub const TOO_LARGE: &str = "too large";
    /// Nodes, depth or time of the parser are used up.
    pub const OVER_BUDGET: &str = "over budget";
    /// A redirect leads to a page of the same chain.
    pub const REDIRECT_LOOP: &str = "redirect loop";
    /// More than five redirects.
    pub const TOO_MANY_REDIRECTS: &str = "too many redirects";
    /// A redirect the guard refuses: address, port, scheme or userinfo. The trap stays untouched.
    pub const REFUSED: &str = "refused by the guard";
    /// A redirect that says nowhere to go.
    pub const BAD_REDIRECT: &str = "bad redirect";
    /// The body ends before its announced end.
    pub const CUT_SHORT: &str = "cut short";
    /// The content coding cannot be undone.
    pub const BAD_ENCODING: &str = "bad encoding";
    /// What came is not HTTP, breaks off in the head or never begins.
    pub const BAD_HEAD: &str = "bad head";
    /// Head bytes or header lines beyond the limit.
    pub const HEAD_TOO_LARGE: &str = "head too large";
    /// Not HTML by its declared type.
    pub const WRONG_TYPE: &str = "wrong type";
    /// Not HTML although it says so: no facts come out, nothing fails.
    pub const NO_FACTS: &str = "no facts";
    /// Whatever is answered, time and memory stay within their limits: some undo one coding, some refuse two.
    pub const BOUNDED: &str = "bounded";
    /// Whatever is answered, the trap stays untouched.
    pub const NOT_FOLLOWED: &str = "not followed";
}

/// The codes of the product that answer an expectation; `read` where a page is taken in.
pub fn codes(expected: &str) -> &'static [&'static str] {
    match expected {
        expect::HEAD_TIMEOUT => &["head_timeout"],
        expect::IDLE_TIMEOUT => &["idle_timeout"],
        expect::TOTAL_TIMEOUT => &["total_timeout"],
        expect::TOO_LARGE => &["body_too_large", "decoded_too_large"],
        // Fetching takes them in; the parser's budget ends them.
        expect::OVER_BUDGET => &["read"],
        expect::REDIRECT_LOOP | expect::TOO_MANY_REDIRECTS => &["too_many_redirects"],
        expect::REFUSED | expect::NOT_FOLLOWED => &["guarded"],
        expect::BAD_REDIRECT | expect::BAD_ENCODING | expect::BOUNDED => &["bad_response"],
        expect::CUT_SHORT => &["connection", "bad_response"],
        expect::BAD_HEAD => &["connection", "bad_response"],
        expect::HEAD_TOO_LARGE => &["headers_too_large"],
        expect::WRONG_TYPE => &["wrong_type"],
        expect::NO_FACTS => &["read", "wrong_type"],
        _ => &["read"],
    }
}

/// Prefix of an expectation: the page is read and contains the phrase that follows.
pub const READS: &str = "reads: ";

const fn case(path: &'static str, what: &'static str, expect: &'static str) -> HostileCase {
    HostileCase { path, what, expect }
}

const fn robots(host: &'static str, what: &'static str, expect: &'static str) -> RobotsCase {
    RobotsCase { host, what, expect }
}

use expect::*;

/// All hostile pages.
pub const PATHS: &[HostileCase] = &[
    case("/hang", "accepts, reads the request, never answers", HEAD_TIMEOUT),
    case("/hang-in-head", "stops in the middle of a header line", HEAD_TIMEOUT),
    case("/drip-head", "one byte of the head a second", HEAD_TIMEOUT),
    case("/drip", "one byte of the body a second", TOTAL_TIMEOUT),
    case("/stall", "half a page, then silence", IDLE_TIMEOUT),
    case("/endless", "chunks without end", TOO_LARGE),
    case("/huge", "a body of 500 MB, announced", TOO_LARGE),
    case("/deep-div", "100,000 nested div", OVER_BUDGET),
    case("/deep-list", "512 kB of <ul><li>", OVER_BUDGET),
    case("/attributes", "120,000 attributes on one tag", OVER_BUDGET),
    case("/nodes", "310,000 elements side by side", OVER_BUDGET),
    case("/bomb-gzip", "1 GiB of zeros in gzip", TOO_LARGE),
    case("/bomb-deflate", "1 GiB of zeros in zlib", TOO_LARGE),
    case("/bomb-brotli", "1 GiB of zeros in 841 bytes of brotli", TOO_LARGE),
    case("/bomb-zstd", "1 GiB of zeros in 33 kB of zstd", TOO_LARGE),
    case("/bomb-nested", "the gzip bomb inside gzip", BOUNDED),
    case("/bomb-bare", "1 GiB of zeros in bare deflate", TOO_LARGE),
    case("/bomb-members", "1,500 gzip files in a row, 1.5 GiB of zeros", TOO_LARGE),
    case("/bomb-name", "a gzip file whose name has no end", BAD_ENCODING),
    case("/bomb-zstd-10", "10 GiB of zeros in 330 kB of zstd", TOO_LARGE),
    case("/bomb-zstd-window", "zstd that asks for a window of 128 MiB", BAD_ENCODING),
    case("/bomb-zstd-skipped", "zstd that never decodes to anything", TOO_LARGE),
    case("/bomb-brotli-window", "brotli that asks for a window of 1 GiB", BAD_ENCODING),
    case("/bomb-two", "the gzip bomb that says it is in brotli besides", BOUNDED),
    case("/bomb-short", "the gzip bomb behind a Content-Length of 1,000", BAD_ENCODING),
    case("/redirect-circle", "two pages that redirect to each other", REDIRECT_LOOP),
    case("/redirect-self", "a page that redirects to itself", REDIRECT_LOOP),
    case("/redirect-many", "seven different redirects", TOO_MANY_REDIRECTS),
    case("/redirect-loopback", "to 127.0.0.1", REFUSED),
    case("/redirect-spelled", "to 127.0.0.1 written as a hexadecimal number", REFUSED),
    case("/redirect-mapped", "to 127.0.0.1 inside IPv6", REFUSED),
    case("/redirect-metadata", "to the metadata address of clouds", REFUSED),
    case("/redirect-port", "to another port of the same host", REFUSED),
    case("/redirect-file", "to file:///etc/passwd", REFUSED),
    case("/redirect-userinfo", "to a host with name and password before it", REFUSED),
    case("/redirect-nowhere", "302 without Location", BAD_REDIRECT),
    case("/refresh-meta", "meta refresh to loopback", NOT_FOLLOWED),
    case("/refresh-header", "Refresh header to loopback", NOT_FOLLOWED),
    case("/length-longer", "Content-Length beyond the body", CUT_SHORT),
    case("/length-shorter", "Content-Length before the body's end", "reads: the first part"),
    case("/length-twice", "two different Content-Length", BAD_HEAD),
    case("/truncated-chunks", "closed between two chunks", CUT_SHORT),
    case("/bad-chunk", "a chunk size that is no number", CUT_SHORT),
    case("/truncated-gzip", "half a gzip stream, correctly framed", BAD_ENCODING),
    case("/not-gzip", "says gzip, is plain HTML", BAD_ENCODING),
    case("/charset-unknown", "charset=klingon, really UTF-8", "reads: Ada Łukasik"),
    case("/charset-lie", "header ISO-8859-1, meta and bytes UTF-8", "reads: tattoo artist"),
    case("/charset-broken", "UTF-8 with broken sequences", "reads: tattoo artist"),
    case("/charset-utf16", "UTF-16 with a byte order mark and no charset", "reads: Ada Łukasik"),
    case("/charset-1251", "windows-1251 with only a meta", "reads: Ада Лукасик, тату мастер"),
    case("/nul-bytes", "NUL, C1 and bidi controls in the text", "reads: tattoo artist"),
    case("/header-70k", "one header of 70 kB", HEAD_TOO_LARGE),
    case("/header-many", "5,000 headers", HEAD_TOO_LARGE),
    case("/header-endless", "a header line without end", HEAD_TOO_LARGE),
    case("/wrong-type", "HTML that says it is image/png", WRONG_TYPE),
    case("/type-lie", "a PNG that says it is HTML", NO_FACTS),
    case("/no-type", "HTML without a Content-Type", "reads: Ada Łukasik"),
    case("/empty", "200 with an empty body", NO_FACTS),
    case("/close", "closes without a byte", BAD_HEAD),
    case("/reset", "resets the connection", BAD_HEAD),
    case("/garbage", "answers with something that is not HTTP", BAD_HEAD),
    case("/status-line", "a status that is no number", BAD_HEAD),
];

/// All robots.txt variants; every other path of these hosts answers a small page.
pub const ROBOTS: &[RobotsCase] = &[
    robots("robots-404.example", "404", "allow"),
    robots("robots-403.example", "403", "allow"),
    robots("robots-500.example", "500", "disallow"),
    robots("robots-503.example", "503 with Retry-After: 1", "wait or disallow"),
    robots("robots-429.example", "429 with Retry-After: 1", "wait"),
    robots("robots-hang.example", "never answers", "disallow"),
    robots("robots-close.example", "closes without a byte", "disallow"),
    robots("robots-50mb.example", "rules first, then 50 MB of comments", "allow except /secret"),
    robots("robots-loop.example", "redirects to itself", "allow"),
    robots("robots-moved.example", "moved four times, then rules", "allow except /secret"),
    robots("robots-inward.example", "redirects to loopback", "refuse"),
    robots("robots-utf16.example", "UTF-16 with a byte order mark", "either"),
    robots("robots-bom.example", "a UTF-8 byte order mark before the rules", "allow except /secret"),
    robots("robots-cr.example", "carriage returns as line ends", "allow except /secret"),
    robots("robots-html.example", "an HTML page with status 200", "allow"),
    robots("robots-long-line.example", "one line of 400 kB, then rules", "allow except /secret"),
];
