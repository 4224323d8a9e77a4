//! The topics: name, message key, retention, dead letter; and making them on a broker.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::KafkaError;

/// Commands older than this are answered or given up by their saga.
const COMMAND_RETENTION: Duration = Duration::from_hours(7 * 24);

/// How topics are laid out on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Copies of each topic.
    pub replication: i32,
    /// Parts of each topic: as many consumers of a group can share its keys. One key stays on one of them.
    pub partitions: i32,
    /// Goes before every topic's and group's name, so that several installations (or tests) share a cluster.
    pub prefix: String,
}

impl Layout {
    /// For one broker and one process per service, such as the embedded one: it reads every partition of a waiting
    /// consumer again and again, so each costs processor time while nothing happens.
    pub const fn single() -> Self {
        Self { replication: 1, partitions: 1, prefix: String::new() }
    }

    /// The topic's name on this cluster.
    pub fn name(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }
}

/// A topic of the marketplace. Events are kept for ever, commands for seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Accounts and seller profiles; key: user id.
    UserEvents,
    /// Holds, captures and refunds asked of the ledger; key: user id.
    WalletCommands,
    /// What the ledger did; key: user id.
    WalletEvents,
    /// Catalogue; key: product or category id.
    ProductEvents,
    /// Reservations and item locks asked of the stock; key: order or item id.
    StockCommands,
    /// What the stock did; key: product, item or reservation id.
    StockEvents,
    /// Locks and sales asked of a listing; key: listing id.
    ListingCommands,
    /// Listings, bids and auctions; key: listing id.
    ListingEvents,
    /// Orders and invoices; key: order id.
    OrderEvents,
    /// Bookings; key: booking id.
    BookingEvents,
    /// Reviews; key: id of what was reviewed.
    ReviewEvents,
}

impl Topic {
    /// Every topic, in the order of the design.
    pub const ALL: [Self; 11] = [
        Self::UserEvents,
        Self::WalletCommands,
        Self::WalletEvents,
        Self::ProductEvents,
        Self::StockCommands,
        Self::StockEvents,
        Self::ListingCommands,
        Self::ListingEvents,
        Self::OrderEvents,
        Self::BookingEvents,
        Self::ReviewEvents,
    ];

    /// The name on the broker. A breaking change gets a new one (`…v2`), published in parallel until consumers moved.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserEvents => "user.events.v1",
            Self::WalletCommands => "wallet.commands.v1",
            Self::WalletEvents => "wallet.events.v1",
            Self::ProductEvents => "product.events.v1",
            Self::StockCommands => "stock.commands.v1",
            Self::StockEvents => "stock.events.v1",
            Self::ListingCommands => "listing.commands.v1",
            Self::ListingEvents => "listing.events.v1",
            Self::OrderEvents => "order.events.v1",
            Self::BookingEvents => "booking.events.v1",
            Self::ReviewEvents => "review.events.v1",
        }
    }

    /// The topic of that name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// Whether it carries commands (kept seven days) rather than events (kept for ever).
    pub const fn is_command(self) -> bool {
        matches!(self, Self::WalletCommands | Self::StockCommands | Self::ListingCommands)
    }

    /// Where a message goes that no retry can apply.
    pub fn dead_letter(self) -> String {
        dead_letter(self.name())
    }

    fn retention_ms(self) -> String {
        if self.is_command() { COMMAND_RETENTION.as_millis().to_string() } else { "-1".to_owned() }
    }
}

/// The dead letter topic beside the topic of that name.
pub fn dead_letter(name: &str) -> String {
    format!("{name}.dlq")
}

/// Makes every topic and its dead letter where missing; topics that exist are left as they are.
///
/// # Errors
/// [`KafkaError::Client`] when no broker answers; [`KafkaError::TopicRefused`] when it refuses one.
pub async fn ensure(brokers: &str, layout: &Layout) -> Result<(), KafkaError> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    let wanted: Vec<(String, String)> = Topic::ALL
        .into_iter()
        .flat_map(|topic| {
            [(topic.name().to_owned(), topic.retention_ms()), (topic.dead_letter(), "-1".to_owned())]
        })
        .map(|(name, retention)| (format!("{}{name}", layout.prefix), retention))
        .collect();
    let topics: Vec<NewTopic<'_>> = wanted
        .iter()
        .map(|(name, retention)| {
            NewTopic::new(name, layout.partitions, TopicReplication::Fixed(layout.replication))
                .set("retention.ms", retention)
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(Duration::from_secs(30)))
        .operation_timeout(Some(Duration::from_secs(30)));
    for result in admin.create_topics(&topics, &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(KafkaError::TopicRefused { topic, code }),
        }
    }
    Ok(())
}
