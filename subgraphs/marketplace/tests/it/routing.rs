//! P16: which message is on which topic, under which key, and who listens to it; the design's table, and what really goes
//! over the broker on a day of business.
//!
//! Elsewhere: who may send what (`kafka/src/senders.rs`), order per key (kit).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use kopitiam_kafka::{Envelope, Topic, client, messages};
use rdkafka::Message;
use rdkafka::message::Headers;
use uuid::Uuid;

use crate::duplicates::consumers;
use crate::world::{ALL, Name, World};

/// Topic, what its messages are about (their key is its id), the messages.
const ROUTES: [(Topic, &str, &str); 15] = [
    (
        Topic::UserEvents,
        "user",
        "UserRegistered UserUpdated UserBanned UserUnbanned RolesChanged TokensEnded SellerOpened SellerUpdated",
    ),
    (Topic::WalletCommands, "wallet", "HoldFunds ReleaseFunds CaptureFunds RefundFunds ReleaseEscrow"),
    (
        Topic::WalletEvents,
        "wallet",
        "CreditGranted ToppedUp FundsHeld FundsRejected FundsReleased FundsCaptured FundsRefunded EscrowReleased",
    ),
    (Topic::ProductEvents, "product", "ProductCreated ProductUpdated ProductArchived"),
    (Topic::ProductEvents, "category", "CategorySaved CategoryDeleted"),
    (Topic::StockCommands, "reservation", "ReserveStock ReleaseStock CommitStock RestockLines"),
    (Topic::StockCommands, "item", "LockItem UnlockItem TransferItem"),
    (
        Topic::StockEvents,
        "reservation",
        "StockReserved StockRejected StockReleased StockCommitted StockRestocked",
    ),
    (Topic::StockEvents, "product", "StockUpdated"),
    (Topic::StockEvents, "item", "ItemLocked ItemLockRejected ItemUnlocked ItemTransferred"),
    (Topic::ListingCommands, "listing", "LockListing UnlockListing SellListing"),
    (
        Topic::ListingEvents,
        "listing",
        "ListingCreated ListingUpdated ListingLocked ListingLockRejected ListingUnlocked ListingSold BidPlaced BidAccepted \
         BidOutbid BidRejected AuctionExtended AuctionEnded AuctionSettled ListingClosed ListingCancelled",
    ),
    (Topic::OrderEvents, "order", "OrderCreated OrderStatusChanged InvoiceIssued"),
    (
        Topic::BookingEvents,
        "booking",
        "BookingRequested BookingAccepted BookingDeclined BookingExpired BookingDepositHeld BookingDelivered \
         BookingBalanceDue BookingClosed BookingCancelled BookingDisputed BookingResolved",
    ),
    (Topic::ReviewEvents, "subject", "ReviewPosted"),
];

/// Consumer groups and what they read.
const LISTENERS: [(&str, &[Topic]); 6] = [
    (
        "listing",
        &[
            Topic::UserEvents,
            Topic::WalletEvents,
            Topic::StockEvents,
            Topic::ListingCommands,
            Topic::OrderEvents,
        ],
    ),
    (
        "order",
        &[
            Topic::UserEvents,
            Topic::WalletEvents,
            Topic::ProductEvents,
            Topic::StockEvents,
            Topic::ListingEvents,
        ],
    ),
    ("product", &[Topic::StockCommands]),
    ("product.reviews", &[Topic::ReviewEvents]),
    ("user", &[Topic::WalletCommands]),
    ("user.notices", &[Topic::ListingEvents, Topic::OrderEvents, Topic::BookingEvents, Topic::ReviewEvents]),
];

/// Where the ids of each kind of aggregate are rows: service, table, column.
const ROWS: [(&str, Name, &str, &str); 10] = [
    ("user", Name::User, "users", "id"),
    ("wallet", Name::User, "accounts", "owner_id"),
    ("product", Name::Product, "products", "id"),
    ("category", Name::Product, "categories", "id"),
    ("reservation", Name::Order, "orders", "id"),
    ("item", Name::Product, "items", "id"),
    // Also those that a listing asks for in vain.
    ("item", Name::Listing, "listing", "item_id"),
    ("listing", Name::Listing, "listing", "id"),
    ("order", Name::Order, "orders", "id"),
    ("booking", Name::Order, "booking", "id"),
];

/// Type → where it goes and what it is about.
fn routes() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let types = ROUTES.iter().flat_map(|(topic, aggregate, types)| {
        types.split_whitespace().map(|kind| (kind, (topic.name(), *aggregate)))
    });
    types.collect()
}

#[test]
fn every_message_type_has_the_topic_and_the_aggregate_of_the_design() {
    let types = ROUTES.iter().map(|(.., types)| types.split_whitespace().count()).sum::<usize>();
    assert_eq!(routes().len(), types, "a type is on one topic");
    let all = messages::all();
    assert_eq!(all.len(), types, "none is missing");
    let declared: BTreeMap<&str, (&str, &str)> =
        all.iter().map(|info| (info.message_type, (info.topic.name(), info.aggregate))).collect();
    assert_eq!(declared, routes());
    let used: BTreeSet<&str> = ROUTES.iter().map(|(topic, ..)| topic.name()).collect();
    assert_eq!(used, Topic::ALL.iter().map(|topic| topic.name()).collect(), "no topic is for nothing");
}

fn topic_names(topics: &[Topic]) -> BTreeSet<&'static str> {
    topics.iter().map(|topic| topic.name()).collect()
}

