//! The place-order saga over the real services and a real broker: order, product and user started in this process,
//! killed at named points and started again on the same files. After each test stock and money must add up.
//!
//! Elsewhere: the saga's decisions alone (kit, order), the whole system through the gateway (`system.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{
    BEANS, BOB, CAROL, FIELD_RECORDER, Name, PIXEL_CLOCK, SHAWL, SHOP, World, confirmed, product, rejected,
    user,
};
use kopitiam_kit::testing::eventually;
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn confirmed_order_moves_stock_to_the_buyer_and_money_to_seller_and_platform() {
    let world = World::new().await;
    let order = world.check_out(BOB, BEANS, 2).await;
    assert_eq!(world.decided(order).await, confirmed());
    world.assert_books_add_up().await;
    let now = world.books().await;
    assert_eq!(now.on_hand[&product(BEANS)], world.at_start.on_hand[&product(BEANS)] - 2);
    assert_eq!(now.available[&user(BOB)], world.at_start.available[&user(BOB)] - 2_500);
    assert_eq!(now.available[&user(5)], world.at_start.available[&user(5)] + 2_375);
    let cart = world.ask(BOB, "{ cart { lines { id } } }", json!({})).await;
    assert_eq!(cart["cart"]["lines"], json!([]), "what was bought is out of the cart");
}

/// Messages with this trace and what types they are of, of every service.
async fn traced(world: &World, trace: &str) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for name in SHOP {
        let select =
            format!("SELECT message_type FROM kit_outbox WHERE body LIKE '%\"traceparent\":\"{trace}\"%'");
        types.extend(world.rows::<(String,)>(name, &select, vec![]).await.into_iter().map(|(kind,)| kind));
    }
    types
}

#[tokio::test]
pub(crate) async fn one_trace_runs_from_the_request_through_every_message_of_its_saga() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut world = World::new().await;
    let other = world.check_out(CAROL, BEANS, 1).await;
    assert_eq!(world.decided(other).await, confirmed());
    world.trace = Some(TRACE);
    let order = world.check_out(BOB, BEANS, 2).await;
    world.trace = None;
    assert_eq!(world.decided(order).await, confirmed());
    world.at_rest().await;
    let expected = [
        "OrderCreated",
        "ReserveStock",
        "StockReserved",
        "HoldFunds",
        "FundsHeld",
        "CaptureFunds",
        "FundsCaptured",
        "CommitStock",
        "StockCommitted",
        "OrderStatusChanged",
    ];
    let traced = traced(&world, TRACE).await;
    let missing: Vec<&str> = expected.into_iter().filter(|kind| !traced.contains(*kind)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "of {traced:?}");
    let strange = format!(
        "SELECT COUNT(*) FROM kit_outbox WHERE body LIKE '%\"traceparent\":\"{TRACE}\"%'
            AND body LIKE '%\"correlationId\":\"{other}\"%'"
    );
    assert_eq!(
        world.number(Name::Order, &strange).await,
        0,
        "another order's messages are of no trace of this one"
    );
}

#[tokio::test]
async fn two_buyers_of_the_last_unit_are_one_confirmed_and_one_rejected() {
    let world = World::new().await;
    let (bob, carol) = tokio::join!(world.check_out(BOB, SHAWL, 1), world.check_out(CAROL, SHAWL, 1));
    let mut outcomes = [world.decided(bob).await, world.decided(carol).await];
    outcomes.sort();
    assert_eq!(outcomes, [confirmed(), rejected("OUT_OF_STOCK")]);
    world.assert_books_add_up().await;
}

#[tokio::test]
pub(crate) async fn of_many_orders_for_few_units_exactly_as_many_as_units_are_confirmed() {
    let world = World::new().await;
    let mut orders = Vec::new();
    for round in 0..8 {
        orders.push(world.check_out(if round % 2 == 0 { BOB } else { CAROL }, PIXEL_CLOCK, 1).await);
    }
    let mut outcomes = BTreeMap::<(String, Option<String>), u32>::new();
    for order in orders {
        *outcomes.entry(world.decided(order).await).or_default() += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([(confirmed(), 2), (rejected("OUT_OF_STOCK"), 6)]));
    world.assert_books_add_up().await;
}

#[tokio::test]
pub(crate) async fn buyer_without_enough_money_is_rejected_and_the_stock_is_free_again() {
    let world = World::new().await;
    let order = world.check_out(CAROL, FIELD_RECORDER, 4).await;
    assert_eq!(world.decided(order).await, rejected("INSUFFICIENT_FUNDS"));
    world.assert_books_add_up().await;
    assert_eq!(world.books().await, world.at_start);
}

