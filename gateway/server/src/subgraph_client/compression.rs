//! Bodies to and from subgraphs, and of clients' requests, compressed.
//!
//! Always: what comes out of a small body is as bounded as a large one.
//! Elsewhere: answers to clients (`http/layers.rs`).

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use kopitiam_executor::transport::TransportError;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// Brotli, RFC 7932.
    Br,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Coding {
    /// As headers name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Fast ones: the other side is near.
const GZIP_LEVEL: u32 = 1;
const BROTLI_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;
/// What the reference implementation calls the default, as the logarithm of bytes.
const BROTLI_WINDOW: u32 = 22;
/// A decoder may ask for a window of at most 8 MiB (RFC 8878, section 3.1.1.1.2, recommends as much).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The compressed answers that are understood.
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("zstd, br, gzip");

/// Compresses a request's body; gives the value of its `content-encoding` too.
pub(super) fn compress(coding: Coding, body: &[u8]) -> (HeaderValue, Bytes) {
    let compressed = match coding {
        Coding::Gzip => gzip(body),
        Coding::Br => brotli(body),
        Coding::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL),
    };
    let compressed = compressed.expect("writing to memory does not fail");
    (HeaderValue::from_static(coding.name()), compressed.into())
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(body)?;
    encoder.finish()
}

fn brotli(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, BROTLI_LEVEL, BROTLI_WINDOW);
    encoder.write_all(body)?;
    encoder.flush()?;
    Ok(encoder.into_inner())
}

/// Undoes what the answer's headers say was done to its body.
///
/// # Errors
/// [`TransportError::TooLarge`] beyond `bytes_max`, [`TransportError::Unreachable`] for what is not what it says.
pub(super) fn decompress(
    headers: &HeaderMap,
    body: Bytes,
    bytes_max: usize,
) -> Result<Bytes, TransportError> {
    let Some(coding) = headers.get(CONTENT_ENCODING) else { return Ok(body) };
    let coding = coding.to_str().unwrap_or_default().trim();
    if coding.is_empty() {
        return Ok(body);
    }
    match decode(coding, body, bytes_max) {
        Ok(Some(body)) => Ok(body),
        Ok(None) => Err(TransportError::TooLarge),
        Err(error) => {
            tracing::warn!(%error, coding, "an answer cannot be decompressed");
            Err(TransportError::Unreachable)
        }
    }
}

/// Undoes one content coding (RFC 9110, section 8.4.1); `None` when more than `bytes_max` bytes come out.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] for a coding that is not known, others for a body that is not what it says.
pub(crate) fn decode(coding: &str, body: Bytes, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let compressed = &*body;
    let is = |name: &str| coding.eq_ignore_ascii_case(name);
    if is("identity") {
        Ok((body.len() <= bytes_max).then_some(body))
    } else if is("gzip") || is("x-gzip") {
        read(MultiGzDecoder::new(compressed), bytes_max)
    } else if is("deflate") {
        read(ZlibDecoder::new(compressed), bytes_max)
    } else if is("br") {
        read(brotli::Decompressor::new(compressed, 4096), bytes_max)
    } else if is("zstd") {
        zstd::Decoder::new(compressed).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            read(decoder, bytes_max)
        })
    } else {
        Err(io::Error::new(io::ErrorKind::Unsupported, "an unknown content coding"))
    }
}

/// `None` beyond the limit.
fn read(decoder: impl Read, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let mut body = Vec::new();
    decoder.take(bytes_max as u64 + 1).read_to_end(&mut body)?;
    Ok((body.len() <= bytes_max).then(|| body.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

    fn compressed(coding: Coding, body: &[u8]) -> (HeaderMap, Bytes) {
        let (name, compressed) = compress(coding, body);
        (HeaderMap::from_iter([(CONTENT_ENCODING, name)]), compressed)
    }

    #[test]
    fn what_is_compressed_comes_out_the_same() {
        let body = Bytes::from("{\"data\":null}".repeat(1000));
        for coding in ALL {
            let (headers, compressed) = compressed(coding, &body);
            assert!(compressed.len() < body.len() / 10, "{coding:?}");
            assert_eq!(decompress(&headers, compressed, body.len()).unwrap(), body, "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let body = vec![b' '; 50_000_000];
        for coding in ALL {
            let (headers, compressed) = compressed(coding, &body);
            assert!(compressed.len() < 1_000_000, "{coding:?}");
            let decompressed = decompress(&headers, compressed, 1_000_000);
            assert!(matches!(decompressed, Err(TransportError::TooLarge)), "{coding:?}");
        }
    }

    #[test]
    fn what_is_not_what_it_says_is_no_answer() {
        for coding in ["gzip", "br", "zstd", "deflate", "compress", "gzip, br"] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
            let decompressed = decompress(&headers, Bytes::from_static(b"{\"data\":null}"), 1000);
            assert!(matches!(decompressed, Err(TransportError::Unreachable)), "{coding}");
        }
    }
}
