//! Subscriptions while the supergraph is replaced.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::stream::{BoxStream, StreamExt};
use futures::{FutureExt, poll};
use kopitiam_engine::{
    Engine, EngineSettings, Request, Response, SubgraphRequest, SubgraphTransport, TransportError,
};
use kopitiam_testkit::compose;
use serde_json::{Value as Json, json};

type Event = Result<Bytes, TransportError>;

/// A transport whose sources the test feeds by hand.
#[derive(Debug, Default)]
struct Feeds {
    opened: Mutex<Vec<(String, Json, UnboundedSender<Event>)>>,
    is_down: Mutex<bool>,
    /// An event is not at hand at once, as when something is looked up for it first.
    is_slow: bool,
    fetched_from: Mutex<Vec<String>>,
}

impl SubgraphTransport for Feeds {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        self.fetched_from.lock().unwrap().push(request.subgraph.to_owned());
        Ok(Bytes::from_static(br#"{"data":{"_entities":[{"rating":5}]}}"#))
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        (): &(),
    ) -> Result<BoxStream<'static, Event>, TransportError> {
        if *self.is_down.lock().unwrap() {
            return Err(TransportError::Unreachable);
        }
        let (sender, receiver) = unbounded();
        let body: Json = serde_json::from_slice(&request.body).unwrap();
        let document = body["query"].clone();
        self.opened.lock().unwrap().push((request.subgraph.to_owned(), document, sender));
        if self.is_slow {
            return Ok(receiver
                .then(async |event| {
                    tokio::task::yield_now().await;
                    event
                })
                .boxed());
        }
        Ok(receiver.boxed())
    }
}

impl Feeds {
    fn opened(&self) -> usize {
        self.opened.lock().unwrap().len()
    }

    fn feed(&self, source: usize, changed: &Json) {
        let event = json!({ "data": { "changed": changed } }).to_string();
        self.opened.lock().unwrap()[source].2.unbounded_send(Ok(event.into())).unwrap();
    }

    fn is_let_go(&self, source: usize) -> bool {
        self.opened.lock().unwrap()[source].2.is_closed()
    }

    fn end(&self, source: usize) {
        self.opened.lock().unwrap()[source].2.close_channel();
    }
}

const EVENTS: &str = r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
    type Query { a: Int }
    type Subscription { changed: Thing }
    type Thing @key(fields: "id") { id: ID! }
"#;
const RATINGS: &str = r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
    type Thing @key(fields: "id") { id: ID! rating: Int }
"#;

fn supergraph(subgraphs: &[(&str, &str)]) -> String {
    compose(subgraphs).expect("it composes").supergraph_sdl
}

fn first() -> String {
    supergraph(&[("events", EVENTS), ("ratings", RATINGS)])
}

async fn subscribed(query: &str) -> (Arc<Engine<Feeds>>, BoxStream<'static, Response>) {
    subscribed_over(Feeds::default(), query).await
}

async fn subscribed_over(feeds: Feeds, query: &str) -> (Arc<Engine<Feeds>>, BoxStream<'static, Response>) {
    let engine = Engine::new(&first(), feeds, EngineSettings::default()).unwrap();
    let request = Request { query: query.to_owned(), ..Request::default() };
    let prepared = engine.prepare(&request).unwrap();
    let stream = engine.subscribe(&prepared, &request, &()).await.unwrap();
    (Arc::new(engine), stream)
}

async fn next(stream: &mut BoxStream<'static, Response>) -> Json {
    serde_json::from_slice(&stream.next().await.expect("the stream goes on").body).unwrap()
}

const RATED: &str = "subscription { changed { id rating } }";

fn rated(id: &str) -> Json {
    json!({ "data": { "changed": { "id": id, "rating": 5 } } })
}

#[tokio::test]
async fn a_stream_goes_on_with_the_new_plan_and_the_same_source() {
    let (engine, mut stream) = subscribed(RATED).await;
    let feeds = engine.transport();
    feeds.feed(0, &json!({ "__typename": "Thing", "id": "1" }));
    assert_eq!(next(&mut stream).await, rated("1"));
    feeds.feed(0, &json!({ "__typename": "Thing", "id": "2" }));
    engine.replace(&supergraph(&[("events", EVENTS), ("judges", RATINGS)])).unwrap();
    feeds.feed(0, &json!({ "__typename": "Thing", "id": "3" }));
    assert_eq!(next(&mut stream).await, rated("2"));
    assert_eq!(next(&mut stream).await, rated("3"));
    assert_eq!(feeds.opened(), 1, "the source is not opened again");
    assert_eq!(feeds.fetched_from.lock().unwrap().last().unwrap(), "judges");
}

