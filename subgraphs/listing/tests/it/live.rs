//! Live listings and bids, also of changes that another process over the same database makes; who sees which bid.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Shop, id_in, manager, seller, user};
use async_graphql::{Request, Variables};
use axum::body::Body;
use axum::http;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use http_body_util::BodyExt;
use kopitiam_kafka::Topic;
use kopitiam_kit::Db;
use kopitiam_kit::auth::{Denylist, Verifier, Viewer};
use kopitiam_kit::live::{self, Hub};
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::testing::{TestTokens, auth_config};
use kopitiam_listing::app::{self, ListingSchema};
use kopitiam_listing::commands::Market;
use kopitiam_listing::domain::auction::Rules;
use kopitiam_listing::graphql::loaders::Loaders;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

const ANN: Uuid = Uuid::from_u128(0xa);
const BEN: Uuid = Uuid::from_u128(0xb);
const LISTING: &str = "subscription($id: ID!) { listingChanged(id: $id) { status version ... on AuctionListing { bidCount } } }";
const BIDS: &str = "subscription($id: ID!) { bidChanged(listingId: $id) { id status statusReason isViewer bidderLabel bidder { id } } }";

/// The service in another process over the same database.
struct Elsewhere {
    schema: ListingSchema,
    db: Db,
    stop: CancellationToken,
}

impl Elsewhere {
    async fn over(shop: &Shop) -> Self {
        let db = Db::connect(shop.db.url()).await.expect("the test database works");
        let (hub, stop) = (Hub::default(), CancellationToken::new());
        let market = Arc::new(Market::new(db.clone(), hub.clone(), Rules::default()));
        let pause = Duration::from_millis(20);
        tokio::spawn(live::follow(hub, db.clone(), Topic::ListingEvents, "listing", pause, stop.clone()));
        Self { schema: app::schema(market), db, stop }
    }

    fn subscribe(&self, viewer: Viewer, query: &str, id: Uuid) -> BoxStream<'static, Value> {
        let variables = Variables::from_json(json!({ "id": id }));
        let request = Request::new(query).variables(variables).data(viewer).data(Loaders::new(&self.db));
        let stream = self.schema.execute_stream(request);
        stream.map(|response| serde_json::to_value(response).expect("a response is JSON")).boxed()
    }
}

async fn next(stream: &mut BoxStream<'static, Value>) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(30), stream.next()).await;
    let told = told.expect("it is told within half a minute").expect("the stream goes on");
    assert!(told["errors"].is_null(), "{told}");
    told["data"].clone()
}

#[tokio::test]
async fn a_listing_is_shown_at_once_and_after_every_change_in_whichever_process() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let elsewhere = Elsewhere::over(&shop).await;
        let mut stream = elsewhere.subscribe(Viewer::anonymous(), LISTING, id);
        assert_eq!(next(&mut stream).await["listingChanged"]["bidCount"], 0);
        shop.bid(ANN, id, "10.00").await;
        shop.pump().await;
        assert_eq!(
            next(&mut stream).await["listingChanged"]["bidCount"],
            1,
            "the waiting bid changes nothing of it"
        );
        shop.end(id, shop.ends_at(id).await).await;
        assert_eq!(next(&mut stream).await["listingChanged"]["status"], "SETTLING");
        elsewhere.stop.cancel();
    }
}

#[tokio::test]
async fn bids_are_told_without_their_bidder_and_those_that_never_led_only_to_theirs() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        let first = id_in(&shop.bid(ANN, id, "10.00").await, "bid").to_string();
        shop.pump().await;
        let elsewhere = Elsewhere::over(&shop).await;
        let mut bens = elsewhere.subscribe(user(BEN), BIDS, id);
        let mut visitors = elsewhere.subscribe(Viewer::anonymous(), BIDS, id);
        for stream in [&mut bens, &mut visitors] {
            let leader = next(stream).await["bidChanged"].clone();
            assert_eq!((&leader["id"], &leader["status"]), (&json!(first), &json!("ACCEPTED")));
            assert_eq!((&leader["bidder"], &leader["isViewer"]), (&Value::Null, &json!(false)));
        }
        let second = id_in(&shop.bid(BEN, id, "20.00").await, "bid").to_string();
        let waiting = next(&mut bens).await["bidChanged"].clone();
        assert_eq!((&waiting["id"], &waiting["status"]), (&json!(second), &json!("PENDING")));
        assert_eq!((&waiting["bidder"]["id"], &waiting["isViewer"]), (&json!(BEN), &json!(true)));
        assert!(visitors.next().now_or_never().is_none(), "a bid that waits is its bidder's own affair");
        shop.pump().await;
        for stream in [&mut bens, &mut visitors] {
            let passed = next(stream).await["bidChanged"].clone();
            assert_eq!((&passed["id"], &passed["status"]), (&json!(first), &json!("OUTBID")));
            let leads = next(stream).await["bidChanged"].clone();
            assert_eq!((&leads["id"], &leads["status"]), (&json!(second), &json!("ACCEPTED")));
        }
        elsewhere.stop.cancel();
    }
}

