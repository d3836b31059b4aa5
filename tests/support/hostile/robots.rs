//! The robots.txt variants, told apart by host.

use std::future::pending;
use std::io;

use super::Wire;

const RULES: &str = "User-agent: *\nDisallow: /secret\n";
const PLAIN: &str = "Content-Type: text/plain\r\n";

impl Wire {
    pub(super) async fn robots(&mut self, host: &str, path: &str) -> io::Result<()> {
        let moved = path.strip_prefix("/moved/").and_then(|at| at.parse::<u32>().ok());
        if path != "/robots.txt" && moved.is_none() {
            return self.html(b"<!doctype html><h1>Ada</h1><a href=/secret>more</a>").await;
        }
        match host {
            "robots-404.example" => self.answer("404 Not Found", PLAIN, b"none\n").await,
            "robots-403.example" => self.answer("403 Forbidden", PLAIN, b"no\n").await,
            "robots-500.example" => self.answer("500 Internal Server Error", PLAIN, b"broken\n").await,
            "robots-503.example" => {
                let headers = format!("{PLAIN}Retry-After: 1\r\n");
                self.answer("503 Service Unavailable", &headers, b"later\n").await
            }
            "robots-429.example" => {
                let headers = format!("{PLAIN}Retry-After: 1\r\n");
                self.answer("429 Too Many Requests", &headers, b"later\n").await
            }
            "robots-hang.example" => pending().await,
            "robots-close.example" => Ok(()),
            "robots-50mb.example" => {
                let head = format!("HTTP/1.1 200 OK\r\n{PLAIN}Content-Length: {}\r\n\r\n{RULES}", RULES.len() + 50_000_000);
                self.send(head.as_bytes()).await?;
                let mut comments = b"# ".to_vec();
                comments.extend([b'x'; 9_997]);
                comments.push(b'\n');
                for _ in 0..5_000 {
                    self.send(&comments).await?;
                }
                Ok(())
            }
            "robots-loop.example" => self.redirect("/robots.txt").await,
            "robots-moved.example" => match moved {
                Some(4) => self.answer("200 OK", PLAIN, RULES.as_bytes()).await,
                at => self.redirect(&format!("/moved/{}", at.unwrap_or(0) + 1)).await,
            },
            "robots-inward.example" => self.redirect(&format!("http://{}/robots.txt", self.trap)).await,
            "robots-utf16.example" => {
                let rules = "\u{feff}User-agent: *\nDisallow: /\n";
                let bytes: Vec<u8> = rules.encode_utf16().flat_map(u16::to_le_bytes).collect();
                self.answer("200 OK", PLAIN, &bytes).await
            }
            "robots-bom.example" => self.answer("200 OK", PLAIN, format!("\u{feff}{RULES}").as_bytes()).await,
            "robots-cr.example" => self.answer("200 OK", PLAIN, RULES.replace('\n', "\r").as_bytes()).await,
            "robots-html.example" => self.html(b"<!doctype html><h1>Not found</h1>").await,
            "robots-long-line.example" => {
                let rules = format!("# {}\n{RULES}", "x".repeat(400_000));
                self.answer("200 OK", PLAIN, rules.as_bytes()).await
            }
            _ => self.answer("404 Not Found", PLAIN, b"no such case\n").await,
        }
    }
}
