//! A body under its limits: wire bytes are counted as they come, decompression happens here, piece by piece, into a buffer
//! that never grows beyond its limit. Windows are bounded too: a few bytes of zstd or brotli may otherwise ask for 128 MB or 1 GB.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use std::io::Write;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

/// Largest zstd window accepted, log2 of bytes: 8 MB, what RFC 9659 allows for the web.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decompressed at once before the limit is looked at, bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// Why a body was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More decoded bytes than allowed.
    #[error("the decoded body is over its limit")]
    TooLarge,
    /// A content coding that is not read, or several on top of each other.
    #[error("content coding `{0}` is not read")]
    Coding(String),
    /// The bytes are not what the content coding says.
    #[error("the {0} body is broken")]
    Broken(&'static str),
}

/// Decoded bytes up to a limit; one byte more is an error, and what fits is kept.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
    over: bool,
}

impl Capped {
    fn take(&mut self, piece: &[u8]) -> Result<(), BodyError> {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            self.over = true;
            return Err(BodyError::TooLarge);
        }
        Ok(())
    }
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.take(piece).map_err(std::io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

enum Coding {
    Plain(Capped),
    Gzip(Box<flate2::write::MultiGzDecoder<Capped>>),
    /// `deflate` is zlib, but some servers send the bare stream: the first two bytes tell.
    DeflateUnknown(Vec<u8>, Capped),
    Zlib(Box<flate2::write::ZlibDecoder<Capped>>),
    Deflate(Box<flate2::write::DeflateDecoder<Capped>>),
    Brotli(Box<Brotli>, Capped, bool),
    Zstd(Box<ZstdDecoder<'static>>, Capped, bool),
}

/// Takes a body in.
pub struct BodySink {
    coding: Coding,
}

impl std::fmt::Debug for BodySink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodySink").finish_non_exhaustive()
    }
}

