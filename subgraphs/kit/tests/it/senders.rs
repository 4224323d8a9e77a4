//! Messages are believed by who sent them: commands of services that may send them, unchanged.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kopitiam_kafka::messages::user::{TokensEnded, UserBanned};
use kopitiam_kafka::messages::wallet::{RefundFunds, ReleaseFunds};
use kopitiam_kafka::{Envelope, Message, Topic, client, topics};
use kopitiam_kit::auth::{Denylist, Identity, Viewer};
use kopitiam_kit::config::KafkaConfig;
use kopitiam_kit::message_keys::{MessageKeys, public_of};
use kopitiam_kit::outbox::{self, NewMessage, relay};
use kopitiam_kit::rebuild::rebuild;
use kopitiam_kit::signing::SigningKeys;
use kopitiam_kit::testing::{TestBroker, TestDb, eventually, sqlite};
use kopitiam_kit::{Db, parked};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::notes::{Migrator, NoteTaker, Running, ban, notes, versions_of};

/// As in an earlier release.
const KEY: &str = "the services' own key of 32 bytes";

fn shared(keys: &str) -> MessageKeys {
    MessageKeys::shared(SigningKeys::parse(keys).unwrap())
}

/// A service's secret key, one byte of it.
fn secret(byte: u8) -> String {
    URL_SAFE_NO_PAD.encode([byte; 32])
}

/// The keys of whoever has this secret key, where these are the services'.
fn own(byte: u8, senders: &[(&str, &[u8])], shared: &str) -> MessageKeys {
    let of = |(name, bytes): &(&str, &[u8])| {
        let keys: Vec<String> = bytes.iter().map(|byte| public_of(&secret(*byte)).unwrap()).collect();
        format!("{name}={}", keys.join("+"))
    };
    let senders: Vec<String> = senders.iter().map(of).collect();
    let shared = if shared.is_empty() { SigningKeys::default() } else { SigningKeys::parse(shared).unwrap() };
    MessageKeys::parse(&secret(byte), &senders.join(","), shared).unwrap()
}

async fn write<M: Message>(db: &Db, about: Uuid, payload: &M) -> Envelope {
    let append =
        |tx| async move { outbox::append(&tx, NewMessage::new(about, "service:test", payload)).await };
    db.transaction(append).await.unwrap()
}

/// A service that only sends.
struct Sender {
    db: TestDb,
    _stop: DropGuard,
}

async fn sender(kafka: &KafkaConfig, name: &'static str) -> Sender {
    let (db, stop) = (sqlite::<Migrator>().await, CancellationToken::new());
    tokio::spawn(relay::run(db.db().clone(), kafka.clone().sent_by(name), stop.clone()));
    Sender { db, _stop: stop.drop_guard() }
}

/// Reads a topic from its beginning.
async fn reader(kafka: &KafkaConfig, topic: &str) -> StreamConsumer {
    topics::ensure(&kafka.brokers, &kafka.layout).await.unwrap();
    let group = format!("{}{}", kafka.layout.prefix, Uuid::now_v7());
    let reader: StreamConsumer = client::consumer_config(&kafka.brokers, &group).create().unwrap();
    reader.subscribe(&[&format!("{}{topic}", kafka.layout.prefix)]).unwrap();
    reader
}

async fn next(reader: &StreamConsumer) -> OwnedMessage {
    let record = tokio::time::timeout(std::time::Duration::from_secs(30), reader.recv()).await;
    record.expect("a record in time").unwrap().detach()
}

fn reason(record: &OwnedMessage) -> String {
    let headers = rdkafka::Message::headers(record).unwrap();
    let reason = headers.iter().find(|header| header.key == "deadLetterReason").unwrap();
    String::from_utf8(reason.value.unwrap().to_vec()).unwrap()
}

fn release(user_id: Uuid) -> ReleaseFunds {
    ReleaseFunds { hold_id: Uuid::now_v7(), user_id }
}

