//! What a consumer cannot apply waits in order, and nothing is skipped: poison, gaps, and a broker that lost records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kopitiam_kafka::messages::wallet::ReleaseFunds;
use kopitiam_kafka::{Envelope, Topic, client, topics};
use kopitiam_kit::auth::{Denylist, Viewer};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::rebuild::{ReadModels, rebuild};
use kopitiam_kit::testing::{TestBroker, each_database, eventually, sqlite};
use kopitiam_kit::{SystemError, Tx, parked};
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use crate::notes::{Migrator, NoteTaker, Running, ban, notes, versions_of};

/// Refuses the first event of one aggregate while it is told to; notes the others as they come.
#[derive(Clone)]
struct Refusing {
    user: Uuid,
    refusing: Arc<AtomicBool>,
}

impl Refusing {
    fn of(user: Uuid) -> Self {
        Self { user, refusing: Arc::new(AtomicBool::new(true)) }
    }
}

#[async_trait::async_trait]
impl Handler for Refusing {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let first = envelope.aggregate_id == self.user && envelope.aggregate_version == 1;
        if first && self.refusing.load(Ordering::SeqCst) {
            return Err(HandleError::Poison("told to".to_owned()));
        }
        NoteTaker::Ungated.handle(tx, envelope).await
    }
}

/// Fails so many times at the events of one aggregate, and knows how often it has by the time when another's is applied.
#[derive(Clone)]
struct Failing {
    user: Uuid,
    times: usize,
    error: fn(String) -> SystemError,
    tries: Arc<AtomicUsize>,
    before_the_next: Arc<AtomicUsize>,
}

impl Failing {
    fn of(user: Uuid, times: usize, error: fn(String) -> SystemError) -> Self {
        Self { user, times, error, tries: Arc::default(), before_the_next: Arc::default() }
    }
}

#[async_trait::async_trait]
impl Handler for Failing {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        if envelope.aggregate_id == self.user {
            if self.tries.fetch_add(1, Ordering::SeqCst) < self.times {
                return Err((self.error)("told to fail".to_owned()).into());
            }
            return NoteTaker::Ungated.handle(tx, envelope).await;
        }
        self.before_the_next.store(self.tries.load(Ordering::SeqCst), Ordering::SeqCst);
        NoteTaker::Ungated.handle(tx, envelope).await
    }
}

#[async_trait::async_trait]
impl ReadModels for NoteTaker {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::UserEvents]
    }

    fn projections(&self) -> &'static [&'static str] {
        &["notes"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["note"]
    }

    async fn apply(&self, tx: &Tx, _topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
        self.handle(tx, envelope).await
    }
}

/// Puts a message on its topic as a relay would, without an outbox.
async fn publish(broker: &TestBroker, envelope: &Envelope) {
    let kafka = broker.kafka();
    let producer = client::producer(&kafka.brokers).unwrap();
    let (topic, key) = (kafka.layout.name(Topic::UserEvents), envelope.aggregate_id.to_string());
    let body = serde_json::to_string(envelope).unwrap();
    let record = FutureRecord::to(&topic).key(&key).payload(&body).headers(envelope.headers());
    producer.send(record, Timeout::Never).await.unwrap();
}

#[tokio::test]
async fn poison_parks_its_key_in_order_and_the_rest_goes_on() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let (bad, good) = (Uuid::now_v7(), Uuid::now_v7());
        let handler = Refusing::of(bad);
        let running = Running::start(&db, &broker, handler.clone());
        let buried = ban(&db, bad).await;
        ban(&db, bad).await;
        ban(&db, good).await;
        ban(&db, bad).await;
        ban(&db, good).await;
        let db = db.db();
        eventually("the good events", || async { (versions_of(db, good).await == [1, 2]).then_some(()) })
            .await;
        assert_eq!(versions_of(db, bad).await, [0; 0], "nothing of the parked key is applied");
        let waiting = parked::list(db, 10).await.unwrap();
        let of_bad: Vec<i64> = waiting.iter().map(|parked| parked.aggregate_version).collect();
        assert_eq!(of_bad, [1, 2, 3]);
        assert_eq!((waiting[0].event_id, waiting[0].reason.as_str()), (buried.id, "cannot apply: told to"));

        handler.refusing.store(false, Ordering::SeqCst);
        assert_eq!(parked::replay(db, None).await.unwrap(), 3);
        eventually("the parked ones", || async { (versions_of(db, bad).await == [1, 2, 3]).then_some(()) })
            .await;
        assert_eq!(parked::count(db).await.unwrap(), 0);
        running.stop().await;
    }
}

