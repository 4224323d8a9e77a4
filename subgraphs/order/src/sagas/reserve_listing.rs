//! Reserve a listing: lock it, compare the price, wait for the buyer to pay, hold funds, confirm (the pivot), sell the
//! listing and capture the funds.
//!
//! Always: the saga's deadline is the order's `expiresAt`, so paying and expiring are decided by one row: whoever moves
//! it first wins, and the other finds it moved. A refused payment goes back to waiting, with a new hold for the next
//! try. Elsewhere: who may pay or call it off (`commands::tickets`), locks and sales (listing service).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::{
    ListingLockRejected, ListingLocked, LockListing, SellListing, UnlockListing,
};
use kopitiam_kafka::messages::wallet::{CaptureFunds, FundsHeld, FundsRejected, HoldFunds, ReleaseFunds};
use kopitiam_kit::saga::{
    Command, Definition, Failure, Message, Outcome, ReplyRule, Saga, Step, Undo, Verdict, command_id,
    learn_nothing,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::purchase::Purchase;
use super::wallet::Shares;
use crate::domain::order::{Order, OrderStatus};

/// Time from the reservation to the payment.
pub const PAY_WITHIN: TimeDelta = TimeDelta::minutes(15);
/// The step that waits for the buyer.
pub const PAYMENT: &str = "payment";
/// How long funds stay held if this service were never to come back.
const HELD_HOURS: i64 = 24;

/// What the steps need to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveListing {
    /// The order.
    pub order_id: Uuid,
    /// Its number, shown in the wallet.
    pub number: String,
    /// Who buys.
    pub buyer_id: Uuid,
    /// What.
    pub listing_id: Uuid,
    /// What the buyer pays.
    pub price: Amount,
    /// Who receives it.
    pub shares: Shares,
    /// Until when it is reserved.
    pub until: DateTime<Utc>,
    /// Names the hold of the present try.
    pub hold_id: Uuid,
    /// Tries to pay before it.
    pub tries: u32,
    /// Price at the moment of the lock.
    #[serde(default)]
    pub locked_at: Option<Amount>,
}

impl ReserveListing {
    /// What the saga of this order starts with; `until` is its deadline.
    pub fn of(order: &Order, listing_id: Uuid, until: DateTime<Utc>) -> Self {
        Self {
            order_id: order.id,
            number: order.number.clone(),
            buyer_id: order.buyer_id,
            listing_id,
            price: Amount::new(order.total_minor, &order.currency),
            shares: Shares::of(&order.lines, &order.currency),
            until,
            hold_id: command_id(order.id, "hold-funds~0"),
            tries: 0,
            locked_at: None,
        }
    }
}

/// The steps.
pub static RESERVE_LISTING: Definition<ReserveListing> = Definition {
    kind: "reserve-listing",
    deadline_seconds: 15 * 60,
    steps: &[
        Step::Send { name: "lock-listing", commands: &[LOCK_LISTING] },
        Step::Guard { name: "compare-price", check: compare_price },
        Step::Wait { name: PAYMENT },
        Step::Send { name: "hold-funds", commands: &[HOLD_FUNDS] },
        Step::Pivot { name: "confirm" },
        Step::Send { name: "settle", commands: &[SELL_LISTING, CAPTURE_FUNDS] },
    ],
};

const LOCK_LISTING: Command<ReserveListing> = Command {
    name: "lock-listing",
    message: |saga| {
        let ReserveListing { order_id, buyer_id, listing_id, until, .. } = saga.context;
        Message::of(listing_id, &LockListing { order_id, buyer_id, until })
    },
    replies: &[
        ReplyRule { event: "ListingLocked", outcome: Outcome::Done(learn_price) },
        ReplyRule { event: "ListingLockRejected", outcome: Outcome::Refused(lock_refusal) },
    ],
    undo: Some(Undo {
        name: "unlock-listing",
        message: |saga| {
            let ReserveListing { order_id, listing_id, .. } = saga.context;
            Message::of(listing_id, &UnlockListing { order_id })
        },
        confirmed_by: "ListingUnlocked",
    }),
    when: None,
};

