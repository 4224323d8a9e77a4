//! What clients may ask of the service, on SQLite and on PostgreSQL.

use crate::support::{SELLER, Shop, seller};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::auth::Viewer;
use kopitiam_listing::domain::bid::{Bid, BidStatus};
use kopitiam_listing::{seed, store};
use serde_json::{Value, json};
use uuid::Uuid;

/// Listings that the seed writes.
const SEEDED: usize = 55;
const CREATE_FIXED: &str = "mutation($in: FixedPriceInput!, $key: ID!) { createFixedPriceListing(input: $in, idempotencyKey: $key) {
    listing { id status askPrice { amount currency } ... on FixedPriceListing { price { amount } product { id } } }
    userErrors { code field } } }";
const CREATE_AUCTION: &str = "mutation($in: AuctionInput!, $key: ID!) { createAuction(input: $in, idempotencyKey: $key) {
    listing { id status ... on AuctionListing { minNextBid { amount } reserveMet bidCount item { id } } } userErrors { code field } } }";

fn fixed(price: &str, quantity: i64) -> Value {
    json!({ "title": "Cup", "price": price, "currency": "USD", "quantity": quantity, "productId": Uuid::from_u128(9) })
}

fn auction(item: u128, ends_at: DateTime<Utc>) -> Value {
    json!({ "itemId": Uuid::from_u128(item), "title": "Sign", "startPrice": "10.00", "reservePrice": "20.00",
        "currency": "USD", "endsAt": ends_at })
}

