//! A supergraph in an S3-compatible store: a GET with a signature.
//!
//! Source: AWS Signature Version 4, "Create a signed request".

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{Request, Uri};
use sha2::{Digest, Sha256};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const BODY_DIGEST: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// One object, and who reads it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct S3Source {
    /// Endpoint, bucket and key in path style; no character of it needs escaping.
    pub(crate) url: Uri,
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl fmt::Debug for S3Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("S3Source").field("url", &self.url).finish_non_exhaustive()
    }
}

impl S3Source {
    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    /// The signed request for the object, unless it is still the one with this `ETag`.
    pub(super) fn request(&self, tag: Option<&HeaderValue>) -> Request<Bytes> {
        self.request_at(SystemTime::now(), tag)
    }

    fn request_at(&self, now: SystemTime, tag: Option<&HeaderValue>) -> Request<Bytes> {
        let time = DateTime::<Utc>::from(now).format("%Y%m%dT%H%M%SZ").to_string();
        let authority = self.url.authority().map(ToString::to_string).unwrap_or_default();
        let digest = hex(&Sha256::digest(b""));
        let canonical = format!(
            "GET\n{}\n\nhost:{authority}\nx-amz-content-sha256:{digest}\nx-amz-date:{time}\n\n\
             host;x-amz-content-sha256;x-amz-date\n{digest}",
            self.url.path()
        );
        let date = &time[..8];
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let canonical = hex(&Sha256::digest(canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
        let secret = format!("AWS4{}", self.secret_key);
        let key = [date, &self.region, "s3", "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| mac(&key, part.as_bytes()));
        let signature = hex(&mac(&key, text.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature={signature}",
            self.access_key
        );
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        for (name, value) in [(DATE, &time), (BODY_DIGEST, &digest), (AUTHORIZATION, &authorization)] {
            // Keys are checked to be visible ASCII when the settings are read.
            if let Ok(mut value) = HeaderValue::from_str(value) {
                value.set_sensitive(name == AUTHORIZATION);
                headers.insert(name, value);
            }
        }
        if let Some(tag) = tag {
            headers.insert(IF_NONE_MATCH, tag.clone());
        }
        request
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every write");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// Computed by an independent implementation (Python's hmac and hashlib) for the same request.
    #[test]
    fn the_signature_is_the_one_that_the_specification_asks_for() {
        let source = S3Source {
            url: "http://127.0.0.1:9000/schemas/shop/supergraph.graphql".parse().unwrap(),
            region: "us-east-1".to_owned(),
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let now = UNIX_EPOCH + Duration::from_mins(24_015_636);
        let request = source.request_at(now, None);
        assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
        let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
        let signature = authorization.rsplit_once("Signature=").unwrap().1;
        assert_eq!(signature, "d205db77e6169e6218482451ebcfc59585771fc27521a82e4b59ba34811d42ff");
        assert!(authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request, SignedHeaders=host;"
        ));
    }
}
