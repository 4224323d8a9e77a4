//! Subgraphs in trouble, behind a proxy that makes the trouble: slow, failing, garbage, far too large, cut, half open.
//!
//! What every fault has to leave alone: the other fields of the same request, the time limits, the addresses that no
//! client may see, and the subgraph's recovery.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Json;
use axum::routing::post;
use kopitiam_server::{
    BreakerSettings, BreakerState, ConcurrencySettings, Options, RetrySettings, SubgraphSettings, Transport,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::common::{Gateway, body, eventually, start, subgraphs, supergraph};

/// `name` comes from the subgraph in trouble, `rating` from the other one.
const JOINED: &str = r#"{ products { id name } product(id: "1") { id rating } }"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Passes everything on.
    None,
    /// Takes a request and never answers, as a stopped process does: its kernel still accepts.
    HalfOpen,
    /// Answers every second request with status 500 and no GraphQL.
    HalfFailing,
    Failing,
    Garbage,
    /// 100 MiB.
    Huge,
    /// Announces a body and closes in the middle of it.
    CutInBody,
}

/// The proxy: what it does can be changed while it runs.
struct Proxy {
    url: String,
    fault: watch::Sender<Fault>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    async fn before(url: &str) -> Self {
        let target = url.trim_start_matches("http://").trim_end_matches("/graphql").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        let (fault, watched) = watch::channel(Fault::None);
        let (requests, connections) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&requests), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (target, watched, requests, connections) =
                    (target.clone(), watched.clone(), Arc::clone(&counts.0), Arc::clone(&counts.1));
                tokio::spawn(async move {
                    connections.fetch_add(1, Ordering::SeqCst);
                    handle(socket, &target, watched, &requests).await;
                    connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, fault, requests, connections }
    }

    fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// One connection; in trouble it serves one request, so that a change of fault is seen at once.
async fn handle(
    mut socket: TcpStream,
    target: &str,
    mut fault: watch::Receiver<Fault>,
    requests: &AtomicUsize,
) {
    let mut peeked = [0; 1];
    if !matches!(socket.peek(&mut peeked).await, Ok(1)) {
        return;
    }
    let number = requests.fetch_add(1, Ordering::SeqCst);
    let now = *fault.borrow();
    let answer: &[u8] = match now {
        Fault::None => {
            let mut onward = TcpStream::connect(target).await.unwrap();
            // Until either side closes, or trouble begins.
            tokio::select! {
                _ = copy_bidirectional(&mut socket, &mut onward) => {}
                _ = fault.wait_for(|fault| *fault != Fault::None) => {}
            }
            return;
        }
        Fault::HalfFailing if number.is_multiple_of(2) => {
            br#"{"data":{"products":[{"__typename":"Product","id":"1","name":"kopi"}],"product":{"__typename":"Product","id":"1"}}}"#
        }
        Fault::HalfOpen => {
            // Reads on and says nothing, until the other side gives up.
            let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
            return;
        }
        Fault::HalfFailing | Fault::Failing => b"",
        Fault::Garbage => b"<html>\xff\xfe{\"data\":",
        Fault::Huge | Fault::CutInBody => b"{\"data\":{\"products\":[",
    };
    read_request(&mut socket).await;
    let (status, length) = match now {
        Fault::HalfFailing if number.is_multiple_of(2) => ("200 OK", answer.len()),
        Fault::HalfFailing | Fault::Failing => ("500 Internal Server Error", answer.len()),
        Fault::Huge => ("200 OK", 100 << 20),
        Fault::CutInBody => ("200 OK", 1000),
        _ => ("200 OK", answer.len()),
    };
    let kind = if now == Fault::Failing { "text/plain" } else { "application/json" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // The gateway may hang up at any moment.
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(answer).await;
}

/// To the end of its body, so that closing resets nothing that is still unread.
async fn read_request(socket: &mut TcpStream) {
    let mut request = Vec::new();
    while socket.read_buf(&mut request).await.unwrap_or(0) > 0 {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: "))
            && body.len() >= length.parse().unwrap()
        {
            return;
        }
    }
}

const TIMEOUT: Duration = Duration::from_millis(400);

fn settings() -> SubgraphSettings {
    SubgraphSettings {
        timeout: TIMEOUT,
        response_bytes_max: 1 << 20,
        breaker: None,
        ..SubgraphSettings::default()
    }
}

/// A gateway over `products` behind the proxy, and `reviews` in good health.
async fn troubled(settings: SubgraphSettings) -> (Gateway, Proxy) {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let proxy = Proxy::before(&products).await;
    let transport = Transport::new()
        .with_in_process("reviews", subgraphs::reviews())
        .with_settings("products", settings)
        .with_http("products", &proxy.url)
        .unwrap();
    (start(Options::new(supergraph("", ""), transport)).await, proxy)
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_fault_ends_in_time_with_a_code_and_without_an_address_and_the_subgraph_is_asked_again_after() {
    let (gateway, proxy) = troubled(settings()).await;
    for (fault, code) in [
        (Fault::HalfOpen, "SUBREQUEST_TIMEOUT"),
        (Fault::Failing, "SUBREQUEST_HTTP_STATUS"),
        (Fault::Garbage, "SUBREQUEST_MALFORMED_RESPONSE"),
        (Fault::Huge, "SUBREQUEST_TOO_LARGE"),
        (Fault::CutInBody, "SUBREQUEST_UNREACHABLE"),
    ] {
        proxy.set(Fault::None);
        gateway.data(JOINED).await;
        proxy.set(fault);
        let begin = Instant::now();
        let answer = body(gateway.query(JOINED)).await;
        assert!(begin.elapsed() < TIMEOUT + Duration::from_secs(5), "{fault:?} took {:?}", begin.elapsed());
        assert_eq!(codes(&answer).first(), Some(&code), "{fault:?}: {answer}");
        for error in answer["errors"].as_array().unwrap() {
            assert!(error["path"].is_array(), "{answer}");
        }
        let text = answer.to_string();
        assert!(!text.contains("127.0.0.1") && !text.contains("/graphql"), "{text}");
    }
}

#[tokio::test]
async fn a_silent_subgraph_holds_up_no_request_that_does_not_need_it() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let proxy = Proxy::before(&products).await;
    let slow = SubgraphSettings { timeout: Duration::from_secs(20), ..settings() };
    let reviews = Proxy::before(&subgraphs::listen(subgraphs::reviews()).await).await;
    let transport = Transport::new()
        .with_settings("reviews", slow)
        .with_http("reviews", &reviews.url)
        .unwrap()
        .with_http("products", &proxy.url)
        .unwrap();
    let mut options = Options::new(supergraph("", ""), transport);
    options.traffic.share_subgraph_queries = false;
    let gateway = start(options).await;
    reviews.set(Fault::HalfOpen);
    let waiting: Vec<_> =
        (0..50).map(|_| tokio::spawn(gateway.query("{ products { rating } }").send())).collect();
    eventually("all wait for the silent one", || reviews.requests() == 50).await;
    assert_eq!(gateway.data("{ products { name } }").await["products"][0]["name"], "kopi");
    assert!(waiting.iter().all(|request| !request.is_finished()));
    for request in waiting {
        request.abort();
    }
    // Clients that have gone leave no connection behind.
    eventually("connections are closed", || reviews.connections.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_failed_query_is_asked_again_within_its_budget_and_a_mutation_never() {
    let retry = RetrySettings {
        retries_max: 3,
        pause_first: Duration::from_millis(1),
        budget_percent: 1000,
        ..RetrySettings::default()
    };
    let (gateway, proxy) = troubled(SubgraphSettings { retry, ..settings() }).await;
    proxy.set(Fault::HalfFailing);
    for _ in 0..4 {
        let answer = body(gateway.query("{ products { name } }")).await;
        assert_eq!(answer, json!({ "data": { "products": [{ "name": "kopi" }] } }));
    }
    proxy.set(Fault::Failing);
    let before = proxy.requests();
    assert_eq!(codes(&body(gateway.query("{ products { name } }")).await), ["SUBREQUEST_HTTP_STATUS"]);
    assert_eq!(proxy.requests() - before, 4);
    let before = proxy.requests();
    body(gateway.query(r#"mutation { rename(id: "1", name: "kopi o") { name } }"#)).await;
    assert_eq!(proxy.requests() - before, 1);
}

#[tokio::test]
async fn a_subgraph_that_keeps_failing_is_left_alone_and_found_again_when_it_is_well() {
    let breaker =
        BreakerSettings { calls_min: 5, open_for: Duration::from_millis(300), ..BreakerSettings::default() };
    let (gateway, proxy) = troubled(SubgraphSettings { breaker: Some(breaker), ..settings() }).await;
    proxy.set(Fault::Failing);
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(codes(&body(gateway.query("{ products { name } }")).await)[0].to_owned());
    }
    assert_eq!(seen[..5], ["SUBREQUEST_HTTP_STATUS"; 5], "{seen:?}");
    assert!(seen[5..].iter().any(|code| code == "SUBREQUEST_CIRCUIT_OPEN"), "{seen:?}");
    assert!(proxy.requests() < 20);
    proxy.set(Fault::None);
    let well = async || body(gateway.query("{ products { name } }")).await.get("errors").is_none();
    let deadline = Instant::now() + crate::common::PATIENCE;
    while !well().await {
        assert!(Instant::now() < deadline, "it is never asked again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(well().await);
}

#[tokio::test]
async fn who_finds_the_queue_of_a_subgraph_full_is_told_so_at_once() {
    let concurrency = ConcurrencySettings { in_flight_max: 1, waiting_max: 1 };
    let (opened, gate) = watch::channel(false);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let answer = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut gate = gate;
        gate.wait_for(|open| *open).await.unwrap();
        Json(json!({ "data": { "product": { "name": "kopi" } } }))
    };
    let products = axum::Router::new().route("/graphql", post(answer));
    let transport = Transport::new()
        .with_settings("products", SubgraphSettings { concurrency, ..SubgraphSettings::default() })
        .with_in_process("products", products)
        .with_in_process("reviews", subgraphs::reviews());
    let gateway = start(Options::new(supergraph("", ""), transport)).await;
    let ask = |id: u32| {
        let query = format!(r#"{{ product(id: "{id}") {{ name }} }}"#);
        tokio::spawn(body(gateway.query(&query)))
    };
    let first = ask(1);
    eventually("the first is asked", || asked.load(Ordering::SeqCst) == 1).await;
    // Which of the two comes first is open: one waits, and the other finds no place.
    let (second, third) = (ask(2), ask(3));
    let (refused, waiting) = match futures::future::select(second, third).await {
        futures::future::Either::Left((refused, waiting))
        | futures::future::Either::Right((refused, waiting)) => (refused.unwrap(), waiting),
    };
    assert_eq!(codes(&refused), ["SUBREQUEST_OVERLOADED"]);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the other one waits");
    opened.send_replace(true);
    assert!(codes(&first.await.unwrap()).is_empty() && codes(&waiting.await.unwrap()).is_empty());
}

#[test]
fn a_new_subgraph_is_trusted() {
    let transport = Transport::new().with_in_process("products", subgraphs::products().router);
    let states = transport.states();
    assert_eq!(states.len(), 1);
    assert_eq!((states[0].0.as_str(), states[0].1.breaker), ("products", Some(BreakerState::Closed)));
}