#[tokio::test]
pub(crate) async fn cancelled_after_confirmation_the_money_and_the_units_come_back() {
    let world = World::new().await;
    let order = world.check_out(BOB, BEANS, 3).await;
    assert_eq!(world.decided(order).await, confirmed());
    world.at_rest().await;
    let cancel = "mutation($id: ID!) { cancelOrder(id: $id, idempotencyKey: \"c\") { userErrors { code } } }";
    let answer = world.ask(BOB, cancel, json!({ "id": order })).await;
    assert_eq!(answer["cancelOrder"]["userErrors"], json!([]));
    eventually("the order is refunded", || async {
        (world.status(order).await.0 == "REFUNDED").then_some(())
    })
    .await;
    world.assert_books_add_up().await;
    assert_eq!(world.books().await, world.at_start);
}

#[tokio::test]
pub(crate) async fn every_message_delivered_twice_changes_nothing() {
    let world = World::new().await;
    let orders = [
        world.check_out(BOB, BEANS, 1).await,
        world.check_out(CAROL, FIELD_RECORDER, 4).await,
        world.check_out(CAROL, PIXEL_CLOCK, 3).await,
    ];
    let mut outcomes = Vec::new();
    for order in orders {
        outcomes.push(world.decided(order).await);
    }
    assert_eq!(outcomes, [confirmed(), rejected("INSUFFICIENT_FUNDS"), rejected("OUT_OF_STOCK")]);
    world.assert_books_add_up().await;
    let (books, sent, commands) = (world.books().await, sent(&world).await, commands(&world).await);

    world.send_everything_again().await;
    world.at_rest().await;
    // An order placed now is behind the copies on every partition that it uses; when it is through, many of them are.
    let marker = world.check_out(BOB, BEANS, 1).await;
    assert_eq!(world.decided(marker).await, confirmed());
    world.assert_books_add_up().await;
    for (order, outcome) in orders.into_iter().zip(outcomes) {
        assert_eq!(world.status(order).await, outcome);
    }
    assert_eq!(world.books().await.on_hand[&product(BEANS)], books.on_hand[&product(BEANS)] - 1);
    let sent_since: i64 = self::sent(&world).await - sent;
    // Behind so many copies an answer may be late, and its command be sent again: that makes two more, with the answer to it.
    let again = self::commands(&world).await - commands - COMMANDS_OF_AN_ORDER;
    let own = MESSAGES_OF_AN_ORDER + again..=MESSAGES_OF_AN_ORDER + 2 * again;
    assert!(own.contains(&sent_since), "{sent_since} are not only the marker's own messages: {own:?}");
}

/// Reserve, created, reserved, level, hold, held, status, invoice, commit, capture, committed, level, captured.
const MESSAGES_OF_AN_ORDER: i64 = 13;

/// Reserve, hold, commit, capture.
const COMMANDS_OF_AN_ORDER: i64 = 4;

async fn commands(world: &World) -> i64 {
    world.number(Name::Order, "SELECT COUNT(*) FROM kit_outbox WHERE topic LIKE '%.commands.%'").await
}

async fn sent(world: &World) -> i64 {
    let mut messages = 0;
    for name in SHOP {
        messages += world.number(name, "SELECT COUNT(*) FROM kit_outbox").await;
    }
    messages
}

/// Where everything stops; each starts with all services running and leaves with none.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The order is placed; nothing has left its service.
    Placed,
    /// The stock is reserved; the order service has not heard.
    Reserved,
    /// The funds are held; the order service has not heard.
    Held,
    /// The order is confirmed; the stock has not heard.
    Confirmed,
}

impl World {
    async fn stop_at(&mut self, point: Point) -> Uuid {
        let step = |name: &'static str| {
            format!("SELECT COUNT(*) FROM saga WHERE state = 'RUNNING' AND step = '{name}'")
        };
        self.kill(&SHOP);
        if matches!(point, Point::Placed) {
            self.start_order_without_broker().await;
            let order = self.check_out(BOB, BEANS, 1).await;
            self.kill(&SHOP);
            return order;
        }
        self.start(Name::Order).await;
        let order = self.check_out(BOB, BEANS, 1).await;
        match point {
            Point::Placed | Point::Reserved => {
                self.sent_by(Name::Order).await;
                self.kill(&[Name::Order]);
                self.start(Name::Product).await;
                self.until(Name::Product, "SELECT COUNT(*) FROM reservations WHERE status = 'RESERVED'")
                    .await;
            }
            Point::Held => {
                self.start(Name::Product).await;
                self.until(Name::Order, &step("hold-funds")).await;
                self.sent_by(Name::Order).await;
                self.kill(&[Name::Order, Name::Product]);
                self.start(Name::User).await;
                self.until(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'HELD'").await;
            }
            Point::Confirmed => {
                self.start(Name::Product).await;
                self.until(Name::Order, &step("hold-funds")).await;
                self.kill(&[Name::Product]);
                self.start(Name::User).await;
                self.until(Name::Order, &step("settle")).await;
            }
        }
        self.kill(&SHOP);
        order
    }
}

