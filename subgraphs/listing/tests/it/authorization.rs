//! Who may read and do what: every field of every type of the schema, and every root field, for each kind of viewer. A field
//! that nobody decided about fails the test.

use crate::support::{SELLER, Shop, id_in, manager, seller, user};
use async_graphql::Request;
use futures::StreamExt;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{assert_decided, error_codes};
use kopitiam_listing::app;
use kopitiam_listing::graphql::loaders::Loaders;
use serde_json::json;
use uuid::Uuid;

const ANN: Uuid = Uuid::from_u128(0xa);
const BEN: Uuid = Uuid::from_u128(0xb);

/// Who reads the fields of a type: everybody, but for those that the test below names.
const DECIDED: &[(&str, &str)] = &[
    (
        "AuctionListing",
        "askPrice bidCount bids buyNowPrice createdAt currentPrice endsAt highestBid id item minNextBid reserveMet seller serverNow startPrice status title version viewerBid winner",
    ),
    ("Bid", "amount bidder bidderLabel id isViewer listing placedAt status statusReason"),
    (
        "FixedPriceListing",
        "askPrice createdAt id price product quantity reservedUntil seller status title version viewerHasReservation",
    ),
    ("Item", "activeListing id"),
    ("Listing", "askPrice createdAt id seller status title version"),
    ("Money", "amount currency"),
    ("PageInfo", "endCursor hasNextPage hasPreviousPage startCursor"),
    ("Product", "id listings lowestListingPrice price resaleDiscountPercent"),
    ("Seller", "displayName id listings"),
    (
        "ServiceListing",
        "askPrice createdAt deposit description durationMinutes id price seller status title version",
    ),
    ("User", "bids id"),
    ("UserError", "code field message"),
];

/// Root fields; `""`: everybody, `self`: a person signed in.
const ROOTS: &[(&str, &str, &str)] = &[
    ("listing", "{ listing(id: \"x\") { id } }", ""),
    ("listings", "{ listings(first: 1) { totalCount } }", ""),
    ("listingChanged", "subscription { listingChanged(id: \"AUCTION\") { id } }", ""),
    ("bidChanged", "subscription { bidChanged(listingId: \"AUCTION\") { id } }", ""),
    (
        "createAuction",
        "mutation { createAuction(input: { itemId: \"x\", title: \"\", startPrice: \"1\", currency: \"USD\", endsAt: \"2026-01-01T00:00:00Z\" }, idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "createFixedPriceListing",
        "mutation { createFixedPriceListing(input: { title: \"\", price: \"1\", currency: \"USD\", quantity: 1 }, idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "createServiceListing",
        "mutation { createServiceListing(input: { title: \"\", description: \"\", price: \"1\", depositPercent: 0, currency: \"USD\" }, idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "updateListing",
        "mutation { updateListing(id: \"x\", expectedVersion: 1) { userErrors { code } } }",
        "self",
    ),
    (
        "cancelListing",
        "mutation { cancelListing(id: \"x\", expectedVersion: 1) { userErrors { code } } }",
        "self",
    ),
    (
        "placeBid",
        "mutation { placeBid(listingId: \"x\", amount: \"1\", currency: \"USD\", idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
];

/// Everybody who looks: their name, whether they bid, and whether they manage.
fn lookers() -> Vec<(&'static str, Viewer)> {
    vec![
        ("a visitor", Viewer::anonymous()),
        ("another user", user(Uuid::from_u128(0xeee))),
        ("a service", Viewer::test(Uuid::now_v7(), &["SERVICE"], "listing:lock")),
        ("the seller", seller()),
        ("the leader", user(BEN)),
        ("who was passed", user(ANN)),
        ("a manager", manager()),
    ]
}

fn refused(who: &Viewer) -> &'static str {
    if who.identity().is_some() { "FORBIDDEN" } else { "UNAUTHENTICATED" }
}

#[test]
fn every_field_of_every_type_is_decided_about() {
    assert_decided(&app::sdl(), DECIDED, ROOTS.iter().map(|(name, ..)| *name));
}

