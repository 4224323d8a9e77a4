//! The trace that a request belongs to.
//!
//! In: a client's headers. Out: what travels on to subgraphs, and the id for log lines.
//! Source: W3C Trace Context, sections 3.2 and 3.3.

use http::header::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A place in a trace. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TraceContext {
    /// Well formed, version 00.
    pub(crate) parent: HeaderValue,
    pub(crate) state: Option<HeaderValue>,
    /// Whether the client sent it.
    pub(crate) is_remote: bool,
}

impl TraceContext {
    /// The client's trace when it is well formed, the beginning of a new one otherwise.
    pub(crate) fn from_client(client: &HeaderMap) -> Self {
        match client.get(TRACEPARENT).filter(|value| is_traceparent(value.as_bytes())) {
            Some(parent) => {
                Self { parent: parent.clone(), state: client.get(TRACESTATE).cloned(), is_remote: true }
            }
            None => Self { parent: new_traceparent(), state: None, is_remote: false },
        }
    }

    /// The same trace, as it goes on from one of our spans.
    pub(crate) fn at(&self, parent: HeaderValue) -> Self {
        Self { parent, ..self.clone() }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> &str {
        self.part(3..35)
    }

    /// 16 hexadecimal digits.
    pub(crate) fn span_id(&self) -> &str {
        self.part(36..52)
    }

    pub(crate) fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.part(53..55), 16).is_ok_and(|flags| flags & 1 == 1)
    }

    fn part(&self, range: std::ops::Range<usize>) -> &str {
        self.parent.to_str().ok().and_then(|text| text.get(range)).unwrap_or_default()
    }
}

/// Whether a value has the form of version 00 (W3C Trace Context, section 3.2.2).
pub(crate) fn is_traceparent(value: &[u8]) -> bool {
    let lower_hex = |range: &[u8]| range.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    value.len() == 55
        && value.starts_with(b"00-")
        && value[35] == b'-'
        && value[52] == b'-'
        && lower_hex(&value[3..35])
        && lower_hex(&value[36..52])
        && lower_hex(&value[53..55])
        && value[3..35].iter().any(|byte| *byte != b'0')
        && value[36..52].iter().any(|byte| *byte != b'0')
}

fn new_traceparent() -> HeaderValue {
    // All zeros is no id.
    let (trace, span) = (rand::random::<u128>() | 1, rand::random::<u64>() | 1);
    HeaderValue::from_str(&format!("00-{trace:032x}-{span:016x}-01"))
        .expect("hexadecimal digits are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_trace_is_continued_and_a_malformed_one_replaced() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (sent, kept) in
            [(good, true), ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false), ("x", false)]
        {
            let mut client = HeaderMap::new();
            client.insert(TRACEPARENT, HeaderValue::from_static(sent));
            let trace = TraceContext::from_client(&client);
            assert!(is_traceparent(trace.parent.as_bytes()));
            assert_eq!((trace.parent == sent, trace.is_remote), (kept, kept));
            assert_eq!(trace.trace_id().len(), 32);
        }
    }
}
