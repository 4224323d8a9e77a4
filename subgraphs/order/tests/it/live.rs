//! Live orders and bookings: what is told first, what another process over the same database changes, when a stream ends.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use kopitiam_kafka::messages::listing::ListingKind;
use kopitiam_kit::auth::{Denylist, Verifier, Viewer};
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::testing::{TestTokens, auth_config};
use kopitiam_kit::{Db, time};
use kopitiam_order::commands::Shop;
use kopitiam_order::graphql::{self, OrderSchema, loaders};
use kopitiam_order::live;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::support::{ADA, BOB, Bench, SITI, benches, user};

const ORDER: &str = "subscription($id: ID!) { changed: orderChanged(id: $id) { status version } }";
const BOOKING: &str = "subscription($id: ID!) { changed: bookingChanged(id: $id) { state version } }";
const SERVICE: Uuid = Uuid::from_u128(0x5e1);

/// The service in another process over the same database.
struct Elsewhere {
    schema: OrderSchema,
    db: Db,
    stop: CancellationToken,
}

impl Elsewhere {
    async fn over(bench: &Bench) -> Self {
        let db = Db::connect(bench.db.url()).await.unwrap();
        let (shop, stop) = (Arc::new(Shop::new(db.clone())), CancellationToken::new());
        tokio::spawn(live::follow(Arc::clone(&shop), Duration::from_millis(20), stop.clone()));
        Self { schema: graphql::schema(shop), db, stop }
    }

    fn subscribe(&self, viewer: Viewer, query: &str, id: Uuid) -> BoxStream<'static, Value> {
        let variables = async_graphql::Variables::from_json(json!({ "id": id }));
        let request = async_graphql::Request::new(query).variables(variables);
        let request = request.data(viewer).data(loaders::loader(self.db.clone()));
        let stream = self.schema.execute_stream(request);
        stream.map(|response| serde_json::to_value(response).unwrap()).boxed()
    }

    /// A server of this process, for streams as clients have them.
    fn router(&self, tokens: &TestTokens, denylist: Denylist) -> axum::Router {
        let verifier = Arc::new(Verifier::new(auth_config(tokens)).with_denylist(denylist));
        let reads = self.db.clone();
        Endpoint::new(self.schema.clone(), verifier, self.db.clone(), self.stop.clone())
            .per_request(move |request| request.data(loaders::loader(reads.clone())))
            .router()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn next(stream: &mut BoxStream<'static, Value>) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(30), stream.next()).await;
    let told = told.expect("it is told within half a minute").expect("the stream goes on");
    assert!(told["errors"].is_null(), "{told}");
    told["data"]["changed"].clone()
}

#[tokio::test]
async fn an_order_is_shown_at_once_and_after_every_step_in_whichever_process() {
    for bench in benches().await {
        let order = bench.place().await;
        let elsewhere = Elsewhere::over(&bench).await;
        let mut stream = elsewhere.subscribe(user(BOB), ORDER, order);
        assert_eq!(next(&mut stream).await, json!({ "status": "PENDING", "version": 1 }));
        bench.stock_reserved(order).await;
        let noted = json!({ "status": "PENDING", "version": 2 });
        assert_eq!(next(&mut stream).await, noted, "a step of the saga, which is no event");
        bench.settle().await;
        let mut last = next(&mut stream).await;
        while last["version"] != 6 {
            last = next(&mut stream).await;
        }
        assert_eq!(last["status"], "CONFIRMED");
        assert!(stream.next().now_or_never().is_none(), "nothing changed any more");
    }
}

/// Bob asks for Siti's service; the booking's id.
async fn request_booking(bench: &Bench) -> Uuid {
    bench.listing(SERVICE, ListingKind::Service, 10_000, 25).await;
    let request = "mutation($id: ID!, $key: ID!) {
        requestBooking(listingId: $id, note: \"at noon\", idempotencyKey: $key) { booking { id } } }";
    let data = bench.ask(user(BOB), request, json!({ "id": SERVICE, "key": Uuid::now_v7() })).await;
    serde_json::from_value(data["requestBooking"]["booking"]["id"].clone()).unwrap()
}

#[tokio::test]
async fn a_booking_is_shown_to_both_parties_after_every_change_in_whichever_process() {
    for bench in benches().await {
        let booking = request_booking(&bench).await;
        let elsewhere = Elsewhere::over(&bench).await;
        let mut streams = [BOB, SITI].map(|party| elsewhere.subscribe(user(party), BOOKING, booking));
        for stream in &mut streams {
            assert_eq!(next(stream).await, json!({ "state": "REQUESTED", "version": 1 }));
        }
        let accept = "mutation($id: ID!, $key: ID!) {
            bookingTransition(id: $id, action: ACCEPT, expectedVersion: 1, idempotencyKey: $key) {
            userErrors { code } } }";
        bench.ask(user(SITI), accept, json!({ "id": booking, "key": Uuid::now_v7() })).await;
        for stream in &mut streams {
            assert_eq!(next(stream).await, json!({ "state": "ACCEPTED", "version": 2 }));
        }
    }
}

#[tokio::test]
async fn orders_and_bookings_of_others_are_refused_like_those_that_are_not_there() {
    for bench in benches().await {
        let (order, booking) = (bench.place().await, request_booking(&bench).await);
        let elsewhere = Elsewhere::over(&bench).await;
        for (query, id) in [(ORDER, order), (BOOKING, booking), (ORDER, Uuid::nil()), (BOOKING, Uuid::nil())]
        {
            let mut stream = elsewhere.subscribe(user(ADA), query, id);
            let told = stream.next().await.unwrap();
            assert_eq!(told["errors"][0]["extensions"]["code"], "FORBIDDEN", "{told}");
        }
    }
}

/// Opens a stream over HTTP and takes its first event.
async fn open(router: &axum::Router, token: &str, query: &str, id: Uuid) -> BodyDataStream {
    let body = json!({ "query": query, "variables": { "id": id } }).to_string();
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body().into_data_stream();
    let first = stream.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("\"version\":1"), "{first:?}");
    stream
}

