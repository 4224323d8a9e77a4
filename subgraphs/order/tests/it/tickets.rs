//! Reserving and paying a listing, and orders of auctions, with the other services played by the test, on SQLite and
//! PostgreSQL.

use crate::support::{ADA, BOB, Bench, SITI, benches, manager, message, user};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::Topic;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::{
    AuctionSettled, ListingKind, ListingLockRejected, ListingLocked, ListingSold, ListingUnlocked,
    LockListing, SellListing, UnlockListing,
};
use kopitiam_kafka::messages::order::{InvoiceIssued, OrderCreated};
use kopitiam_kafka::messages::wallet::{FundsRejected, FundsReleased, HoldFunds, RefundFunds, ReleaseFunds};
use kopitiam_order::seed::seed_id;
use serde_json::{Value, json};
use uuid::Uuid;

const TICKET: Uuid = Uuid::from_u128(0x71c);

const RESERVE: &str = "mutation($id: ID!, $key: ID!) { reserveListing(listingId: $id, idempotencyKey: $key) {
    order { id status kind expiresAt total { amount } } userErrors { code field } } }";
const PAY: &str = "mutation($id: ID!, $key: ID!) { payOrder(id: $id, idempotencyKey: $key) {
    order { id status } userErrors { code } } }";
const CANCEL: &str = "mutation($id: ID!, $key: ID!) { cancelOrder(id: $id, idempotencyKey: $key) {
    order { id status } userErrors { code } } }";

async fn ask(bench: &Bench, query: &str, who: Uuid, id: Uuid, key: &str) -> Value {
    let data = bench.ask(user(who), query, json!({ "id": id, "key": key })).await;
    data.as_object().unwrap().values().next().unwrap().clone()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("{payload}"))
}

/// Bob reserves the ticket; the order's id.
async fn reserve(bench: &Bench) -> Uuid {
    let reserved = ask(bench, RESERVE, BOB, TICKET, &Uuid::now_v7().to_string()).await;
    assert_eq!(reserved["order"]["status"], "AWAITING_PAYMENT", "{reserved}");
    reserved["order"]["id"].as_str().unwrap().parse().unwrap()
}

async fn locked(bench: &Bench, price_minor: i64) {
    let (command, lock) = bench.last::<LockListing>().await;
    let price = Amount::new(price_minor, "USD");
    let reply = ListingLocked {
        order_id: lock.order_id,
        until: lock.until,
        price,
        seller_id: SITI,
        title: "Seat".into(),
    };
    bench.reply(&command, TICKET, &reply).await;
}

async fn unlocked(bench: &Bench) {
    let (command, unlock) = bench.last::<UnlockListing>().await;
    bench.reply(&command, TICKET, &ListingUnlocked { order_id: unlock.order_id }).await;
}

async fn sold(bench: &Bench) {
    let (command, sell) = bench.last::<SellListing>().await;
    let price = Amount::new(2_500, "USD");
    let reply = ListingSold {
        order_id: Some(sell.order_id),
        buyer_id: sell.buyer_id,
        price,
        title: None,
        seller_id: None,
    };
    bench.reply(&command, TICKET, &reply).await;
}

async fn a_ticket(bench: &Bench) {
    bench.listing(TICKET, ListingKind::FixedPrice, 2_500, 0).await;
}

fn after_expiry(order: &Value) -> DateTime<Utc> {
    let expires_at: DateTime<Utc> = serde_json::from_value(order["expiresAt"].clone()).unwrap();
    expires_at + TimeDelta::seconds(1)
}

