//! `graphql-transport-ws` as clients speak it.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use kopitiam_server::{KeySource, Options, Transport};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::{Gateway, PATIENCE, eventually, in_process, start, subgraphs, supergraph, tokens};
use crate::serving::{GATED, gated, with_products};

pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// A socket before `connection_init`.
    async fn open(gateway: &Gateway) -> Self {
        Self::open_with(gateway, "/graphql", &[]).await.expect("the handshake is taken")
    }

    pub(crate) async fn open_with(
        gateway: &Gateway,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let stream = TcpStream::connect(gateway.address).await.unwrap();
        Self::open_on(stream, gateway, path, headers).await
    }

    async fn open_on(
        stream: TcpStream,
        gateway: &Gateway,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{}{path}", gateway.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// One to a gateway that is another process.
    pub(crate) async fn at(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        Self(client_async(request, stream).await.unwrap().0)
    }

    /// An acknowledged socket.
    pub(crate) async fn acknowledged(gateway: &Gateway, payload: Value) -> Self {
        let mut socket = Self::open(gateway).await;
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.text(&message.to_string()).await;
    }

    async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(&json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    async fn frame(&mut self) -> Option<Message> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something comes") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The code that the socket is closed with; messages before that are passed over.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some(Message::Close(Some(frame))) => return frame.code.into(),
                Some(Message::Text(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn next(id: &str, data: &Value) -> Value {
    json!({ "type": "next", "id": id, "payload": { "data": data } })
}

fn complete(id: &str) -> Value {
    json!({ "type": "complete", "id": id })
}

#[tokio::test]
async fn queries_mutations_and_subscriptions_go_over_one_socket() {
    let gateway = start(in_process()).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("q", "{ products { name rating } }").await;
    let products = json!([{ "name": "kopi", "rating": 1 }, { "name": "teh", "rating": 2 }]);
    assert_eq!(socket.next().await, next("q", &json!({ "products": products })));
    assert_eq!(socket.next().await, complete("q"));
    socket.subscribe("m", r#"mutation { rename(id: "1", name: "new") { name } }"#).await;
    assert_eq!(socket.next().await, next("m", &json!({ "rename": { "name": "new" } })));
    assert_eq!(socket.next().await, complete("m"));
    socket.subscribe("q", "subscription { countdown(from: 2) { id rating } }").await;
    assert_eq!(socket.next().await, next("q", &json!({ "countdown": { "id": "2", "rating": 2 } })));
    assert_eq!(socket.next().await, next("q", &json!({ "countdown": { "id": "1", "rating": 1 } })));
    assert_eq!(socket.next().await, complete("q"));
}

#[tokio::test]
async fn an_operation_that_is_refused_leaves_the_socket_open() {
    let gateway = start(in_process()).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    for query in ["{", "{ nope }", "subscription { nope }", "query A { __typename } query B { __typename }"] {
        socket.subscribe("1", query).await;
        let message = socket.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{query}: {message}");
        assert!(message["payload"][0]["extensions"]["code"].is_string(), "{message}");
    }
    socket.send(&json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn what_breaks_the_protocol_closes_the_socket_with_its_code() {
    let mut options = in_process();
    options.subscriptions.websocket.message_bytes_max = 10_000;
    let gateway = start(options).await;
    let init = r#"{"type":"connection_init"}"#;
    let forever = r#"{"type":"subscribe","id":"1","payload":{"query":"subscription { forever { name } }"}}"#;
    let large = format!(r#"{{"type":"ping","payload":{{"x":"{}"}}}}"#, "a".repeat(20_000));
    let cases: [(&[&str], u16); 9] = [
        (&[init, init], 4429),
        (&[forever], 4401),
        (&[init, forever, forever], 4409),
        (&[init, "{"], 4400),
        (&[init, "[]"], 4400),
        (&[init, r#"{"type":"next","id":"1"}"#], 4400),
        (&[init, r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#], 4400),
        (&[r#"{"type":"connection_init","payload":[]}"#], 4400),
        (&[init, &large], 1009),
    ];
    for (messages, code) in cases {
        let mut socket = Socket::open(&gateway).await;
        for message in messages {
            socket.text(message).await;
        }
        assert_eq!(
            socket.closed().await,
            code,
            "{}",
            messages.last().unwrap().get(..100).unwrap_or_default()
        );
    }
    let mut socket = Socket::open(&gateway).await;
    socket.0.send(Message::binary(init.as_bytes().to_vec())).await.unwrap();
    assert_eq!(socket.closed().await, 4400);
}

#[tokio::test]
async fn who_does_not_introduce_itself_is_closed() {
    let mut options = in_process();
    options.subscriptions.websocket.init_timeout = Duration::from_millis(50);
    let gateway = start(options).await;
    assert_eq!(Socket::open(&gateway).await.closed().await, 4408);
}

#[tokio::test]
async fn completing_an_operation_ends_its_source() {
    let products = subgraphs::products();
    let transport = Transport::new()
        .with_in_process("products", products.router)
        .with_in_process("reviews", subgraphs::reviews());
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    let forever = "subscription { forever { name } }";
    for _ in 0..2 {
        socket.subscribe("s", forever).await;
        assert_eq!(socket.next().await, next("s", &json!({ "forever": { "name": "kopi" } })));
        assert_eq!(products.open.count(), 1);
        socket.send(&complete("s")).await;
        eventually("the source ends", || products.open.count() == 0).await;
    }
    socket.subscribe("t", forever).await;
    socket.next().await;
    drop(socket);
    eventually("a socket that is gone ends its sources", || products.open.count() == 0).await;
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_gets_no_socket() {
    let mut options = in_process();
    options.cors.origins = vec!["https://shop.example".parse().unwrap()];
    let gateway = start(options).await;
    let own = format!("http://{}", gateway.address);
    for (origin, expected) in [
        ("https://evil.example", Some(403)),
        ("https://shop.example.evil", Some(403)),
        ("null", Some(403)),
        ("https://shop.example", None),
        (own.as_str(), None),
    ] {
        let opened = Socket::open_with(&gateway, "/graphql", &[("origin", origin)]).await;
        assert_eq!(opened.err(), expected, "{origin}");
    }
}

#[tokio::test]
async fn another_subprotocol_or_none_is_refused() {
    let gateway = start(in_process()).await;
    for (protocol, expected) in [("graphql-ws", Some(400)), ("x, graphql-transport-ws", None)] {
        let headers = [("sec-websocket-protocol", protocol)];
        let stream = TcpStream::connect(gateway.address).await.unwrap();
        let opened = Socket::open_on(stream, &gateway, "/graphql", &headers).await;
        assert_eq!(opened.err(), expected, "{protocol}");
    }
}

#[tokio::test]
async fn a_path_of_its_own_can_be_set_and_all_of_it_switched_off() {
    let mut options = in_process();
    options.subscriptions.websocket.path = Some("/ws".to_owned());
    let gateway = start(options).await;
    assert!(Socket::open_with(&gateway, "/ws", &[]).await.is_ok());
    assert_eq!(gateway.client.get(gateway.url("/ws")).send().await.unwrap().status(), 400);
    let mut options = in_process();
    options.subscriptions.websocket.enabled = false;
    let gateway = start(options).await;
    assert_eq!(Socket::open_with(&gateway, "/graphql", &[]).await.err(), Some(400));
}

fn with_tokens() -> Options {
    let mut options = in_process();
    let mut issuer = tokens::issuer(KeySource::Static(tokens::key_set(&[7])));
    issuer.leeway = Duration::ZERO;
    options.jwt = vec![issuer];
    options
}

#[tokio::test]
async fn the_credential_of_the_introduction_counts_as_the_header_does() {
    let gateway = start(with_tokens()).await;
    let seen = r#"{ header(name: "authorization") }"#;
    let bearer = format!("Bearer {}", tokens::good_token(7));
    for payload in [
        json!({ "Authorization": bearer, "x-user-id": "7" }),
        json!({ "headers": { "authorization": bearer } }),
    ] {
        let mut socket = Socket::acknowledged(&gateway, payload).await;
        socket.subscribe("1", seen).await;
        assert_eq!(socket.next().await, next("1", &json!({ "header": bearer })));
        assert_eq!(socket.next().await, complete("1"));
        socket.subscribe("1", r#"{ header(name: "x-user-id") }"#).await;
        assert_eq!(socket.next().await, next("1", &json!({ "header": null })));
    }
    let headers = [("authorization", bearer.as_str())];
    let mut socket = Socket::open_with(&gateway, "/graphql", &headers).await.unwrap();
    socket.text(r#"{"type":"connection_init"}"#).await;
    socket.next().await;
    socket.subscribe("1", seen).await;
    assert_eq!(socket.next().await, next("1", &json!({ "header": bearer })));
}

#[tokio::test]
async fn a_credential_that_does_not_hold_is_never_acknowledged() {
    let gateway = start(with_tokens()).await;
    for authorization in ["Bearer x", "Basic eDp5", &format!("Bearer {}", tokens::good_token(8))] {
        let mut socket = Socket::open(&gateway).await;
        let payload = json!({ "authorization": authorization });
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        match socket.frame().await {
            Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 4403),
            other => panic!("{authorization}: {other:?}"),
        }
    }
    let headers = [("authorization", "Bearer x")];
    assert_eq!(Socket::open_with(&gateway, "/graphql", &headers).await.err(), Some(401));
}

#[tokio::test]
async fn a_socket_is_closed_when_its_token_ends() {
    let gateway = start(with_tokens()).await;
    let mut claims = tokens::claims();
    claims["exp"] = json!(tokens::now() + 2);
    let token = tokens::sign(&json!({ "alg": "EdDSA", "kid": "7" }), &claims.to_string(), 7);
    let mut socket =
        Socket::acknowledged(&gateway, json!({ "authorization": format!("Bearer {token}") })).await;
    socket.subscribe("1", "subscription { forever { name } }").await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.closed().await, 4403);
}

#[tokio::test]
async fn operations_and_sockets_are_bounded() {
    let mut options = in_process();
    options.subscriptions.websocket.operations_max = 1;
    options.subscriptions.websocket.sockets_per_address_max = 1;
    let gateway = start(options).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", "subscription { forever { name } }").await;
    assert_eq!(socket.next().await["type"], "next");
    socket.subscribe("2", "{ __typename }").await;
    let refused = socket.next().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("2")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "TOO_MANY_OPERATIONS");
    assert_eq!(Socket::open_with(&gateway, "/graphql", &[]).await.err(), Some(503));
    drop(socket);
    let again = async { while Socket::open_with(&gateway, "/graphql", &[]).await.is_err() {} };
    tokio::time::timeout(PATIENCE, again).await.expect("the place is free again");
}

#[tokio::test]
async fn a_client_that_floods_with_pings_is_closed_and_one_that_asks_often_is_not() {
    let gateway = start(in_process()).await;
    let ping = || Message::Ping(vec![7; 125].into());
    let said = || Message::text(r#"{"type":"ping"}"#);
    let unasked = || Message::Pong(vec![7; 125].into());
    for flood in [&ping as &dyn Fn() -> Message, &said, &unasked] {
        let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
        for _ in 0..100 {
            socket.0.send(flood()).await.unwrap();
        }
        socket.subscribe("1", "{ __typename }").await;
        while socket.next().await["type"] != "complete" {}
        // It takes nothing of what it is answered: each answer would be kept for it.
        let told = async { while socket.0.feed(flood()).await.is_ok() && socket.0.flush().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, told).await.expect("the gateway listens no longer");
    }
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    for _ in 0..1000 {
        socket.0.feed(ping()).await.unwrap();
    }
    socket.0.flush().await.unwrap();
    assert_eq!(socket.closed().await, 4429);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let products = subgraphs::products();
    let transport = Transport::new()
        .with_in_process("products", products.router)
        .with_in_process("reviews", subgraphs::reviews());
    let mut options = Options::new(supergraph("", ""), transport);
    options.subscriptions.buffer_bytes_max = 1_000_000;
    options.subscriptions.slow_client_timeout = Duration::from_millis(100);
    let gateway = start(options).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(gateway.address).await.unwrap();
    let mut socket = Socket::open_on(stream, &gateway, "/graphql", &[]).await.unwrap();
    socket.text(r#"{"type":"connection_init"}"#).await;
    socket.next().await;
    socket.subscribe("1", "subscription { forever { name } }").await;
    socket.next().await;
    assert_eq!(products.open.count(), 1);
    // An answer names its operation, so what fills the buffers on the way need not be computed.
    let filler = "x".repeat(100_000);
    let message = |number: usize| {
        let id = format!("{number}{filler}");
        json!({ "type": "subscribe", "id": id, "payload": { "query": "{ __typename }" } })
    };
    // That much is nothing to hold against a client that takes it.
    for number in 100..200 {
        socket.send(&message(number)).await;
        while socket.next().await["type"] != "complete" {}
    }
    assert_eq!(products.open.count(), 1);
    let flood = async {
        let mut number = 200;
        // The gateway stops listening only when it gives up: until then it may be told more.
        while products.open.count() == 1 {
            number += 1;
            let sending = socket.0.send(Message::text(message(number).to_string()));
            let _ = tokio::time::timeout(Duration::from_millis(20), sending).await;
        }
    };
    tokio::time::timeout(PATIENCE, flood).await.expect("the client is cut off");
}

#[tokio::test]
async fn shutdown_tells_clients_to_go_elsewhere() {
    let mut gateway = start(in_process()).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", "subscription { forever { name } }").await;
    socket.next().await;
    gateway.shutdown.cancel();
    assert_eq!(socket.closed().await, 1001);
    drop(socket);
    tokio::time::timeout(PATIENCE, &mut gateway.task).await.expect("the gateway stops").unwrap();
}

#[tokio::test]
async fn a_stream_goes_on_over_a_reload_and_ends_when_its_field_is_gone() {
    let gateway = start(in_process()).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", "subscription { forever { name } }").await;
    assert_eq!(socket.next().await["type"], "next");
    let sdl = supergraph("", "");
    let without = |what: &str| sdl.lines().filter(|line| !line.contains(what)).collect::<Vec<_>>().join("\n");
    gateway.schema.replace(&without("countdown(")).unwrap();
    socket.subscribe("2", "subscription { countdown(from: 1) { name } }").await;
    assert_eq!(socket.next().await["type"], "error");
    gateway.schema.replace(&without("forever")).unwrap();
    let last = socket.next().await;
    assert_eq!((&last["type"], &last["id"]), (&json!("next"), &json!("1")), "{last}");
    assert_eq!(last["payload"]["errors"].as_array().unwrap().len(), 1);
    assert_eq!(socket.next().await, complete("1"));
}

#[tokio::test]
async fn other_settings_close_sockets_and_those_that_connect_anew_come_under_them() {
    let gateway = start(in_process()).await;
    let deep = "{ products { name } }";
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", "subscription { forever { name } }").await;
    assert_eq!(socket.next().await["type"], "next");
    let mut options = in_process();
    options.engine.limits.depth_max = 1;
    gateway.schema.reconfigure(options).await.unwrap();
    assert_eq!(socket.closed().await, 1012);
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", deep).await;
    assert_eq!(socket.next().await["type"], "error");
}

#[tokio::test]
async fn a_request_in_flight_on_a_socket_is_answered_before_other_settings_close_it() {
    let (products, enter, finish) = gated();
    let gateway = start(Options::new(supergraph("", ""), with_products(products))).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", GATED).await;
    tokio::time::timeout(PATIENCE, enter).await.unwrap().unwrap();
    gateway.schema.reconfigure(in_process()).await.unwrap();
    // The session has heard of it once it takes nothing new.
    socket.subscribe("2", "{ __typename }").await;
    finish.send(true).unwrap();
    let mut messages = Vec::new();
    while let Some(Message::Text(text)) = socket.frame().await {
        messages.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    assert!(messages.contains(&next("1", &json!({ "product": { "name": "late" } }))), "{messages:?}");
    assert!(messages.contains(&complete("1")), "{messages:?}");
    assert!(messages.iter().all(|message| message["id"] == "1"), "{messages:?}");
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_answered() {
    let gateway = start(in_process()).await;
    let mut socket = Socket::acknowledged(&gateway, Value::Null).await;
    socket.subscribe("1", "subscription { forever { id } }").await;
    socket.next().await;
    socket.0.close(None).await.unwrap();
    assert!(matches!(socket.frame().await, Some(Message::Close(_))), "the connection just breaks");
    assert!(socket.frame().await.is_none());
}