const HOLD_FUNDS: Command<ReserveListing> = Command {
    name: "hold-funds",
    message: |saga| {
        let ReserveListing { hold_id, buyer_id, ref number, ref price, until, .. } = saga.context;
        let hold = HoldFunds {
            hold_id,
            user_id: buyer_id,
            amount: price.clone(),
            reason: format!("ORDER {number}"),
            expires_at: until + TimeDelta::hours(HELD_HOURS),
        };
        Message::of(buyer_id, &hold)
    },
    replies: &[
        ReplyRule { event: "FundsHeld", outcome: Outcome::Decide(held) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Decide(refused) },
    ],
    undo: Some(Undo {
        name: "release-funds",
        message: |saga| {
            let ReserveListing { hold_id, buyer_id, .. } = saga.context;
            Message::of(buyer_id, &ReleaseFunds { hold_id, user_id: buyer_id })
        },
        confirmed_by: "FundsReleased",
    }),
    when: None,
};

const SELL_LISTING: Command<ReserveListing> = Command {
    name: "sell-listing",
    message: |saga| {
        let ReserveListing { order_id, buyer_id, listing_id, .. } = saga.context;
        Message::of(listing_id, &SellListing { order_id, buyer_id })
    },
    replies: &[
        ReplyRule { event: "ListingSold", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "ListingLockRejected", outcome: Outcome::Refused(lock_refusal) },
    ],
    undo: None,
    when: None,
};

const CAPTURE_FUNDS: Command<ReserveListing> = Command {
    name: "capture-funds",
    message: |saga| {
        let ReserveListing { hold_id, buyer_id, ref shares, .. } = saga.context;
        let capture = CaptureFunds { hold_id, user_id: buyer_id, splits: shares.splits(), escrow: None };
        Message::of(buyer_id, &capture)
    },
    replies: &[
        ReplyRule { event: "FundsCaptured", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Decide(capture_refused) },
    ],
    undo: None,
    when: None,
};

fn learn_price(context: &mut ReserveListing, payload: &Value) {
    let reply = serde_json::from_value::<ListingLocked>(payload.clone());
    context.locked_at = reply.ok().map(|locked| locked.price);
}

fn lock_refusal(payload: &Value) -> Failure {
    let reply = serde_json::from_value::<ListingLockRejected>(payload.clone());
    Failure::new(reply.map_or_else(|_| "ALREADY_RESERVED".to_owned(), |reply| reply.code))
}

fn compare_price(context: &ReserveListing) -> Result<(), Failure> {
    if context.locked_at.as_ref() == Some(&context.price) {
        Ok(())
    } else {
        Err(Failure::new("PRICE_CHANGED"))
    }
}

fn held(context: &mut ReserveListing, payload: &Value) -> Verdict {
    let is_present = serde_json::from_value::<FundsHeld>(payload.clone())
        .is_ok_and(|reply| reply.hold_id == context.hold_id);
    if is_present { Verdict::Done } else { Verdict::Ignore }
}

/// The order stays payable until it expires. The wallet refuses the same hold for ever, so the next try has its own.
fn refused(context: &mut ReserveListing, payload: &Value) -> Verdict {
    match serde_json::from_value::<FundsRejected>(payload.clone()) {
        Ok(reply) if reply.hold_id == context.hold_id => {
            context.tries += 1;
            context.hold_id = command_id(context.order_id, &format!("hold-funds~{}", context.tries));
            Verdict::Back { to: PAYMENT, failure: Failure::new(reply.code) }
        }
        _ => Verdict::Ignore,
    }
}

/// A refusal of an earlier try may come this late; it says nothing about the hold that is captured.
fn capture_refused(context: &mut ReserveListing, payload: &Value) -> Verdict {
    match serde_json::from_value::<FundsRejected>(payload.clone()) {
        Ok(reply) if reply.hold_id == context.hold_id => Verdict::Refused(Failure::new(reply.code)),
        _ => Verdict::Ignore,
    }
}

/// An order of a listing at its price.
pub struct OfListing;

impl Purchase for OfListing {
    type Context = ReserveListing;

    const LATE: OrderStatus = OrderStatus::Expired;

    fn definition() -> &'static Definition<ReserveListing> {
        &RESERVE_LISTING
    }

    fn hold_id(saga: &Saga<ReserveListing>) -> Uuid {
        saga.context.hold_id
    }
}
