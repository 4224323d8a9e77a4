//! Waits until a group of consumers has applied all that its topics hold.

use std::time::Duration;

use kopitiam_kafka::{Topic, client};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::eventually;
use crate::config::KafkaConfig;

const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Returns once the group has committed the end of every partition of these topics, as it is when it is looked at.
///
/// # Panics
/// When it does not come so far.
pub async fn caught_up(kafka: &KafkaConfig, group: &str, topics: &[Topic]) {
    let what = format!("{group} has applied everything");
    eventually(&what, || async {
        let (kafka, group, topics) = (kafka.clone(), group.to_owned(), topics.to_vec());
        // The client blocks the thread that asks.
        let lag = tokio::task::spawn_blocking(move || lag(&kafka, &group, &topics)).await;
        (lag.expect("it does not panic") == Some(0)).then_some(())
    })
    .await;
}

/// How many messages the group has not committed; `None` when the broker does not say.
fn lag(kafka: &KafkaConfig, group: &str, topics: &[Topic]) -> Option<i64> {
    let group = format!("{}{group}", kafka.layout.prefix);
    let asking: BaseConsumer = client::consumer_config(&kafka.brokers, &group).create().ok()?;
    let mut lag = 0;
    for topic in topics {
        let name = kafka.layout.name(*topic);
        let metadata = asking.fetch_metadata(Some(&name), ASK_WITHIN).ok()?;
        for partition in metadata.topics().first()?.partitions() {
            let (_, end) = asking.fetch_watermarks(&name, partition.id(), ASK_WITHIN).ok()?;
            let mut one = TopicPartitionList::new();
            one.add_partition(&name, partition.id());
            let committed = asking.committed_offsets(one, ASK_WITHIN).ok()?;
            let applied = match committed.elements().first()?.offset() {
                Offset::Offset(next) => next,
                _ => 0,
            };
            lag += end - applied;
        }
    }
    Some(lag)
}
