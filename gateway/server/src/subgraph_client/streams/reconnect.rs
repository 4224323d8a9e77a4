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
    Ok(lasting(source, opened, Trouble::default()))
}

/// As [`source`], for a client that listens already: tries for as long as after a break.
///
/// # Errors
/// As [`source`].
pub(in crate::subgraph_client) async fn again(
    source: Source,
) -> Result<BoxStream<'static, Item>, TransportError> {
    let mut trouble = Trouble::default();
    let opened = reopen(&source, None, &mut trouble).await?;
    Ok(lasting(source, opened, trouble))
}

/// For how long a source has been of no use. That it can be opened does not end it: one that breaks at once is of no use
/// either.
#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
    /// Before the next try.
    wait: Duration,
}

struct Lasting {
    source: Source,
    opened: Option<BoxStream<'static, Item>>,
    opened_at: Instant,
    trouble: Trouble,
}

fn lasting(source: Source, opened: BoxStream<'static, Item>, trouble: Trouble) -> BoxStream<'static, Item> {
    let lasting = Lasting { source, opened: Some(opened), opened_at: Instant::now(), trouble };
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
                    if self.opened_at.elapsed() > WAIT_MAX {
                        self.trouble = Trouble::default();
                    }
                    match reopen(&self.source, Some(error), &mut self.trouble).await {
                        Ok(opened) => {
                            self.opened = Some(opened);
                            self.opened_at = Instant::now();
                        }
                        Err(error) => return Some(Err(error)),
                    }
                }
                item => {
                    self.trouble = Trouble::default();
                    return item;
                }
            }
        }
    }
}

/// Whether another try may end differently.
fn may_pass(error: &TransportError) -> bool {
    match error {
        TransportError::Status(status) => *status >= 500 || *status == 429,
        TransportError::TooLarge | TransportError::UploadBroken => false,
        _ => true,
    }
}

/// Opens the source again, after `broken` or for the first time, in the same `trouble` as before.
async fn reopen(
    source: &Source,
    broken: Option<TransportError>,
    trouble: &mut Trouble,
) -> Result<BoxStream<'static, Item>, TransportError> {
    let started = *trouble.since.get_or_insert_with(Instant::now);
    let mut error = broken;
    if error.is_some() {
        trouble.wait = trouble.wait.max(WAIT_MIN);
    }
    loop {
        let wait = trouble.wait;
        let call = source()?;
        let patience = call.settings().subscriptions.reconnect_for;
        if let Some(error) = error
            && (!may_pass(&error) || started.elapsed() + wait > patience)
        {
            return Err(error);
        }
        tokio::time::sleep(scattered(wait)).await;
        trouble.wait = (wait * 2).clamp(WAIT_MIN, WAIT_MAX);
        match open(&call).await {
            Ok(opened) => return Ok(opened),
            Err(failed) => error = Some(failed),
        }
        tracing::debug!(error = %error.as_ref().expect("just set"), ?wait, "a subscription cannot be opened again yet");
    }
}

/// Between half of it and all of it.
fn scattered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.5..=1.0))
}
