//! The embedded broker as a child process: it comes up, keeps what it acknowledged, and goes.

use std::time::Duration;

use kopitiam_kafka::embedded::EmbeddedBroker;
use kopitiam_kafka::topics::Layout;
use kopitiam_kafka::{KafkaError, Topic, client, topics};
use rdkafka::Message;
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;

const PATIENCE: Duration = Duration::from_secs(30);

async fn send(brokers: &str, payload: &str) {
    let producer = client::producer(brokers).unwrap();
    let record = FutureRecord::to(Topic::UserEvents.name()).key("key").payload(payload);
    producer.send(record, Timeout::After(PATIENCE)).await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::start(data.path()).await.unwrap();
    topics::ensure(&broker.brokers(), &Layout::single()).await.unwrap();
    send(&broker.brokers(), "before the kill").await;
    broker.kill().await.unwrap();

    let broker = EmbeddedBroker::start(data.path()).await.unwrap();
    topics::ensure(&broker.brokers(), &Layout::single()).await.unwrap();
    send(&broker.brokers(), "after it").await;
    let consumer =
        client::consumer(&broker.brokers(), &Layout::single(), "test", &[Topic::UserEvents]).unwrap();
    for expected in ["before the kill", "after it"] {
        let message = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
        assert_eq!(message.payload(), Some(expected.as_bytes()));
    }
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_asked_to_stop_gives_its_address_free() {
    let data = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::start(data.path()).await.unwrap();
    let address = broker.address();
    broker.stop().await.unwrap();
    assert!(std::net::TcpListener::bind(address).is_ok());
}

#[tokio::test]
async fn a_taken_address_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let data = tempfile::tempdir().unwrap();
    let error = EmbeddedBroker::start_on(data.path(), taken.local_addr().unwrap()).await.unwrap_err();
    assert!(matches!(error, KafkaError::BrokerNotReady { .. }), "{error}");
}