#[tokio::test]
async fn a_seller_lists_at_a_fixed_price_and_everybody_reads_it() {
    for shop in Shop::each().await {
        let made = shop.ask(seller(), CREATE_FIXED, json!({ "in": fixed("12.5", 3), "key": "k1" })).await;
        let listing = &made["data"]["createFixedPriceListing"]["listing"];
        assert_eq!(listing["status"], "ACTIVE", "{made}");
        assert_eq!(listing["price"]["amount"], "12.50");
        let query = "query($id: ID!) { listing(id: $id) { __typename id title } }";
        let read = shop.ask(Viewer::anonymous(), query, json!({ "id": listing["id"] })).await;
        assert_eq!(read["data"]["listing"]["__typename"], "FixedPriceListing");
        assert_eq!(shop.rows("kit_outbox").await, 1, "ListingCreated is in the outbox");
    }
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_listing_and_another_request_with_it_is_refused() {
    for shop in Shop::each().await {
        let variables = json!({ "in": fixed("12.50", 3), "key": "k1" });
        let first = shop.ask(seller(), CREATE_FIXED, variables.clone()).await;
        let second = shop.ask(seller(), CREATE_FIXED, variables).await;
        assert_eq!(first, second);
        let other = shop.ask(seller(), CREATE_FIXED, json!({ "in": fixed("9.00", 3), "key": "k1" })).await;
        assert_eq!(other["data"]["createFixedPriceListing"]["userErrors"][0]["code"], "IDEMPOTENCY_MISMATCH");
        assert_eq!(shop.rows("listing").await, 1);
    }
}

#[tokio::test]
async fn bad_input_is_told_by_field_and_writes_nothing() {
    for shop in Shop::each().await {
        for (input, code, field) in [
            (fixed("0", 3), "INVALID_INPUT", "price"),
            (fixed("-1.00", 3), "INVALID_INPUT", "price"),
            (fixed("1.005", 3), "INVALID_AMOUNT", "price"),
            (fixed("1e9", 3), "INVALID_AMOUNT", "price"),
            (fixed("1.00", -1), "INVALID_INPUT", "quantity"),
            (
                json!({ "title": " ", "price": "1.00", "currency": "USD", "quantity": 1 }),
                "INVALID_INPUT",
                "title",
            ),
            (
                json!({ "title": "x", "price": "1.00", "currency": "XXX", "quantity": 1 }),
                "UNKNOWN_CURRENCY",
                "currency",
            ),
        ] {
            let key = Uuid::new_v4();
            let answer = shop.ask(seller(), CREATE_FIXED, json!({ "in": input, "key": key })).await;
            let error = &answer["data"]["createFixedPriceListing"]["userErrors"][0];
            assert_eq!(
                (&error["code"], &error["field"][1]),
                (&json!(code), &json!(field)),
                "{input}: {answer}"
            );
        }
        assert_eq!((shop.rows("listing").await, shop.rows("kit_outbox").await), (0, 0));
    }
}

#[tokio::test]
async fn who_is_not_logged_in_or_no_seller_lists_nothing() {
    for shop in Shop::each().await {
        let variables = json!({ "in": fixed("1.00", 1), "key": "k" });
        let visitor = shop.ask(Viewer::anonymous(), CREATE_FIXED, variables.clone()).await;
        assert_eq!(visitor["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{visitor}");
        let buyer = shop.ask(Viewer::test(SELLER, &["USER"], ""), CREATE_FIXED, variables).await;
        assert_eq!(buyer["data"]["createFixedPriceListing"]["userErrors"][0]["code"], "NOT_A_SELLER");
        assert_eq!(shop.rows("listing").await, 0);
    }
}

#[tokio::test]
async fn an_item_is_under_one_open_auction_at_most() {
    for shop in Shop::each().await {
        let ends_at = Utc::now() + TimeDelta::days(1);
        let made = shop.ask(seller(), CREATE_AUCTION, json!({ "in": auction(7, ends_at), "key": "a" })).await;
        let listing = &made["data"]["createAuction"]["listing"];
        assert_eq!(
            (&listing["status"], &listing["minNextBid"]["amount"]),
            (&json!("PENDING"), &json!("10.00")),
            "{made}"
        );
        assert_eq!(shop.rows("kit_outbox").await, 2, "ListingCreated and LockItem");
        let again =
            shop.ask(seller(), CREATE_AUCTION, json!({ "in": auction(7, ends_at), "key": "b" })).await;
        assert_eq!(again["data"]["createAuction"]["userErrors"][0]["code"], "ITEM_ALREADY_LISTED", "{again}");
        assert_eq!((shop.rows("listing").await, shop.rows("kit_outbox").await), (1, 2));
    }
}

#[tokio::test]
async fn pages_of_every_order_show_each_listing_once() {
    for shop in Shop::each().await {
        seed::seed(shop.db.db(), Utc::now()).await.unwrap();
        seed::seed(shop.db.db(), Utc::now()).await.unwrap();
        let query = "query($sort: ListingSort, $after: String) { listings(sort: $sort, first: 4, after: $after,
            filter: { statuses: [PENDING, ACTIVE] }) { totalCount edges { node { id } } pageInfo { hasNextPage endCursor } } }";
        for sort in ["ENDING_SOON", "NEWEST", "PRICE_ASC", "PRICE_DESC"] {
            let (mut seen, mut after) = (Vec::new(), Value::Null);
            loop {
                let answer =
                    shop.ask(Viewer::anonymous(), query, json!({ "sort": sort, "after": after })).await;
                let page = &answer["data"]["listings"];
                assert_eq!(page["totalCount"], SEEDED, "{answer}");
                seen.extend(
                    page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["id"].to_string()),
                );
                if page["pageInfo"]["hasNextPage"] == json!(false) {
                    break;
                }
                after = page["pageInfo"]["endCursor"].clone();
            }
            assert_eq!(seen.len(), SEEDED, "{sort}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), SEEDED, "{sort}: a listing came twice");
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_order_is_bad_input() {
    for shop in Shop::each().await {
        seed::seed(shop.db.db(), Utc::now()).await.unwrap();
        let query =
            "query($sort: ListingSort, $after: String) { listings(sort: $sort, first: 2, after: $after,
            filter: { statuses: [PENDING, ACTIVE] }) { pageInfo { endCursor } } }";
        let newest = shop.ask(Viewer::anonymous(), query, json!({ "sort": "NEWEST" })).await;
        let after = &newest["data"]["listings"]["pageInfo"]["endCursor"];
        let cheapest =
            shop.ask(Viewer::anonymous(), query, json!({ "sort": "PRICE_ASC", "after": after })).await;
        assert_eq!(cheapest["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{cheapest}");
    }
}

#[tokio::test]
async fn entities_are_answered_in_order_with_null_for_a_missing_row() {
    for shop in Shop::each().await {
        let made = shop.ask(seller(), CREATE_FIXED, json!({ "in": fixed("7.50", 1), "key": "k" })).await;
        let id = &made["data"]["createFixedPriceListing"]["listing"]["id"];
        let query = "query($r: [_Any!]!) { _entities(representations: $r) { __typename
            ... on Listing { title } ... on FixedPriceListing { price { amount } }
            ... on Product { lowestListingPrice { amount } resaleDiscountPercent listings(first: 5) { totalCount } } } }";
        let representations = json!([
            { "__typename": "FixedPriceListing", "id": Uuid::from_u128(404) },
            { "__typename": "FixedPriceListing", "id": id },
            { "__typename": "Listing", "id": id },
            { "__typename": "Product", "id": Uuid::from_u128(9), "price": { "amount": "10.00", "currency": "USD" } },
            { "__typename": "AuctionListing", "id": id },
            { "__typename": "Listing", "id": "nonsense" },
        ]);
        let answer = shop.ask(Viewer::anonymous(), query, json!({ "r": representations })).await;
        let entities = answer["data"]["_entities"].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!((&entities[0], &entities[4], &entities[5]), (&Value::Null, &Value::Null, &Value::Null));
        assert_eq!(entities[1]["price"]["amount"], "7.50");
        assert_eq!(
            (&entities[2]["__typename"], &entities[2]["title"]),
            (&json!("FixedPriceListing"), &json!("Cup"))
        );
        let product = json!({ "__typename": "Product", "lowestListingPrice": { "amount": "7.50" },
            "resaleDiscountPercent": 25, "listings": { "totalCount": 1 } });
        assert_eq!(entities[3], product);
    }
}

