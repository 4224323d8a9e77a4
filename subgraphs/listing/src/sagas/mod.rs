//! The sagas of an auction (S-A), as step tables; what they change here is in `owners.rs`.
//!
//! - `open.rs`: the item is locked, then the auction opens
//! - `place_bid.rs`: the funds are held, then the bid leads or is refused
//! - `settle.rs`: sold: money, item and order follow
//! - `let_go.rs`: a hold, an item or both are given back
//!
//! Elsewhere: who begins them (`commands`), how they run (kit).

pub mod let_go;
pub mod open;
pub mod owners;
pub mod place_bid;
pub mod settle;

use kopitiam_kafka::messages::wallet::FundsRejected;
use kopitiam_kit::saga::Failure;
use serde_json::Value;

/// The wallet's reason.
fn funds_refusal(payload: &Value) -> Failure {
    let reply = serde_json::from_value::<FundsRejected>(payload.clone());
    Failure::new(reply.map_or_else(|_| "INSUFFICIENT_FUNDS".to_owned(), |reply| reply.code))
}

/// The item is not this listing's.
fn item_refusal(payload: &Value) -> Failure {
    Failure { code: ITEM_UNAVAILABLE.to_owned(), detail: payload["code"].clone() }
}

/// Why an auction is called off whose item cannot be had.
pub const ITEM_UNAVAILABLE: &str = "ITEM_UNAVAILABLE";