#[tokio::test]
async fn a_command_of_a_service_without_its_scope_is_never_applied_and_kept_as_a_dead_letter() {
    let broker = TestBroker::start().await;
    let kafka = broker.kafka();
    let db = sqlite::<Migrator>().await;
    let running = Running::start(&db, &broker, NoteTaker::Ungated);
    let (product, listing) = (sender(&kafka, "product").await, sender(&kafka, "listing").await);
    let user = Uuid::now_v7();
    let forged = write(&product.db, user, &release(user)).await;
    let refund = RefundFunds {
        refund_id: Uuid::now_v7(),
        hold_id: Uuid::now_v7(),
        user_id: user,
        splits: Vec::new(),
        reason: "none".to_owned(),
    };
    let beyond = write(&listing.db, user, &refund).await;
    let good = write(&listing.db, user, &release(user)).await;
    let letters = reader(&kafka, &Topic::WalletCommands.dead_letter()).await;
    let mut refused = [next(&letters).await, next(&letters).await];
    refused.sort_by_key(reason);
    let ids: Vec<Uuid> = refused.iter().map(|record| Envelope::from_record(record).unwrap().id).collect();
    assert_eq!(ids, [beyond.id, forged.id]);
    assert_eq!(reason(&refused[0]), "`listing` may not send `RefundFunds`");
    assert_eq!(reason(&refused[1]), "`product` may not send `ReleaseFunds`");
    let db = db.db();
    eventually("the good one", || async { (!notes(db).await.is_empty()).then_some(()) }).await;
    assert_eq!(notes(db).await, [(user, good.aggregate_version)]);
    assert_eq!(parked::count(db).await.unwrap(), 0, "a parked one would be tried again");
    running.stop().await;
}

#[tokio::test]
async fn with_a_key_what_is_not_signed_or_was_changed_is_believed_by_nobody() {
    let broker = TestBroker::start().await;
    let keyless = broker.kafka();
    let kafka = KafkaConfig { keys: shared(KEY), ..keyless.clone() };
    let db = sqlite::<Migrator>().await;
    let running = Running::over(&db, &kafka, NoteTaker::Ungated);
    let (signing, unsigned) = (sender(&kafka, "user").await, sender(&keyless, "user").await);
    let (user, other) = (Uuid::now_v7(), Uuid::now_v7());
    let topic = reader(&keyless, Topic::UserEvents.name()).await;
    ban(&signing.db, user).await;
    let genuine = next(&topic).await;
    ban(&unsigned.db, other).await;
    let _ = next(&topic).await;
    // The genuine one's headers on another body.
    let mut envelope = Envelope::from_record(&genuine).unwrap();
    envelope.aggregate_version = 2;
    let (name, key) = (kafka.layout.name(Topic::UserEvents), user.to_string());
    let body = serde_json::to_string(&envelope).unwrap();
    let changed = FutureRecord::to(&name).key(&key).payload(&body);
    let changed = changed.headers(rdkafka::Message::headers(&genuine).unwrap().clone());
    client::producer(&kafka.brokers).unwrap().send(changed, Timeout::Never).await.unwrap();

    let letters = reader(&keyless, &Topic::UserEvents.dead_letter()).await;
    let mut reasons = [reason(&next(&letters).await), reason(&next(&letters).await)];
    reasons.sort();
    assert_eq!(reasons, ["its signature is not that of `user`", "nobody signed it"]);
    assert_eq!(notes(&db).await, [(user, 1)]);

    // Who reads for itself does not believe them either.
    let refusal = rebuild(&db, &kafka, &NoteTaker::Gated).await.unwrap_err().to_string();
    assert!(refusal.starts_with("1 messages are refused") && refusal.contains("outbox resend"), "{refusal}");
    assert_eq!(notes(&db).await, [(user, 1)], "the read models are as they were");
    let list = Denylist::default();
    tokio::spawn(list.clone().follow(kafka.clone(), running.shutdown.clone()));
    let last = Uuid::now_v7();
    write(&signing.db, last, &UserBanned { reason: "test".to_owned() }).await;
    let identity = |user| Viewer::test(user, &["USER"], "").identity().unwrap().clone();
    eventually("the last ban", || async { list.is_denied(&identity(last)).then_some(()) }).await;
    assert!(list.is_denied(&identity(user)) && !list.is_denied(&identity(other)));

    // Neither stops what follows, and the changed copy of what is applied already is forgotten.
    ban(&signing.db, user).await;
    ban(&signing.db, other).await;
    let noted = || async { (notes(&db).await.len() == 4).then_some(()) };
    eventually("what follows", noted).await;
    assert_eq!((versions_of(&db, user).await, versions_of(&db, other).await), (vec![1, 2], vec![1]));
    let waiting = || async {
        let waiting = parked::list(&db, 10).await.unwrap();
        (waiting.len() == 1).then(|| waiting[0].reason.clone())
    };
    assert_eq!(eventually("one is kept", waiting).await, "nobody signed it");
    running.stop().await;
}

