//! What happens to a gateway in operation: restarts one after the other, others that stop without closing, more to do than it
//! can, too few file handles, hours of work. With real processes where a process is what it is about.
//!
//! Short by default; `ROLLS`, `SOAK_SECONDS` and `OVERLOAD_SECONDS` make the long forms.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use kopitiam_server::{Options, SubgraphSettings, Transport};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Gateway, PATIENCE, body, eventually, start, subgraphs, supergraph};
use crate::process::{Serving, signal};

fn long_form(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

const NAME: &str = r#"{ product(id: "1") { name } }"#;

/// What stands in front of several gateways: asks each whether it is ready, and gives new connections to those that are.
struct Balancer {
    address: SocketAddr,
    places: Arc<Mutex<Vec<(SocketAddr, bool)>>>,
}

impl Balancer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let places: Arc<Mutex<Vec<(SocketAddr, bool)>>> = Arc::default();
        let (checked, chosen) = (Arc::clone(&places), Arc::clone(&places));
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            loop {
                let known = checked.lock().unwrap().clone();
                for (place, _) in known {
                    let answer = client.get(format!("http://{place}/ready")).send().await;
                    let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
                    let mut places = checked.lock().unwrap();
                    if let Some(entry) = places.iter_mut().find(|(address, _)| *address == place) {
                        entry.1 = is_ready;
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        tokio::spawn(async move {
            for turn in 0_usize.. {
                let (mut client, _) = listener.accept().await.unwrap();
                let ready: Vec<SocketAddr> = chosen
                    .lock()
                    .unwrap()
                    .iter()
                    .filter(|(_, ready)| *ready)
                    .map(|(place, _)| *place)
                    .collect();
                tokio::spawn(async move {
                    let mut gateway = TcpStream::connect(ready[turn % ready.len()]).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut gateway).await;
                });
            }
        });
        Self { address, places }
    }

    fn add(&self, place: SocketAddr) {
        self.places.lock().unwrap().push((place, false));
    }

    fn remove(&self, place: SocketAddr) {
        self.places.lock().unwrap().retain(|(address, _)| *address != place);
    }

    fn is_ready(&self, place: SocketAddr) -> bool {
        self.places.lock().unwrap().contains(&(place, true))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_are_restarted_one_after_the_other_and_no_request_fails() {
    let balancer = Balancer::start().await;
    let settings = ["http: { shutdown_delay: 500ms }"];
    let mut gateways = Vec::new();
    for _ in 0..2 {
        let gateway = Serving::start(&settings).await;
        balancer.add(gateway.address);
        eventually("it is ready", || balancer.is_ready(gateway.address)).await;
        gateways.push(gateway);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = [true, true, false, false]
        .map(|keeps| {
            let (stop, asked, url) =
                (Arc::clone(&stop), Arc::clone(&asked), format!("http://{}/graphql", balancer.address));
            tokio::spawn(async move {
                let pool = usize::from(keeps);
                let client =
                    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(pool).build().unwrap();
                while !stop.load(Ordering::SeqCst) {
                    let answer = client.post(&url).json(&json!({ "query": NAME })).send().await;
                    let answer = answer.unwrap_or_else(|error| panic!("a request failed: {error:?}"));
                    assert_eq!(answer.status(), 200);
                    let body: serde_json::Value = answer.json().await.unwrap();
                    assert_eq!(body, json!({ "data": { "product": { "name": "kopi" } } }));
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .into();
    let rolls = long_form("ROLLS", 4);
    for _ in 0..rolls {
        let mut old = gateways.remove(0);
        signal("TERM", old.pid()).await;
        let ended = tokio::time::timeout(PATIENCE, old.child.wait()).await.expect("it drains").unwrap();
        assert!(ended.success(), "{ended}");
        balancer.remove(old.address);
        let new = Serving::start(&settings).await;
        balancer.add(new.address);
        eventually("it is ready", || balancer.is_ready(new.address)).await;
        gateways.push(new);
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    println!("{rolls} restarts, {} requests, none failed", asked.load(Ordering::SeqCst));
    assert!(asked.load(Ordering::SeqCst) > 0);
}

/// A gateway in this process whose subgraph `products` is a process of its own: another gateway, which is a GraphQL server
/// like any other for what needs no entities.
async fn before_a_process(settings: SubgraphSettings) -> (Gateway, Serving) {
    let behind = Serving::start(&[]).await;
    let transport = Transport::new()
        .with_in_process("reviews", subgraphs::reviews())
        .with_settings("products", settings)
        .with_http("products", &behind.url)
        .unwrap();
    let mut options = Options::new(supergraph("", ""), transport);
    options.traffic.share_subgraph_queries = false;
    (start(options).await, behind)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subgraph_process_that_is_stopped_costs_its_time_limit_and_holds_nothing_after() {
    let mut settings =
        SubgraphSettings { timeout: Duration::from_millis(500), breaker: None, ..Default::default() };
    settings.concurrency.in_flight_max = 2;
    let (gateway, behind) = before_a_process(settings).await;
    assert_eq!(gateway.data(NAME).await["product"]["name"], "kopi");
    behind.pause().await;
    let begun = Instant::now();
    let answers = futures::future::join_all((0..6).map(|_| body(gateway.query(NAME)))).await;
    for answer in answers {
        let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
        assert_eq!(code, "SUBREQUEST_TIMEOUT", "{answer}");
    }
    // Far below what the kernel takes to find a connection dead, and what others do goes on.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(gateway.data("{ __typename }").await, json!({ "__typename": "Query" }));
    signal("CONT", behind.pid()).await;
    // No place is held by those that were given up: as many at a time as before, as soon as it is awake.
    let all = async || {
        let answers = futures::future::join_all((0..6).map(|_| body(gateway.query(NAME)))).await;
        answers.iter().all(|answer| answer["data"]["product"]["name"] == "kopi")
    };
    tokio::time::timeout(PATIENCE, async { while !all().await {} }).await.expect("places are held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_client_that_is_stopped_is_let_go_after_two_pings() {
    let products = subgraphs::products();
    let open = products.open.clone();
    let transport = Transport::new()
        .with_in_process("products", products.router)
        .with_in_process("reviews", subgraphs::reviews());
    let mut options = Options::new(supergraph("", ""), transport);
    options.subscriptions.websocket.ping_interval = Duration::from_millis(400);
    let gateway = start(options).await;
    // The client is a process that keeps WebSockets: a gateway whose subgraph is the one under test.
    let sdl = supergraph(&gateway.url("/graphql"), "http://127.0.0.1:1/graphql");
    let settings = ["subgraphs: { all: { subscriptions: { protocol: websocket } } }"];
    let client = Serving::over(&sdl, &settings, &[]).await;
    let subscription = json!({ "query": "subscription { forever { id } }" });
    let request = client.client.post(&client.url).header("accept", "text/event-stream").json(&subscription);
    let stream = request.send().await.unwrap();
    eventually("the subscription is open", || open.count() == 1).await;
    // Alive and answering pings, it stays for longer than a silent one may.
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(open.count(), 1);
    let begun = Instant::now();
    client.pause().await;
    eventually("the silent client is let go", || open.count() == 0).await;
    println!("let go {:?} after it was stopped, pinged every 400 ms", begun.elapsed());
    signal("CONT", client.pid()).await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_more_to_do_than_it_can_refuses_at_once_and_is_well_again_after() {
    let slow = Router::new().route(
        "/graphql",
        post(async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Json(json!({ "data": { "product": { "name": "kopi" } } }))
        }),
    );
    let transport =
        Transport::new().with_in_process("products", slow).with_in_process("reviews", subgraphs::reviews());
    let mut options = Options::new(supergraph("", ""), transport);
    options.http.operations_in_flight_max = 8;
    options.traffic.share_subgraph_queries = false;
    let gateway = start(options).await;
    // Ten times what it can take: requests begin whether or not others have ended.
    let end = Instant::now() + Duration::from_secs(long_form("OVERLOAD_SECONDS", 2));
    let mut tasks = Vec::new();
    while Instant::now() < end {
        let request = gateway.query(NAME);
        tasks.push(tokio::spawn(async move {
            let begun = Instant::now();
            let answer = request.send().await.unwrap();
            let retry_after = answer.headers().contains_key("retry-after");
            (answer.status().as_u16(), retry_after, begun.elapsed())
        }));
        tokio::time::sleep(Duration::from_micros(600)).await;
    }
    let (mut served, mut refused) = (0, Vec::new());
    for task in tasks {
        match task.await.unwrap() {
            (200, _, _) => served += 1,
            (503, true, took) => refused.push(took),
            other => panic!("{other:?}"),
        }
    }
    refused.sort();
    assert!(served > 0 && refused.len() > served, "{served} served, {} refused", refused.len());
    let median = refused[refused.len() / 2];
    println!("{served} served, {} refused, the median after {median:?}", refused.len());
    // Not after the time that the work would take: on a machine of its own it is some hundred microseconds.
    assert!(median < Duration::from_secs(2), "{median:?}");
    let begun = Instant::now();
    assert_eq!(gateway.data(NAME).await["product"]["name"], "kopi");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Processor time of a process so far, in clock ticks of which a second has a hundred.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_file_handles_left_waits_for_some_and_goes_on() {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let reviews = subgraphs::listen(subgraphs::reviews()).await;
    let gateway = Serving::over(&supergraph(&products, &reviews), &[], &["prlimit", "--nofile=64:64"]).await;
    assert_eq!(gateway.ask(NAME).await["data"]["product"]["name"], "kopi");
    let mut held = Vec::new();
    for _ in 0..120 {
        // The kernel takes them though the gateway cannot.
        held.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    eventually("its handles are used up", || gateway.open_files() >= 63).await;
    let (before, begun) = (ticks(gateway.pid()), Instant::now());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (used, passed) = (ticks(gateway.pid()) - before, begun.elapsed());
    assert!(
        used * 10 < u64::try_from(passed.as_millis()).unwrap() / 2,
        "{used} ticks in {passed:?}: a busy loop"
    );
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let request = gateway.client.post(&gateway.url).json(&json!({ "query": NAME }));
        if let Ok(answer) = request.send().await {
            let body: serde_json::Value = answer.json().await.unwrap();
            if body["data"]["product"]["name"] == "kopi" {
                return;
            }
        }
        assert!(Instant::now() < deadline, "it never recovers");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_of_work_leave_no_memory_files_or_threads_behind() {
    let gateway = Arc::new(Serving::start(&["documents: { automatic: { enabled: true } }"]).await);
    let work = async |seconds: u64| {
        let end = Instant::now() + Duration::from_secs(seconds);
        let clients = (0..4).map(|client| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move {
                let mut number = client;
                let mut asked = 0_u64;
                while Instant::now() < end {
                    number += 4;
                    // Mostly what was asked before, now and then an operation of its own, an error, a stream.
                    match number % 40 {
                        0 => drop(
                            gateway.ask(&format!("query Q{number} {{ products {{ name rating }} }}")).await,
                        ),
                        1 => drop(gateway.ask("{ nothing }").await),
                        2 => {
                            let query =
                                json!({ "query": "subscription { countdown(from: 3) { id rating } }" });
                            let request =
                                gateway.client.post(&gateway.url).header("accept", "text/event-stream");
                            request.json(&query).send().await.unwrap().bytes().await.unwrap();
                        }
                        _ => drop(gateway.ask("{ products { name rating } }").await),
                    }
                    asked += 1;
                }
                asked
            })
        });
        futures::future::join_all(clients).await.into_iter().map(Result::unwrap).sum::<u64>()
    };
    let seconds = long_form("SOAK_SECONDS", 3);
    work(seconds.min(30)).await;
    let before = (gateway.memory(), gateway.open_files(), gateway.threads());
    let asked = work(seconds).await;
    let after = (gateway.memory(), gateway.open_files(), gateway.threads());
    println!("{asked} requests: bytes, files, threads {before:?}, then {after:?}");
    // Plans of the operations that came once are kept, up to a bound; beyond it there is nothing to grow.
    assert!(after.0 < before.0 + before.0 / 5 + (16 << 20), "{before:?}, then {after:?}");
    assert!(after.1 <= before.1 + 10, "{before:?}, then {after:?}");
    assert!(after.2 <= before.2 + 2, "{before:?}, then {after:?}");
}
