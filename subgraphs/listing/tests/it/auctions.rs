//! Saga S-A from the first click to the last answer, on SQLite and on PostgreSQL; every answer is delivered twice.

use std::sync::Arc;

use crate::support::{Hold, ITEM, SELLER, Shop, envelope, id_in, manager, seller, user};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kit::consumer::Handler;
use kopitiam_kit::testing::{Skewed, assert_kept, eventually};
use kopitiam_listing::clock;
use kopitiam_listing::domain::auction::Rules;
use kopitiam_listing::domain::bid::BidStatus;
use kopitiam_listing::domain::listing::ListingStatus;
use kopitiam_listing::projections::Projections;
use sea_orm::DbBackend;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ANN: Uuid = Uuid::from_u128(0xa);
const BEN: Uuid = Uuid::from_u128(0xb);
const CANCEL: &str =
    "mutation($id: ID!, $version: Int!) { cancelListing(id: $id, expectedVersion: $version) {
    listing { id status version } userErrors { code } } }";
const UPDATE: &str = "mutation($id: ID!, $version: Int!, $title: String, $price: Decimal) {
    updateListing(id: $id, title: $title, price: $price, expectedVersion: $version) {
        listing { id title version askPrice { amount } } userErrors { code field } } }";

async fn status(shop: &Shop, id: Uuid) -> ListingStatus {
    shop.listing(id).await.status
}

/// Whose hold is in which state.
fn hold(shop: &Shop, bid: Uuid) -> Option<Hold> {
    shop.books().holds.get(&bid).map(|(_, _, state)| *state)
}

/// I11: nothing is held or locked that no running auction needs, and no saga waits.
async fn nothing_is_left_behind(shop: &Shop) {
    let held = shop.books().held();
    for bid in held {
        assert_eq!(shop.bid_row(bid).await.status, BidStatus::Accepted, "a hold without a leading bid");
    }
    assert_eq!(
        shop.count("SELECT COUNT(*) AS n FROM saga WHERE state IN ('RUNNING', 'COMPENSATING')").await,
        0
    );
}

