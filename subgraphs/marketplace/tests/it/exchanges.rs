//! Tickets and bookings over the real services and a real broker: order, listing, product and user started in this process
//! and killed on the way. After each test money adds up and nothing is locked or held.
//!
//! Elsewhere: the place-order saga (`sagas.rs`), the decisions alone (order), the whole system (`system.rs`).

use kopitiam_kit::testing::eventually;
use kopitiam_order::seed::seed_id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{ALL, BOB, CAROL, Name, World};

/// Seeded people and listings, by their numbers.
pub(crate) const MANAGER: u16 = 2;
pub(crate) const BATIK_LANE: u16 = 6;
const BOOKS: u16 = 8;
/// A seat of a tour by `BOOKS` at 25.00, of which there are several.
const TOUR: u16 = 10;
/// A workshop by `BATIK_LANE` at 95.00, a fifth of it before.
const WORKSHOP: u16 = 13;

impl World {
    /// All services, with their listings known to the order service.
    pub(crate) async fn exchange() -> Self {
        let world = Self::of(&ALL, &ALL).await;
        world.catalogue_known().await;
        let (known, all) = ("SELECT COUNT(*) FROM listing_replica", "SELECT COUNT(*) FROM listing");
        let all = world.number(Name::Listing, all).await;
        eventually("the listings arrive", || async {
            (world.number(Name::Order, known).await == all).then_some(())
        })
        .await;
        world
    }

    /// One field of the order service; its value.
    async fn ask_order(&self, who: u16, query: &str, variables: Value) -> Value {
        let (roles, scope): (&[&str], &str) = match who {
            MANAGER => (&["USER", "MANAGER"], "orders:read:any disputes:resolve"),
            _ => (&["USER", "SELLER"], ""),
        };
        self.field(Name::Order, (who, roles, scope), query, variables).await
    }

    /// Asks for a seat; the order's id.
    pub(crate) async fn new_reservation(&self, who: u16, ticket: u16) -> Value {
        let query = "mutation($id: ID!, $key: ID!) { reserveListing(listingId: $id, idempotencyKey: $key) {
            order { id } userErrors { code } } }";
        let variables = json!({ "id": seed_id(6, ticket), "key": Uuid::now_v7() });
        let reserved = self.ask_order(who, query, variables).await;
        assert_eq!(reserved["userErrors"], json!([]), "{reserved}");
        reserved["order"]["id"].clone()
    }

    /// Reserves a seat, again while somebody else has it; the order's id.
    pub(crate) async fn reserve(&self, who: u16, ticket: u16) -> Value {
        loop {
            let order = self.new_reservation(who, ticket).await;
            eventually("the listing answers", || async {
                (self.order(&order).await["history"].as_array().unwrap().len() > 1).then_some(())
            })
            .await;
            // Read once more: an order and its history are two reads, and the answer may come between them.
            let decided = self.order(&order).await;
            if decided["status"] == "AWAITING_PAYMENT" {
                return order;
            }
            assert_eq!(decided["statusReason"], "ALREADY_RESERVED");
        }
    }

    /// The buyer calls an order off.
    pub(crate) async fn call_order_off(&self, who: u16, order: &Value) {
        let cancel =
            "mutation($id: ID!) { cancelOrder(id: $id, idempotencyKey: $id) { userErrors { code } } }";
        let answer = self.ask_order(who, cancel, json!({ "id": order })).await;
        assert_eq!(answer["userErrors"], json!([]));
    }

    async fn order(&self, id: &Value) -> Value {
        let query = "query($r: [_Any!]!) { _entities(representations: $r) {
            ... on Order { status statusReason history { note } } } }";
        let seen =
            self.ask_order(MANAGER, query, json!({ "r": [{ "__typename": "Order", "id": id }] })).await;
        seen[0].clone()
    }

    /// Pays a reserved order, as soon as it can be paid.
    pub(crate) async fn pay(&self, who: u16, order: &Value) {
        let query = "mutation($id: ID!) { payOrder(id: $id, idempotencyKey: $id) { userErrors { code } } }";
        eventually("the order can be paid", || async {
            let paid = self.ask_order(who, query, json!({ "id": order })).await;
            let errors = paid["userErrors"].as_array().unwrap();
            assert!(errors.iter().all(|error| error["code"] == "ORDER_SETTLING"), "{paid}");
            errors.is_empty().then_some(())
        })
        .await;
    }

    pub(crate) async fn until_order(&self, order: &Value, status: &str) {
        eventually(&format!("the order is {status}"), || async {
            (self.order(order).await["status"] == status).then_some(())
        })
        .await;
    }

    /// Asks for the workshop; the booking's id.
    pub(crate) async fn book(&self, who: u16) -> Value {
        let query = "mutation($id: ID!, $key: ID!) { requestBooking(listingId: $id, idempotencyKey: $key) {
            booking { id } userErrors { code } } }";
        let variables = json!({ "id": seed_id(6, WORKSHOP), "key": Uuid::now_v7() });
        let asked = self.ask_order(who, query, variables).await;
        assert_eq!(asked["userErrors"], json!([]), "{asked}");
        asked["booking"]["id"].clone()
    }

    /// Does something with a booking in its present version, and waits until it is in that state.
    pub(crate) async fn act(&self, who: u16, booking: &Value, action: &str, then: &str) {
        self.begin(who, booking, action).await;
        self.until_booking(booking, then).await;
    }

    /// Does something with a booking in its present version.
    pub(crate) async fn begin(&self, who: u16, booking: &Value, action: &str) {
        let query = "mutation($id: ID!, $action: BookingAction!, $version: Int!, $key: ID!) {
            bookingTransition(id: $id, action: $action, expectedVersion: $version, idempotencyKey: $key) {
                booking { state } userErrors { code } } }";
        let version = self.booking(booking).await["version"].clone();
        let variables = json!({ "id": booking, "action": action, "version": version, "key": Uuid::now_v7() });
        let moved = self.ask_order(who, query, variables).await;
        assert_eq!(moved["userErrors"], json!([]), "{action}: {moved}");
    }

    pub(crate) async fn until_booking(&self, booking: &Value, state: &str) {
        eventually(&format!("the booking is {state}"), || async {
            (self.booking(booking).await["state"] == state).then_some(())
        })
        .await;
    }

    async fn booking(&self, id: &Value) -> Value {
        let query = "query($id: ID!) { booking(id: $id) { state version } }";
        self.ask_order(MANAGER, query, json!({ "id": id })).await
    }
}