#[tokio::test]
async fn what_fails_every_time_is_tried_five_times_and_parked_and_the_rest_goes_on() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let (bad, good) = (Uuid::now_v7(), Uuid::now_v7());
    let handler = Failing::of(bad, usize::MAX, SystemError::Invariant);
    let running = Running::start(&db, &broker, handler.clone());
    let failed = ban(&db, bad).await;
    ban(&db, good).await;
    let db = db.db();
    eventually("the one behind", || async { (versions_of(db, good).await == [1]).then_some(()) }).await;
    // On a slow machine what is parked may have been tried again by then.
    assert!(handler.before_the_next.load(Ordering::SeqCst) >= 5);
    let waiting = parked::list(db, 10).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].event_id), (1, failed.id));
    assert!(waiting[0].reason.contains("told to fail"), "{}", waiting[0].reason);
    running.stop().await;
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_as_long_as_it_takes_and_what_follows_waits_for_it() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let (busy, next) = (Uuid::now_v7(), Uuid::now_v7());
    let running = Running::start(&db, &broker, Failing::of(busy, 6, SystemError::Unavailable));
    ban(&db, busy).await;
    ban(&db, next).await;
    let db = db.db();
    eventually("both", || async { (notes(db).await.len() == 2).then_some(()) }).await;
    assert_eq!(notes(db).await, [(busy, 1), (next, 1)], "it was not parked after five tries");
    running.stop().await;
}

#[tokio::test]
async fn poison_is_also_on_the_dead_letter_topic() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let bad = Uuid::now_v7();
    let running = Running::start(&db, &broker, Refusing::of(bad));
    let buried = ban(&db, bad).await;
    let kafka = broker.kafka();
    let config = client::consumer_config(&kafka.brokers, &format!("{}undertaker", kafka.layout.prefix));
    topics::ensure(&kafka.brokers, &kafka.layout).await.unwrap();
    let reader: rdkafka::consumer::StreamConsumer = config.create().unwrap();
    let dead_letters = topics::dead_letter(&kafka.layout.name(Topic::UserEvents));
    rdkafka::consumer::Consumer::subscribe(&reader, &[&dead_letters]).unwrap();
    let letter =
        tokio::time::timeout(std::time::Duration::from_secs(30), reader.recv()).await.unwrap().unwrap();
    assert_eq!(Envelope::from_record(&letter.detach()).unwrap().id, buried.id);
    running.stop().await;
}

#[tokio::test]
async fn poisonous_commands_do_not_hold_up_their_wallet() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let user = Uuid::now_v7();
    let running = Running::start(&db, &broker, Refusing::of(user));
    for _ in 0..2 {
        let release = ReleaseFunds { hold_id: Uuid::now_v7(), user_id: user };
        let release = &release;
        db.transaction(|tx| async move {
            outbox::append(&tx, NewMessage::new(user, "service:test", release)).await
        })
        .await
        .unwrap();
    }
    let db = db.db();
    eventually("the second command", || async { (versions_of(db, user).await == [2]).then_some(()) }).await;
    assert_eq!(parked::count(db).await.unwrap(), 1, "the first is kept");
    running.stop().await;
}

#[tokio::test]
async fn events_behind_a_gap_wait_for_it_and_then_follow_in_order() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let (late, other) = (Uuid::now_v7(), Uuid::now_v7());
        let written: Vec<Envelope> = {
            let source = sqlite::<Migrator>().await;
            let mut written = Vec::new();
            for _ in 0..4 {
                written.push(ban(&source, late).await);
            }
            written
        };
        let running = Running::start(&db, &broker, NoteTaker::Gated);
        for version in [0, 3, 2] {
            publish(&broker, &written[version]).await;
        }
        ban(&db, other).await;
        let db = db.db();
        eventually("the other aggregate", || async {
            (!versions_of(db, other).await.is_empty()).then_some(())
        })
        .await;
        assert_eq!(versions_of(db, late).await, [1], "nothing is applied out of order");
        assert_eq!(parked::count(db).await.unwrap(), 2);

        publish(&broker, &written[1]).await;
        eventually("the missing one", || async {
            (versions_of(db, late).await == [1, 2, 3, 4]).then_some(())
        })
        .await;
        assert_eq!(parked::count(db).await.unwrap(), 0);
        running.stop().await;
    }
}

