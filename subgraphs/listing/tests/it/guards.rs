//! What stands below the decisions of the service, on SQLite and on PostgreSQL: a row changes only as it was read, the
//! database's own refusals, and copies that change only with the next event.

use std::sync::Arc;

use crate::support::{ITEM, SELLER, Shop, envelope, id_in, seller};
use chrono::{TimeDelta, Utc};
use kopitiam_kafka::messages::user::{SellerOpened, UserBanned, UserUnbanned};
use kopitiam_kafka::{Envelope, Message};
use kopitiam_kit::consumer::Handler;
use kopitiam_kit::errors::is_unique_violation;
use kopitiam_kit::{SystemError, Tx};
use kopitiam_listing::domain::bid::BidStatus;
use kopitiam_listing::domain::listing::ListingStatus;
use kopitiam_listing::projections::Projections;
use kopitiam_listing::store::listings::{self, Change};
use kopitiam_listing::store::locks::{self, Lock, LockState, Terms};
use kopitiam_listing::store::{bids, sellers};
use serde_json::json;
use uuid::Uuid;

const ANN: Uuid = Uuid::from_u128(0xa);

async fn hear(shop: &Shop, event: &Envelope) -> Result<(), SystemError> {
    let projections = &Projections::new(Arc::clone(&shop.market));
    let apply = |tx| async move {
        projections.handle(&tx, event).await.map_err(|error| SystemError::Invariant(error.to_string()))
    };
    shop.db.transaction(apply).await
}

fn event<M: Message>(about: Uuid, version: i64, payload: &M) -> Envelope {
    Envelope { aggregate_version: version, ..envelope(about, Uuid::new_v4(), payload) }
}

fn banned() -> UserBanned {
    UserBanned { reason: "fraud".to_owned() }
}

#[tokio::test]
async fn of_two_changes_of_a_listing_as_both_read_it_one_is_made() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let read = &shop.listing(id).await;
        let change = |title: &'static str| {
            let change = move |tx: Tx| async move {
                listings::change(&tx, read, Change::Terms(title, read.ask_price)).await
            };
            shop.db.transaction(change)
        };
        let (one, other) = tokio::join!(change("one"), change("other"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one, other, "exactly one");
        let now = shop.listing(id).await;
        assert_eq!((now.title.as_str(), now.version), (if one { "one" } else { "other" }, read.version + 1));
    }
}

#[tokio::test]
async fn a_bid_leaves_a_status_once() {
    for shop in Shop::each().await {
        let auction = shop.auction(json!({})).await;
        let id = id_in(&shop.bid(ANN, auction, "10.00").await, "bid");
        let refuse = async || {
            let (from, to) = (BidStatus::Pending, BidStatus::Rejected);
            let refuse = |tx: Tx| async move { bids::move_on(&tx, id, from, to, Some("TEST")).await };
            shop.db.transaction(refuse).await.unwrap()
        };
        assert!(refuse().await);
        assert!(!refuse().await);
        let lead = |tx: Tx| async move {
            bids::move_on(&tx, id, BidStatus::Pending, BidStatus::Accepted, None).await
        };
        assert!(!shop.db.transaction(lead).await.unwrap(), "a refused bid never leads");
        assert_eq!(shop.bid_row(id).await.code.as_deref(), Some("TEST"));
    }
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_holder_of_a_listing() {
    for shop in Shop::each().await {
        let listing_id = shop.auction(json!({})).await;
        let price = shop.listing(listing_id).await.ask_price;
        let keep = async |state: LockState| {
            let terms = Terms { buyer_id: ANN, price, until: Utc::now() + TimeDelta::minutes(15) };
            let lock = &Lock { order_id: Uuid::new_v4(), listing_id, state, terms: Some(terms) };
            shop.db.transaction(|tx| async move { locks::insert(&tx, lock).await }).await
        };
        keep(LockState::Sold).await.unwrap();
        keep(LockState::Lapsed).await.unwrap();
        keep(LockState::Held).await.unwrap();
        let Err(SystemError::Database(refused)) = keep(LockState::Held).await else { panic!("two hold it") };
        assert!(is_unique_violation(&refused), "{refused}");
    }
}

#[tokio::test]
async fn an_item_that_is_won_and_not_yet_handed_over_is_under_no_second_auction() {
    for shop in Shop::each().await {
        let auction = shop.auction(json!({ "buyNowPrice": "50.00" })).await;
        shop.bid(ANN, auction, "50.00").await;
        shop.pump_once(|command| command.message_type == "HoldFunds").await;
        assert_eq!(shop.listing(auction).await.status, ListingStatus::Settling);
        let create = "mutation($in: AuctionInput!, $key: ID!) { createAuction(input: $in, idempotencyKey: $key) { userErrors { code } } }";
        let input = json!({ "itemId": ITEM, "title": "Again", "startPrice": "10.00", "currency": "USD",
            "endsAt": Utc::now() + TimeDelta::days(1) });
        let refused = shop.ask(seller(), create, json!({ "in": input, "key": "k" })).await;
        assert_eq!(
            refused["data"]["createAuction"]["userErrors"][0]["code"], "ITEM_ALREADY_LISTED",
            "{refused}"
        );
    }
}

#[tokio::test]
async fn who_is_banned_places_no_bid() {
    for shop in Shop::each().await {
        let auction = shop.auction(json!({})).await;
        hear(&shop, &event(ANN, 1, &banned())).await.unwrap();
        let refused = shop.bid(ANN, auction, "10.00").await;
        assert_eq!(refused["userErrors"][0]["code"], "USER_BANNED", "{refused}");
        assert_eq!(shop.rows("bid").await, 0);
        hear(&shop, &event(ANN, 2, &UserUnbanned {})).await.unwrap();
        id_in(&shop.bid(ANN, auction, "10.00").await, "bid");
    }
}

#[tokio::test]
async fn a_name_and_a_ban_wait_for_the_event_before_and_an_old_one_changes_nothing() {
    for shop in Shop::each().await {
        let named = |version: i64| {
            let (handle, display_name) = ("sari".to_owned(), format!("Stall {version}"));
            event(SELLER, version, &SellerOpened { handle, display_name, bio: None })
        };
        let ban = event(SELLER, 2, &banned());
        hear(&shop, &named(1)).await.unwrap();
        let early = hear(&shop, &named(3)).await.unwrap_err().to_string();
        assert!(early.contains("version gap: at 1, got 3"), "{early}");
        hear(&shop, &ban).await.unwrap();
        assert!(sellers::is_banned(shop.db.read(), SELLER).await.unwrap());
        for next in [event(SELLER, 3, &UserUnbanned {}), named(4), ban, named(1)] {
            hear(&shop, &next).await.unwrap();
        }
        assert!(!sellers::is_banned(shop.db.read(), SELLER).await.unwrap(), "the old ban came late");
        let names = sellers::names(shop.db.read(), &[SELLER]).await.unwrap();
        assert_eq!(names[&SELLER], "Stall 4");
    }
}