#[tokio::test]
async fn reserved_listing_is_paid_once_and_confirmed_with_invoice() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let order = reserve(&bench).await;
        let (_, created) = bench.last::<OrderCreated>().await;
        assert_eq!((created.kind.as_str(), created.lines[0].listing_id), ("TICKET", Some(TICKET)));
        assert_eq!(code(&ask(&bench, PAY, BOB, order, "early").await), "ORDER_SETTLING");
        locked(&bench, 2_500).await;
        assert_eq!(code(&ask(&bench, PAY, ADA, order, "foreign").await), "ORDER_NOT_FOUND");

        let paid = ask(&bench, PAY, BOB, order, "early").await;
        assert_eq!(paid["userErrors"], json!([]), "what passes is not kept under the key");
        assert_eq!(ask(&bench, PAY, BOB, order, "early").await, paid);
        assert_eq!(code(&ask(&bench, PAY, BOB, order, "second click").await), "ORDER_SETTLING");
        let holds = bench.sent_types().await.iter().filter(|kind| *kind == "HoldFunds").count();
        assert_eq!(holds, 1, "paying twice holds once");
        bench.held().await;
        let confirmed = bench.order(order).await;
        assert_eq!((&confirmed["status"], &confirmed["expiresAt"]), (&json!("CONFIRMED"), &Value::Null));
        let (_, invoice) = bench.last::<InvoiceIssued>().await;
        assert_eq!(confirmed["invoice"]["number"], invoice.number);
        let told = ["OrderCreated", "OrderStatusChanged", "InvoiceIssued"].map(str::to_owned);
        let once_each: Vec<_> = told.into_iter().zip(1..).collect();
        assert_eq!(bench.told(Topic::OrderEvents, order).await, once_each);

        let (_, capture) = bench.captured().await;
        let parts: Vec<i64> = capture.splits.iter().map(|split| split.amount.minor).collect();
        assert_eq!(parts, [2_375, 125]);
        sold(&bench).await;
        assert_eq!(bench.sagas().await, [("reserve-listing".to_owned(), "COMPLETED".to_owned())]);
        assert_eq!(code(&ask(&bench, PAY, BOB, order, "late").await), "ALREADY_PAID");
        assert_eq!(
            code(&ask(&bench, CANCEL, BOB, order, "cancel").await),
            "CANNOT_CANCEL",
            "a paid ticket is gone"
        );
        assert_eq!(bench.order(order).await["canCancel"], false);
    }
}

#[tokio::test]
async fn unfit_listings_are_refused_and_a_lost_race_rejects_the_order() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let (auction, unknown) = (Uuid::from_u128(2), Uuid::from_u128(3));
        bench.listing(auction, ListingKind::Auction, 100, 0).await;
        assert_eq!(code(&ask(&bench, RESERVE, BOB, unknown, "1").await), "LISTING_NOT_FOUND");
        assert_eq!(code(&ask(&bench, RESERVE, BOB, auction, "2").await), "NOT_RESERVABLE");
        assert_eq!(code(&ask(&bench, RESERVE, SITI, TICKET, "3").await), "OWN_LISTING");

        let order = reserve(&bench).await;
        let (command, lock) = bench.last::<LockListing>().await;
        let reply = ListingLockRejected { order_id: lock.order_id, code: "ALREADY_RESERVED".into() };
        bench.reply(&command, TICKET, &reply).await;
        let rejected = bench.order(order).await;
        assert_eq!(
            (&rejected["status"], &rejected["statusReason"]),
            (&json!("REJECTED"), &json!("ALREADY_RESERVED"))
        );
        assert!(
            !bench.sent_types().await.contains(&"UnlockListing".to_owned()),
            "it is somebody else's lock"
        );

        let order = reserve(&bench).await;
        locked(&bench, 2_600).await;
        assert_eq!(bench.order(order).await["statusReason"], "PRICE_CHANGED");
        let (_, unlock) = bench.last::<UnlockListing>().await;
        assert_eq!(unlock.order_id, order);
    }
}

