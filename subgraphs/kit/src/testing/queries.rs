//! Counts the statements that work sends to databases: what a list costs must not grow with the list.

use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Where sea-orm enters a span for each statement.
const TARGETS: [&str; 2] = ["sea_orm::database::db_connection", "sea_orm::database::transaction"];
const STATEMENTS: [&str; 5] =
    ["execute_raw", "execute_unprepared", "query_one_raw", "query_all_raw", "stream_raw"];

/// Runs `work` and counts its statements. For a test on one thread (the usual `#[tokio::test]`): what
/// other threads do is not counted.
pub async fn queries<T>(work: impl Future<Output = T>) -> (T, usize) {
    OTHERS.get_or_init(|| [(), ()].map(|()| Dispatch::new(Counter::default())));
    let counter = Counter::default();
    let counted = Arc::clone(&counter.counted);
    let guard = set_default(counter);
    tracing::callsite::rebuild_interest_cache();
    let value = work.await;
    drop(guard);
    (value, counted.load(Ordering::Relaxed))
}

/// While there is one subscriber only, `tracing` asks the thread that comes first to a place whether anybody listens there, and
/// remembers that for all threads. With more it asks the subscribers.
static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();

#[derive(Default)]
struct Counter {
    counted: Arc<AtomicUsize>,
    spans: AtomicU64,
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        TARGETS.contains(&metadata.target()) && STATEMENTS.contains(&metadata.name())
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        self.counted.fetch_add(1, Ordering::Relaxed);
        Id::from_u64(1 + self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
