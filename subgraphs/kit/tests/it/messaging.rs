//! Outbox, relay, broker, consumer and inbox together, over the embedded broker.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::user::UserUnbanned;
use kopitiam_kafka::{Envelope, Topic, client};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::outbox::{self, NewMessage, relay};
use kopitiam_kit::testing::{TestBroker, each_database, eventually, sqlite};
use kopitiam_kit::{Db, Failure, SystemError, Tx, inbox, time};
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::notes::{Migrator, NoteTaker, Running, ban, notes};

#[tokio::test]
async fn events_arrive_once_and_in_order_per_aggregate() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let db = &db;
        let users = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        for _ in 0..5 {
            for user in users {
                ban(db, user).await;
            }
        }
        let running = Running::start(db, &broker, NoteTaker::Gated);
        eventually("all events applied", || async { (notes(db).await.len() >= 15).then_some(()) }).await;
        let applied = notes(db).await;
        for user in users {
            let versions: Vec<i64> =
                applied.iter().filter(|(id, _)| *id == user).map(|(_, version)| *version).collect();
            assert_eq!(versions, [1, 2, 3, 4, 5]);
        }
        assert_eq!(outbox::backlog(db).await.unwrap(), 0);
        running.stop().await;
    }
}

#[tokio::test]
async fn a_restarted_consumer_goes_on_where_it_stopped() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let user = Uuid::now_v7();
    let handler = NoteTaker::Ungated;
    let running = Running::start(&db, &broker, handler);
    for _ in 0..60 {
        ban(&db, user).await;
    }
    let watched = &db;
    eventually("all events", || async { (notes(watched).await.len() == 60).then_some(()) }).await;
    running.stop().await;

    // A new database has an empty inbox: it shows what the group is sent again.
    let fresh = sqlite::<Migrator>().await;
    let running = Running::start(&fresh, &broker, NoteTaker::Ungated);
    ban(&fresh, user).await;
    let watched = &fresh;
    eventually("the next event", || async { (!notes(watched).await.is_empty()).then_some(()) }).await;
    assert_eq!(notes(&fresh).await, [(user, 1)]);
    running.stop().await;
}

/// Begins with the first message that comes, and never ends.
struct Stuck(CancellationToken);

#[async_trait::async_trait]
impl Handler for Stuck {
    async fn handle(&self, _tx: &Tx, _envelope: &Envelope) -> Result<(), HandleError> {
        self.0.cancel();
        std::future::pending().await
    }
}

/// The offset follows the transaction: in the other order, what was begun and not committed would never come again.
#[tokio::test]
async fn a_message_whose_consumer_stops_before_its_commit_is_applied_by_the_next_one() {
    let broker = TestBroker::start().await;
    // Its relay is not stopped with the consumer: it would send again what it has not marked.
    let (db, from, user) = (sqlite::<Migrator>().await, sqlite::<Migrator>().await, Uuid::now_v7());
    let sending = CancellationToken::new();
    let _until_the_end = sending.clone().drop_guard();
    tokio::spawn(relay::run(from.db().clone(), broker.kafka(), sending));
    ban(&from, user).await;
    let begun = CancellationToken::new();
    let running = Running::start(&db, &broker, Stuck(begun.clone()));
    begun.cancelled().await;
    running.stop().await;
    assert_eq!(notes(&db).await, []);

    ban(&from, user).await;
    let running = Running::start(&db, &broker, NoteTaker::Ungated);
    let db = &db;
    eventually("the later one", || async { notes(db).await.contains(&(user, 2)).then_some(()) }).await;
    assert_eq!(notes(db).await, [(user, 1), (user, 2)]);
    running.stop().await;
}

#[tokio::test]
async fn a_message_sent_again_has_one_effect() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let handler = NoteTaker::Ungated;
    let running = Running::start(&db, &broker, handler);
    let user = Uuid::now_v7();
    let first = ban(&db, user).await;
    let db = &db;
    eventually("the first copy", || async { (notes(db).await.len() == 1).then_some(()) }).await;
    let again = db.transaction(|tx| async move { outbox::resend(&tx, first.id).await }).await.unwrap();
    assert!(again, "the message is there");
    ban(db, user).await;
    eventually("the message behind the copy", || async { (notes(db).await.len() >= 2).then_some(()) }).await;
    assert_eq!(notes(db).await, [(user, 1), (user, 2)]);
    running.stop().await;
}

