//! Whether anything is asked on a connection, and whether what it is answered gets through.
//!
//! HTTP/1.1 has a timer for the first; HTTP/2 has not: a client that only answers pings would hold its place for ever. Nor
//! does a socket show whether the answers of HTTP/2 are read, since windows of the protocol hold them back, not the
//! socket's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;

/// What has to be written in a period while something waits to be: more than the answers to a few pings.
const PROGRESS_BYTES_MIN: u64 = 1_024;

/// The requests that are being answered on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: watch::Sender<usize>,
    /// Parts of answers that are made and not written.
    unwritten: watch::Sender<usize>,
}

/// One request being answered; over when dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Counts>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.send_modify(|requests| *requests -= 1);
    }
}

impl Activity {
    pub(super) fn begin(&self) -> Busy {
        self.0.requests.send_modify(|requests| *requests += 1);
        Busy(Arc::clone(&self.0))
    }

    /// Ends when nothing was asked, and nothing left to be sent, for so long.
    pub(super) fn idle_for(&self, period: Duration) -> impl Future<Output = ()> + use<> {
        let mut requests = self.0.requests.subscribe();
        async move {
            loop {
                if requests.wait_for(|requests| *requests == 0).await.is_err() {
                    // The connection is gone, and whoever waits with it.
                    return std::future::pending().await;
                }
                if timeout(period, requests.changed()).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Ends when something waited to be sent for so long while next to nothing of all was written; `written` counts.
    pub(super) fn stalled_for(
        &self,
        period: Duration,
        written: Arc<AtomicU64>,
    ) -> impl Future<Output = ()> + use<> {
        let mut unwritten = self.0.unwritten.subscribe();
        async move {
            loop {
                if unwritten.wait_for(|unwritten| *unwritten > 0).await.is_err() {
                    return std::future::pending().await;
                }
                let before = written.load(Ordering::Relaxed);
                let all_is_written = timeout(period, unwritten.wait_for(|unwritten| *unwritten == 0)).await;
                let now = written.load(Ordering::Relaxed);
                if all_is_written.is_err() && now.saturating_sub(before) < PROGRESS_BYTES_MIN {
                    return;
                }
            }
        }
    }
}

/// A response's body that counts as work until all of it is written or given up.
pub(super) struct Counted {
    body: Body,
    busy: Arc<Busy>,
}

/// A part of a body, from when it is taken until the protocol is done with it.
struct Unwritten {
    bytes: Bytes,
    busy: Arc<Busy>,
}

impl AsRef<[u8]> for Unwritten {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.busy.0.unwritten.send_modify(|unwritten| *unwritten -= 1);
    }
}

impl Counted {
    pub(super) fn new(body: Body, busy: Busy) -> Self {
        Self { body, busy: Arc::new(busy) }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map_ok(|frame| {
            frame.map_data(|bytes| {
                self.busy.0.unwritten.send_modify(|unwritten| *unwritten += 1);
                Bytes::from_owner(Unwritten { bytes, busy: Arc::clone(&self.busy) })
            })
        })
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
    use http_body_util::BodyExt;

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

    #[tokio::test]
    async fn an_answer_is_work_until_its_last_byte_is_written() {
        let activity = Activity::default();
        let mut body = Counted::new(Body::from("answer"), activity.begin());
        let mut idle = Box::pin(activity.idle_for(Duration::ZERO));
        let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert!(futures::poll!(&mut idle).is_pending());
        tokio::task::yield_now().await;
        assert!(futures::poll!(&mut idle).is_pending(), "the protocol still holds the answer");
        drop(chunk);
        timeout(Duration::from_secs(20), idle).await.expect("it ends");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_stalls() {
        let activity = Activity::default();
        let mut stalled = Box::pin(activity.stalled_for(Duration::ZERO, Arc::default()));
        let mut body = Counted::new(Body::from("answer"), activity.begin());
        assert!(futures::poll!(&mut stalled).is_pending(), "there is nothing to write");
        let _chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
        timeout(Duration::from_secs(20), stalled).await.expect("nothing is written");
    }
}