#[tokio::test]
async fn an_auction_opens_when_its_item_is_locked_and_is_called_off_when_it_is_not() {
    for shop in Shop::each().await {
        let opened = shop.auction(json!({})).await;
        assert_eq!(shop.rows("timer").await, 1, "its end is set in the same transaction");
        let other = Uuid::from_u128(0x0ff);
        let refused = shop.pending_auction(json!({ "itemId": other })).await;
        shop.pump().await;
        assert_eq!(status(&shop, refused).await, ListingStatus::Cancelled);
        let told =
            shop.messages().await.into_iter().find(|told| told.message_type == "ListingCancelled").unwrap();
        assert_eq!(told.payload["reason"], "ITEM_UNAVAILABLE");
        assert_eq!(shop.books().locks.get(&ITEM), Some(&opened));
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn an_unanswered_item_lock_is_sent_again_and_given_up_at_its_deadline() {
    for shop in Shop::each().await {
        let id = shop.pending_auction(json!({})).await;
        shop.pump_once(|_| false).await;
        let now = Utc::now();
        shop.market.open.sweep(&shop.db, now + TimeDelta::seconds(2)).await.unwrap();
        let locks = shop.messages().await.into_iter().filter(|sent| sent.message_type == "LockItem").count();
        assert_eq!(locks, 2, "sent again");
        shop.market.open.sweep(&shop.db, now + TimeDelta::minutes(10)).await.unwrap();
        assert_eq!(status(&shop, id).await, ListingStatus::Cancelled);
        // Both locks are answered late; the saga frees the item again.
        shop.pump().await;
        assert!(shop.books().locks.is_empty());
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn a_higher_bid_leads_and_the_passed_one_gets_its_money_back_at_once() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let first = shop.bid(ANN, id, "10.00").await;
        assert_eq!(first["bid"]["status"], "PENDING", "{first}");
        shop.pump().await;
        let second = shop.bid(BEN, id, "12.00").await;
        shop.pump().await;
        let (first, second) = (id_in(&first, "bid"), id_in(&second, "bid"));
        assert_eq!(shop.bid_row(first).await.status, BidStatus::Outbid);
        assert_eq!(shop.bid_row(second).await.status, BidStatus::Accepted);
        assert_eq!((hold(&shop, first), hold(&shop, second)), (Some(Hold::Released), Some(Hold::Held)));
        assert_eq!(shop.listing(id).await.ask_price.minor(), 1_200);
        let told = shop.events_of(id).await;
        let expected = ["BidPlaced", "BidAccepted", "BidPlaced", "BidAccepted", "BidOutbid"];
        assert_eq!(told[2..], expected, "after ListingCreated and ListingUpdated");
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn a_raise_by_the_leader_is_a_new_hold_and_the_old_one_is_released() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let first = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
        shop.pump().await;
        let raised = id_in(&shop.bid(ANN, id, "20.00").await, "bid");
        shop.pump().await;
        assert_eq!((hold(&shop, first), hold(&shop, raised)), (Some(Hold::Released), Some(Hold::Held)));
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn bids_that_may_not_be_placed_are_told_why_and_move_no_money() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        shop.bid(ANN, id, "10.00").await;
        let waiting = shop.bid(ANN, id, "50.00").await;
        assert_eq!(waiting["userErrors"][0]["code"], "BID_PENDING", "{waiting}");
        shop.pump().await;
        let low = shop.bid(BEN, id, "10.49").await;
        assert_eq!(low["userErrors"][0]["code"], "BID_TOO_LOW");
        assert_eq!(low["userErrors"][0]["message"], "The next bid is at least 10.50 USD.");
        assert_eq!((&low["bid"], &low["listing"]["minNextBid"]["amount"]), (&Value::Null, &json!("10.50")));
        for (bidder, listing, amount, code) in [
            (SELLER, id, "20.00", "OWN_LISTING"),
            (BEN, Uuid::from_u128(404), "20.00", "LISTING_NOT_FOUND"),
            (BEN, id, "20.001", "INVALID_AMOUNT"),
            (BEN, id, "-20.00", "BID_TOO_LOW"),
        ] {
            let refused = shop.bid(bidder, listing, amount).await;
            assert_eq!(refused["userErrors"][0]["code"], code, "{amount}: {refused}");
        }
        assert_eq!(shop.books().holds.len(), 1);
        assert_eq!(shop.rows("bid").await, 1);
    }
}

#[tokio::test]
async fn a_bid_without_funds_is_rejected_and_the_price_stays() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        shop.books().available.insert(ANN, 999);
        let bid = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
        shop.pump().await;
        let row = shop.bid_row(bid).await;
        assert_eq!((row.status, row.code.as_deref()), (BidStatus::Rejected, Some("INSUFFICIENT_FUNDS")));
        assert_eq!(shop.listing(id).await.min_next_bid().unwrap().minor(), 1_000);
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn one_bid_per_idempotency_key() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let query = "mutation($id: ID!, $amount: Decimal!) { placeBid(listingId: $id, amount: $amount, currency: \"USD\", idempotencyKey: \"k\") {
            bid { id } userErrors { code } } }";
        let first = shop.ask(user(ANN), query, json!({ "id": id, "amount": "10.00" })).await;
        let again = shop.ask(user(ANN), query, json!({ "id": id, "amount": "10.00" })).await;
        assert_eq!(first, again);
        let other = shop.ask(user(ANN), query, json!({ "id": id, "amount": "11.00" })).await;
        assert_eq!(other["data"]["placeBid"]["userErrors"][0]["code"], "IDEMPOTENCY_MISMATCH");
        let visitor = kopitiam_kit::auth::Viewer::anonymous();
        let visitor = shop.ask(visitor, query, json!({ "id": id, "amount": "10.00" })).await;
        assert_eq!(visitor["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(shop.rows("bid").await, 1);
    }
}