/// Two relays on one outbox, as in two replicas, and a third that starts while they work.
#[tokio::test]
async fn several_relays_keep_the_order_of_each_aggregate() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let running = Running::start(&db, &broker, NoteTaker::Gated);
        let users = [Uuid::now_v7(), Uuid::now_v7()];
        for round in 0..30 {
            if round % 10 == 0 {
                tokio::spawn(relay::run(db.db().clone(), broker.kafka(), running.shutdown.clone()));
            }
            for user in users {
                ban(&db, user).await;
            }
        }
        let db = &db;
        // Of these users: the broker's topic may still hold what an earlier round of this test has not committed.
        let all_of_theirs = || async {
            let applied = notes(db).await;
            let theirs = applied.iter().filter(|(user, _)| users.contains(user)).count();
            (theirs >= 60).then_some(applied)
        };
        let applied = eventually("all events applied", all_of_theirs).await;
        for user in users {
            let versions: Vec<i64> =
                applied.iter().filter(|(id, _)| *id == user).map(|(_, version)| *version).collect();
            assert_eq!(versions, (1..=30).collect::<Vec<i64>>());
        }
        running.stop().await;
    }
}

/// As another relay would have it.
async fn lease_to_another(db: &Db, until: DateTime<Utc>) {
    let lease = |tx: Tx| async move {
        let taken = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "INSERT INTO kit_outbox_lease (name, holder, until_ms) VALUES ('relay', $1, $2) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms",
            [Uuid::now_v7().into(), until.timestamp_millis().into()],
        );
        tx.execute_raw(taken).await.map(|_| ()).map_err(SystemError::from)
    };
    db.transaction(lease).await.unwrap();
}

#[tokio::test]
async fn a_starting_relay_takes_the_lease_and_one_that_lost_it_publishes_nothing_until_it_ran_out() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let (db, user, stop) = (db.db(), Uuid::now_v7(), CancellationToken::new());
        lease_to_another(db, time::now() + TimeDelta::hours(1)).await;
        let relay = tokio::spawn(relay::run(db.clone(), broker.kafka(), stop.clone()));
        let all_published = || async { (outbox::backlog(db).await.unwrap() == 0).then_some(()) };
        ban(db, user).await;
        eventually("who had the lease may have crashed", all_published).await;
        let until = time::now() + TimeDelta::seconds(3);
        lease_to_another(db, until).await;
        // Each wakes the relay; it may have looked at its lease just before it lost it, but not before the last of them.
        for _ in 0..10 {
            ban(db, user).await;
        }
        eventually("it goes on", all_published).await;
        let select = "SELECT published_at FROM kit_outbox ORDER BY seq DESC LIMIT 1";
        let last = db.read().query_one_raw(Statement::from_string(db.backend(), select)).await.unwrap();
        let published: DateTime<Utc> = last.unwrap().try_get("", "published_at").unwrap();
        assert!(published >= until, "published at {published}, leased until {until}");
        stop.cancel();
        relay.await.unwrap();
    }
}

#[tokio::test]
async fn a_rolled_back_change_tells_nobody() {
    let db = sqlite::<Migrator>().await;
    let user = Uuid::now_v7();
    let refused: Result<(), Failure> = db
        .transaction(|tx| async move {
            outbox::append(&tx, NewMessage::new(user, "service:test", &UserUnbanned {})).await?;
            Err(Failure::refused("NO", "not this time"))
        })
        .await;
    assert!(matches!(refused, Err(Failure::Refused(_))));
    assert_eq!(outbox::backlog(&db).await.unwrap(), 0);
    assert_eq!(ban(&db, user).await.aggregate_version, 1, "the version was not used up");
}

