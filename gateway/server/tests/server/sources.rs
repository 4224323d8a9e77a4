//! Subscriptions as subgraphs serve them: over WebSockets that clients share, and over sources that break.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use futures::SinkExt;
use futures::stream::{self, StreamExt};
use kopitiam_server::{KeySource, Options, SourceProtocol, SubgraphSettings, Transport};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response as Handshake};

use crate::common::{Gateway, PATIENCE, eventually, start, subgraphs, supergraph, tokens};
use crate::streams::events;

/// The credential of a handshake, and the payload of an introduction.
type Introduced = (Option<String>, Value);

/// A subgraph that speaks `graphql-transport-ws` only, and does what the test says.
#[derive(Clone, Default)]
struct Upstream {
    sockets: Arc<AtomicUsize>,
    subscriptions: Arc<AtomicUsize>,
    completed: Arc<AtomicUsize>,
    /// The credential in the handshake, and the payload of the introduction.
    introduced: Arc<Mutex<Vec<Introduced>>>,
    /// One for each open socket: cuts it.
    cuts: Arc<Mutex<Vec<mpsc::UnboundedSender<()>>>>,
}

impl Upstream {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().serve(stream));
            }
        });
        url
    }

    async fn serve(self, stream: TcpStream) {
        let mut credential = None;
        #[expect(clippy::result_large_err, reason = "the library's callback has this type")]
        let handshake = |request: &Request, mut response: Handshake| {
            assert_eq!(request.uri().path(), "/ws");
            credential =
                request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let protocol = request.headers()["sec-websocket-protocol"].clone();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, handshake).await.unwrap();
        self.sockets.fetch_add(1, Ordering::SeqCst);
        let (cut, mut is_cut) = mpsc::unbounded_channel();
        self.cuts.lock().unwrap().push(cut);
        loop {
            let message = tokio::select! {
                _ = is_cut.recv() => return,
                message = socket.next() => message,
            };
            let Some(Ok(Message::Text(text))) = message else { return };
            let message: Value = serde_json::from_str(&text).unwrap();
            let mut answers = Vec::new();
            match message["type"].as_str().unwrap() {
                "connection_init" => {
                    self.introduced.lock().unwrap().push((credential.clone(), message["payload"].clone()));
                    answers.push(json!({ "type": "connection_ack" }));
                }
                "subscribe" => {
                    let number = self.subscriptions.fetch_add(1, Ordering::SeqCst) + 1;
                    answers = Self::answers(&message, number);
                }
                "complete" => {
                    self.completed.fetch_add(1, Ordering::SeqCst);
                }
                "pong" => {}
                other => panic!("{other}"),
            }
            for answer in answers {
                socket.send(Message::text(answer.to_string())).await.unwrap();
            }
        }
    }

    /// One event, whose id counts the subscriptions; a countdown ends or is refused.
    fn answers(message: &Value, number: usize) -> Vec<Value> {
        let id = &message["id"];
        if message["payload"]["query"].as_str().unwrap().contains("countdown") {
            let errors = json!([{ "message": "not today", "extensions": { "code": "NOT_TODAY" } }]);
            return vec![json!({ "type": "error", "id": id, "payload": errors })];
        }
        let product = json!({ "__typename": "Product", "id": number.to_string(), "name": "kopi" });
        let next = json!({ "type": "next", "id": id, "payload": { "data": { "forever": product } } });
        vec![json!({ "type": "ping" }), next]
    }
}

async fn gateway(upstream: &Upstream) -> Gateway {
    let mut settings = SubgraphSettings::default();
    settings.subscriptions.protocol = SourceProtocol::Websocket;
    settings.subscriptions.websocket_path = Some("/ws".to_owned());
    let transport = Transport::new()
        .with_settings("products", settings)
        .with_http("products", &upstream.listen().await)
        .unwrap()
        .with_in_process("reviews", subgraphs::reviews());
    let mut options = Options::new(supergraph("", ""), transport);
    options.jwt = vec![tokens::issuer(KeySource::Static(tokens::key_set(&[7])))];
    start(options).await
}

/// The responses of a stream, one by one.
struct Client {
    body: stream::BoxStream<'static, reqwest::Result<Bytes>>,
    text: String,
}

impl Client {
    async fn open(gateway: &Gateway, query: &str, token: Option<&str>) -> Self {
        let mut request = gateway.query(query).header("accept", "text/event-stream");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Self { body: request.send().await.unwrap().bytes_stream().boxed(), text: String::new() }
    }

    /// The next event but comments: its kind and data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let found = events(&format!("{event}\n\n"));
                self.text = String::from(rest);
                if let Some(event) = found.into_iter().next() {
                    return event;
                }
            } else {
                let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("something comes");
                self.text
                    .push_str(std::str::from_utf8(&chunk.expect("the stream goes on").unwrap()).unwrap());
            }
        }
    }
}

fn product(id: &str) -> (String, Value) {
    ("next".to_owned(), json!({ "data": { "forever": { "id": id, "rating": id.parse::<i32>().unwrap() } } }))
}

const FOREVER: &str = "subscription { forever { id rating } }";

