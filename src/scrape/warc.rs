//! WARC 1.1 (ISO 28500:2017), as much as one visit needs: a `warcinfo` record, then for each exchange `request`, `response` (or
//! `revisit` for a 304) and `metadata`. Each record is a gzip member of its own ("record-at-a-time compression", annex D).
//!
//! Written here, as it is a page of code, and read by an independent reader in the tests.

use crate::domain::clock::Timestamp;
use crate::scrape::evidence::Exchange;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use uuid::Uuid;

/// Handling of a `revisit` record that a 304 led to ("revisit", profile "server not modified").
const NOT_MODIFIED: &str = "http://netpreserve.org/warc/1.1/revisit/server-not-modified";
const CONFORMS_TO: &str = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/";

/// A WARC file in the making.
#[derive(Debug)]
pub struct Warc {
    bytes: Vec<u8>,
    /// What record ids are derived from, so that they need no chance.
    visit: String,
    records: u32,
}

/// The named fields of a record, in order, without those that every record has.
type Fields = Vec<(&'static str, String)>;

impl Warc {
    /// A file that begins with what made it. `visit` is like no other visit's.
    pub fn begun(visit: &str, at: Timestamp, description: &[(&str, &str)]) -> Self {
        let mut file = Self { bytes: Vec::new(), visit: visit.to_owned(), records: 0 };
        let mut block = warc_fields(&[("software", concat!("Inkdex/", env!("CARGO_PKG_VERSION"))), ("format", "WARC File Format 1.1")]);
        block.push_str(&warc_fields(&[("conformsTo", CONFORMS_TO), ("robots", "classic")]));
        block.push_str(&warc_fields(description));
        let id = file.next_id();
        file.record("warcinfo", &id, at, "application/warc-fields", Fields::new(), block.as_bytes());
        file
    }

    /// Bytes so far, packed.
    pub fn packed_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds the records of one exchange. A body that is left out, or was not taken in, is marked as truncated.
    pub fn add(&mut self, exchange: &Exchange, with_body: bool) {
        let (request_id, answer_id, metadata_id) = (self.next_id(), self.next_id(), self.next_id());
        let target = ("WARC-Target-URI", exchange.url.to_string());
        let address = exchange.peer.map(|peer| ("WARC-IP-Address", peer.to_string()));
        let common: Fields = [target].into_iter().chain(address).collect();
        let beside = |id: &str| ("WARC-Concurrent-To", id.to_owned());

        let mut fields = common.clone();
        fields.push(beside(&answer_id));
        self.record("request", &request_id, exchange.at, "application/http; msgtype=request", fields, exchange.request.as_bytes());

        let body: &[u8] = if with_body { &exchange.body } else { b"" };
        let mut fields = common.clone();
        let kind = match exchange.copy_from.filter(|_| exchange.status == 304) {
            Some(at) => {
                let refers = ("WARC-Refers-To-Target-URI", exchange.url.to_string());
                fields.extend([("WARC-Profile", NOT_MODIFIED.to_owned()), refers, ("WARC-Refers-To-Date", at.rfc3339())]);
                "revisit"
            }
            None => {
                fields.push(("WARC-Payload-Digest", digest(body)));
                if !exchange.whole {
                    fields.push(("WARC-Truncated", "unspecified".to_owned()));
                } else if !with_body {
                    fields.push(("WARC-Truncated", "length".to_owned()));
                }
                "response"
            }
        };
        let block = [exchange.head().as_slice(), body].concat();
        self.record(kind, &answer_id, exchange.at, "application/http; msgtype=response", fields, &block);

        let mut fields = common;
        fields.extend([beside(&answer_id), beside(&request_id)]);
        let block = warc_fields(&[("fetchTimeMs", exchange.took.as_millis().to_string().as_str()), ("outcome", exchange.outcome)]);
        self.record("metadata", &metadata_id, exchange.at, "application/warc-fields", fields, block.as_bytes());
    }

    /// The file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn next_id(&mut self) -> String {
        self.records += 1;
        let name = format!("{}/{}", self.visit, self.records);
        format!("<urn:uuid:{}>", Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    /// `warc-record = header CRLF block CRLF CRLF` ("File and record model").
    fn record(&mut self, kind: &str, id: &str, at: Timestamp, content_type: &str, fields: Fields, block: &[u8]) {
        let mut header = format!("WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Record-ID: {id}\r\nWARC-Date: {}\r\n", at.rfc3339());
        for (name, value) in fields {
            // Writing to a text never fails.
            let _ = write!(header, "{name}: {value}\r\n");
        }
        let digest = digest(block);
        let _ = write!(header, "WARC-Block-Digest: {digest}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", block.len());
        let mut packer = GzEncoder::new(std::mem::take(&mut self.bytes), Compression::fast());
        for part in [header.as_bytes(), block, b"\r\n\r\n"] {
            packer.write_all(part).expect("a vector takes all bytes");
        }
        self.bytes = packer.finish().expect("a vector takes all bytes");
    }
}

/// Lines of `application/warc-fields`.
fn warc_fields(fields: &[(&str, &str)]) -> String {
    fields.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = write!(text, "{name}: {value}\r\n");
        text
    })
}

/// A labelled digest: the standard recommends no algorithm, and readers know this one.
fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", base32(&Sha256::digest(bytes)))
}

/// RFC 4648, section 6.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for group in bytes.chunks(5) {
        let mut padded = [0_u8; 8];
        padded[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(padded);
        let letters = (group.len() * 8).div_ceil(5);
        text.extend((0..letters).map(|at| char::from(LETTERS[(bits >> (35 - 5 * at)) as usize & 31])));
        text.extend(std::iter::repeat_n('=', 8 - letters));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_rfc() {
        let cases = [("", ""), ("f", "MY======"), ("fo", "MZXQ===="), ("foo", "MZXW6==="), ("foob", "MZXW6YQ="), ("fooba", "MZXW6YTB")];
        for (plain, expected) in cases {
            assert_eq!(base32(plain.as_bytes()), expected);
        }
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI======");
    }
}