#[tokio::test]
async fn a_stream_whose_field_is_gone_gets_one_error_and_ends() {
    let (engine, mut stream) = subscribed(RATED).await;
    engine.replace(&supergraph(&[("events", EVENTS)])).unwrap();
    let last = next(&mut stream).await;
    assert_eq!(last["errors"].as_array().unwrap().len(), 1, "{last}");
    assert_eq!(last["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert!(last.get("data").is_none());
    assert!(stream.next().await.is_none());
    drop(stream);
    assert!(engine.transport().is_let_go(0));
}

#[tokio::test]
async fn a_schema_replaced_between_preparing_and_subscribing_is_noticed() {
    let engine = Engine::new(&first(), Feeds::default(), EngineSettings::default()).unwrap();
    let request = Request { query: RATED.to_owned(), ..Request::default() };
    let prepared = engine.prepare(&request).unwrap();
    engine.replace(&supergraph(&[("events", EVENTS)])).unwrap();
    let mut stream = engine.subscribe(&prepared, &request, &()).await.unwrap();
    assert_eq!(next(&mut stream).await["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

/// The source itself has the rating, so it is asked more than before.
fn source_has_rating() -> String {
    let events = EVENTS.replace("id: ID! }", "id: ID! rating: Int @shareable }");
    let ratings = RATINGS.replace("rating: Int", "rating: Int @shareable");
    supergraph(&[("events", &events), ("ratings", &ratings)])
}

#[tokio::test]
async fn another_source_takes_over_when_it_is_open_and_no_event_is_lost() {
    let (engine, mut stream) = subscribed(RATED).await;
    let feeds = engine.transport();
    engine.replace(&source_has_rating()).unwrap();
    feeds.feed(0, &json!({ "__typename": "Thing", "id": "old" }));
    assert_eq!(next(&mut stream).await, rated("old"));
    assert!(stream.next().now_or_never().is_none());
    assert_eq!(feeds.opened(), 2);
    feeds.feed(1, &json!({ "__typename": "Thing", "id": "new", "rating": 5 }));
    assert_eq!(next(&mut stream).await, rated("new"));
    assert!(feeds.is_let_go(0), "one source at a time");
    assert_eq!(feeds.fetched_from.lock().unwrap().len(), 1, "the new plan needs no other subgraph");
}

#[tokio::test]
async fn events_that_the_old_source_has_not_at_hand_yet_are_answered_first() {
    let (engine, mut stream) = subscribed_over(Feeds { is_slow: true, ..Feeds::default() }, RATED).await;
    let feeds = engine.transport();
    engine.replace(&source_has_rating()).unwrap();
    for id in ["1", "2"] {
        feeds.feed(0, &json!({ "__typename": "Thing", "id": id }));
    }
    assert!(poll!(stream.next()).is_pending());
    assert_eq!(feeds.opened(), 2);
    feeds.feed(1, &json!({ "__typename": "Thing", "id": "3", "rating": 5 }));
    for id in ["1", "2", "3"] {
        assert_eq!(next(&mut stream).await, rated(id));
    }
}

#[tokio::test]
async fn a_new_source_that_does_not_open_leaves_the_old_one_running() {
    let (engine, mut stream) = subscribed(RATED).await;
    let feeds = engine.transport();
    *feeds.is_down.lock().unwrap() = true;
    engine.replace(&source_has_rating()).unwrap();
    assert!(poll!(stream.next()).is_pending());
    feeds.feed(0, &json!({ "__typename": "Thing", "id": "1" }));
    assert_eq!(next(&mut stream).await, rated("1"));
    feeds.end(0);
    assert!(stream.next().await.is_none(), "the old source's end is the stream's");
}

#[tokio::test]
async fn an_error_of_one_event_leaves_the_stream_open() {
    let (engine, mut stream) = subscribed(RATED).await;
    let feeds = engine.transport();
    let failed = json!({ "data": null, "errors": [{ "message": "odd", "path": ["changed"] }] }).to_string();
    feeds.opened.lock().unwrap()[0].2.unbounded_send(Ok(failed.into())).unwrap();
    let response = next(&mut stream).await;
    assert_eq!(response["data"]["changed"], Json::Null);
    assert_eq!(response["errors"][0]["message"], "odd", "{response}");
    feeds.feed(0, &json!({ "__typename": "Thing", "id": "2" }));
    assert_eq!(next(&mut stream).await, rated("2"));
}