#[tokio::test]
async fn the_end_pays_the_seller_hands_over_the_item_and_is_sold_when_the_order_is_written() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let bid = id_in(&shop.bid(ANN, id, "10.10").await, "bid");
        shop.pump().await;
        let ends_at = shop.ends_at(id).await;
        shop.end(id, ends_at - TimeDelta::seconds(1)).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Active, "not a second early");
        shop.end(id, ends_at).await;
        shop.end(id, ends_at).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Settling);
        assert_eq!(shop.bid_row(bid).await.status, BidStatus::Won);
        shop.pump().await;
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
        let (owner, locks, orders, paid) = {
            let books = shop.books();
            (books.owners[&ITEM], books.locks.len(), books.orders.len(), books.paid.clone())
        };
        assert_eq!((owner, locks, orders), (ANN, 0, 1));
        let fee = json!({ "to": { "kind": "FEES" }, "amount": { "minor": 51, "currency": "USD" } });
        let share = json!({ "to": { "kind": "USER", "userId": SELLER }, "amount": { "minor": 959, "currency": "USD" } });
        assert_eq!(paid, [share, fee]);
        let told = shop.events_of(id).await;
        let end: Vec<&str> = told.iter().rev().take(3).rev().map(String::as_str).collect();
        assert_eq!(end, ["AuctionEnded", "AuctionSettled", "ListingSold"]);
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn settling_goes_on_until_every_service_has_answered() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        shop.bid(ANN, id, "10.00").await;
        shop.pump().await;
        shop.end(id, shop.ends_at(id).await).await;
        // Everything is lost, an hour long.
        let mut now = shop.ends_at(id).await;
        for _ in 0..10 {
            shop.pump_once(|_| false).await;
            now += TimeDelta::minutes(6);
            shop.market.auctions.settle.sweep(&shop.db, now).await.unwrap();
        }
        assert_eq!(status(&shop, id).await, ListingStatus::Settling);
        shop.pump().await;
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
        assert_eq!(shop.books().orders.len(), 1);
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn without_bids_it_closes_and_the_item_is_free() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        shop.end(id, shop.ends_at(id).await).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Closed);
        shop.pump().await;
        assert!(shop.books().locks.is_empty());
        // It may be listed again.
        shop.auction(json!({})).await;
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn below_the_reserve_it_closes_and_the_leader_gets_the_money_back() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({ "reservePrice": "30.00" })).await;
        let bid = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
        shop.pump().await;
        shop.end(id, shop.ends_at(id).await).await;
        shop.pump().await;
        assert_eq!(status(&shop, id).await, ListingStatus::Closed);
        assert_eq!(shop.bid_row(bid).await.code.as_deref(), Some("RESERVE_NOT_MET"));
        assert_eq!(hold(&shop, bid), Some(Hold::Released));
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn a_bid_of_the_buy_now_price_ends_it_at_once_and_the_timer_finds_nothing() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({ "buyNowPrice": "40.00" })).await;
        let passed = id_in(&shop.bid(BEN, id, "10.00").await, "bid");
        shop.pump().await;
        shop.bid(ANN, id, "40.00").await;
        shop.pump().await;
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
        assert_eq!(hold(&shop, passed), Some(Hold::Released));
        assert_eq!(shop.rows("timer").await, 0);
        shop.end(id, shop.ends_at(id).await).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
        let late = shop.bid(BEN, id, "50.00").await;
        assert_eq!(late["userErrors"][0]["code"], "AUCTION_ENDED");
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn whose_bid_it_was_and_how_much_is_never_changed() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        shop.bid(ANN, id, "10.00").await;
        let forgeries = [
            "UPDATE bid SET amount_minor = 1",
            "UPDATE bid SET bidder_id = listing_id",
            "UPDATE bid SET status = 'ACCEPTED', listing_id = bidder_id",
            "DELETE FROM bid",
        ];
        assert_kept(&shop.db, &forgeries).await;
    }
}

