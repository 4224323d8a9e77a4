//! The benchmark measures what it says: the gateway's answer over its subgraphs is the right one, at the expected cost.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are outside test functions, where clippy allows it"
)]

use std::net::SocketAddr;
use std::time::Duration;

use kopitiam_bench::load::{self, Load};
use kopitiam_bench::operation;
use kopitiam_bench::subgraphs::{self, Requests, Subgraphs};
use kopitiam_composition::Subgraph;
use kopitiam_engine::{Engine, EngineSettings, Request};
use kopitiam_plan::Plan;
use kopitiam_server::{Options, Server, Transport};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

fn supergraph(subgraphs_at: SocketAddr) -> String {
    let subgraphs = subgraphs::NAMES.map(|name| Subgraph {
        name: name.to_owned(),
        url: format!("http://{subgraphs_at}/{name}"),
        sdl: subgraphs::sdl(name),
    });
    kopitiam_composition::compose(&subgraphs).expect("the subgraphs compose").supergraph_sdl
}

async fn serve_subgraphs(requests: &Requests) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = subgraphs::router(Duration::ZERO, requests);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// The longest chain of fetches that wait for one another.
fn levels(plan: &Plan) -> usize {
    let mut depths: Vec<usize> = Vec::new();
    for fetch in &plan.fetches {
        let before = fetch.depends_on.iter().map(|id| depths[id.0 as usize]).max().unwrap_or(0);
        depths.push(before + 1);
    }
    depths.into_iter().max().unwrap_or(0)
}

#[tokio::test]
async fn the_gateway_gives_the_verified_answer_with_seven_subgraph_requests() {
    let requests = Requests::default();
    let subgraphs_at = serve_subgraphs(&requests).await;
    let mut options = Options::new(supergraph(subgraphs_at), Transport::new());
    options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(options).await.unwrap();
    let address = server.local_addr();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.run(shutdown.clone()));

    let checked = async {
        let (body, expected) = (operation::body(), operation::expected());
        let fingerprint = load::verify(address, &body, &expected, operation::START_TIMEOUT).await.unwrap();
        assert_eq!(requests.count(), operation::REQUESTS_MAX);
        let load = Load { address, body, fingerprint, connections: 2 };
        let run = load::run(&load, Duration::from_millis(50)).await.unwrap();
        assert!(!run.latencies_us.is_empty());
    };
    LocalSet::new().run_until(checked).await;
    shutdown.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_wrong_answer_ends_the_run_and_says_where() {
    let requests = Requests::default();
    let subgraphs_at = serve_subgraphs(&requests).await;
    let wrong = async {
        let mut expected = operation::expected();
        expected["data"]["users"][3]["name"] = "nobody".into();
        let mut options = Options::new(supergraph(subgraphs_at), Transport::new());
        options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(options).await.unwrap();
        let address = server.local_addr();
        let shutdown = CancellationToken::new();
        tokio::spawn(server.run(shutdown.clone()));
        let verified = load::verify(address, &operation::body(), &expected, operation::START_TIMEOUT).await;
        shutdown.cancel();
        verified.unwrap_err().to_string()
    };
    let message = LocalSet::new().run_until(Box::pin(wrong)).await;
    assert!(message.contains("$.data.users[3].name"), "{message}");
}

#[tokio::test]
async fn the_plan_has_seven_fetches_on_at_most_four_levels() {
    let sdl = supergraph(SocketAddr::from(([127, 0, 0, 1], 1)));
    let engine = Engine::new(&sdl, Transport::new(), EngineSettings::default()).unwrap();
    let request = Request { query: operation::DOCUMENT.to_owned(), ..Request::default() };
    let prepared = engine.prepare(&request).unwrap();
    let plan = prepared.plan();
    assert!(plan.fetches.len() as u64 <= operation::REQUESTS_MAX, "{plan}");
    assert!(levels(plan) <= operation::LEVELS_MAX, "{plan}");
}

#[tokio::test]
async fn the_answer_is_as_large_as_in_the_public_benchmark() {
    let length = operation::expected().to_string().len();
    assert!((85_000..91_000).contains(&length), "{length}");
    let subgraphs = Subgraphs::default();
    assert_eq!(subgraphs.answer("nobody", br#"{"query":"{a}"}"#).await, None);
}