#[tokio::test]
async fn watching_what_is_not_there_is_refused() {
    let shop = Shop::sqlite().await;
    let elsewhere = Elsewhere::over(&shop).await;
    for query in [LISTING, BIDS] {
        let mut stream = elsewhere.subscribe(Viewer::anonymous(), query, Uuid::from_u128(404));
        let told = stream.next().await.expect("an error is told");
        assert_eq!(told["errors"][0]["extensions"]["code"], "NOT_FOUND", "{told}");
    }
    elsewhere.stop.cancel();
}

#[tokio::test]
async fn nobody_reaches_anothers_bid_by_its_id_or_sees_why_it_failed() {
    for shop in Shop::each().await {
        let id = shop.auction(json!({})).await;
        shop.books().available.insert(ANN, 0);
        let bid = id_in(&shop.bid(ANN, id, "10.00").await, "bid");
        shop.pump().await;
        let query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Bid { amount { amount } statusReason bidder { id } } } }";
        let representations = json!({ "r": [{ "__typename": "Bid", "id": bid }] });
        for (viewer, sees) in [
            (Viewer::anonymous(), false),
            (user(BEN), false),
            (seller(), false),
            (user(ANN), true),
            (manager(), true),
        ] {
            let answer = shop.ask(viewer, query, representations.clone()).await;
            let found = &answer["data"]["_entities"][0];
            assert_eq!(!found.is_null(), sees, "{answer}");
            if sees {
                assert_eq!(
                    (&found["statusReason"], &found["bidder"]["id"]),
                    (&json!("INSUFFICIENT_FUNDS"), &json!(ANN))
                );
            }
        }
        let history = "query($id: ID!) { listing(id: $id) { ... on AuctionListing { bids(first: 5) { totalCount } highestBid { id } } } }";
        let shown = shop.ask(user(BEN), history, json!({ "id": id })).await;
        assert_eq!(
            shown["data"]["listing"]["bids"]["totalCount"], 0,
            "a bid that never led is not in the history"
        );
    }
}

#[tokio::test]
async fn live_listings_and_bids_end_with_the_token_they_were_asked_for_with() {
    let shop = Shop::sqlite().await;
    let id = shop.auction(json!({})).await;
    let (tokens, denylist) = (TestTokens::new(), Denylist::default());
    let verifier = Verifier::new(auth_config(&tokens)).with_denylist(denylist.clone());
    let loaders_db = shop.db.db().clone();
    let schema = app::schema(Arc::clone(&shop.market));
    let router = Endpoint::new(schema, Arc::new(verifier), shop.db.db().clone(), CancellationToken::new())
        .per_request(move |request| request.data(Loaders::new(&loaders_db)))
        .router();
    let listen = |token: String, query: &'static str| {
        let body = json!({ "query": query, "variables": { "id": id } });
        let request = http::Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body.to_string()))
            .expect("a request");
        let router = router.clone();
        async move { router.oneshot(request).await.expect("it answers").into_body() }
    };
    let ended = async |mut stream: Body| {
        let ended = async { while stream.frame().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the stream ends");
    };
    for query in [LISTING, BIDS] {
        let user = Uuid::now_v7();
        let stream = listen(tokens.issue(user, &["USER"], "self"), query).await;
        denylist.deny(user, kopitiam_kit::time::now());
        ended(stream).await;

        let now = kopitiam_kit::time::now().timestamp();
        let short = tokens.sign(&json!({ "sub": Uuid::now_v7(), "iss": "kopitiam", "aud": "kopitiam", "iat": now, "exp": now + 1 }));
        ended(listen(short, query).await).await;
    }
}