#[tokio::test]
async fn concurrent_writers_leave_no_gap_in_the_versions() {
    for db in each_database::<Migrator>().await {
        let user = Uuid::now_v7();
        let writers = (0..20).map(|_| {
            let db = db.db().clone();
            tokio::spawn(async move { ban(&db, user).await.aggregate_version })
        });
        let mut versions: Vec<i64> = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            versions.push(writer.await.unwrap());
        }
        versions.sort_unstable();
        assert_eq!(versions, (1..=20).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn an_unreadable_record_does_not_stop_the_consumer() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let running = Running::start(&db, &broker, NoteTaker::Ungated);
    let user = Uuid::now_v7();
    ban(&db, user).await;
    let db = &db;
    eventually("topics exist", || async { (notes(db).await.len() == 1).then_some(()) }).await;
    let kafka = broker.kafka();
    let producer = client::producer(&kafka.brokers).unwrap();
    let (topic, key) = (kafka.layout.name(Topic::UserEvents), user.to_string());
    let garbage = FutureRecord::to(&topic).key(&key).payload("not json");
    producer.send(garbage, Timeout::Never).await.unwrap();
    ban(db, user).await;
    eventually("the event behind", || async { (notes(db).await.len() == 2).then_some(()) }).await;
    running.stop().await;
}

#[tokio::test]
async fn what_was_written_while_the_broker_was_away_arrives_after_it_is_back() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let running = Running::start(&db, &broker, NoteTaker::Ungated);
    let user = Uuid::now_v7();
    ban(&db, user).await;
    let watched = &db;
    eventually("the first event", || async { (notes(watched).await.len() == 1).then_some(()) }).await;
    let broker = broker.restart().await;
    for _ in 0..3 {
        ban(&db, user).await;
    }
    eventually("the later events", || async { (notes(watched).await.len() >= 4).then_some(()) }).await;
    assert_eq!(notes(&db).await, [(user, 1), (user, 2), (user, 3), (user, 4)]);
    running.stop().await;
    drop(broker);
}

/// A consumer hears of every vain try to reach the broker; it must not work those off one by one before it listens again. And
/// what the relay's client gave up meanwhile, after thirty seconds, is not published: the relay tries it again.
#[tokio::test]
async fn a_consumer_listens_at_once_when_the_broker_is_back_however_long_it_was_away() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let running = Running::start(&db, &broker, NoteTaker::Ungated);
    let user = Uuid::now_v7();
    ban(&db, user).await;
    let watched = &db;
    eventually("the first event", || async { (notes(watched).await.len() == 1).then_some(()) }).await;
    let Ok(stopped) = broker.stop().await else { return };
    ban(&db, user).await;
    // The clients try in vain meanwhile, until they give the message up (`message.timeout.ms`); their clock cannot be paused.
    tokio::time::sleep(Duration::from_secs(32)).await;
    assert_eq!(outbox::backlog(&db).await.unwrap(), 1, "given up is not published");
    let broker = stopped.start().await;
    let back = Instant::now();
    ban(&db, user).await;
    eventually("the later events", || async { (notes(watched).await.len() >= 3).then_some(()) }).await;
    let deaf = back.elapsed();
    assert!(deaf < Duration::from_secs(10), "it was deaf for {deaf:?}");
    assert_eq!(notes(&db).await, [(user, 1), (user, 2), (user, 3)]);
    running.stop().await;
    drop(broker);
}

#[tokio::test]
async fn a_gap_is_told_from_an_old_version() {
    use inbox::Gate::{Apply, Drop, Gap};

    let db = sqlite::<Migrator>().await;
    let event = ban(&db, Uuid::now_v7()).await;
    let event = &event;
    let gates = db
        .transaction(|tx| async move {
            let mut gates = Vec::new();
            for version in [2, 1, 1, 2, 4] {
                let event = Envelope { aggregate_version: version, ..event.clone() };
                gates.push(inbox::gate(&tx, "p", &event).await?);
            }
            Ok::<_, SystemError>(gates)
        })
        .await
        .unwrap();
    assert_eq!(gates, [Gap { mine: 0 }, Apply, Drop, Apply, Gap { mine: 2 }]);
}
