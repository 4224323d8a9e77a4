//! Notes which batches the loaders of a service read: each kind of row once, however many rows are asked for.
//!
//! Elsewhere: how many statements reach a database (`queries`).

use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Metadata, Subscriber};

/// Loaders tell of a batch by an event of their module that has this field.
const TARGET: &str = "graphql::loaders";
const FIELD: &str = "kind";

/// Runs `work` and gives the kinds of the batches that were read meanwhile, sorted. For a test on one thread (the usual
/// `#[tokio::test]`): what other threads do is not noted.
pub async fn batches<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let noted = Notes::default();
    let guard = set_default(noted.clone());
    let value = work.await;
    drop(guard);
    let mut kinds = noted.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    kinds.sort();
    (value, kinds)
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

struct Kind<'a>(&'a Notes);

impl Visit for Kind<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == FIELD {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, format!("{value:?}").trim_matches('"'));
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().ends_with(TARGET)
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Kind(self));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
