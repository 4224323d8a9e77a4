//! How much one client may ask.

use std::num::NonZeroU32;
use std::time::Duration;

use kopitiam_engine::OperationKind;

/// Limits for each client. None by default: only the operator knows what is much, and what stands in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitSettings {
    /// Operations of one address; of IPv6, of one /64 network.
    pub per_address: Option<Rate>,
    /// Operations of one subject of verified tokens.
    pub per_subject: Option<Rate>,
    /// Root fields that are counted on their own, per address, as often as an operation names them.
    pub fields: Vec<FieldLimit>,
    /// Clients remembered by each limit; those that ask the least are forgotten first.
    pub clients_max: usize,
}

/// A token bucket: it holds `burst`, and fills at `operations` for each `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub operations: NonZeroU32,
    /// In how long.
    pub per: Duration,
    /// How many at once.
    pub burst: NonZeroU32,
}

/// A limit on one root field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLimit {
    /// Of which root.
    pub kind: OperationKind,
    /// The field's name in the schema.
    pub name: String,
    /// How often.
    pub rate: Rate,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self { per_address: None, per_subject: None, fields: Vec::new(), clients_max: 100_000 }
    }
}
