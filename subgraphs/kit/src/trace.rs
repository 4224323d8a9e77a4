//! The trace (W3C trace context) that a piece of work belongs to: from the gateway's header into the messages that the work
//! writes, and from a message into those that follow from it.

use std::future::Future;

use axum::http::HeaderMap;
use kopitiam_kafka::envelope::NO_TRACE;

const HEADER: &str = "traceparent";

tokio::task_local! {
    static TRACEPARENT: String;
}

/// Does work that belongs to this trace.
pub async fn within<T>(traceparent: String, work: impl Future<Output = T>) -> T {
    TRACEPARENT.scope(traceparent, work).await
}

/// The trace of the work that asks; [`NO_TRACE`] when it belongs to none.
pub(crate) fn current() -> String {
    TRACEPARENT.try_with(Clone::clone).unwrap_or_else(|_| NO_TRACE.to_owned())
}

/// The trace that a request belongs to; [`NO_TRACE`] when it says none, or nonsense: it is stored with every message.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let told = headers.get(HEADER).and_then(|value| value.to_str().ok());
    told.filter(|told| is_traceparent(told)).unwrap_or(NO_TRACE).to_owned()
}

/// `00-<32 digits>-<16 digits>-<2 digits>`, in lower-case hexadecimal, the ids not zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { return false };
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, digits: usize| is_hex(part, digits) && part.bytes().any(|byte| byte != b'0');
    version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_whole_trace_context_is_taken_over_and_only_for_the_work_it_is_of() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (told, expected) in [
            (good, good),
            (NO_TRACE, NO_TRACE),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", NO_TRACE),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", NO_TRACE),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", NO_TRACE),
            ("00-4bf92f3577b34da6a3ce929d0e0e47;6-00f067aa0ba902b7-01", NO_TRACE),
        ] {
            let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), told.parse().unwrap())]);
            assert_eq!(of(&headers), expected, "{told}");
        }
        assert_eq!(of(&HeaderMap::new()), NO_TRACE);
        assert_eq!(within(good.to_owned(), async { current() }).await, good);
        assert_eq!(current(), NO_TRACE);
    }
}