impl BodySink {
    /// A sink for a body with this `Content-Encoding` and at most `limit` decoded bytes.
    ///
    /// # Errors
    /// [`BodyError::Coding`] for codings that are not offered, or nested.
    pub fn new(content_encoding: Option<&str>, limit: usize) -> Result<Self, BodyError> {
        let named = content_encoding.unwrap_or_default().trim().to_ascii_lowercase();
        let sink = Capped { bytes: Vec::new(), limit, over: false };
        let coding = match named.as_str() {
            "" | "identity" => Coding::Plain(sink),
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(flate2::write::MultiGzDecoder::new(sink))),
            "deflate" => Coding::DeflateUnknown(Vec::new(), sink),
            "br" => {
                // Strict: no large windows.
                let state = Brotli::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
                Coding::Brotli(Box::new(state), sink, false)
            }
            "zstd" => {
                let mut decoder = ZstdDecoder::new().map_err(|_| BodyError::Broken("zstd"))?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(|_| BodyError::Broken("zstd"))?;
                Coding::Zstd(Box::new(decoder), sink, true)
            }
            _ => return Err(BodyError::Coding(crate::domain::text::clean_line(&named, 60))),
        };
        Ok(Self { coding })
    }

    /// Takes the next piece as it came over the wire.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] as soon as the limit is passed, [`BodyError::Broken`] for undecodable bytes.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), BodyError> {
        if let Coding::DeflateUnknown(start, _) = &mut self.coding {
            start.extend_from_slice(piece);
            if start.len() < 2 {
                return Ok(());
            }
            return self.settle_deflate();
        }
        match &mut self.coding {
            Coding::Plain(sink) => sink.take(piece),
            Coding::Gzip(decoder) => {
                let result = decoder.write_all(piece);
                flated(result, decoder.get_ref(), "gzip")
            }
            Coding::Zlib(decoder) => {
                let result = decoder.write_all(piece);
                flated(result, decoder.get_ref(), "deflate")
            }
            Coding::Deflate(decoder) => {
                let result = decoder.write_all(piece);
                flated(result, decoder.get_ref(), "deflate")
            }
            Coding::Brotli(state, sink, done) => write_brotli(state, sink, done, piece),
            Coding::Zstd(decoder, sink, done) => write_zstd(decoder, sink, done, piece),
            Coding::DeflateUnknown(..) => Ok(()),
        }
    }

    fn settle_deflate(&mut self) -> Result<(), BodyError> {
        let empty = Coding::Plain(Capped { bytes: Vec::new(), limit: 0, over: false });
        let Coding::DeflateUnknown(start, sink) = std::mem::replace(&mut self.coding, empty) else {
            return Ok(());
        };
        let zlib = start[0] & 0x0f == 8 && u16::from_be_bytes([start[0], start[1]]).is_multiple_of(31);
        self.coding = if zlib {
            Coding::Zlib(Box::new(flate2::write::ZlibDecoder::new(sink)))
        } else {
            Coding::Deflate(Box::new(flate2::write::DeflateDecoder::new(sink)))
        };
        self.write(&start)
    }

    /// The whole body, once its last piece is in.
    ///
    /// # Errors
    /// [`BodyError::Broken`] if the coding says that more should have come.
    pub fn finish(self) -> Result<Vec<u8>, BodyError> {
        match self.coding {
            Coding::Plain(sink) => Ok(sink.bytes),
            Coding::Gzip(mut decoder) => {
                let result = decoder.try_finish();
                flated(result, decoder.get_ref(), "gzip")?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
            Coding::Zlib(mut decoder) => {
                let result = decoder.try_finish();
                flated(result, decoder.get_ref(), "deflate")?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
            Coding::Deflate(mut decoder) => {
                let result = decoder.try_finish();
                flated(result, decoder.get_ref(), "deflate")?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
            Coding::DeflateUnknown(start, sink) if start.is_empty() => Ok(sink.bytes),
            Coding::Brotli(_, sink, true) | Coding::Zstd(_, sink, true) => Ok(sink.bytes),
            Coding::DeflateUnknown(..) => Err(BodyError::Broken("deflate")),
            Coding::Brotli(..) => Err(BodyError::Broken("brotli")),
            Coding::Zstd(..) => Err(BodyError::Broken("zstd")),
        }
    }

    /// What was decoded so far, for texts that are cut instead of refused.
    pub fn cut(self) -> Vec<u8> {
        match self.coding {
            Coding::Plain(sink) | Coding::DeflateUnknown(_, sink) | Coding::Brotli(_, sink, _) | Coding::Zstd(_, sink, _) => sink.bytes,
            Coding::Gzip(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
            Coding::Zlib(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
            Coding::Deflate(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
        }
    }
}

fn flated(result: std::io::Result<()>, sink: &Capped, coding: &'static str) -> Result<(), BodyError> {
    match result {
        _ if sink.over => Err(BodyError::TooLarge),
        Ok(()) => Ok(()),
        Err(_) => Err(BodyError::Broken(coding)),
    }
}

fn write_brotli(state: &mut Brotli, sink: &mut Capped, done: &mut bool, piece: &[u8]) -> Result<(), BodyError> {
    let mut out = [0; PIECE_BYTES];
    let (mut left, mut at, mut total) = (piece.len(), 0, 0);
    while !*done {
        let (mut room, mut written) = (out.len(), 0);
        let result = BrotliDecompressStream(&mut left, &mut at, piece, &mut room, &mut written, &mut out, &mut total, state);
        sink.take(&out[..written])?;
        match result {
            BrotliResult::NeedsMoreInput => return Ok(()),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess => *done = true,
            BrotliResult::ResultFailure => return Err(BodyError::Broken("brotli")),
        }
    }
    if left == 0 { Ok(()) } else { Err(BodyError::Broken("brotli")) }
}

fn write_zstd(decoder: &mut ZstdDecoder<'static>, sink: &mut Capped, done: &mut bool, piece: &[u8]) -> Result<(), BodyError> {
    let mut out = [0; PIECE_BYTES];
    let mut input = InBuffer::around(piece);
    loop {
        let mut output = OutBuffer::around(&mut out[..]);
        let (before, more) = (input.pos(), input.pos() < piece.len());
        let hint = decoder.run(&mut input, &mut output).map_err(|_| BodyError::Broken("zstd"))?;
        let written = output.pos();
        sink.take(&out[..written])?;
        if more || written > 0 {
            *done = hint == 0;
        }
        if input.pos() == piece.len() && written < out.len() {
            return Ok(());
        }
        if input.pos() == before && written == 0 {
            return Err(BodyError::Broken("zstd"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn deflated(kind: &str, plain: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::best();
        match kind {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            "zlib" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            "raw" => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            "zstd" => zstd::bulk::compress(plain, 3).unwrap(),
            _ => plain.to_vec(),
        }
    }

    fn coding(kind: &str) -> Option<&'static str> {
        match kind {
            "gzip" => Some("gzip"),
            "zlib" | "raw" => Some("deflate"),
            "zstd" => Some("zstd"),
            _ => None,
        }
    }

    fn through(encoding: Option<&str>, limit: usize, wire: &[u8], piece: usize) -> Result<Vec<u8>, BodyError> {
        let mut sink = BodySink::new(encoding, limit)?;
        for part in wire.chunks(piece.max(1)) {
            sink.write(part)?;
        }
        sink.finish()
    }

    /// `Ana draws fine lines in ink. ` 40 times, by the reference encoder.
    const BROTLI_TEXT: &[u8] = &[
        0x1b, 0x87, 0x04, 0xf8, 0xc5, 0x6d, 0x6c, 0x5d, 0xc7, 0x6a, 0xfc, 0xd6, 0x14, 0x2a, 0x88, 0xc0, 0x51, 0xa3, 0x5a, 0xc8, 0xb5, 0x62,
        0x61, 0x22, 0xb9, 0x88, 0x58, 0xfe, 0xa1, 0x5a, 0x89, 0xfe, 0x97, 0xd0, 0x1a, 0x03,
    ];

    /// 64 MiB of zeros in 106 bytes, by the reference encoder.
    const BROTLI_BOMB: &str = "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf77ffcffff\
         837f02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffcbffff3ffc1300715800a07bff07";

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn brotli_is_read_and_its_bomb_stops() {
        let plain = "Ana draws fine lines in ink. ".repeat(40).into_bytes();
        for piece in [1, 7, 100] {
            assert_eq!(through(Some("br"), 10_000, BROTLI_TEXT, piece).as_ref(), Ok(&plain));
        }
        assert_eq!(through(Some("br"), 100, BROTLI_TEXT, 100), Err(BodyError::TooLarge));
        assert_eq!(through(Some("br"), 10_000, &BROTLI_TEXT[..30], 100), Err(BodyError::Broken("brotli")));
        assert_eq!(through(Some("br"), 10_000, &[BROTLI_TEXT, b"more"].concat(), 100), Err(BodyError::Broken("brotli")));
        assert_eq!(through(Some("br"), 5_000_000, &bytes_of(BROTLI_BOMB), 10), Err(BodyError::TooLarge));
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 20_000_000];
        for kind in ["plain", "gzip", "zlib", "raw", "zstd"] {
            let wire = deflated(kind, &zeros);
            assert_eq!(through(coding(kind), 5_000_000, &wire, 8_192), Err(BodyError::TooLarge), "{kind}");
            let mut sink = BodySink::new(coding(kind), 5_000_000).unwrap();
            let _ = wire.chunks(8_192).try_for_each(|part| sink.write(part));
            assert_eq!(sink.cut().len(), 5_000_000, "{kind}");
        }
    }

    #[test]
    fn a_body_of_just_the_limit_is_taken() {
        let plain = vec![b'a'; 10_000];
        for kind in ["plain", "gzip", "zlib", "raw", "zstd"] {
            let wire = deflated(kind, &plain);
            assert_eq!(through(coding(kind), 10_000, &wire, 100).as_ref(), Ok(&plain), "{kind}");
            assert_eq!(through(coding(kind), 9_999, &wire, 100), Err(BodyError::TooLarge), "{kind}");
        }
    }

    #[test]
    fn truncated_and_mislabelled_bodies_are_broken() {
        let plain: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        for kind in ["gzip", "zlib", "raw", "zstd"] {
            let wire = deflated(kind, &plain);
            let half = through(coding(kind), 1_000_000, &wire[..wire.len() / 2], 500);
            assert!(matches!(half, Err(BodyError::Broken(_))), "{kind}: {half:?}");
        }
        for encoding in ["gzip", "br", "zstd"] {
            let lie = through(Some(encoding), 1_000, b"<p>this is plain HTML and nothing else</p>", 7);
            assert!(matches!(lie, Err(BodyError::Broken(_))), "{encoding}: {lie:?}");
        }
        for encoding in ["gzip, gzip", "br, gzip", "compress", "exi"] {
            assert!(matches!(BodySink::new(Some(encoding), 10), Err(BodyError::Coding(_))), "{encoding}");
        }
        assert_eq!(through(Some(" GZIP "), 10, &deflated("gzip", b"abc"), 1), Ok(b"abc".to_vec()));
    }

    /// A few bytes must not make us set aside a window of a gigabyte.
    #[test]
    fn large_windows_are_refused() {
        let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00];
        // Window descriptor: exponent 17, that is 2^27 bytes; then one block of 128 KiB of one repeated byte.
        zstd.extend([17 << 3, 0x03, 0x00, 0x10, 0x00]);
        assert_eq!(through(Some("zstd"), 5_000_000, &zstd, 100), Err(BodyError::Broken("zstd")));
        zstd[5] = 13 << 3;
        assert_eq!(through(Some("zstd"), 5_000_000, &zstd, 100).map(|body| body.len()), Ok(1 << 17));
        // The large-window form of brotli, 2^30 bytes, by the reference encoder: a decoder that is not strict reads it.
        let brotli = "115e1c12e017b7b1751dabf15b53a82002478d6a21d78a0513918b88e51faa95e87f09ad3100";
        assert_eq!(through(Some("br"), 5_000_000, &bytes_of(brotli), 100), Err(BodyError::Broken("brotli")));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(plain: Vec<u8>, piece in 1_usize..50) {
            for kind in ["plain", "gzip", "zlib", "raw", "zstd"] {
                let wire = deflated(kind, &plain);
                prop_assert_eq!(through(coding(kind), 1_000_000, &wire, piece), Ok(plain.clone()), "{}", kind);
            }
        }

        #[test]
        fn any_bytes_stay_within_the_limit(wire: Vec<u8>, piece in 1_usize..50, limit in 0_usize..2_000) {
            for encoding in ["gzip", "deflate", "br", "zstd"] {
                if let Ok(body) = through(Some(encoding), limit, &wire, piece) {
                    prop_assert!(body.len() <= limit);
                }
            }
        }
    }
}