#[tokio::test]
pub(crate) async fn ticket_is_reserved_paid_and_handed_over_and_one_that_is_called_off_is_free_again() {
    let world = World::exchange().await;
    let order = world.reserve(BOB, TOUR).await;
    world.pay(BOB, &order).await;
    world.until_order(&order, "CONFIRMED").await;
    world.assert_moved(&[(BOB, -2_500), (BOOKS, 2_375)]).await;

    let order = world.reserve(CAROL, TOUR).await;
    let second = world.reserve(CAROL, TOUR);
    let called_off = world.call_order_off(CAROL, &order);
    // The next reservation waits for the lock of the one that is called off.
    let (second, ()) = tokio::join!(second, called_off);
    world.until_order(&order, "CANCELLED").await;
    world.pay(CAROL, &second).await;
    world.until_order(&second, "CONFIRMED").await;
    world.assert_moved(&[(BOB, -2_500), (CAROL, -2_500), (BOOKS, 2 * 2_375)]).await;
}

#[tokio::test]
pub(crate) async fn ticket_is_sold_once_whichever_service_is_killed_at_whichever_step() {
    let mut world = World::exchange().await;
    let mut sold = 0;
    for victims in [&[Name::Order][..], &[Name::Listing], &[Name::User], &ALL] {
        let order = world.reserve(BOB, TOUR).await;
        world.restart(victims).await;
        world.pay(BOB, &order).await;
        world.restart(victims).await;
        world.until_order(&order, "CONFIRMED").await;
        world.restart(victims).await;
        sold += 1;
        world.assert_moved(&[(BOB, -2_500 * sold), (BOOKS, 2_375 * sold)]).await;
    }
    let invoices = "SELECT COUNT(*) FROM invoice";
    assert_eq!(world.number(Name::Order, invoices).await, sold);
}

#[tokio::test]
pub(crate) async fn booking_pays_through_escrow_and_adds_up_whichever_service_is_killed() {
    let mut world = World::exchange().await;
    let closed = world.book(BOB).await;
    world.act(BATIK_LANE, &closed, "ACCEPT", "ACCEPTED").await;
    world.act(BOB, &closed, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    world.restart(&[Name::User]).await;
    world.assert_moved(&[(BOB, -1_900)]).await;
    world.act(BATIK_LANE, &closed, "MARK_DELIVERED", "DELIVERED").await;
    world.act(BOB, &closed, "CONFIRM_COMPLETION", "BALANCE_DUE").await;
    world.act(BOB, &closed, "PAY_BALANCE", "CLOSED").await;
    world.restart(&[Name::Order, Name::User]).await;
    world.assert_moved(&[(BOB, -9_500), (BATIK_LANE, 9_025)]).await;

    let disputed = world.book(CAROL).await;
    world.act(BATIK_LANE, &disputed, "ACCEPT", "ACCEPTED").await;
    world.act(CAROL, &disputed, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    world.act(BATIK_LANE, &disputed, "MARK_DELIVERED", "DELIVERED").await;
    world.act(CAROL, &disputed, "DISPUTE", "DISPUTED").await;
    world.act(MANAGER, &disputed, "RESOLVE_REFUND", "CANCELLED").await;
    world.restart(&ALL).await;
    world.assert_moved(&[(BOB, -9_500), (BATIK_LANE, 9_025)]).await;
}
