//! Writes to the shared store: whoever has an answer does not wait until it is kept.
//!
//! Always: what waits is bounded in bytes, and little of it is under way at once; what would be too much is not kept. At the
//! end what waits is written within a bounded time, also what caches had to write that other settings have replaced.
//! Elsewhere: what is written (`mod.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Writes under way at once: a server that is slow is not given more work.
const UNDER_WAY_MAX: usize = 8;
/// What a write is assumed to take at least, in bytes: this bounds how many wait.
const WRITE_BYTES_MIN: usize = 1024;

/// The writes of every cache that a server has had. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writes {
    tasks: TaskTracker,
    /// How long the end waits for them, in milliseconds: as long as the most patient cache would.
    patience: Arc<AtomicU64>,
}

impl Writes {
    fn wait_at_least(&self, patience: Duration) {
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.patience.fetch_max(millis, Ordering::Relaxed);
    }

    /// Waits until everything is written, for a bounded time.
    pub(crate) async fn written(&self) {
        self.tasks.close();
        let patience = Duration::from_millis(self.patience.load(Ordering::Relaxed));
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            let writes = self.tasks.len();
            tracing::warn!(writes, "the cache's shared store did not take everything before the end");
        }
    }
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Behind {
    /// In bytes.
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    writes: Writes,
}

impl Behind {
    /// `patience`: how long the server's end waits for what these have to write.
    pub(super) fn new(waiting_bytes_max: usize, patience: Duration, writes: Writes) -> Self {
        writes.wait_at_least(patience);
        Self {
            room: Arc::new(Semaphore::new(waiting_bytes_max.min(Semaphore::MAX_PERMITS))),
            turns: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            writes,
        }
    }

    /// Has something written after those before it. Gives whether there is room for it.
    pub(super) fn write(&self, bytes: usize, write: impl Future<Output = ()> + Send + 'static) -> bool {
        let bytes = u32::try_from(bytes.max(WRITE_BYTES_MIN)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else { return false };
        let turns = Arc::clone(&self.turns);
        self.writes.tasks.spawn(async move {
            let _room = room;
            let _turn = turns.acquire().await.expect("never closed");
            write.await;
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::watch;

    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_what_has_room_is_written_by_the_end() {
        let writes = Writes::default();
        let behind = Behind::new(20 * WRITE_BYTES_MIN, Duration::from_secs(20), writes.clone());
        let gate = watch::Sender::new(false);
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let write = |bytes| {
            let mut gate = gate.subscribe();
            let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            behind.write(bytes, async move {
                begun.fetch_add(1, Ordering::Relaxed);
                gate.wait_for(|open| *open).await.unwrap();
                ended.fetch_add(1, Ordering::Relaxed);
            })
        };
        assert!(!write(21 * WRITE_BYTES_MIN), "more than there is room for at all");
        assert!((0..18).all(|_| write(1)));
        assert!(!write(3 * WRITE_BYTES_MIN));
        assert!(write(2 * WRITE_BYTES_MIN));
        assert!(!write(1));
        tokio::task::yield_now().await;
        assert_eq!(begun.load(Ordering::Relaxed), UNDER_WAY_MAX);
        gate.send_replace(true);
        writes.written().await;
        assert_eq!(ended.load(Ordering::Relaxed), 19);
        assert!(write(20 * WRITE_BYTES_MIN), "the room is free again");
    }

    #[tokio::test]
    async fn a_write_that_hangs_does_not_hold_up_the_end() {
        let writes = Writes::default();
        let behind = Behind::new(WRITE_BYTES_MIN, Duration::from_millis(20), writes.clone());
        assert!(behind.write(1, std::future::pending()));
        writes.written().await;
        assert_eq!(writes.tasks.len(), 1);
    }
}
