//! Producer and consumer set-up. The settings that exactly-once effects depend on are fixed here and checked again by
//! [`assert_safe_producer`] and [`assert_safe_consumer`], so that no override can weaken them unnoticed.

use rdkafka::ClientConfig;
use rdkafka::consumer::StreamConsumer;
use rdkafka::producer::FutureProducer;

use crate::topics::Layout;
use crate::{KafkaError, Topic};

const SAFE_PRODUCER: [(&str, &str); 3] =
    [("acks", "all"), ("enable.idempotence", "true"), ("enable.gapless.guarantee", "true")];
const SAFE_CONSUMER: [(&str, &str); 3] = [
    ("enable.auto.commit", "false"),
    ("auto.offset.reset", "earliest"),
    ("isolation.level", "read_committed"),
];

/// Settings of an idempotent producer that waits for all replicas and never leaves a hole in a partition.
pub fn producer_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        // The outbox keeps what is not delivered, so a bounded wait costs nothing and lets the relay shut down.
        .set("message.timeout.ms", "30000")
        .set("linger.ms", "2")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500");
    for (setting, value) in SAFE_PRODUCER {
        config.set(setting, value);
    }
    config
}

/// Settings of a consumer whose offsets are committed by hand, after the database transaction.
pub fn consumer_config(brokers: &str, group: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        // The embedded broker does not wake a waiting fetch: it reads again after a half, a quarter, an eighth … of this
        // time. Measured with the services' nine subscriptions, send to receive (median) and the idle broker's share of a
        // core: 100 ms: 18 ms, 19 %; 200 ms: 43 ms, 10 %; 400 ms: 130 ms, 7 % (up to half more beside other work). Kafka itself
        // answers at once.
        .set("fetch.wait.max.ms", "200")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "1500")
        .set("max.poll.interval.ms", "600000")
        // Closing the consumer must not commit what it has received but not applied.
        .set("enable.auto.offset.store", "false")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("topic.metadata.refresh.interval.ms", "60000");
    for (setting, value) in SAFE_CONSUMER {
        config.set(setting, value);
    }
    config
}

/// A producer; connects in the background.
///
/// # Errors
/// [`KafkaError::Client`] when a setting is not understood.
pub fn producer(brokers: &str) -> Result<FutureProducer, KafkaError> {
    let config = producer_config(brokers);
    assert_safe_producer(&config)?;
    Ok(config.create()?)
}

/// A consumer subscribed to `topics`; connects in the background and waits for the topics to appear.
///
/// # Errors
/// [`KafkaError::Client`] when a setting or a topic name is not understood.
pub fn consumer(
    brokers: &str,
    layout: &Layout,
    group: &str,
    topics: &[Topic],
) -> Result<StreamConsumer, KafkaError> {
    use rdkafka::consumer::Consumer as _;
    let config = consumer_config(brokers, &format!("{}{group}", layout.prefix));
    assert_safe_consumer(&config)?;
    let consumer: StreamConsumer = config.create()?;
    let names: Vec<String> = topics.iter().map(|topic| layout.name(*topic)).collect();
    consumer.subscribe(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(consumer)
}

/// Refuses a producer that could lose or reorder what it acknowledged.
///
/// # Errors
/// [`KafkaError::UnsafeSetting`] naming the first setting at fault.
pub fn assert_safe_producer(config: &ClientConfig) -> Result<(), KafkaError> {
    assert_settings(config, &SAFE_PRODUCER)
}

/// Refuses a consumer that could skip what it has not applied.
///
/// # Errors
/// [`KafkaError::UnsafeSetting`] naming the first setting at fault.
pub fn assert_safe_consumer(config: &ClientConfig) -> Result<(), KafkaError> {
    assert_settings(config, &SAFE_CONSUMER)
}

fn assert_settings(
    config: &ClientConfig,
    settings: &'static [(&'static str, &'static str)],
) -> Result<(), KafkaError> {
    for (setting, wanted) in settings {
        let found = config.get(setting).unwrap_or("unset");
        if found != *wanted {
            return Err(KafkaError::UnsafeSetting { setting, wanted, found: found.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_settings_pass_their_own_check() {
        assert_safe_producer(&producer_config("127.0.0.1:1")).unwrap();
        assert_safe_consumer(&consumer_config("127.0.0.1:1", "group")).unwrap();
    }

    #[test]
    fn auto_commit_is_refused() {
        let mut config = consumer_config("127.0.0.1:1", "group");
        config.set("enable.auto.commit", "true");
        let error = assert_safe_consumer(&config).unwrap_err();
        assert_eq!(error.to_string(), "Kafka client setting `enable.auto.commit` is `true`, must be `false`");
    }

    #[test]
    fn fewer_acknowledgements_are_refused() {
        let mut config = producer_config("127.0.0.1:1");
        config.set("acks", "1");
        assert!(matches!(
            assert_safe_producer(&config),
            Err(KafkaError::UnsafeSetting { setting: "acks", wanted: "all", .. })
        ));
    }
}