#[test]
fn every_consumer_reads_the_topics_of_the_design_and_no_other() {
    let mut declared = BTreeMap::new();
    for name in ALL {
        for consumer in consumers(name) {
            let group = consumer.of(&format!("{name:?}").to_lowercase());
            assert_eq!(topic_names(&group.topics).len(), group.topics.len(), "{}: one twice", group.group);
            declared.insert(group.group, topic_names(&group.topics));
        }
    }
    let design: BTreeMap<String, BTreeSet<&str>> =
        LISTENERS.iter().map(|(group, topics)| ((*group).to_owned(), topic_names(topics))).collect();
    assert_eq!(declared, design);
}

/// All source text of a service but what describes its own messages.
fn source(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The message types that a service's code names and does not send: events of others, commands to itself.
fn handled(name: Name) -> BTreeSet<&'static str> {
    let service = format!("{name:?}").to_lowercase();
    let mut text = String::new();
    source(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{service}/src")), &mut text);
    let words: BTreeSet<&str> =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    let (answers, tells) = match name {
        Name::Listing => (Some(Topic::ListingCommands), &[Topic::ListingEvents][..]),
        Name::Order => (None, &[Topic::OrderEvents, Topic::BookingEvents, Topic::ReviewEvents][..]),
        Name::Product => (Some(Topic::StockCommands), &[Topic::ProductEvents, Topic::StockEvents][..]),
        Name::User => (Some(Topic::WalletCommands), &[Topic::UserEvents, Topic::WalletEvents][..]),
    };
    let foreign =
        |topic: Topic| if topic.is_command() { Some(topic) == answers } else { !tells.contains(&topic) };
    let all = messages::all().into_iter();
    all.filter(|info| foreign(info.topic) && words.contains(info.message_type))
        .map(|info| info.message_type)
        .collect()
}

#[test]
fn every_service_listens_to_exactly_the_topics_of_the_messages_that_it_handles() {
    let routes = routes();
    let mut heard = BTreeSet::new();
    for name in ALL {
        let handled = handled(name);
        let topics: BTreeSet<&str> = handled.iter().map(|kind| routes[kind].0).collect();
        let read =
            consumers(name).iter().flat_map(|consumer| consumer.topics.iter().map(|topic| topic.name()));
        assert_eq!(topics, read.collect(), "{name:?} handles {handled:?}");
        heard.extend(handled);
    }
    let commands = messages::all().into_iter().filter(|info| info.topic.is_command());
    let unheard: Vec<&str> =
        commands.map(|info| info.message_type).filter(|kind| !heard.contains(kind)).collect();
    assert_eq!(unheard, Vec::<&str>::new(), "commands that nobody does");
}

/// Every record of every topic, read by somebody who knows none of the services: topic, key, header of the type, envelope.
async fn records(world: &World) -> Vec<(String, String, Option<String>, Envelope)> {
    let mut wanted = BTreeSet::new();
    for name in ALL {
        let ids: Vec<(Uuid,)> = world.rows(name, "SELECT id FROM kit_outbox", vec![]).await;
        wanted.extend(ids.into_iter().map(|(id,)| id));
    }
    let reader =
        client::consumer(&world.kafka.brokers, &world.kafka.layout, "somebody", &Topic::ALL).unwrap();
    let mut records = Vec::new();
    while !wanted.is_empty() {
        let next = tokio::time::timeout(Duration::from_mins(1), reader.recv()).await;
        let record = next.unwrap_or_else(|_| panic!("{} are on no topic", wanted.len())).unwrap();
        let envelope = Envelope::from_record(&record).unwrap();
        wanted.remove(&envelope.id);
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let headers = record.headers().into_iter().flat_map(Headers::iter);
        let kind = headers.filter(|header| header.key == "type").find_map(|header| text(header.value));
        let topic = record.topic().strip_prefix(&world.kafka.layout.prefix).unwrap().to_owned();
        records.push((topic, text(record.key()).unwrap_or_default(), kind, envelope));
    }
    records
}

#[tokio::test]
async fn every_message_of_a_day_of_business_is_on_the_topic_of_its_type_under_the_key_of_its_aggregate() {
    let world = World::exchange().await;
    world.a_day_of_business().await;
    world.all_heard("").await;
    let mut ids = BTreeMap::<_, BTreeSet<Uuid>>::new();
    for (aggregate, name, table, column) in ROWS {
        let select = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
        let rows: Vec<(Uuid,)> = world.rows(name, &select, vec![]).await;
        ids.entry(aggregate).or_default().extend(rows.into_iter().map(|(id,)| id));
    }
    // What is reviewed is a product or a seller.
    let reviewed: BTreeSet<Uuid> = ids["product"].union(&ids["user"]).copied().collect();
    ids.insert("subject", reviewed);
    let (routes, mut seen) = (routes(), BTreeSet::new());
    for (topic, key, kind, envelope) in records(&world).await {
        let (expected, aggregate) = routes[envelope.message_type.as_str()];
        assert_eq!(topic, expected, "{envelope:?}");
        assert_eq!(kind.as_deref(), Some(envelope.message_type.as_str()), "to be routed without its body");
        assert_eq!(envelope.aggregate_type, aggregate, "{envelope:?}");
        assert_eq!(key, envelope.aggregate_id.to_string(), "{envelope:?}");
        assert!(ids[aggregate].contains(&envelope.aggregate_id), "no {aggregate}: {envelope:?}");
        seen.insert((expected, aggregate));
    }
    let all: BTreeSet<_> = ROUTES.iter().map(|(topic, aggregate, _)| (topic.name(), *aggregate)).collect();
    assert_eq!(seen, all, "something about everything");
}