#[tokio::test]
pub(crate) async fn order_is_confirmed_wherever_all_services_were_killed_on_the_way() {
    let mut world = World::new().await;
    for point in [Point::Placed, Point::Reserved, Point::Held, Point::Confirmed] {
        let order = world.stop_at(point).await;
        world.start_all().await;
        assert_eq!(world.decided(order).await, confirmed(), "killed at {point:?}");
        world.assert_books_add_up().await;
    }
}

#[tokio::test]
pub(crate) async fn killing_all_services_again_and_again_loses_and_doubles_nothing() {
    let mut world = World::new().await;
    let mut orders = Vec::new();
    for round in 0..6_u16 {
        let buyer = if round % 2 == 0 { BOB } else { CAROL };
        orders.push(world.check_out(buyer, BEANS, 1).await);
        orders.push(world.check_out(buyer, PIXEL_CLOCK, 1).await);
        // No claim rests on the pause: it only makes the kills fall on different steps.
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(round) * 70)).await;
        world.kill(&SHOP);
        world.start_all().await;
    }
    let mut confirmed_clocks = 0;
    for (index, order) in orders.into_iter().enumerate() {
        let outcome = world.decided(order).await;
        if index % 2 == 0 {
            assert_eq!(outcome, confirmed());
        } else {
            confirmed_clocks += u32::from(outcome == confirmed());
        }
    }
    assert_eq!(confirmed_clocks, 2, "there were two");
    world.assert_books_add_up().await;
}

/// A step that waits for an answer, of an order being placed or refunded.
#[derive(Clone, Copy, Debug)]
enum Step {
    ReserveStock,
    HoldFunds,
    Settle,
    RefundFunds,
    Restock,
}

impl Step {
    const ALL: [Self; 5] =
        [Self::ReserveStock, Self::HoldFunds, Self::Settle, Self::RefundFunds, Self::Restock];

    /// The saga's name of it, and who answers.
    fn of(self) -> (&'static str, Name) {
        match self {
            Self::ReserveStock => ("reserve-stock", Name::Product),
            Self::HoldFunds => ("hold-funds", Name::User),
            Self::Settle => ("settle", Name::Product),
            Self::RefundFunds => ("refund-funds", Name::User),
            Self::Restock => ("restock", Name::Product),
        }
    }

    fn is_of_a_refund(self) -> bool {
        matches!(self, Self::RefundFunds | Self::Restock)
    }
}

impl World {
    /// An order whose saga stands at the step, because who answers is dead; the command has left.
    async fn stuck_at(&mut self, step: Step) -> Uuid {
        let (name, answers) = step.of();
        let order = if step.is_of_a_refund() {
            let order = self.check_out(BOB, BEANS, 1).await;
            assert_eq!(self.decided(order).await, confirmed());
            self.at_rest().await;
            self.kill(&[answers]);
            let cancel = "mutation($id: ID!, $key: ID!) { cancelOrder(id: $id, idempotencyKey: $key) { userErrors { code } } }";
            let answer = self.ask(BOB, cancel, json!({ "id": order, "key": Uuid::now_v7() })).await;
            assert_eq!(answer["cancelOrder"]["userErrors"], json!([]));
            order
        } else if matches!(step, Step::Settle) {
            // Only a stock that was alive before has reserved what it cannot hand over now.
            let order = Box::pin(self.stuck_at(Step::HoldFunds)).await;
            self.kill(&[answers]);
            self.start(Name::User).await;
            order
        } else {
            self.kill(&[answers]);
            self.check_out(BOB, BEANS, 1).await
        };
        let at = format!("SELECT COUNT(*) FROM saga WHERE state = 'RUNNING' AND step = '{name}'");
        self.until(Name::Order, &at).await;
        self.sent_by(Name::Order).await;
        order
    }
}

#[tokio::test]
pub(crate) async fn orders_and_refunds_end_whichever_service_is_killed_at_whichever_step() {
    let mut world = World::new().await;
    let mut hits = BTreeMap::<(&str, Name), u32>::new();
    for step in Step::ALL {
        for name in SHOP {
            let order = world.stuck_at(step).await;
            world.kill(&[name]);
            world.start_all().await;
            *hits.entry((step.of().0, name)).or_default() += 1;
            world.at_rest().await;
            let expected = if step.is_of_a_refund() { "REFUNDED" } else { "CONFIRMED" };
            assert_eq!(world.status(order).await.0, expected, "{name:?} killed at {step:?}");
            world.assert_books_add_up().await;
        }
    }
    assert_eq!(hits.len(), Step::ALL.len() * SHOP.len(), "{hits:?}");
}