#[tokio::test]
async fn every_root_field_is_for_those_with_its_scope_and_nobody_else() {
    for shop in Shop::each().await {
        let auction = shop.auction(json!({})).await;
        shop.bid(ANN, auction, "10.00").await;
        shop.pump().await;
        for (name, who) in lookers() {
            for (field, query, scope) in ROOTS {
                let query = query
                    .replace("AUCTION", &auction.to_string())
                    .replace("KEY", &Uuid::now_v7().to_string());
                // A program is nobody who could sell or bid.
                let may = scope.is_empty() || who.identity().is_some() && !who.has_role("SERVICE");
                let expected = if may { Vec::new() } else { vec![refused(&who)] };
                let answer = if query.starts_with("subscription") {
                    let request = Request::new(query.as_str()).data(who.clone()).data(Loaders::new(&shop.db));
                    serde_json::to_value(shop.schema.execute_stream(request).boxed().next().await).unwrap()
                } else {
                    shop.ask(who.clone(), &query, json!({})).await
                };
                assert_eq!(error_codes(&answer), expected, "{name} uses {field}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn who_bid_and_won_is_seen_by_whom_it_concerns_and_everything_else_by_everybody() {
    let query = "query($r: [_Any!]!) { _entities(representations: $r) {
        ... on AuctionListing { askPrice { amount } bidCount bids(first: 9) { totalCount edges { node { id amount { amount } bidderLabel
            placedAt status } } } buyNowPrice { amount } createdAt currentPrice { amount } endsAt highestBid { id } item { id }
            minNextBid { amount } reserveMet serverNow startPrice { amount } status title version
            winner { id } viewerBid { status } whoBid: bids(first: 9) { edges { node { bidder { id } isViewer } } } } } }";
    for shop in Shop::each().await {
        let auction = shop.auction(json!({ "buyNowPrice": "40.00" })).await;
        shop.bid(ANN, auction, "10.00").await;
        shop.pump().await;
        let refused_bid = id_in(&shop.bid(ANN, auction, "30.00").await, "bid");
        let late = shop.answers("HoldFunds").await;
        id_in(&shop.bid(BEN, auction, "40.00").await, "bid");
        shop.pump().await;
        for answer in &late {
            shop.deliver(answer).await;
        }
        shop.pump().await;
        let mut public = Vec::new();
        for (name, who) in lookers() {
            let variables = json!({ "r": [{ "__typename": "AuctionListing", "id": auction }] });
            let mut answer = shop.ask(who.clone(), query, variables).await;
            assert_eq!(error_codes(&answer), Vec::<&str>::new(), "{name}: {answer}");
            let mut seen = answer["data"]["_entities"][0].take();
            let is_manager = who.has_scope("users:read");
            let winner = &seen["winner"]["id"];
            let may = is_manager || who.is_user(SELLER) || who.is_user(BEN);
            assert_eq!(*winner == json!(BEN), may, "{name} reads the winner: {seen}");
            let own = who.is_user(ANN) || who.is_user(BEN);
            assert_eq!(!seen["viewerBid"].is_null(), own, "{name} reads an own bid: {seen}");
            for edge in seen["whoBid"]["edges"].as_array().unwrap() {
                let bidder = &edge["node"]["bidder"]["id"];
                let is_own = edge["node"]["isViewer"] == true;
                assert_eq!(!bidder.is_null(), is_manager || is_own, "{name} reads a bidder: {edge}");
            }
            for private in ["winner", "viewerBid", "whoBid", "serverNow"] {
                seen.as_object_mut().unwrap().remove(private);
            }
            public.push(seen);

            let bid = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Bid { amount { amount } statusReason } } }";
            let variables = json!({ "r": [{ "__typename": "Bid", "id": refused_bid }] });
            let answer = shop.ask(who.clone(), bid, variables).await;
            let seen = &answer["data"]["_entities"][0];
            assert_eq!(
                !seen.is_null(),
                is_manager || who.is_user(ANN),
                "{name} reads a bid that never led: {answer}"
            );

            let bids = "query($r: [_Any!]!) { _entities(representations: $r) { ... on User { bids(first: 1) { totalCount } } } }";
            let answer =
                shop.ask(who.clone(), bids, json!({ "r": [{ "__typename": "User", "id": ANN }] })).await;
            let may = is_manager || who.is_user(ANN);
            let expected = if may { Vec::new() } else { vec![refused(&who)] };
            assert_eq!(error_codes(&answer), expected, "{name} reads the bids of another: {answer}");
        }
        assert!(public.windows(2).all(|pair| pair[0] == pair[1]), "everybody sees the same of it");
    }
}
