//! Parts of a payment as the wallet takes them, and what its refusals mean.

use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::wallet::{FundsRejected, Payee, Split};
use kopitiam_kit::saga::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::fee;
use crate::domain::order::OrderLine;

/// Who receives how much of a payment, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shares {
    /// ISO 4217 code.
    pub currency: String,
    /// Per seller.
    pub sellers: Vec<(Uuid, i64)>,
    /// The platform's part.
    pub platform: i64,
}

impl Shares {
    /// What these lines come to.
    pub fn of<'line>(lines: impl IntoIterator<Item = &'line OrderLine>, currency: &str) -> Self {
        let lines = lines.into_iter().map(|line| (line.seller_id, line.line_total_minor, line.fee_minor));
        let fee::Split { sellers, platform } = fee::split(lines);
        Self { currency: currency.to_owned(), sellers, platform }
    }

    /// As the wallet takes them: parts of nothing are left out.
    pub fn splits(&self) -> Vec<Split> {
        let sellers = self.sellers.iter().map(|(user_id, minor)| (Payee::User { user_id: *user_id }, *minor));
        let parts = sellers.chain([(Payee::Fees, self.platform)]);
        parts
            .filter(|(_, minor)| *minor > 0)
            .map(|(to, minor)| Split { to, amount: Amount::new(minor, &self.currency) })
            .collect()
    }
}

/// Why the wallet refused.
pub fn refusal(payload: &Value) -> Failure {
    let reply = serde_json::from_value::<FundsRejected>(payload.clone());
    Failure::new(reply.map_or_else(|_| "INSUFFICIENT_FUNDS".to_owned(), |reply| reply.code))
}