/// A sender signs with its new key before this consumer knows that key.
#[tokio::test]
async fn what_a_key_proves_that_is_known_later_is_applied_then_in_order() {
    const NEW: &str = "the services' next key of 32 bytes";
    for handler in [NoteTaker::Gated, NoteTaker::Ungated] {
        // A broker of its own: the second round would hear again what the first one had not committed when it stopped.
        let broker = TestBroker::start().await;
        let with = |keys: &str| KafkaConfig { keys: shared(keys), ..broker.kafka() };
        let both = with(&format!("{NEW},{KEY}"));
        let (db, user) = (sqlite::<Migrator>().await, Uuid::now_v7());
        let running = Running::over(&db, &with(KEY), handler);
        let (ahead, product) = (sender(&both, "user").await, sender(&both, "product").await);
        for _ in 0..2 {
            ban(&ahead.db, user).await;
        }
        write(&product.db, user, &release(user)).await;
        let parked = || async { (parked::count(&db).await.unwrap() == 3).then_some(()) };
        eventually("all are kept", parked).await;
        running.stop().await;
        assert_eq!(notes(&db).await, []);

        ban(&ahead.db, user).await;
        let running = Running::over(&db, &both, handler);
        parked::replay(&db, None).await.unwrap();
        eventually("all are tried", || async { (parked::count(&db).await.unwrap() == 0).then_some(()) })
            .await;
        eventually("all are applied", || async { (notes(&db).await.len() == 3).then_some(()) }).await;
        assert_eq!(
            notes(&db).await,
            [(user, 1), (user, 2), (user, 3)],
            "and not what `product` may not send"
        );
        running.stop().await;
    }
}

#[tokio::test]
async fn whoever_has_the_key_of_one_service_speaks_for_no_other() {
    let broker = TestBroker::start().await;
    let senders: &[(&str, &[u8])] = &[("user", &[1]), ("order", &[2])];
    let with = |byte| KafkaConfig { keys: own(byte, senders, ""), ..broker.kafka() };
    let db = sqlite::<Migrator>().await;
    let running = Running::over(&db, &with(3), NoteTaker::Ungated);
    // What was stolen is the order service's.
    let (stolen, genuine) = (sender(&with(2), "user").await, sender(&with(1), "user").await);
    let (order, known) = (sender(&with(2), "order").await, sender(&with(1), "order").await);
    let (user, other) = (Uuid::now_v7(), Uuid::now_v7());
    let letters = reader(&broker.kafka(), &Topic::UserEvents.dead_letter()).await;
    ban(&stolen.db, user).await;
    assert_eq!(reason(&next(&letters).await), "its signature is not that of `user`");
    let commands = reader(&broker.kafka(), &Topic::WalletCommands.dead_letter()).await;
    write(&known.db, user, &release(user)).await;
    assert_eq!(reason(&next(&commands).await), "its signature is not that of `order`");
    ban(&genuine.db, other).await;
    write(&order.db, other, &release(other)).await;
    let db = db.db();
    eventually("what its own sender signed", || async { (notes(db).await.len() == 2).then_some(()) }).await;
    assert_eq!(notes(db).await, [(other, 1), (other, 1)]);
    running.stop().await;
}