/// R14: replicas whose machines' clocks differ share a database, and its clock says when the auction is over.
#[tokio::test]
async fn only_the_databases_clock_ends_an_auction() {
    for shop in Shop::each().await {
        let shared = shop.db.backend() == DbBackend::Postgres;
        let id = shop.auction(json!({ "endsAt": Utc::now() + TimeDelta::minutes(30) })).await;
        let stop = CancellationToken::new();
        let clock = tokio::spawn(clock::run(Arc::clone(&shop.market), stop.clone()));
        let ahead = Skewed::by(TimeDelta::hours(1));
        let query = "query($id: ID!) { listing(id: $id) { ... on AuctionListing { serverNow } } }";
        let answer = shop.ask(user(ANN), query, json!({ "id": id })).await;
        let told: DateTime<Utc> =
            serde_json::from_value(answer["data"]["listing"]["serverNow"].clone()).expect("a time");
        let clock_of_auctions = Utc::now() + if shared { TimeDelta::zero() } else { TimeDelta::hours(1) };
        assert!(
            (told - clock_of_auctions).abs() < TimeDelta::minutes(10),
            "{told}: clients count down by it"
        );
        if shared {
            let placed = shop.bid(ANN, id, "10.00").await;
            assert_eq!(placed["userErrors"], json!([]));
            // What other services say they did when is their own affair.
            shop.pump().await;
            assert_eq!(shop.bid_row(id_in(&placed, "bid")).await.status, BidStatus::Accepted);
            // The timer is looked at before its time, and set again: by this machine's clock it is over.
            shop.count("UPDATE timer SET due_at_ms = 0 RETURNING 1::BIGINT AS n").await;
            eventually("the timer is set again", || async {
                (shop.count("SELECT COUNT(*) AS n FROM timer WHERE due_at_ms > 0").await == 1).then_some(())
            })
            .await;
            assert_eq!(shop.listing(id).await.status, ListingStatus::Active);
        } else {
            // A file is on one machine.
            eventually("the end", || async {
                (shop.listing(id).await.status != ListingStatus::Active).then_some(())
            })
            .await;
        }
        drop(ahead);
        if shared {
            let behind = Skewed::by(TimeDelta::hours(-1));
            shop.count("UPDATE listing SET ends_at = now() - INTERVAL '1 minute' RETURNING 1::BIGINT AS n")
                .await;
            shop.count("UPDATE timer SET due_at_ms = 0 RETURNING 1::BIGINT AS n").await;
            eventually("the end", || async {
                (shop.listing(id).await.status != ListingStatus::Active).then_some(())
            })
            .await;
            drop(behind);
        }
        stop.cancel();
        clock.await.expect("it ends");
    }
}

#[tokio::test]
async fn a_bid_placed_in_time_is_waited_for_five_seconds_and_then_its_late_hold_is_released() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let leading = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
        shop.pump().await;
        let waiting = id_in(&shop.bid(BEN, id, "20.00").await, "bid");
        let ends_at = shop.ends_at(id).await;
        shop.end(id, ends_at + TimeDelta::seconds(4)).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Active, "it waits");
        assert_eq!(shop.rows("timer").await, 1, "and looks again");
        shop.end(id, ends_at + TimeDelta::seconds(5)).await;
        assert_eq!(shop.bid_row(waiting).await.code.as_deref(), Some("AUCTION_ENDED"));
        assert_eq!(shop.bid_row(leading).await.status, BidStatus::Won);
        shop.pump().await;
        assert_eq!(
            (hold(&shop, waiting), hold(&shop, leading)),
            (Some(Hold::Released), Some(Hold::Captured))
        );
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn funds_that_answer_within_the_grace_still_win() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let waiting = id_in(&shop.bid(BEN, id, "20.00").await, "bid");
        let ends_at = shop.ends_at(id).await;
        shop.end(id, ends_at + TimeDelta::seconds(1)).await;
        shop.pump().await;
        shop.end(id, ends_at + TimeDelta::seconds(2)).await;
        assert_eq!(shop.bid_row(waiting).await.status, BidStatus::Won);
    }
}

