//! Answers that lie about themselves: lengths, codings, charsets, types, heads.

use std::io;

use super::{Wire, bombs};

/// A page about an invented artist whose surname needs more than Latin-1.
const PAGE: &str = "<!doctype html><title>Ada Łukasik</title><h1>Ada Łukasik</h1><p>tattoo artist</p>";

impl Wire {
    pub(super) async fn malformed(&mut self, path: &str) -> io::Result<()> {
        let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n";
        match path {
            "/length-longer" => {
                let head = format!("{ok}Content-Length: {}\r\n\r\n{PAGE}", PAGE.len() + 1000);
                self.send(head.as_bytes()).await
            }
            "/length-shorter" => {
                let (first, rest) = ("<p>the first part", "<p>the rest</p>");
                let text = format!("{ok}Content-Length: {}\r\n\r\n{first}{rest}", first.len());
                self.send(text.as_bytes()).await
            }
            "/length-twice" => {
                let text = format!("{ok}Content-Length: 10\r\nContent-Length: 20\r\n\r\n{PAGE}");
                self.send(text.as_bytes()).await
            }
            "/truncated-chunks" => {
                let text = format!("{ok}Transfer-Encoding: chunked\r\n\r\n5\r\n<p>Ad\r\n");
                self.send(text.as_bytes()).await
            }
            "/bad-chunk" => {
                let text = format!("{ok}Transfer-Encoding: chunked\r\n\r\nfive\r\n<p>Ad\r\n0\r\n\r\n");
                self.send(text.as_bytes()).await
            }
            "/truncated-gzip" => {
                let whole = bombs::gzip();
                self.coded("gzip", &whole[..600]).await
            }
            "/bomb-short" => {
                let head = format!("{ok}Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n");
                self.send(&[head.as_bytes(), &bombs::gzip()].concat()).await
            }
            "/not-gzip" => self.coded("gzip", PAGE.as_bytes()).await,
            "/header-70k" => {
                let text = format!("{ok}X-Long: {}\r\n\r\n", "a".repeat(70_000));
                self.send(text.as_bytes()).await
            }
            "/header-many" => {
                let lines: String = (0..5_000).map(|at| format!("X-{at}: {at}\r\n")).collect();
                self.send(format!("{ok}{lines}Content-Length: 0\r\n\r\n").as_bytes()).await
            }
            "/header-endless" => self.endless(&format!("{ok}X-Long: "), &[b'a'; 16_384]).await,
            "/empty" => self.html(b"").await,
            "/close" => Ok(()),
            "/reset" => {
                // Closing with a linger time of zero sends RST instead of FIN.
                self.stream.set_zero_linger()
            }
            "/garbage" => self.send(b"\x16\x03\x01\x02\x00\x01\x00\xff\xfe\xfd\r\n\r\n").await,
            "/status-line" => self.send(b"HTTP/1.1 fine OK\r\nContent-Length: 0\r\n\r\n").await,
            _ => self.mislabelled(path).await,
        }
    }

    async fn mislabelled(&mut self, path: &str) -> io::Result<()> {
        let (content_type, body) = match path {
            "/charset-unknown" => ("text/html; charset=klingon", PAGE.as_bytes().to_vec()),
            "/charset-lie" => {
                let page = PAGE.replacen("<title>", "<meta charset=utf-8><title>", 1);
                ("text/html; charset=ISO-8859-1", page.into_bytes())
            }
            "/charset-broken" => {
                let mut page = PAGE.as_bytes().to_vec();
                page.extend(b"\xc3\x28\xe2\x82\xf0\x9f\x92<p>tattoo artist</p>");
                ("text/html; charset=utf-8", page)
            }
            "/charset-utf16" => {
                let units = "\u{feff}".encode_utf16().chain(PAGE.encode_utf16());
                ("text/html", units.flat_map(u16::to_le_bytes).collect())
            }
            "/charset-1251" => {
                let page = "<meta charset=windows-1251><title>Ада Лукасик</title><p>Ада Лукасик, тату мастер</p>";
                ("text/html", encoding_rs::WINDOWS_1251.encode(page).0.into_owned())
            }
            "/nul-bytes" => {
                let page = "<h1>Ada\0 \u{202e}kisakuŁ\u{202c}\u{85}</h1>\0<p>tattoo artist</p>";
                ("text/html; charset=utf-8", page.as_bytes().to_vec())
            }
            "/wrong-type" => ("image/png", PAGE.as_bytes().to_vec()),
            "/type-lie" => {
                let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
                picture.extend((0..=255).cycle().take(4_096));
                ("text/html; charset=utf-8", picture)
            }
            "/no-type" => return self.answer("200 OK", "", PAGE.as_bytes()).await,
            _ => {
                return self.answer("404 Not Found", "Content-Type: text/plain\r\n", b"no such case\n").await;
            }
        };
        self.answer("200 OK", &format!("Content-Type: {content_type}\r\n"), &body).await
    }
}
