//! Decompression bombs: one GiB of zero bytes in each content coding, put together from their repeating parts
//! so that a test needs neither the gigabyte nor a compressor.

use base64::Engine;

const GIB: u64 = 1 << 30;
/// CRC-32 and Adler-32 of one GiB of zeros: the bombs are valid to their last byte.
const CRC32: u32 = 0x5b64_c2b0;
const ADLER32: u32 = 0xc02d_0001;

/// Raw deflate: a fully flushed run of one MiB of zeros, so many times, then an empty last block.
fn deflated(mebibytes: usize) -> Vec<u8> {
    let mut mebibyte = vec![0xec, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x08, 0x5f, 0xa0];
    mebibyte.extend([0; 1016]);
    mebibyte.extend([0x3e, 0x03, 0x00, 0x00, 0xff, 0xff]);
    let mut stream = mebibyte.repeat(mebibytes);
    stream.extend([0x03, 0x00]);
    stream
}

const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// About 1.06 MB.
pub fn gzip() -> Vec<u8> {
    let mut bytes = GZIP_HEAD.to_vec();
    bytes.extend(deflated(1024));
    bytes.extend(CRC32.to_le_bytes());
    bytes.extend((GIB as u32).to_le_bytes());
    bytes
}

/// `Content-Encoding: deflate`, which means the zlib format. About 1.06 MB.
pub fn deflate() -> Vec<u8> {
    let mut bytes = vec![0x78, 0xda];
    bytes.extend(deflated(1024));
    bytes.extend(ADLER32.to_be_bytes());
    bytes
}

/// The same zeros as a bare stream, which some servers send as `deflate`.
pub fn deflate_bare() -> Vec<u8> {
    deflated(1024)
}

/// 1,500 gzip files one after the other, one MiB of zeros each. About 1.6 MB.
pub fn gzip_members() -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut member = GZIP_HEAD.to_vec();
    member.extend(deflated(1));
    member.extend(crc32(&zeros).to_le_bytes());
    member.extend((1_u32 << 20).to_le_bytes());
    member.repeat(1_500)
}

/// A gzip file whose name of 1.9 MB has no end.
pub fn gzip_name() -> Vec<u8> {
    let mut bytes = GZIP_HEAD.to_vec();
    bytes[3] = 1 << 3;
    bytes.resize(1_900_000, b'a');
    bytes
}

/// The gzip bomb once more inside gzip (`Content-Encoding: gzip, gzip`), in stored blocks.
pub fn gzip_in_gzip() -> Vec<u8> {
    let inner = gzip();
    let mut bytes = GZIP_HEAD.to_vec();
    let mut blocks = inner.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        bytes.push(u8::from(blocks.peek().is_none()));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(block);
    }
    bytes.extend(crc32(&inner).to_le_bytes());
    bytes.extend((inner.len() as u32).to_le_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Blocks that repeat one zero byte 131,072 times, 8,192 a GiB. About 33 kB a GiB.
pub fn zstd(gib: u64) -> Vec<u8> {
    const BLOCK: u32 = 1 << 17;
    let blocks = (gib * GIB / u64::from(BLOCK)) as u32;
    // Magic number, no flags, a window of 128 KiB.
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
    for at in 1..=blocks {
        let head = BLOCK << 3 | 1 << 1 | u32::from(at == blocks);
        bytes.extend(&head.to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

/// A few bytes that ask for a window of 128 MiB.
pub fn zstd_window() -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x03, 0x00, 0x10, 0x00]
}

/// A frame to be skipped of 4 GiB, of which 3 MB come: nothing is ever decoded.
pub fn zstd_skipped() -> Vec<u8> {
    let mut bytes = 0x184d_2a50_u32.to_le_bytes().to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.resize(3_000_000, 0);
    bytes
}

/// The large-window form of brotli, which asks for 1 GiB.
pub fn brotli_window() -> Vec<u8> {
    let hex = "115e1c12e017b7b1751dabf15b53a82002478d6a21d78a0513918b88e51faa95e87f09ad3100";
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("the constant is hexadecimal")).collect()
}

/// 841 bytes.
pub fn brotli() -> Vec<u8> {
    let text: String = BROTLI.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).expect("the constant is base64")
}

const BROTLI: &str = "
    z///f/gnAOKxQCD3/p/////wTwDEYQGA7v0/////4Z8AiMMiAN37f/7//8M/ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwW
    AOje//P//x/+CYA4LADQvf/n//8//BMAcVgAoHv/z///f/gnAOKwAED3/p/////wTwDEYQGA7v0/////4Z8AiMMCAN37f/7//8M/
    ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4LADQvf/n//8//BMAcVgAoHv/z///f/gnAOKwAED3/p//
    ///wTwDEYQGA7v0/////4Z8AiMMCAN37f/7//8M/ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4LADQ
    vf/n//8//BMAcVgAoHv/z///f/gnAOKwAED3/p/////wTwDEYQGA7v0/////4Z8AiMMCAN37f/7//8M/ARCHBQC69//8//+HfwIg
    DgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4LADQvf/n//8//BMAcVgAoHv/z///f/gnAOKwAED3/p/////wTwDEYQGA7v0/////
    4Z8AiMMCAN37f/7//8M/ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4LADQvf/n//8//BMAcVgAoHv/
    z///f/gnAOKwAED3/p/////wTwDEYQGA7v0/////4Z8AiMMCAN37f/7//8M/ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwW
    AOje//P//x/+CYA4LADQvf/n//8//BMAcVgAoHv/z///f/gnAOKwAED3/p/////wTwDEYQGA7v0/////4Z8AiMMCAN37f/7//8M/
    ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4LADQvf/n//8//BMAcVgAoHv/z///f/gnAOKwAED3/p//
    ///wTwDEYQGA7v0/////4Z8AiMMCAN37f/7//8M/ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4LADQ
    vf/n//8//BMAcVgAoHv/Pw==
";

#[cfg(test)]
mod tests {
    use super::*;

    /// A server may send a page of 2 MB; the bombs must pass that limit to reach the one on decoded bytes.
    #[test]
    fn bombs_are_small_on_the_wire() {
        for (name, bomb) in
            [("gzip", gzip()), ("deflate", deflate()), ("gzip in gzip", gzip_in_gzip()), ("zstd", zstd(1)), ("brotli", brotli())]
        {
            assert!((800..1_200_000).contains(&bomb.len()), "{name}: {} bytes", bomb.len());
        }
    }

    #[test]
    fn crc32_matches_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
