//! Place order: reserve stock, compare prices, hold funds, confirm (the pivot), commit stock and capture funds.
//!
//! Here: the steps as data, and what they mean for the order's row. Always: a failure shows on the order at once,
//! with its reason, while what was reserved is given back behind it. Elsewhere: retries, deadlines and compensation
//! (`kopitiam_kit::saga`).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::stock::{
    CommitStock, RefusedLine, ReleaseStock, ReserveStock, ReservedLine, StockLine, StockRejected,
    StockReserved,
};
use kopitiam_kafka::messages::wallet::{CaptureFunds, HoldFunds, ReleaseFunds};
use kopitiam_kit::saga::{
    Command, Definition, Failure, Message, Outcome, ReplyRule, Saga, Step, Undo, command_id, learn_nothing,
};
use kopitiam_kit::{SystemError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::purchase::Purchase;
use super::wallet::{self, Shares};
use crate::domain::order::{Order, OrderStatus};
use crate::store::carts;

/// Time from checkout to confirmation.
pub const DEADLINE_SECONDS: u32 = 60;
/// How long stock and funds stay reserved if this service were never to come back. Far beyond the deadline: what is
/// reserved must outlast any stop of this service between the pivot and the commands that follow it.
const RESERVATION_HOURS: i64 = 24;

/// What the steps need to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceOrder {
    /// Number of the order, shown in the wallet.
    pub number: String,
    /// Who pays.
    pub buyer_id: Uuid,
    /// The cart to empty at confirmation.
    pub cart_id: Option<Uuid>,
    /// ISO 4217 code.
    pub currency: String,
    /// What is paid, in minor units.
    pub total_minor: i64,
    /// Quantity and price per product; each product once, whatever the order's lines.
    pub lines: Vec<ProductLine>,
    /// Per seller, in minor units.
    pub seller_shares: Vec<(Uuid, i64)>,
    /// The platform's part, in minor units.
    pub platform_share: i64,
    /// Until when stock and funds are reserved.
    pub reserved_until: DateTime<Utc>,
    /// What the stock answered.
    #[serde(default)]
    pub reserved: Option<Vec<ReservedLine>>,
}

/// A product in the order.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProductLine {
    /// Which.
    pub product_id: Uuid,
    /// How many.
    pub quantity: i64,
    /// At which price, in minor units.
    pub unit_price_minor: i64,
}

impl PlaceOrder {
    /// What the saga of this order starts with.
    pub fn of(order: &Order, cart_id: Option<Uuid>, now: DateTime<Utc>) -> Self {
        let Shares { sellers, platform, currency } = Shares::of(&order.lines, &order.currency);
        Self {
            number: order.number.clone(),
            buyer_id: order.buyer_id,
            cart_id,
            currency,
            total_minor: order.total_minor,
            lines: per_product(order),
            seller_shares: sellers,
            platform_share: platform,
            reserved_until: now + TimeDelta::hours(RESERVATION_HOURS),
            reserved: None,
        }
    }

    /// Who receives how much. The stored form has the parts apart: running sagas outlive a release.
    pub fn shares(&self) -> Shares {
        Shares {
            currency: self.currency.clone(),
            sellers: self.seller_shares.clone(),
            platform: self.platform_share,
        }
    }

    /// Quantity per product, for the stock.
    pub fn stock_lines(&self) -> Vec<StockLine> {
        let lines = self.lines.iter();
        lines.map(|line| StockLine { product_id: line.product_id, quantity: line.quantity }).collect()
    }
}

/// Each product once, in the order of ids: the same product on two lines is one reservation.
fn per_product(order: &Order) -> Vec<ProductLine> {
    let mut lines = BTreeMap::<Uuid, ProductLine>::new();
    for line in &order.lines {
        let Some(product_id) = line.product_id else { continue };
        let none = ProductLine { product_id, quantity: 0, unit_price_minor: line.unit_price_minor };
        lines.entry(product_id).or_insert(none).quantity += i64::from(line.quantity);
    }
    lines.into_values().collect()
}

/// Names the hold of an order's funds, for ever.
pub fn hold_id(order_id: Uuid) -> Uuid {
    command_id(order_id, "hold-funds")
}

