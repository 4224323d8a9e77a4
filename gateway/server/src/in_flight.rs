//! Equal work in flight, done once.
//!
//! In: a key, and work that only runs when none with an equal key is running. Out: the result, for everybody who asked.
//! Always: keys are compared in full, never by a hash alone. The work belongs to nobody: one of those who wait drives
//! it, and when that one goes away another goes on from there; when all have gone, it is dropped. Work that is done is
//! never joined: the entry goes before the result is out. Nobody waits because the table is full.
//! Elsewhere: what may be shared at all (`subgraph_client/`, `http/handler.rs`).

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::Semaphore;

type Work<V> = Pin<Box<dyn Future<Output = V> + Send>>;

/// The work in flight, by key.
pub(crate) struct InFlight<K, V> {
    table: Arc<Table<K, V>>,
    entries_max: usize,
}

impl<K, V> std::fmt::Debug for InFlight<K, V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("InFlight")
    }
}

struct Table<K, V> {
    flights: Mutex<HashMap<K, Entry<V>, ahash::RandomState>>,
    next: AtomicU64,
}

struct Entry<V> {
    number: u64,
    flight: Weak<Flight<V>>,
}

/// One piece of work and those who wait for it.
struct Flight<V> {
    /// Whose turn it is to drive the work; closed when it is done.
    turn: Semaphore,
    work: Mutex<Option<Work<V>>>,
    value: OnceLock<V>,
}

/// Takes an entry out of the table when the work ends, however it ends.
struct Departure<K: Eq + Hash, V> {
    table: Arc<Table<K, V>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, V> Drop for Departure<K, V> {
    fn drop(&mut self) {
        let mut flights = lock(&self.table.flights);
        // Between the end of this work and here, other work may have taken the place.
        if flights.get(&self.key).is_some_and(|entry| entry.number == self.number) {
            flights.remove(&self.key);
        }
    }
}

/// What panicked while it held the lock had not changed anything by halves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> InFlight<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Nothing is in flight. Work beyond `entries_max` pieces is not shared.
    pub(crate) fn new(entries_max: usize) -> Self {
        let flights = Mutex::new(HashMap::default());
        Self { table: Arc::new(Table { flights, next: AtomicU64::new(0) }), entries_max }
    }

    /// The result of `work`, or of work with an equal key that is running already.
    pub(crate) async fn run<W, F>(&self, key: K, work: W) -> V
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output = V> + Send + 'static,
    {
        match self.join(key, work) {
            Ok(flight) => flight.result().await,
            Err(work) => work().await,
        }
    }

    /// The flight with this key, which is a new one when there is none; the work again when there is no room.
    fn join<W, F>(&self, key: K, work: W) -> Result<Arc<Flight<V>>, W>
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output = V> + Send + 'static,
    {
        let mut flights = lock(&self.table.flights);
        if let Some(flight) = flights.get(&key).and_then(|entry| entry.flight.upgrade()) {
            tracing::debug!("waiting for equal work in flight");
            return Ok(flight);
        }
        if flights.len() >= self.entries_max {
            return Err(work);
        }
        let number = self.table.next.fetch_add(1, Ordering::Relaxed);
        let departure = Departure { table: Arc::clone(&self.table), key: key.clone(), number };
        let work: Work<V> = Box::pin(async move {
            let departure = departure;
            let value = work().await;
            drop(departure);
            value
        });
        let flight = Arc::new(Flight {
            turn: Semaphore::new(1),
            work: Mutex::new(Some(work)),
            value: OnceLock::new(),
        });
        flights.insert(key, Entry { number, flight: Arc::downgrade(&flight) });
        Ok(flight)
    }
}

impl<V: Clone> Flight<V> {
    async fn result(&self) -> V {
        let Ok(_turn) = self.turn.acquire().await else {
            return self.value.get().expect("closed only when there is a value").clone();
        };
        let value = std::future::poll_fn(|context| {
            let mut work = lock(&self.work);
            work.as_mut().expect("done work closes the semaphore").as_mut().poll(context)
        })
        .await;
        *lock(&self.work) = None;
        let value = self.value.get_or_init(|| value).clone();
        self.turn.close();
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    fn entries<K, V>(in_flight: &InFlight<K, V>) -> usize {
        lock(&in_flight.table.flights).len()
    }

    #[tokio::test]
    async fn equal_work_runs_once_and_later_work_runs_again() {
        let in_flight = InFlight::new(10);
        let runs = Arc::new(AtomicUsize::new(0));
        let run = |key| {
            let runs = Arc::clone(&runs);
            in_flight.run(key, || async move {
                tokio::task::yield_now().await;
                runs.fetch_add(1, Ordering::SeqCst)
            })
        };
        let (one, same, other) = tokio::join!(run("key"), run("key"), run("other"));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(run("key").await, 2);
        assert_eq!(entries(&in_flight), 0);
    }

    #[tokio::test]
    async fn a_cancelled_leader_leaves_the_work_to_a_follower() {
        let in_flight = Arc::new(InFlight::new(10));
        let (send, receive) = oneshot::channel::<u32>();
        let mut leader = Box::pin(in_flight.run("key", || async { receive.await.unwrap() }));
        assert!(futures::poll!(&mut leader).is_pending());
        let mut follower = Box::pin(in_flight.run("key", || async { unreachable!("it runs already") }));
        assert!(futures::poll!(&mut follower).is_pending());
        drop(leader);
        send.send(7).unwrap();
        assert_eq!(follower.await, 7);
        assert_eq!(entries(&in_flight), 0);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_dropped_and_forgotten() {
        let in_flight = InFlight::new(10);
        let (mut send, receive) = oneshot::channel::<u32>();
        let mut only = Box::pin(in_flight.run("key", || async { receive.await.unwrap() }));
        assert!(futures::poll!(&mut only).is_pending());
        assert_eq!(entries(&in_flight), 1);
        drop(only);
        send.closed().await;
        assert_eq!(entries(&in_flight), 0);
        assert_eq!(in_flight.run("key", || async { 8 }).await, 8);
    }

    #[tokio::test]
    async fn a_full_table_shares_nothing_more_and_stops_nobody() {
        let in_flight = InFlight::new(1);
        let (_send, receive) = oneshot::channel::<u32>();
        let mut first = Box::pin(in_flight.run(1, || async { receive.await.unwrap() }));
        assert!(futures::poll!(&mut first).is_pending());
        assert_eq!(in_flight.run(2, || async { 5 }).await, 5);
        assert_eq!(entries(&in_flight), 1);
    }

    #[tokio::test]
    async fn a_panic_reaches_those_who_wait_and_not_those_who_come_later() {
        let in_flight = Arc::new(InFlight::<_, u32>::new(10));
        let task = |in_flight: Arc<InFlight<&'static str, u32>>| {
            tokio::spawn(async move {
                in_flight
                    .run("key", || async {
                        tokio::task::yield_now().await;
                        panic!("broken")
                    })
                    .await
            })
        };
        let (first, second) = (task(Arc::clone(&in_flight)), task(Arc::clone(&in_flight)));
        assert!(first.await.is_err());
        assert!(second.await.is_err());
        assert_eq!(in_flight.run("key", || async { 1 }).await, 1);
    }
}
