//! Acceptance criteria of one story per person of the marketplace, each as given, when, then; over the real services.
//!
//! Elsewhere: the same sagas failing, killed and raced (`sagas.rs`, `exchanges.rs`, `auctions.rs`); names of tests
//! (`requirements.rs`).

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::exchanges::BATIK_LANE;
use crate::world::{BEANS, BOB, CAROL, Name, PIXEL_CLOCK, World, confirmed, product, rejected, user};

/// Sells the seeded thing that is up for auction here.
const KOPI_HOUSE: u16 = 5;
/// A seeded show with many seats, by `SPICE_ROW`, at 12.00.
const SHOW: u16 = 46;
const SPICE_ROW: u16 = 9;

#[tokio::test]
async fn given_two_units_when_a_buyer_orders_three_then_it_is_rejected_with_what_is_left_and_two_are_sold() {
    // Given two clocks
    let world = World::new().await;
    assert_eq!(world.at_start.on_hand[&product(PIXEL_CLOCK)], 2);

    // When Carol orders three
    let three = world.check_out(CAROL, PIXEL_CLOCK, 3).await;

    // Then she is told why, with what is left
    assert_eq!(world.decided(three).await, rejected("OUT_OF_STOCK"));
    let why = "SELECT note FROM order_event WHERE order_id = $1 AND status = 'REJECTED'";
    let why: Vec<(String,)> = world.rows(Name::Order, why, vec![three.into()]).await;
    assert!(why[0].0.contains("2 left"), "{why:?}");
    // and pays nothing, and can have two.
    world.assert_books_add_up().await;
    assert_eq!(world.books().await, world.at_start);
    let two = world.check_out(CAROL, PIXEL_CLOCK, 2).await;
    assert_eq!(world.decided(two).await, confirmed());
}

#[tokio::test]
async fn given_a_leading_bid_when_another_bids_more_then_the_first_has_the_money_back_and_the_price_has_risen()
 {
    // Given Carol leads with 10.00
    let world = World::auction_house().await;
    let item = world.new_item(KOPI_HOUSE).await;
    let auction = world.auction(item, KOPI_HOUSE).await;
    let first = world.bid(CAROL, auction, "10.00").await;
    assert_eq!(world.bid_decided(first).await.0, "ACCEPTED");
    assert_eq!(moved(&world).await, BTreeMap::from([(CAROL, -1_000)]));

    // When Bob bids 20.00
    let second = world.bid(BOB, auction, "20.00").await;
    assert_eq!(world.bid_decided(second).await.0, "ACCEPTED");
    world.at_rest().await;

    // Then Carol has her money back, Bob's is held, and the price is his
    assert_eq!(moved(&world).await, BTreeMap::from([(BOB, -2_000)]));
    assert_eq!(world.bid_decided(first).await.0, "OUTBID");
    let price = "SELECT ask_minor FROM listing WHERE status = 'ACTIVE'";
    assert_eq!(world.number(Name::Listing, price).await, 2_000);
}

#[tokio::test]
async fn given_a_reserved_seat_when_nobody_pays_in_time_then_another_buyer_gets_it() {
    // Given Bob has a seat and has not paid
    let world = World::exchange().await;
    let late = world.reserve(BOB, SHOW).await;

    // When his time is up
    let up = |tx: kopitiam_kit::Tx| async move {
        tx.execute_unprepared("UPDATE saga SET deadline_ms = 0, due_at_ms = 0 WHERE state = 'RUNNING'").await
    };
    world.databases[&Name::Order].transaction(up).await.unwrap();
    world.until_order(&late, "EXPIRED").await;

    // Then Carol can have it, and only she pays
    let order = world.reserve(CAROL, SHOW).await;
    world.pay(CAROL, &order).await;
    world.until_order(&order, "CONFIRMED").await;
    world.assert_moved(&[(CAROL, -1_200), (SPICE_ROW, 1_140)]).await;
}

#[tokio::test]
async fn given_a_delivered_booking_when_its_buyer_confirms_and_pays_then_its_seller_has_all_but_the_fee() {
    // Given a workshop that was held, its deposit in escrow
    let world = World::exchange().await;
    let booking = world.book(BOB).await;
    world.act(BATIK_LANE, &booking, "ACCEPT", "ACCEPTED").await;
    world.act(BOB, &booking, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    world.act(BATIK_LANE, &booking, "MARK_DELIVERED", "DELIVERED").await;
    world.assert_moved(&[(BOB, -1_900)]).await;

    // When Bob says so and pays the rest
    world.act(BOB, &booking, "CONFIRM_COMPLETION", "BALANCE_DUE").await;
    world.act(BOB, &booking, "PAY_BALANCE", "CLOSED").await;

    // Then the seller has the price but for the fee
    world.assert_moved(&[(BOB, -9_500), (BATIK_LANE, 9_025)]).await;
}

#[tokio::test]
async fn given_a_confirmed_order_when_its_buyer_calls_it_off_then_money_and_units_are_back_and_its_history_says_so()
 {
    // Given a confirmed order
    let world = World::new().await;
    let order = world.check_out(BOB, BEANS, 2).await;
    assert_eq!(world.decided(order).await, confirmed());
    world.at_rest().await;

    // When its buyer calls it off
    let cancel =
        "mutation($id: ID!) { cancelOrder(id: $id, idempotencyKey: \"off\") { userErrors { code } } }";
    let answer = world.ask(BOB, cancel, json!({ "id": order })).await;
    assert_eq!(answer["cancelOrder"]["userErrors"], json!([]));
    world.at_rest().await;

    // Then everything is where it was, and every status is in the order's history
    assert_eq!(world.status(order).await.0, "REFUNDED");
    assert_eq!(world.books().await, world.at_start);
    let statuses = "SELECT status FROM order_event WHERE order_id = $1 ORDER BY version";
    let statuses: Vec<(String,)> = world.rows(Name::Order, statuses, vec![order.into()]).await;
    let mut statuses: Vec<&str> = statuses.iter().map(|(status,)| status.as_str()).collect();
    // What happens within a status is noted, too.
    statuses.dedup();
    assert_eq!(statuses, ["PENDING", "CONFIRMED", "REFUNDED"]);
}

/// Who has more or less to spend than at the start (minor units).
async fn moved(world: &World) -> BTreeMap<u16, i64> {
    let now = world.books().await.available;
    let moved =
        (1..60).map(|number| (number, now.get(&user(number)), world.at_start.available.get(&user(number))));
    let moved = moved.filter_map(|(number, now, before)| Some((number, now? - before?)));
    moved.filter(|(_, moved)| *moved != 0).collect()
}
