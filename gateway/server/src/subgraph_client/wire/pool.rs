//! Idle connections of HTTP/1.1 to one place.
//!
//! Always: the one used last is used next; none is kept beyond the idle time, and none that the subgraph has closed is
//! given out, as far as can be known.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::exchange::Connection;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Pool {
    /// The one used last is the last.
    idle: Mutex<VecDeque<(Instant, Connection)>>,
    idle_timeout: Duration,
    /// More at once are closed after their answer.
    idle_max: usize,
    /// A task waits to close what nobody takes.
    is_swept: AtomicBool,
}

impl Pool {
    pub(super) fn new(idle_timeout: Duration, idle_max: usize) -> Self {
        Self { idle: Mutex::default(), idle_timeout, idle_max, is_swept: AtomicBool::new(false) }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that can be used at once.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some((since, mut connection)) = idle.pop_back() {
            if since.elapsed() >= self.idle_timeout {
                // All others are older still.
                idle.clear();
                return None;
            }
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < self.idle_max {
            idle.push_back((Instant::now(), connection));
        }
        drop(idle);
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(sweep(Arc::downgrade(self), self.idle_timeout));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle().len()
    }

    /// Takes the one used last, whatever its state.
    #[cfg(test)]
    pub(super) fn newest(&self) -> Option<(Instant, Connection)> {
        self.idle().pop_back()
    }
}

/// Closes what was idle too long, until nothing is idle.
async fn sweep(pool: Weak<Pool>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(idle_timeout).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle();
        let fresh = idle.iter().position(|(since, _)| since.elapsed() < idle_timeout);
        let expired = fresh.unwrap_or(idle.len());
        idle.drain(..expired);
        if idle.is_empty() {
            pool.is_swept.store(false, Ordering::Release);
            return;
        }
    }
}