#[tokio::test]
async fn what_the_broker_lost_is_sent_again_and_consumers_miss_nothing() {
    let broker = TestBroker::start().await;
    if !broker.is_ours() {
        return;
    }
    let db = sqlite::<Migrator>().await;
    let user = Uuid::now_v7();
    let running = Running::start(&db, &broker, NoteTaker::Gated);
    for _ in 0..3 {
        ban(&db, user).await;
    }
    let db = db.db();
    let applied = |wanted: Vec<i64>| async move {
        let wanted = &wanted;
        eventually("the events", || async { (versions_of(db, user).await == *wanted).then_some(()) }).await;
    };
    applied(vec![1, 2, 3]).await;
    let saved = tempfile::tempdir().unwrap();
    let broker = broker.restart_after(|folder| copy(folder, saved.path())).await;
    for _ in 0..3 {
        ban(db, user).await;
    }
    applied(vec![1, 2, 3, 4, 5, 6]).await;
    let broker = broker.restart_after(|folder| copy(saved.path(), folder)).await;
    ban(db, user).await;
    applied(vec![1, 2, 3, 4, 5, 6, 7]).await;

    // A consumer that starts now finds everything on the topic.
    let fresh = sqlite::<Migrator>().await;
    let rebuilt = rebuild(&fresh, &broker.kafka(), &NoteTaker::Gated).await.unwrap();
    assert_eq!(rebuilt.events, 7);
    assert_eq!(notes(&fresh).await, notes(db).await);
    running.stop().await;
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for old in std::fs::read_dir(to).unwrap() {
        std::fs::remove_file(old.unwrap().path()).unwrap();
    }
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn rebuilt_read_models_equal_the_live_ones() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let users = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        let running = Running::start(&db, &broker, NoteTaker::Gated);
        for round in 0..9 {
            ban(&db, users[round % 3]).await;
        }
        let watched = db.db();
        eventually("live rows", || async {
            let mut versions = Vec::new();
            for user in users {
                versions.extend(versions_of(watched, user).await);
            }
            (versions == [1, 2, 3, 1, 2, 3, 1, 2, 3]).then_some(())
        })
        .await;
        let mut live = notes(&db).await;
        let wrong = Statement::from_string(db.backend(), "UPDATE note SET version = version + 100");
        db.transaction(|tx| {
            let wrong = wrong.clone();
            async move { tx.execute_raw(wrong).await.map(|_| ()).map_err(SystemError::from) }
        })
        .await
        .unwrap();
        rebuild(&db, &broker.kafka(), &NoteTaker::Gated).await.unwrap();
        let mut rebuilt = notes(&db).await;
        // Other databases of this test share the topic: only these users' rows are ours.
        rebuilt.retain(|(user, _)| users.contains(user));
        live.sort_unstable();
        rebuilt.sort_unstable();
        assert_eq!(rebuilt, live);
        ban(&db, users[0]).await;
        eventually("the live consumer goes on", || async {
            (versions_of(watched, users[0]).await == [1, 2, 3, 4]).then_some(())
        })
        .await;
        running.stop().await;
    }
}

#[tokio::test]
async fn every_process_hears_of_a_ban_from_the_topic() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let (before, after) = (Uuid::now_v7(), Uuid::now_v7());
    let running = Running::start(&db, &broker, NoteTaker::Gated);
    ban(&db, before).await;
    let watched = db.db();
    eventually("the event", || async { (notes(watched).await.len() == 1).then_some(()) }).await;
    let lists = [Denylist::default(), Denylist::default()];
    for list in &lists {
        tokio::spawn(list.clone().follow(broker.kafka(), running.shutdown.clone()));
    }
    ban(&db, after).await;
    for list in &lists {
        for user in [before, after] {
            let viewer = Viewer::test(user, &["USER"], "");
            let identity = viewer.identity().unwrap();
            eventually("the ban", || async { list.is_denied(identity).then_some(()) }).await;
        }
    }
    running.stop().await;
}
