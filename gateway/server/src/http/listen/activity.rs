//! Whether anything is asked on a connection.
//!
//! HTTP/1.1 has a timer for it; HTTP/2 has not: a client that only answers pings would hold its place for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;

/// The requests that are being answered on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<watch::Sender<usize>>);

/// One request being answered; over when dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<watch::Sender<usize>>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|busy| *busy -= 1);
    }
}

impl Activity {
    pub(super) fn begin(&self) -> Busy {
        self.0.send_modify(|busy| *busy += 1);
        Busy(Arc::clone(&self.0))
    }

    /// Ends when nothing was asked for so long.
    pub(super) fn idle_for(&self, period: Duration) -> impl Future<Output = ()> + use<> {
        let mut busy = self.0.subscribe();
        async move {
            loop {
                if busy.wait_for(|busy| *busy == 0).await.is_err() {
                    // The connection is gone, and whoever waits with it.
                    return std::future::pending().await;
                }
                if timeout(period, busy.changed()).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A response's body that counts as work until it is sent or given up.
pub(super) struct Counted {
    body: Body,
    _busy: Busy,
}

impl Counted {
    pub(super) fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_once_nothing_is_asked_any_more() {
        let activity = Activity::default();
        let busy = activity.begin();
        let mut idle = Box::pin(activity.idle_for(Duration::ZERO));
        tokio::task::yield_now().await;
        assert!(futures::poll!(&mut idle).is_pending());
        let again = activity.begin();
        drop(busy);
        assert!(futures::poll!(&mut idle).is_pending());
        drop(again);
        timeout(Duration::from_secs(20), idle).await.expect("it ends");
    }
}
