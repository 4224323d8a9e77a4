//! Labels of metrics, and bounds on how many there can be.
//!
//! Always: a label's value is one of the gateway's own, a subgraph's name, or one of a bounded number of operation names.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::KeyValue;
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// A label's name and value.
pub(crate) type Label = (&'static str, Value);

/// A label's value. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Fixed(&'static str),
    Name(Arc<str>),
    Status(u16),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => formatter.write_str(text),
            Self::Name(name) => formatter.write_str(name),
            Self::Status(status) => write!(formatter, "{status}"),
        }
    }
}

impl EncodeLabelValue for Value {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => text.encode(encoder),
            Self::Name(name) => (&**name).encode(encoder),
            Self::Status(status) => EncodeLabelValue::encode(&status.to_string().as_str(), encoder),
        }
    }
}

/// The same labels as OpenTelemetry takes them.
pub(super) fn attributes(labels: &[Label]) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|(name, value)| match value {
            Value::Fixed(text) => KeyValue::new(*name, *text),
            Value::Name(text) => KeyValue::new(*name, Arc::clone(text)),
            Value::Status(status) => KeyValue::new(*name, i64::from(*status)),
        })
        .collect()
}

/// Names from outside, of which only the first so many are told apart.
#[derive(Debug)]
pub(crate) struct Names {
    known: RwLock<HashSet<Arc<str>, ahash::RandomState>>,
    max: usize,
}

impl Names {
    pub(super) fn new(max: usize) -> Self {
        Self { known: RwLock::default(), max }
    }

    /// The value for a name: itself, `(other)` beyond the bound, `(anonymous)` without one.
    pub(super) fn value(&self, name: Option<&str>) -> Value {
        let Some(name) = name else { return Value::Fixed("(anonymous)") };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return Value::Name(Arc::clone(known));
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(name) && known.len() >= self.max {
            return Value::Fixed("(other)");
        }
        let name: Arc<str> = name.into();
        known.insert(Arc::clone(&name));
        Value::Name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_are_one() {
        let names = Names::new(2);
        assert_eq!(names.value(Some("a")), Value::Name("a".into()));
        assert_eq!(names.value(Some("b")), Value::Name("b".into()));
        assert_eq!(names.value(Some("c")), Value::Fixed("(other)"));
        assert_eq!(names.value(Some("a")), Value::Name("a".into()));
        assert_eq!(names.value(None), Value::Fixed("(anonymous)"));
    }
}