#[tokio::test]
async fn who_bid_is_seen_by_the_bidder_and_managers_only() {
    for shop in Shop::each().await {
        let ends_at = Utc::now() + TimeDelta::days(1);
        let made = shop.ask(seller(), CREATE_AUCTION, json!({ "in": auction(7, ends_at), "key": "a" })).await;
        let id = made["data"]["createAuction"]["listing"]["id"].as_str().unwrap().to_owned();
        let bidder = Uuid::from_u128(0xb1d);
        let bid = Bid {
            id: Uuid::now_v7(),
            listing_id: Uuid::parse_str(&id).unwrap(),
            bidder_id: bidder,
            amount: kopitiam_kit::Money::new(1_000, kopitiam_kit::money::Currency::USD),
            placed_at: kopitiam_kit::time::now(),
            status: BidStatus::Accepted,
            code: None,
        };
        let bid = &bid;
        let wrote = shop.db.transaction(|tx| async move { store::bids::insert(&tx, bid).await });
        wrote.await.unwrap();
        let query = "query($id: ID!) { listing(id: $id) { ... on AuctionListing {
            viewerBid { status } bids(first: 5) { edges { node { bidder { id } isViewer bidderLabel } } } } } }";
        let manager = Viewer::test(Uuid::from_u128(1), &["MANAGER"], "users:read");
        for (viewer, sees, is_own) in [
            (Viewer::anonymous(), false, false),
            (seller(), false, false),
            (Viewer::test(bidder, &["USER"], ""), true, true),
            (manager, true, false),
        ] {
            let answer = shop.ask(viewer, query, json!({ "id": id })).await;
            let node = &answer["data"]["listing"]["bids"]["edges"][0]["node"];
            assert_eq!((node["bidder"].is_null(), &node["isViewer"]), (!sees, &json!(is_own)), "{answer}");
            assert_eq!(answer["data"]["listing"]["viewerBid"].is_null(), !is_own);
            assert!(!node["bidderLabel"].as_str().unwrap().contains("b1d"));
        }
        let own = "query($r: [_Any!]!) { _entities(representations: $r) { ... on User { bids(first: 3) { totalCount } } } }";
        let representations = json!({ "r": [{ "__typename": "User", "id": bidder }] });
        let other = shop.ask(seller(), own, representations.clone()).await;
        assert_eq!(other["errors"][0]["extensions"]["code"], "FORBIDDEN", "{other}");
        let mine = shop.ask(Viewer::test(bidder, &["USER"], ""), own, representations).await;
        assert_eq!(mine["data"]["_entities"][0]["bids"]["totalCount"], 1);
    }
}