/// The steps. The reservation is named by the order's id, the saga's subject.
pub static PLACE_ORDER: Definition<PlaceOrder> = Definition {
    kind: "place-order",
    deadline_seconds: DEADLINE_SECONDS,
    steps: &[
        Step::Send { name: "reserve-stock", commands: &[RESERVE_STOCK] },
        Step::Guard { name: "compare-prices", check: compare_prices },
        Step::Send { name: "hold-funds", commands: &[HOLD_FUNDS] },
        Step::Pivot { name: "confirm" },
        Step::Send { name: "settle", commands: &[COMMIT_STOCK, CAPTURE_FUNDS] },
    ],
};

const RESERVE_STOCK: Command<PlaceOrder> = Command {
    name: "reserve-stock",
    message: |saga| {
        let reserve = ReserveStock {
            reservation_id: saga.subject_id,
            lines: saga.context.stock_lines(),
            expires_at: saga.context.reserved_until,
        };
        Message::of(saga.subject_id, &reserve)
    },
    replies: &[
        ReplyRule { event: "StockReserved", outcome: Outcome::Done(learn_prices) },
        ReplyRule { event: "StockRejected", outcome: Outcome::Refused(stock_refusal) },
    ],
    undo: Some(Undo {
        name: "release-stock",
        message: |saga| Message::of(saga.subject_id, &ReleaseStock { reservation_id: saga.subject_id }),
        confirmed_by: "StockReleased",
    }),
    when: None,
};

const HOLD_FUNDS: Command<PlaceOrder> = Command {
    name: "hold-funds",
    message: |saga| {
        let hold = HoldFunds {
            hold_id: hold_id(saga.subject_id),
            user_id: saga.context.buyer_id,
            amount: Amount::new(saga.context.total_minor, &saga.context.currency),
            reason: format!("ORDER {}", saga.context.number),
            expires_at: saga.context.reserved_until,
        };
        Message::of(saga.context.buyer_id, &hold)
    },
    replies: &[
        ReplyRule { event: "FundsHeld", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(wallet::refusal) },
    ],
    undo: Some(Undo {
        name: "release-funds",
        message: |saga| {
            let user_id = saga.context.buyer_id;
            Message::of(user_id, &ReleaseFunds { hold_id: hold_id(saga.subject_id), user_id })
        },
        confirmed_by: "FundsReleased",
    }),
    when: None,
};

const COMMIT_STOCK: Command<PlaceOrder> = Command {
    name: "commit-stock",
    message: |saga| Message::of(saga.subject_id, &CommitStock { reservation_id: saga.subject_id }),
    replies: &[
        ReplyRule { event: "StockCommitted", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "StockRejected", outcome: Outcome::Refused(stock_refusal) },
    ],
    undo: None,
    when: None,
};

const CAPTURE_FUNDS: Command<PlaceOrder> = Command {
    name: "capture-funds",
    message: capture,
    replies: &[
        ReplyRule { event: "FundsCaptured", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(wallet::refusal) },
    ],
    undo: None,
    when: None,
};

fn capture(saga: &Saga<PlaceOrder>) -> Message {
    let user_id = saga.context.buyer_id;
    let splits = saga.context.shares().splits();
    Message::of(user_id, &CaptureFunds { hold_id: hold_id(saga.subject_id), user_id, splits, escrow: None })
}

fn learn_prices(context: &mut PlaceOrder, payload: &Value) {
    // A payload that does not fit leaves nothing learnt, and the price guard refuses the order.
    context.reserved = serde_json::from_value::<StockReserved>(payload.clone()).ok().map(|reply| reply.lines);
}

fn stock_refusal(payload: &Value) -> Failure {
    match serde_json::from_value::<StockRejected>(payload.clone()) {
        Ok(reply) => Failure { code: reply.code, detail: payload["lines"].clone() },
        Err(_) => Failure::new("OUT_OF_STOCK"),
    }
}

/// The buyer agreed to the prices of our copy; the stock's owner knows the true ones.
fn compare_prices(context: &PlaceOrder) -> Result<(), Failure> {
    let reserved = context.reserved.as_deref().unwrap_or_default();
    let same = |line: &ProductLine| {
        reserved.iter().any(|found| {
            found.product_id == line.product_id
                && found.quantity == line.quantity
                && found.unit_price == Amount::new(line.unit_price_minor, &context.currency)
        })
    };
    if context.lines.iter().all(same) { Ok(()) } else { Err(Failure::new("PRICE_CHANGED")) }
}

