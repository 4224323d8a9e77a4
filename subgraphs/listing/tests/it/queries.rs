//! What a page costs: one query per kind of thing and batch, however many things are on it.

use crate::support::{SELLER, Shop, id_in, manager, seller, user};
use chrono::{TimeDelta, Utc};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::queries;
use serde_json::{Value, json};
use uuid::Uuid;

const ANN: Uuid = Uuid::from_u128(0xa);

/// Two open listings of each of these products.
async fn listings_of_products(shop: &Shop, products: u128) {
    let create = "mutation($in: FixedPriceInput!, $key: ID!) { createFixedPriceListing(input: $in, idempotencyKey: $key) { userErrors { code } } }";
    for product in 0..products {
        for price in ["7.00", "8.00"] {
            let input = json!({ "productId": Uuid::from_u128(product + 1), "title": "Cup", "price": price,
                "currency": "USD", "quantity": 1 });
            shop.ask(seller(), create, json!({ "in": input, "key": Uuid::new_v4() })).await;
        }
    }
    let seller = shop.db.transaction(|tx| async move {
        kopitiam_listing::store::sellers::save(&tx, SELLER, "Sari's stall").await
    });
    seller.await.expect("the test database works");
}

async fn entities(shop: &Shop, viewer: Viewer, fields: &str, representations: Vec<Value>) -> (Value, usize) {
    let query = format!("query($r: [_Any!]!) {{ _entities(representations: $r) {{ {fields} }} }}");
    let (answer, count) = queries(shop.ask(viewer, &query, json!({ "r": representations }))).await;
    assert!(answer["errors"].is_null(), "{answer}");
    (answer["data"]["_entities"].clone(), count)
}

#[tokio::test]
async fn listings_of_one_product_or_of_twenty_are_the_same_four_queries() {
    for shop in Shop::each().await {
        listings_of_products(&shop, 20).await;
        let fields = "... on Product { lowestListingPrice { amount }
            listings(first: 1) { totalCount pageInfo { hasNextPage } edges { node { id seller { displayName } } } } }";
        for products in [1_u128, 20] {
            let representations = (0..products)
                .map(|product| json!({ "__typename": "Product", "id": Uuid::from_u128(product + 1) }));
            let (found, count) =
                entities(&shop, Viewer::anonymous(), fields, representations.collect()).await;
            for product in found.as_array().unwrap() {
                assert_eq!(product["lowestListingPrice"]["amount"], "7.00");
                assert_eq!(product["listings"]["totalCount"], 2);
                assert_eq!(product["listings"]["pageInfo"]["hasNextPage"], true);
                assert_eq!(product["listings"]["edges"][0]["node"]["seller"]["displayName"], "Sari's stall");
            }
            assert_eq!(count, 4, "pages, totals, lowest prices, names of sellers: for {products} products");
        }
    }
}

#[tokio::test]
async fn ten_auctions_with_bids_cost_seven_queries() {
    for shop in Shop::each().await {
        listings_of_products(&shop, 0).await;
        let mut auctions = Vec::new();
        for item in 0..10 {
            let item = Uuid::from_u128(0x100 + item);
            shop.books().owners.insert(item, SELLER);
            let id = shop.auction(json!({ "itemId": item })).await;
            for amount in ["10.00", "20.00", "30.00"] {
                shop.bid(ANN, id, amount).await;
                shop.pump().await;
            }
            auctions.push(id);
        }
        let fields = "... on AuctionListing { title highestBid { amount { amount } } viewerBid { status } seller { displayName }
            bids(first: 2) { totalCount edges { node { amount { amount } listing { id } } } } }";
        let representations = auctions.iter().map(|id| json!({ "__typename": "AuctionListing", "id": id }));
        let (found, count) = entities(&shop, user(ANN), fields, representations.collect()).await;
        for auction in found.as_array().unwrap() {
            assert_eq!(auction["highestBid"]["amount"]["amount"], "30.00");
            assert_eq!(auction["viewerBid"]["status"], "ACCEPTED");
            assert_eq!(auction["bids"]["totalCount"], 3);
            assert_eq!(auction["bids"]["edges"][1]["node"]["amount"]["amount"], "20.00");
        }
        assert_eq!(
            count, 7,
            "auctions, leaders, own bids, pages of bids, totals of them, the bids' auctions, names of sellers"
        );
        let own = "... on User { bids(first: 25) { edges { node { listing { title } } } } }";
        let (found, count) =
            entities(&shop, manager(), own, vec![json!({ "__typename": "User", "id": ANN })]).await;
        assert_eq!(found[0]["bids"]["edges"].as_array().unwrap().len(), 25);
        assert_eq!(count, 2, "the page of bids, their auctions");
    }
}

#[tokio::test]
async fn a_page_is_counted_only_when_asked() {
    for shop in Shop::each().await {
        listings_of_products(&shop, 3).await;
        for (fields, expected) in [("edges { node { id } }", 1), ("totalCount edges { node { id } }", 2)] {
            let query = format!("{{ listings(first: 2) {{ {fields} }} }}");
            let (answer, count) = queries(shop.ask(Viewer::anonymous(), &query, json!({}))).await;
            assert_eq!(count, expected, "{answer}");
        }
    }
}

#[tokio::test]
async fn the_history_of_bids_pages_by_cursor_and_keeps_its_total() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({ "endsAt": Utc::now() + TimeDelta::days(2) })).await;
        let mut placed = Vec::new();
        for amount in ["10.00", "20.00", "30.00", "40.00", "50.00"] {
            placed.push(id_in(&shop.bid(ANN, id, amount).await, "bid").to_string());
            shop.pump().await;
        }
        placed.reverse();
        let query = "query($id: ID!, $after: String) { listing(id: $id) { ... on AuctionListing {
            bids(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { node { id } } } } } }";
        let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let answer = shop.ask(Viewer::anonymous(), query, json!({ "id": id, "after": after })).await;
            let page = &answer["data"]["listing"]["bids"];
            assert_eq!(page["totalCount"], 5, "{answer}");
            let ids = page["edges"]
                .as_array()
                .unwrap()
                .iter()
                .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned());
            seen.extend(ids);
            pages += 1;
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!((seen, pages), (placed, 3), "newest first");
        let beyond = kopitiam_kit::page::encode_cursor(&(Utc::now() - TimeDelta::days(9), Uuid::nil()));
        let answer = shop.ask(Viewer::anonymous(), query, json!({ "id": id, "after": beyond })).await;
        let page = &answer["data"]["listing"]["bids"];
        assert_eq!(
            (&page["totalCount"], page["edges"].as_array().unwrap().len()),
            (&json!(5), 0),
            "{answer}"
        );
    }
}
