//! Counts the statements that work sends to databases: what a list costs must not grow with the list.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Metadata, Subscriber};

/// Where sea-orm's connections enter a span for each statement.
const TARGET: &str = "sea_orm::database::db_connection";
const STATEMENTS: [&str; 5] =
    ["execute_raw", "execute_unprepared", "query_one_raw", "query_all_raw", "stream_raw"];

/// Runs `work` and counts its statements outside transactions. For a test on one thread (the usual `#[tokio::test]`): what
/// other threads do is not counted.
pub async fn queries<T>(work: impl Future<Output = T>) -> (T, usize) {
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Counter { counted: Arc::clone(&counted), spans: AtomicU64::new(1) };
    let guard = set_default(counter);
    let value = work.await;
    drop(guard);
    (value, counted.load(Ordering::Relaxed))
}

struct Counter {
    counted: Arc<AtomicUsize>,
    spans: AtomicU64,
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && STATEMENTS.contains(&metadata.name())
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        self.counted.fetch_add(1, Ordering::Relaxed);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