#[tokio::test]
async fn subscriptions_of_one_credential_share_a_socket_and_others_have_their_own() {
    let upstream = Upstream::default();
    let gateway = gateway(&upstream).await;
    let token = tokens::good_token(7);
    let mut clients = Vec::new();
    for (index, token) in [None, Some(token.as_str()), Some(&token), None].into_iter().enumerate() {
        let mut client = Client::open(&gateway, FOREVER, token).await;
        assert_eq!(client.next().await, product(&(index + 1).to_string()));
        clients.push(client);
    }
    assert_eq!(upstream.sockets.load(Ordering::SeqCst), 2);
    let bearer = format!("Bearer {token}");
    assert_eq!(
        *upstream.introduced.lock().unwrap(),
        [(None, Value::Null), (Some(bearer.clone()), json!({ "authorization": bearer }))]
    );
    drop(clients.pop());
    eventually("the subgraph is told", || upstream.completed.load(Ordering::SeqCst) == 1).await;
    drop(clients);
    eventually("the subgraph is told of all", || upstream.completed.load(Ordering::SeqCst) == 4).await;
    let mut again = Client::open(&gateway, FOREVER, None).await;
    again.next().await;
    assert_eq!(upstream.sockets.load(Ordering::SeqCst), 2, "an idle socket is used again");
}

#[tokio::test]
async fn a_socket_that_breaks_is_opened_again_and_no_client_notices() {
    let upstream = Upstream::default();
    let gateway = gateway(&upstream).await;
    let mut clients =
        [Client::open(&gateway, FOREVER, None).await, Client::open(&gateway, FOREVER, None).await];
    for client in &mut clients {
        assert_eq!(client.next().await.0, "next");
    }
    upstream.cuts.lock().unwrap()[0].send(()).unwrap();
    let mut ids = Vec::new();
    for client in &mut clients {
        let (kind, event) = client.next().await;
        assert_eq!(kind, "next");
        assert!(event.get("errors").is_none(), "{event}");
        ids.push(event["data"]["forever"]["id"].as_str().unwrap().to_owned());
    }
    ids.sort_unstable();
    assert_eq!(ids, ["3", "4"]);
    assert_eq!(upstream.sockets.load(Ordering::SeqCst), 2, "both share the new socket");
}

#[tokio::test]
async fn what_a_subgraph_refuses_on_a_socket_reaches_the_client() {
    let upstream = Upstream::default();
    let gateway = gateway(&upstream).await;
    let mut client = Client::open(&gateway, "subscription { countdown(from: 2) { id } }", None).await;
    let (kind, event) = client.next().await;
    assert_eq!(kind, "next");
    assert_eq!(event["errors"][0]["extensions"]["code"], "NOT_TODAY", "{event}");
    assert_eq!(client.next().await.0, "complete");
}

/// A subgraph whose event streams break after one event each.
fn breaking(opened: Arc<AtomicUsize>) -> Router {
    let answer = move || {
        let number = opened.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            let product = json!({ "__typename": "Product", "id": number.to_string() });
            let event = format!("event: next\ndata: {}\n\n", json!({ "data": { "forever": product } }));
            let body = Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from(event))]));
            Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).unwrap()
        }
    };
    Router::new().route("/graphql", post(answer))
}

async fn over_breaking_source(reconnect_for: Duration) -> Gateway {
    over(breaking(Arc::default()), reconnect_for).await
}

async fn over(products: Router, reconnect_for: Duration) -> Gateway {
    let products = subgraphs::listen(products).await;
    let mut settings = SubgraphSettings::default();
    settings.subscriptions.reconnect_for = reconnect_for;
    let transport = Transport::new()
        .with_settings("products", settings)
        .with_http("products", &products)
        .unwrap()
        .with_in_process("reviews", subgraphs::reviews());
    start(Options::new(supergraph("", ""), transport)).await
}

#[tokio::test]
async fn an_event_stream_that_breaks_is_opened_again() {
    let gateway = over_breaking_source(Duration::from_mins(1)).await;
    let mut client = Client::open(&gateway, FOREVER, None).await;
    for id in ["1", "2", "3"] {
        assert_eq!(client.next().await, product(id));
    }
}

#[tokio::test]
async fn without_patience_a_break_is_an_error_and_the_end() {
    let gateway = over_breaking_source(Duration::ZERO).await;
    let mut client = Client::open(&gateway, FOREVER, None).await;
    assert_eq!(client.next().await, product("1"));
    let (kind, event) = client.next().await;
    assert_eq!(kind, "next");
    assert_eq!(event["errors"][0]["extensions"]["code"], "SUBREQUEST_UNREACHABLE", "{event}");
    assert_eq!(client.next().await.0, "complete");
}

/// A subgraph whose event streams break before their first event.
async fn of_no_use() -> Response {
    let body = Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from(":\n\n"))]));
    Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).unwrap()
}

#[tokio::test]
async fn a_source_that_opens_and_breaks_at_once_is_not_opened_for_ever() {
    let router = Router::new().route("/graphql", post(of_no_use));
    let gateway = over(router, Duration::from_secs(1)).await;
    let mut client = Client::open(&gateway, FOREVER, None).await;
    let (kind, event) = client.next().await;
    assert_eq!(kind, "next");
    assert_eq!(event["errors"][0]["extensions"]["code"], "SUBREQUEST_UNREACHABLE", "{event}");
    assert_eq!(client.next().await.0, "complete");
}
