//! Subscriptions that are fed from topics, through a real broker.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use kopitiam_server::{EventField, EventSettings, Options, Template, Transport};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::common::{Gateway, PATIENCE, start, subgraphs, supergraph};
use crate::streams::events;

const TOPIC: &str = "products";

/// The broker of this repository; ends when dropped.
struct Broker {
    address: String,
    producer: FutureProducer,
    _child: Child,
    _data: TempDir,
}

/// As the services' tests find it.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("KOPITIAM_BROKER") {
        return path.into();
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kafka/broker/target");
    let release = target.join("release/kopitiam-broker");
    if release.is_file() { release } else { target.join("debug/kopitiam-broker") }
}

impl Broker {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(binary())
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the broker is built: make broker");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the broker lives");
                if let Some(address) = line.strip_prefix("kopitiam-broker ready on ") {
                    return address.to_owned();
                }
            }
        };
        let address = tokio::time::timeout(PATIENCE, ready).await.expect("the broker starts");
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &address);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        let topic = NewTopic::new(TOPIC, 2, TopicReplication::Fixed(1));
        admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
        Self { address, producer: config.create().unwrap(), _child: child, _data: data }
    }

    async fn send(&self, key: &str, value: &str) {
        let record = FutureRecord::to(TOPIC).key(key).payload(value);
        self.producer.send(record, PATIENCE).await.unwrap();
    }
}

fn field(field: &str, key: Option<&str>) -> EventField {
    EventField {
        field: field.to_owned(),
        topic: TOPIC.to_owned(),
        key: key.map(|key| Template::parse(key).unwrap()),
        filters: vec![("/type".to_owned(), Template::parse("ProductChanged").unwrap())],
        entity: "Product".to_owned(),
        key_fields: vec![("id".to_owned(), "/data/product".to_owned())],
    }
}

struct Fed {
    broker: Broker,
    gateway: Gateway,
    products: subgraphs::Open,
}

async fn fed() -> Fed {
    let broker = Broker::start().await;
    let products = subgraphs::products();
    let transport = Transport::new()
        .with_in_process("products", products.router)
        .with_in_process("reviews", subgraphs::reviews());
    let mut options = Options::new(supergraph("", ""), transport);
    options.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    options.subscriptions.events = Some(EventSettings {
        brokers: broker.address.clone(),
        properties: Vec::new(),
        partitions_interval: Duration::from_millis(200),
        fields: vec![field("forever", None), field("countdown", Some("number-{from}"))],
    });
    Fed { broker, gateway: start(options).await, products: products.open }
}

/// The responses of a stream, as they come.
struct Client(BoxStream<'static, reqwest::Result<Bytes>>, String);

impl Client {
    async fn open(gateway: &Gateway, query: &str) -> Self {
        let request = gateway.query(query).header("accept", "text/event-stream");
        Self(request.send().await.unwrap().bytes_stream().boxed(), String::new())
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let found = events(&format!("{event}\n\n"));
                self.1 = String::from(rest);
                if let Some((_, data)) = found.into_iter().next() {
                    return data;
                }
            } else {
                let chunk = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something comes");
                self.1.push_str(std::str::from_utf8(&chunk.expect("the stream goes on").unwrap()).unwrap());
            }
        }
    }
}

fn changed(product: &str) -> String {
    json!({ "type": "ProductChanged", "data": { "product": product } }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_topic_becomes_the_entity_as_all_subgraphs_know_it() {
    let Fed { broker, gateway, products } = fed().await;
    broker.send("before", &changed("1")).await;
    let mut client = Client::open(&gateway, "subscription { forever { id title: name rating } }").await;
    broker.send("a", "no JSON").await;
    broker.send("a", &json!({ "type": "Other", "data": { "product": "1" } }).to_string()).await;
    broker.send("a", &json!({ "type": "ProductChanged", "data": {} }).to_string()).await;
    // A product that the subgraph does not give: nobody learns that something happened to it.
    broker.send("a", &changed("9")).await;
    broker.send("a", &changed("2")).await;
    broker.send("a", &changed("1")).await;
    let product = |id: &str, title: &str, rating: i32| json!({ "data": { "forever": { "id": id, "title": title, "rating": rating } } });
    assert_eq!(client.next().await, product("2", "teh", 2));
    assert_eq!(client.next().await, product("1", "kopi", 1));
    assert_eq!(products.count(), 0, "the subgraph keeps no stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_arguments_choose_the_records_by_their_key() {
    let Fed { broker, gateway, .. } = fed().await;
    let mut seven = Client::open(&gateway, "subscription { countdown(from: 7) { name } }").await;
    let mut eight = Client::open(&gateway, "subscription { countdown(from: 8) { name } }").await;
    broker.send("number-9", &changed("1")).await;
    broker.send("number-8", &changed("1")).await;
    broker.send("number-7", &changed("2")).await;
    assert_eq!(seven.next().await, json!({ "data": { "countdown": { "name": "teh" } } }));
    assert_eq!(eight.next().await, json!({ "data": { "countdown": { "name": "kopi" } } }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_topic_goes_on_over_a_reload() {
    let Fed { broker, gateway, .. } = fed().await;
    let mut client = Client::open(&gateway, "subscription { forever { name } }").await;
    broker.send("a", &changed("1")).await;
    assert_eq!(client.next().await["data"]["forever"]["name"], "kopi");
    let sdl = supergraph("", "");
    let without: Vec<_> = sdl.lines().filter(|line| !line.contains("countdown(")).collect();
    gateway.schema.replace(&without.join("\n")).unwrap();
    broker.send("a", &changed("2")).await;
    assert_eq!(client.next().await["data"]["forever"]["name"], "teh");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_goes_away_and_comes_back_with_further_partitions_is_heard_again_to_the_last_of_them() {
    let Fed { broker, gateway, .. } = fed().await;
    let mut client = Client::open(&gateway, "subscription { forever { name } }").await;
    broker.send("a", &changed("1")).await;
    assert_eq!(client.next().await["data"]["forever"]["name"], "kopi");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &broker.address);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    admin.delete_topics(&[TOPIC], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    let url = format!("http://{}/metrics", gateway.metrics.unwrap());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !metrics(&gateway, &url).await.contains("gateway_event_topic_failures_total{topic=\"products\"") {
        assert!(tokio::time::Instant::now() < deadline, "nobody is told that the topic is gone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let topic = NewTopic::new(TOPIC, 4, TopicReplication::Fixed(1));
    admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    // Once, whether it is there before the gateway has found the partition or after.
    let producer: FutureProducer = config.create().unwrap();
    let payload = changed("2");
    let record = FutureRecord::to(TOPIC).key("b").partition(3).payload(&payload);
    producer.send(record, PATIENCE).await.unwrap();
    assert_eq!(client.next().await["data"]["forever"]["name"], "teh");
}

async fn metrics(gateway: &Gateway, url: &str) -> String {
    gateway.client.get(url).send().await.unwrap().text().await.unwrap()
}
