//! What waits to be written to one socket.
//!
//! In: frames of several operations. Out: the same frames, in order.
//! Always: bounded in bytes: an operation waits for room before it adds an event, and whoever may not wait (answers to the
//! client's own messages) finds out when there is far too much.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

/// See the module's header. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Outbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    bytes_max: usize,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
    is_closed: bool,
}

/// The client takes nothing, and made more than can be kept for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Shared {
            queue: Mutex::default(),
            bytes_max,
            filled: Notify::new(),
            emptied: Notify::new(),
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message when there is room; a message larger than the bound has room when nothing else waits.
    pub(super) async fn push(&self, message: impl Into<Message>) {
        let message = message.into();
        loop {
            // Asked for before looking, so that room made in between is noticed.
            let mut emptied = std::pin::pin!(self.0.emptied.notified());
            emptied.as_mut().enable();
            if self.has_room(message.len()) {
                break;
            }
            emptied.await;
        }
        self.add(message);
    }

    /// Adds a message at once.
    ///
    /// # Errors
    /// [`Overflow`] when more than twice the bound would wait.
    pub(super) fn push_now(&self, message: impl Into<Message>) -> Result<(), Overflow> {
        let message = message.into();
        let queue = self.queue();
        if !queue.messages.is_empty() && queue.bytes + message.len() > 2 * self.0.bytes_max {
            return Err(Overflow);
        }
        drop(queue);
        self.add(message);
        Ok(())
    }

    /// Nothing more is added; what waits is still written, then the queue ends.
    pub(super) fn close(&self, last: Message) {
        let mut queue = self.queue();
        queue.messages.push_back(last);
        queue.is_closed = true;
        drop(queue);
        self.0.filled.notify_one();
    }

    fn has_room(&self, bytes: usize) -> bool {
        let queue = self.queue();
        queue.messages.is_empty() || queue.bytes + bytes <= self.0.bytes_max
    }

    fn add(&self, message: Message) {
        let mut queue = self.queue();
        if queue.is_closed {
            return;
        }
        // Even an empty message takes room.
        queue.bytes += cost(&message);
        queue.messages.push_back(message);
        drop(queue);
        self.0.filled.notify_one();
    }

    /// The message that waits longest; `None` after the last one. One reader only.
    pub(super) async fn next(&self) -> Option<Message> {
        loop {
            match self.take() {
                Some(message) => return Some(message),
                None if self.queue().is_closed => return None,
                None => self.0.filled.notified().await,
            }
        }
    }

    fn take(&self) -> Option<Message> {
        let mut queue = self.queue();
        let message = queue.messages.pop_front()?;
        queue.bytes = queue.bytes.saturating_sub(cost(&message));
        drop(queue);
        self.0.emptied.notify_waiters();
        Some(message)
    }
}

fn cost(message: &Message) -> usize {
    message.len() + size_of::<Message>()
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, poll};

    use super::*;

    fn text(length: usize) -> Message {
        Message::text("x".repeat(length))
    }

    #[tokio::test]
    async fn an_operation_waits_until_there_is_room() {
        let outbox = Outbox::new(1000);
        outbox.push(text(900)).await;
        let mut waiting = Box::pin(outbox.push(text(200)));
        assert!(poll!(&mut waiting).is_pending());
        assert_eq!(outbox.next().await.unwrap().len(), 900);
        waiting.await;
        assert_eq!(outbox.next().await.unwrap().len(), 200);
        assert!(outbox.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_message_larger_than_the_bound_goes_alone() {
        let outbox = Outbox::new(10);
        outbox.push(text(100)).await;
        assert_eq!(outbox.next().await.unwrap().len(), 100);
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_overflow() {
        let outbox = Outbox::new(1000);
        let pushed = (0..1000).take_while(|_| outbox.push_now(text(10)).is_ok()).count();
        assert!((10..100).contains(&pushed), "{pushed}");
    }

    #[tokio::test]
    async fn what_waits_is_written_before_the_end() {
        let outbox = Outbox::new(1000);
        outbox.push(text(1)).await;
        outbox.close(Message::Close(None));
        outbox.push(text(2)).await;
        assert_eq!(outbox.next().await.unwrap().len(), 1);
        assert!(outbox.next().await.unwrap().is_close());
        assert!(outbox.next().await.is_none());
    }
}