#[tokio::test]
async fn a_service_gets_another_key_without_a_gap_and_its_history_stays_readable() {
    let broker = TestBroker::start().await;
    let with = |keys: MessageKeys| KafkaConfig { keys, ..broker.kafka() };
    let (db, from, user) = (sqlite::<Migrator>().await, sqlite::<Migrator>().await, Uuid::now_v7());
    // As of an earlier release, then its first own key, then the next one.
    let senders: &[(&str, &[u8])] = &[("user", &[2, 1])];
    let reads = with(own(9, senders, KEY));
    let running = Running::over(&db, &reads, NoteTaker::Gated);
    for (number, keys) in [shared(KEY), own(1, senders, KEY), own(2, senders, "")].into_iter().enumerate() {
        let stop = CancellationToken::new();
        let relay = tokio::spawn(relay::run(from.db().clone(), with(keys).sent_by("user"), stop.clone()));
        ban(&from, user).await;
        eventually("it is applied", || async { (notes(&db).await.len() == number + 1).then_some(()) }).await;
        stop.cancel();
        // Two at once would sign each other's messages.
        relay.await.unwrap();
    }
    assert_eq!(parked::count(&db).await.unwrap(), 0);
    let rebuilt = rebuild(&db, &reads, &NoteTaker::Gated).await.unwrap();
    assert_eq!((rebuilt.events, rebuilt.unreadable, rebuilt.refused), (3, 0, 0));

    // By the last key alone, what the others signed is refused.
    let strict = with(own(9, &[("user", &[2])], ""));
    let refusal = rebuild(&db, &strict, &NoteTaker::Gated).await.unwrap_err().to_string();
    assert!(refusal.starts_with("2 messages are refused"), "{refusal}");
    running.stop().await;
}

#[tokio::test]
async fn what_was_not_signed_is_applied_once_it_is_sent_again() {
    let broker = TestBroker::start().await;
    let keyless = broker.kafka();
    let kafka = KafkaConfig { keys: shared(KEY), ..keyless.clone() };
    let (db, from, user) = (sqlite::<Migrator>().await, sqlite::<Migrator>().await, Uuid::now_v7());
    let relay_over = |kafka: &KafkaConfig| {
        let stop = CancellationToken::new();
        tokio::spawn(relay::run(from.db().clone(), kafka.clone().sent_by("user"), stop.clone()));
        stop.drop_guard()
    };
    let running = Running::over(&db, &kafka, NoteTaker::Gated);
    let before = relay_over(&keyless);
    ban(&from, user).await;
    eventually("it is kept", || async { (parked::count(&db).await.unwrap() == 1).then_some(()) }).await;
    drop(before);
    let _after = relay_over(&kafka);
    ban(&from, user).await;
    eventually("so is its successor", || async { (parked::count(&db).await.unwrap() == 2).then_some(()) })
        .await;
    outbox::resend_since(&from, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    eventually("both are applied", || async { (notes(&db).await.len() == 2).then_some(()) }).await;
    eventually("nothing is left", || async { (parked::count(&db).await.unwrap() == 0).then_some(()) }).await;
    assert_eq!(notes(&db).await, [(user, 1), (user, 2)]);
    let rebuilt = rebuild(&db, &kafka, &NoteTaker::Gated).await.unwrap();
    assert_eq!((rebuilt.events, rebuilt.unreadable, rebuilt.refused), (2, 0, 1));
    assert_eq!(versions_of(&db, user).await, [1, 2]);
    running.stop().await;
}

#[tokio::test]
async fn every_process_hears_of_ended_tokens_from_the_topic() {
    let broker = TestBroker::start().await;
    let kafka = broker.kafka();
    let user_service = sender(&kafka, "user").await;
    let (list, stop) = (Denylist::default(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    tokio::spawn(list.clone().follow(kafka.clone(), stop));
    let user = Uuid::now_v7();
    write(&user_service.db, user, &TokensEnded { token_version: 2 }).await;
    let known = Viewer::test(user, &["USER"], "").identity().unwrap().clone();
    let of = |version| Identity { version: Some(version), ..known.clone() };
    eventually("the end", || async { list.is_denied(&of(1)).then_some(()) }).await;
    assert!(!list.is_denied(&of(2)));
}