async fn ends(stream: BodyDataStream) {
    let ended = stream.for_each(|_| std::future::ready(()));
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the stream ends");
}

#[tokio::test]
async fn streams_end_with_a_ban_of_their_reader_and_with_nobody_elses() {
    for bench in benches().await {
        let (order, booking) = (bench.place().await, request_booking(&bench).await);
        let elsewhere = Elsewhere::over(&bench).await;
        let (tokens, denylist) = (TestTokens::new(), Denylist::default());
        let router = elsewhere.router(&tokens, denylist.clone());
        let [bobs, sitis] = [BOB, SITI].map(|id| tokens.issue(id, &["USER"], ""));
        let (first, second) =
            (open(&router, &bobs, ORDER, order).await, open(&router, &bobs, BOOKING, booking).await);
        let mut other = open(&router, &sitis, BOOKING, booking).await;
        denylist.deny(BOB, time::now());
        tokio::join!(ends(first), ends(second));
        assert!(other.next().now_or_never().is_none(), "the seller's stream goes on");
    }
}

#[tokio::test]
async fn streams_end_with_the_token_they_were_asked_for_with() {
    for bench in benches().await {
        let (order, booking) = (bench.place().await, request_booking(&bench).await);
        let elsewhere = Elsewhere::over(&bench).await;
        let tokens = TestTokens::new();
        let router = elsewhere.router(&tokens, Denylist::default());
        let now = time::now().timestamp();
        let token = tokens.sign(&json!({
            "sub": BOB, "roles": ["USER"], "iss": "kopitiam", "aud": "kopitiam", "iat": now - 60, "exp": now + 1,
        }));
        let (first, second) =
            (open(&router, &token, ORDER, order).await, open(&router, &token, BOOKING, booking).await);
        tokio::join!(ends(first), ends(second));
    }
}