#[tokio::test]
async fn refused_payment_leaves_the_order_payable_until_it_expires() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let order = reserve(&bench).await;
        locked(&bench, 2_500).await;
        ask(&bench, PAY, BOB, order, "1").await;
        let (first, hold) = bench.last::<HoldFunds>().await;
        bench.refused_funds("INSUFFICIENT_FUNDS").await;
        let waiting = bench.order(order).await;
        assert_eq!(waiting["status"], "AWAITING_PAYMENT");
        let history = waiting["history"].as_array().unwrap();
        assert_eq!(history.last().unwrap()["note"], "The payment was refused: INSUFFICIENT_FUNDS");

        ask(&bench, PAY, BOB, order, "2").await;
        let (_, again) = bench.last::<HoldFunds>().await;
        assert_ne!(again.hold_id, hold.hold_id, "the wallet refuses the first hold for ever");
        // A copy of the first refusal must not refuse the second try.
        let reply = FundsRejected { hold_id: hold.hold_id, code: "INSUFFICIENT_FUNDS".into() };
        bench.reply(&first, BOB, &reply).await;
        bench.held().await;
        assert_eq!(bench.order(order).await["status"], "CONFIRMED");
    }
}

#[tokio::test]
async fn unpaid_reservation_expires_by_itself_and_frees_the_listing() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let order = reserve(&bench).await;
        locked(&bench, 2_500).await;
        let expiry = after_expiry(&bench.order(order).await);
        bench.sweep(expiry - TimeDelta::seconds(5)).await;
        assert_eq!(bench.order(order).await["status"], "AWAITING_PAYMENT");
        bench.sweep(expiry).await;
        let expired = bench.order(order).await;
        assert_eq!((&expired["status"], &expired["statusReason"]), (&json!("EXPIRED"), &json!("DEADLINE")));
        unlocked(&bench).await;
        assert_eq!(bench.sagas().await[0].1, "FAILED");
        assert_eq!(code(&ask(&bench, PAY, BOB, order, "late").await), "ORDER_EXPIRED");
    }
}

#[tokio::test]
async fn payment_that_comes_after_the_expiry_is_given_back() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let order = reserve(&bench).await;
        locked(&bench, 2_500).await;
        ask(&bench, PAY, BOB, order, "1").await;
        let expiry = after_expiry(&bench.order(order).await);
        bench.sweep(expiry).await;
        assert_eq!(bench.order(order).await["status"], "EXPIRED");
        // The hold was granted while the order expired.
        bench.held().await;
        assert_eq!(bench.order(order).await["status"], "EXPIRED");
        let (command, release) = bench.last::<ReleaseFunds>().await;
        let amount = Amount::new(2_500, "USD");
        let reply = FundsReleased { hold_id: release.hold_id, amount };
        bench.reply(&command, BOB, &reply).await;
        unlocked(&bench).await;
        assert_eq!(bench.sagas().await[0].1, "FAILED");
        assert!(!bench.sent_types().await.contains(&"CaptureFunds".to_owned()));
    }
}

#[tokio::test]
async fn buyer_calls_off_an_unpaid_reservation() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let order = reserve(&bench).await;
        locked(&bench, 2_500).await;
        assert_eq!(bench.order(order).await["canCancel"], true);
        assert_eq!(ask(&bench, CANCEL, BOB, order, "1").await["order"]["status"], "CANCELLED");
        unlocked(&bench).await;
        assert_eq!(code(&ask(&bench, PAY, BOB, order, "2").await), "NOT_PAYABLE");
        assert_eq!(code(&ask(&bench, CANCEL, BOB, order, "3").await), "CANNOT_CANCEL");
    }
}