#[tokio::test]
async fn an_unanswered_hold_is_given_up_and_released_when_it_comes_after_all() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let bid = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
        let late = shop.answers("HoldFunds").await;
        shop.market.bids.sweep(&shop.db, Utc::now() + TimeDelta::minutes(2)).await.unwrap();
        assert_eq!(shop.bid_row(bid).await.status, BidStatus::Rejected);
        assert_eq!(hold(&shop, bid), Some(Hold::Held));
        for answer in &late {
            shop.deliver(answer).await;
        }
        shop.pump().await;
        assert_eq!(hold(&shop, bid), Some(Hold::Released));
        assert_eq!(shop.listing(id).await.ask_price.minor(), 1_000);
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn with_the_option_a_late_bid_moves_the_end_and_the_timer() {
    for shop in Shop::each_with(Rules { extension: Some(TimeDelta::days(2)) }).await {
        let id = shop.auction(json!({})).await;
        let before = shop.ends_at(id).await;
        shop.bid(ANN, id, "10.00").await;
        shop.pump().await;
        let after = shop.ends_at(id).await;
        assert!(after > before + TimeDelta::hours(23), "{before} → {after}");
        let due = format!("SELECT COUNT(*) AS n FROM timer WHERE due_at_ms = {}", after.timestamp_millis());
        assert_eq!(shop.count(&due).await, 1);
        shop.end(id, before).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Active);
        assert!(shop.events_of(id).await.contains(&"AuctionExtended".to_owned()));
    }
}

#[tokio::test]
async fn a_seller_calls_off_without_bids_a_manager_also_with_bids() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let version = shop.listing(id).await.version;
        let code = |answer: &Value| answer["data"]["cancelListing"]["userErrors"][0]["code"].clone();
        let foreign = shop.ask(user(ANN), CANCEL, json!({ "id": id, "version": version })).await;
        assert_eq!(code(&foreign), "NOT_YOUR_LISTING", "{foreign}");
        let stale = shop.ask(seller(), CANCEL, json!({ "id": id, "version": version - 1 })).await;
        assert_eq!(code(&stale), "VERSION_CONFLICT");

        let (leading, waiting) = {
            let leading = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
            shop.pump().await;
            (leading, id_in(&shop.bid(BEN, id, "20.00").await, "bid"))
        };
        let version = shop.listing(id).await.version;
        let refused = shop.ask(seller(), CANCEL, json!({ "id": id, "version": version })).await;
        assert_eq!(code(&refused), "HAS_BIDS");
        let done = shop.ask(manager(), CANCEL, json!({ "id": id, "version": version })).await;
        assert_eq!(done["data"]["cancelListing"]["listing"]["status"], "CANCELLED", "{done}");
        shop.pump().await;
        assert_eq!(
            (hold(&shop, leading), hold(&shop, waiting)),
            (Some(Hold::Released), Some(Hold::Released))
        );
        assert!(shop.books().locks.is_empty());
        assert_eq!(shop.rows("timer").await, 0);
        nothing_is_left_behind(&shop).await;

        let next = shop.auction(json!({})).await;
        let version = shop.listing(next).await.version;
        let done = shop.ask(seller(), CANCEL, json!({ "id": next, "version": version })).await;
        assert_eq!(done["data"]["cancelListing"]["listing"]["status"], "CANCELLED", "{done}");
        shop.pump().await;
        assert!(shop.books().locks.is_empty());
    }
}

