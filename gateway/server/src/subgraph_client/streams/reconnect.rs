//! A source that goes on when its subgraph restarts.
//!
//! In: how to make the call. Out: its events; a break is not among them as long as opening the source again may help.
//! Always: events that the subgraph sends while nobody listens are lost, as they are for its own clients; waits grow, are
//! scattered so that a restarted subgraph is not stormed, and end.
//! Elsewhere: opening (`mod.rs`).

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_executor::transport::TransportError;
use tokio::time::Instant;

use super::open;
use crate::subgraph_client::call::Call;

const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);

type Item = Result<Bytes, TransportError>;

/// Makes the call anew: the subgraph may be elsewhere by now.
pub(in crate::subgraph_client) type Source = Box<dyn Fn() -> Result<Call, TransportError> + Send + Sync>;

/// Opens a subscription; it is opened again when it breaks.
///
/// # Errors
/// [`TransportError`] when it could not be opened: the first time, once is enough.
pub(in crate::subgraph_client) async fn source(
    source: Source,
) -> Result<BoxStream<'static, Item>, TransportError> {
    let opened = open(&source()?).await?;
    Ok(lasting(source, opened))
}

/// As [`source`], for a client that listens already: tries for as long as after a break.
///
/// # Errors
/// As [`source`].
pub(in crate::subgraph_client) async fn again(
    source: Source,
) -> Result<BoxStream<'static, Item>, TransportError> {
    let opened = reopen(&source, None).await?;
    Ok(lasting(source, opened))
}

struct Lasting {
    source: Source,
    opened: Option<BoxStream<'static, Item>>,
}

fn lasting(source: Source, opened: BoxStream<'static, Item>) -> BoxStream<'static, Item> {
    let lasting = Lasting { source, opened: Some(opened) };
    stream::unfold(lasting, |mut lasting| async move {
        let item = lasting.next().await?;
        Some((item, lasting))
    })
    .boxed()
}

impl Lasting {
    async fn next(&mut self) -> Option<Item> {
        loop {
            match self.opened.as_mut()?.next().await {
                Some(Err(error)) => {
                    self.opened = None;
                    match reopen(&self.source, Some(error)).await {
                        Ok(opened) => self.opened = Some(opened),
                        Err(error) => return Some(Err(error)),
                    }
                }
                item => return item,
            }
        }
    }
}

/// Whether another try may end differently.
fn may_pass(error: &TransportError) -> bool {
    match error {
        TransportError::Status(status) => *status >= 500 || *status == 429,
        TransportError::TooLarge => false,
        _ => true,
    }
}

/// Opens the source again, after `broken` or for the first time.
async fn reopen(
    source: &Source,
    broken: Option<TransportError>,
) -> Result<BoxStream<'static, Item>, TransportError> {
    let started = Instant::now();
    let mut wait = if broken.is_some() { WAIT_MIN } else { Duration::ZERO };
    let mut error = broken;
    loop {
        let call = source()?;
        let patience = call.settings().subscriptions.reconnect_for;
        if let Some(error) = error
            && (!may_pass(&error) || started.elapsed() + wait > patience)
        {
            return Err(error);
        }
        tokio::time::sleep(scattered(wait)).await;
        match open(&call).await {
            Ok(opened) => return Ok(opened),
            Err(failed) => error = Some(failed),
        }
        wait = (wait * 2).clamp(WAIT_MIN, WAIT_MAX);
        tracing::debug!(error = %error.as_ref().expect("just set"), ?wait, "a subscription cannot be opened again yet");
    }
}

/// Between half of it and all of it.
fn scattered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.5..=1.0))
}