#[tokio::test]
async fn settled_auction_becomes_one_confirmed_order_that_a_manager_can_refund() {
    for bench in benches().await {
        let (auction, hold_id) = (Uuid::from_u128(0xa0c), Uuid::now_v7());
        bench.listing(auction, ListingKind::Auction, 10_000, 0).await;
        let settled = AuctionSettled {
            winner_id: BOB,
            price: Amount::new(15_000, "USD"),
            hold_id: Some(hold_id),
            item_id: None,
            fee: Some(Amount::new(750, "USD")),
            title: None,
            seller_id: Some(SITI),
        };
        let event = message(Uuid::from_u128(77), auction, 2, &settled);
        bench.receive(&event).await;
        bench.receive(&message(event.correlation_id, auction, 3, &settled)).await;
        let (created, order) = bench.last::<OrderCreated>().await;
        assert_eq!(created.correlation_id, event.correlation_id);
        assert_eq!((order.kind.as_str(), order.buyer_id, order.total.minor), ("AUCTION", BOB, 15_000));
        let told = ["OrderCreated", "InvoiceIssued"].map(str::to_owned);
        let once_each: Vec<_> = told.into_iter().zip(1..).collect();
        assert_eq!(bench.told(Topic::OrderEvents, created.aggregate_id).await, once_each);
        let orders = bench.sent_types().await.iter().filter(|kind| *kind == "OrderCreated").count();
        assert_eq!(orders, 1, "one order per auction, however often it is announced");
        let order = bench.order(created.aggregate_id).await;
        assert_eq!((&order["status"], &order["canCancel"]), (&json!("CONFIRMED"), &json!(false)));
        assert!(order["invoice"]["number"].is_string());

        let query = "mutation($id: ID!, $lines: [ID!]!) {
            refundOrder(id: $id, lineIds: $lines, reason: \"fake\", idempotencyKey: \"k\") { userErrors { code } } }";
        let variables = json!({ "id": created.aggregate_id, "lines": [order["lines"][0]["id"]] });
        let refunded = bench.ask(manager(), query, variables).await;
        assert_eq!(refunded["refundOrder"]["userErrors"], json!([]));
        let (_, refund) = bench.last::<RefundFunds>().await;
        let parts: Vec<i64> = refund.splits.iter().map(|split| split.amount.minor).collect();
        assert_eq!((refund.hold_id, parts), (hold_id, vec![14_250, 750]));
    }
}

#[tokio::test]
async fn viewer_sees_their_newest_order_of_a_listing_and_nobody_elses() {
    for bench in benches().await {
        a_ticket(&bench).await;
        let first = reserve(&bench).await;
        ask(&bench, CANCEL, BOB, first, "1").await;
        let second = reserve(&bench).await;
        let query = "query($ids: [_Any!]!) { _entities(representations: $ids) { ... on Listing { viewerOrder { id } } } }";
        let ids = json!({ "ids": [{ "__typename": "Listing", "id": TICKET }] });
        let seen = bench.ask(user(BOB), query, ids.clone()).await;
        assert_eq!(seen["_entities"][0]["viewerOrder"]["id"], json!(second));
        let seen = bench.ask(user(ADA), query, ids).await;
        assert_eq!(seen["_entities"][0]["viewerOrder"], Value::Null);
    }
}

#[tokio::test]
async fn seeded_orders_under_way_go_on_like_any_other() {
    for bench in benches().await {
        let now = kopitiam_kit::time::now();
        kopitiam_order::seed(bench.db.db(), now).await.unwrap();
        let running = bench.sagas().await.into_iter().filter(|(_, state)| state == "RUNNING").count();
        assert_eq!(running, 3);
        let (command, lock) = bench.last::<LockListing>().await;
        assert!(lock.until > now + TimeDelta::days(6), "a visitor finds it days later");
        let price = Amount::new(36_000, "USD");
        let (order_id, until) = (lock.order_id, lock.until);
        let locked =
            ListingLocked { order_id, until, price, seller_id: seed_id(1, 6), title: "Radio".into() };
        bench.reply(&command, command.aggregate_id, &locked).await;
        let buyer = seed_id(1, 2);
        let paid = ask(&bench, PAY, buyer, lock.order_id, "pay").await;
        assert_eq!(paid["userErrors"], json!([]), "{paid}");
        assert_eq!(bench.last::<HoldFunds>().await.1.amount.minor, 36_000);
    }
}
