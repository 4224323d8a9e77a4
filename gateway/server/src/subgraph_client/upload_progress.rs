//! Whose fault it is when a request with files fails.
//!
//! In: what reading the client's files comes to. Out: what an error of the request means.
//! Always: a subgraph is not blamed for a client that is late, breaks off or sends what is not allowed; where the subgraph
//! itself does not read or answer, it is.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use kopitiam_executor::transport::TransportError;

/// The client has sent all that was asked of it so far.
const MOVING: u8 = 0;
/// More is wanted, and the client has not sent it yet.
const AWAITED: u8 = 1;
/// There will be no more, though more was wanted.
const BROKEN: u8 = 2;

/// How far the files of one request have come.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    /// What the last look at the files gave.
    pub(super) fn note<T, E>(&self, polled: &Poll<Option<Result<T, E>>>) {
        let state = match polled {
            Poll::Pending => AWAITED,
            Poll::Ready(Some(Err(_))) => BROKEN,
            Poll::Ready(_) => MOVING,
        };
        self.0.store(state, Ordering::SeqCst);
    }

    /// What an error of the request means.
    pub(super) fn judge(&self, error: TransportError) -> TransportError {
        match (self.0.load(Ordering::SeqCst), &error) {
            // It was not sent at all.
            (_, TransportError::Overloaded | TransportError::CircuitOpen) => error,
            (BROKEN, _) | (AWAITED, TransportError::Timeout) => TransportError::UploadBroken,
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Polled = Poll<Option<Result<(), ()>>>;

    #[test]
    fn only_what_the_client_does_is_the_clients_fault() {
        let progress = Progress::default();
        let judged = |polled: Polled, error| {
            progress.note(&polled);
            matches!(progress.judge(error), TransportError::UploadBroken)
        };
        assert!(judged(Poll::Pending, TransportError::Timeout), "the client is late");
        assert!(!judged(Poll::Pending, TransportError::Unreachable), "the subgraph breaks off");
        assert!(!judged(Poll::Ready(Some(Ok(()))), TransportError::Timeout), "the subgraph does not read");
        assert!(!judged(Poll::Ready(None), TransportError::Timeout), "the subgraph does not answer");
        assert!(judged(Poll::Ready(Some(Err(()))), TransportError::Unreachable), "the client breaks off");
        assert!(judged(Poll::Ready(Some(Err(()))), TransportError::Status(500)));
    }
}