/// Which lines could not be had, for people.
fn explain(order: &Order, failure: &Failure) -> Option<String> {
    let refused: Vec<RefusedLine> = serde_json::from_value(failure.detail.clone()).ok()?;
    let lines: Vec<String> = refused
        .iter()
        .map(|refused| {
            let line = order.lines.iter().find(|line| line.product_id == Some(refused.product_id));
            let title = line.map_or("A product", |line| line.title.as_str());
            format!("{title}: {} asked for, {} left", refused.requested, refused.available)
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// An order of what was in a cart.
pub struct OfCart;

impl Purchase for OfCart {
    type Context = PlaceOrder;

    const LATE: OrderStatus = OrderStatus::Rejected;

    fn definition() -> &'static Definition<PlaceOrder> {
        &PLACE_ORDER
    }

    fn hold_id(saga: &Saga<PlaceOrder>) -> Uuid {
        hold_id(saga.subject_id)
    }

    fn explain(order: &Order, failure: &Failure) -> Option<String> {
        explain(order, failure)
    }

    /// What was bought leaves the cart.
    async fn confirmed(tx: &Tx, saga: &Saga<PlaceOrder>, now: DateTime<Utc>) -> Result<(), SystemError> {
        let Some(cart_id) = saga.context.cart_id else { return Ok(()) };
        let lines = saga.context.lines.iter();
        let bought: Vec<(Uuid, i64)> = lines.map(|line| (line.product_id, line.quantity)).collect();
        Ok(carts::take_out(tx, cart_id, &bought, now.timestamp_millis()).await?)
    }
}

#[cfg(test)]
mod tests {
    use kopitiam_kit::saga::{Effect, SagaState};
    use serde_json::json;

    use super::*;
    use crate::domain::order::{OrderKind, OrderLine, OrderStatus};

    fn line(product: u128, seller: Option<u128>, quantity: i32) -> OrderLine {
        OrderLine {
            id: Uuid::now_v7(),
            title: format!("Product {product}"),
            product_id: Some(Uuid::from_u128(product)),
            listing_id: None,
            seller_id: seller.map(Uuid::from_u128),
            quantity,
            unit_price_minor: 1_000,
            line_total_minor: i64::from(quantity) * 1_000,
            fee_minor: i64::from(quantity) * 50,
            status: crate::domain::lines::LineStatus::Open,
        }
    }

    fn order() -> Order {
        Order {
            id: Uuid::from_u128(77),
            number: "K1".into(),
            kind: OrderKind::Cart,
            status: OrderStatus::Pending,
            status_reason: None,
            buyer_id: Uuid::from_u128(5),
            currency: "USD".into(),
            subtotal_minor: 6_000,
            fee_minor: 300,
            total_minor: 6_000,
            placed_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            hold_id: None,
            settled_at: None,
            version: 1,
            lines: vec![line(1, Some(8), 1), line(2, Some(9), 2), line(1, Some(8), 3)],
        }
    }

    fn started() -> (Saga<PlaceOrder>, Vec<Effect>) {
        let context = PlaceOrder::of(&order(), None, DateTime::UNIX_EPOCH);
        PLACE_ORDER.start(Uuid::from_u128(1), order().id, context, DateTime::UNIX_EPOCH)
    }

    fn reserved(price: i64) -> Value {
        let line = |product: u128, quantity: i64| {
            json!({
                "productId": Uuid::from_u128(product), "quantity": quantity, "sellerId": Uuid::from_u128(8),
                "unitPrice": { "minor": price, "currency": "USD" }, "title": "Product",
            })
        };
        json!({
            "reservationId": order().id, "lines": [line(1, 4), line(2, 2)], "expiresAt": "2026-01-01T00:00:00Z",
        })
    }

    #[test]
    fn same_product_on_two_lines_is_reserved_as_one_sum() {
        let (_, effects) = started();
        let [Effect::Send { message, .. }] = &effects[..] else { panic!("{effects:?}") };
        let quantities: Vec<i64> = message.payload["lines"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|l| l["quantity"].as_i64())
            .collect();
        assert_eq!(quantities, [4, 2]);
    }

    #[test]
    fn saga_rows_of_the_last_release_are_read_and_go_on() {
        let stored = json!({
            "number": "K1", "buyerId": Uuid::from_u128(5), "cartId": null, "currency": "USD", "totalMinor": 1_000,
            "lines": [{ "productId": Uuid::from_u128(1), "quantity": 1, "unitPriceMinor": 1_000 }],
            "sellerShares": [[Uuid::from_u128(8), 950]], "platformShare": 50,
            "reservedUntil": "2026-01-02T00:00:00Z",
        });
        let context: PlaceOrder = serde_json::from_value(stored).unwrap();
        let (mut saga, _) = PLACE_ORDER.start(Uuid::from_u128(1), order().id, context, DateTime::UNIX_EPOCH);
        let line = json!({ "productId": Uuid::from_u128(1), "quantity": 1, "sellerId": Uuid::from_u128(8),
            "unitPrice": { "minor": 1_000, "currency": "USD" }, "title": "" });
        let reserved =
            json!({ "reservationId": order().id, "lines": [line], "expiresAt": "2026-01-01T00:00:00Z" });
        let now = DateTime::UNIX_EPOCH;
        PLACE_ORDER.replied(&mut saga, Uuid::nil(), "StockReserved", &reserved, now);
        let held = json!({ "holdId": hold_id(order().id), "amount": { "minor": 1_000, "currency": "USD" } });
        let effects = PLACE_ORDER.replied(&mut saga, Uuid::nil(), "FundsHeld", &held, now);
        assert_eq!(effects, [Effect::Pivot]);
        let effects = PLACE_ORDER.pivoted(&mut saga, Ok(()), now);
        let [_, Effect::Send { message, .. }] = &effects[..] else { panic!("{effects:?}") };
        let parts: Vec<i64> = message.payload["splits"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|split| split["amount"]["minor"].as_i64())
            .collect();
        assert_eq!(parts, [950, 50]);
    }

    #[test]
    fn captured_parts_add_up_to_what_was_held() {
        let (saga, _) = started();
        let splits = saga.context.shares().splits();
        let sum: i64 = splits.iter().map(|split| split.amount.minor).sum();
        assert_eq!(sum, 6_000);
        assert_eq!(splits.len(), 3, "two sellers and the platform");
    }

    #[test]
    fn other_prices_at_the_stock_release_it_again() {
        let (mut saga, _) = started();
        let now = DateTime::UNIX_EPOCH;
        let effects = PLACE_ORDER.replied(&mut saga, Uuid::nil(), "StockReserved", &reserved(1_001), now);
        assert_eq!(effects[0], Effect::Failed(Failure::new("PRICE_CHANGED")));
        assert!(matches!(&effects[1], Effect::Send { message, .. } if message.kind == "ReleaseStock"));
        assert_eq!(saga.state, SagaState::Compensating);
    }

    #[test]
    fn other_quantities_at_the_stock_release_it_again() {
        for (other, what) in [(3, "fewer"), (5, "more")] {
            let (mut saga, _) = started();
            let mut reply = reserved(1_000);
            reply["lines"][0]["quantity"] = json!(other);
            let now = DateTime::UNIX_EPOCH;
            let effects = PLACE_ORDER.replied(&mut saga, Uuid::nil(), "StockReserved", &reply, now);
            assert_eq!(effects[0], Effect::Failed(Failure::new("PRICE_CHANGED")), "{what}");
        }
    }

    #[test]
    fn refused_funds_release_the_stock_only() {
        let (mut saga, _) = started();
        let now = DateTime::UNIX_EPOCH;
        let held = PLACE_ORDER.replied(&mut saga, Uuid::nil(), "StockReserved", &reserved(1_000), now);
        assert!(matches!(&held[..], [Effect::Send { message, .. }] if message.kind == "HoldFunds"));
        let refusal = json!({ "holdId": hold_id(order().id), "code": "INSUFFICIENT_FUNDS" });
        let effects = PLACE_ORDER.replied(&mut saga, Uuid::nil(), "FundsRejected", &refusal, now);
        assert_eq!(effects[0], Effect::Failed(Failure::new("INSUFFICIENT_FUNDS")));
        assert!(matches!(&effects[1], Effect::Send { message, .. } if message.kind == "ReleaseStock"));
        assert_eq!(effects.len(), 2);
    }

    #[test]
    fn explanation_names_the_line_and_what_is_left() {
        let detail = json!([{ "productId": Uuid::from_u128(2), "requested": 2, "available": 1 }]);
        let failure = Failure { code: "OUT_OF_STOCK".into(), detail };
        assert_eq!(explain(&order(), &failure).as_deref(), Some("Product 2: 2 asked for, 1 left"));
        assert_eq!(explain(&order(), &Failure::new("DEADLINE")), None);
    }
}