#[tokio::test]
async fn calling_off_before_the_item_is_locked_frees_it_when_the_lock_comes_late() {
    for shop in Shop::each().await {
        let id = shop.pending_auction(json!({})).await;
        let late = shop.answers("LockItem").await;
        let done = shop.ask(seller(), CANCEL, json!({ "id": id, "version": 1 })).await;
        assert_eq!(done["data"]["cancelListing"]["listing"]["status"], "CANCELLED", "{done}");
        for answer in &late {
            shop.deliver(answer).await;
        }
        shop.pump().await;
        assert!(shop.books().locks.is_empty());
        let told =
            shop.messages().await.into_iter().find(|told| told.message_type == "ListingCancelled").unwrap();
        assert_eq!(told.payload["reason"], "BY_SELLER");
        nothing_is_left_behind(&shop).await;
    }
}

#[tokio::test]
async fn terms_change_until_the_first_bid() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({ "buyNowPrice": "40.00" })).await;
        let version = shop.listing(id).await.version;
        let ask = |price: &'static str, version: i64| {
            let shop = &shop;
            async move {
                let variables =
                    json!({ "id": id, "version": version, "title": " Old sign ", "price": price });
                shop.ask(seller(), UPDATE, variables).await["data"]["updateListing"].clone()
            }
        };
        let bad = ask("40.00", version).await;
        assert_eq!(
            (&bad["userErrors"][0]["code"], &bad["userErrors"][0]["field"]),
            (&json!("INVALID_INPUT"), &json!(["price"]))
        );
        let done = ask("15.00", version).await;
        assert_eq!(
            (&done["listing"]["title"], &done["listing"]["askPrice"]["amount"]),
            (&json!("Old sign"), &json!("15.00"))
        );
        assert_eq!(done["listing"]["version"], version + 1);
        assert_eq!(shop.listing(id).await.min_next_bid().unwrap().minor(), 1_500);
        assert_eq!(ask("16.00", version).await["userErrors"][0]["code"], "VERSION_CONFLICT");
        shop.bid(ANN, id, "15.00").await;
        assert_eq!(
            ask("16.00", version + 1).await["userErrors"][0]["code"],
            "HAS_BIDS",
            "a waiting bid counts"
        );
        let foreign = json!({ "id": id, "version": version + 1, "price": "1.00" });
        let foreign = shop.ask(manager(), UPDATE, foreign).await;
        assert_eq!(foreign["data"]["updateListing"]["userErrors"][0]["code"], "NOT_YOUR_LISTING");
    }
}

#[tokio::test]
async fn a_banned_seller_sells_nothing_any_more_and_every_hold_is_released() {
    for shop in Shop::each().await {
        let running = shop.auction(json!({})).await;
        let bid = id_in(&shop.bid(ANN, running, "10.00").await, "bid");
        shop.pump().await;
        let other_item = Uuid::from_u128(0x2);
        shop.books().owners.insert(other_item, SELLER);
        let pending = shop.pending_auction(json!({ "itemId": other_item })).await;
        let banned = envelope(SELLER, Uuid::new_v4(), &UserBanned { reason: "fraud".to_owned() });
        let projections = &Projections::new(std::sync::Arc::clone(&shop.market));
        let banned = &banned;
        let applied = shop.db.transaction(|tx| async move {
            projections
                .handle(&tx, banned)
                .await
                .map_err(|error| kopitiam_kit::SystemError::Unavailable(error.to_string()))
        });
        applied.await.unwrap();
        shop.pump().await;
        assert_eq!(status(&shop, running).await, ListingStatus::Cancelled);
        assert_eq!(status(&shop, pending).await, ListingStatus::Cancelled);
        assert_eq!(hold(&shop, bid), Some(Hold::Released));
        assert!(shop.books().locks.is_empty());
        let create = "mutation($in: FixedPriceInput!) { createFixedPriceListing(input: $in, idempotencyKey: \"k\") { userErrors { code } } }";
        let input = json!({ "in": { "title": "Cup", "price": "1.00", "currency": "USD", "quantity": 1 } });
        let refused = shop.ask(seller(), create, input).await;
        assert_eq!(refused["data"]["createFixedPriceListing"]["userErrors"][0]["code"], "USER_BANNED");
        nothing_is_left_behind(&shop).await;
    }
}
