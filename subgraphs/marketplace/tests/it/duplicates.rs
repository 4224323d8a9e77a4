//! R7 and R8 over all services: after a ticket, a booking and an auction every message comes once more, then all of history
//! to consumers that know none of it, and every table of every service stays as it is, to the byte. And read models that hear
//! the events of different aggregates in any order, each more than once, are the live ones.
//!
//! Elsewhere: the same for orders (`sagas.rs`, `faults.rs`), answers to sagas in any order (`simulation.rs`).

use std::collections::{BTreeMap, VecDeque};

use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::consumer::{HandleError, Listens};
use kopitiam_kit::rebuild::ReadModels;
use kopitiam_kit::testing::{caught_up, eventually};
use kopitiam_kit::{Tx, outbox, parked};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use crate::exchanges::BATIK_LANE;
use crate::simulation::Dice;
use crate::world::{ALL, BEANS, BOB, CAROL, Name, World, confirmed};

/// The owner of the thing that is sold, and a seeded ticket.
const KOPI_HOUSE: u16 = 5;
const SHOW: u16 = 46;

/// The consumers of each service.
pub(crate) fn consumers(name: Name) -> &'static [Listens] {
    match name {
        Name::Listing => &kopitiam_listing::app::CONSUMERS,
        Name::Order => &kopitiam_order::app::CONSUMERS,
        Name::Product => &kopitiam_product::app::CONSUMERS,
        Name::User => &kopitiam_user::app::CONSUMERS,
    }
}

impl World {
    /// Waits until every consumer has applied everything, with nothing left to send.
    pub(crate) async fn all_heard(&self, group_ends: &str) {
        // What one consumer hears may make another one's messages, and what is parked is applied later.
        loop {
            let before = (self.written().await, self.everything().await);
            self.at_rest().await;
            for name in ALL {
                self.sent_by(name).await;
            }
            for name in ALL {
                for consumer in consumers(name) {
                    let consumer = consumer.of(&format!("{}{group_ends}", self.config(name).name));
                    caught_up(&self.kafka, &consumer.group, &consumer.topics).await;
                }
                let db = &self.databases[&name];
                eventually("nothing is parked", || async {
                    (parked::count(db).await.unwrap() == 0).then_some(())
                })
                .await;
            }
            if (self.written().await, self.everything().await) == before {
                return;
            }
        }
    }

    /// Every row of every table of every service but those that are about messages themselves.
    async fn everything(&self) -> BTreeMap<(Name, String), Vec<String>> {
        let mut everything = BTreeMap::new();
        for name in ALL {
            let all = match self.databases[&name].backend() {
                DbBackend::Postgres => {
                    "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
                }
                _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
            };
            let tables = format!(
                "SELECT name FROM ({all}) AS every WHERE name NOT LIKE 'kit\\_%' ESCAPE '\\'
                AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'product\\_words\\_%' ESCAPE '\\'
                AND name <> 'seaql_migrations'"
            );
            for (table,) in self.rows::<(String,)>(name, &tables, vec![]).await {
                let rows = self.dump(name, &table).await;
                everything.insert((name, table), rows);
            }
        }
        everything
    }

    async fn written(&self) -> i64 {
        let mut written = 0;
        for name in ALL {
            written += self.number(name, "SELECT COUNT(*) FROM kit_outbox").await;
        }
        written
    }

    /// An order, a ticket, a booking to its end and an auction, each done.
    pub(crate) async fn a_day_of_business(&self) {
        let order = self.check_out(CAROL, BEANS, 1).await;
        assert_eq!(self.decided(order).await, confirmed());
        let ticket = self.reserve(BOB, SHOW).await;
        self.pay(BOB, &ticket).await;
        self.until_order(&ticket, "CONFIRMED").await;
        let given_up = self.reserve(CAROL, SHOW).await;
        self.call_order_off(CAROL, &given_up).await;
        let booking = self.book(CAROL).await;
        for (who, action, then) in [
            (BATIK_LANE, "ACCEPT", "ACCEPTED"),
            (CAROL, "PAY_DEPOSIT", "DEPOSIT_HELD"),
            (BATIK_LANE, "MARK_DELIVERED", "DELIVERED"),
            (CAROL, "CONFIRM_COMPLETION", "BALANCE_DUE"),
            (CAROL, "PAY_BALANCE", "CLOSED"),
        ] {
            self.act(who, &booking, action, then).await;
        }
        let item = self.new_item(KOPI_HOUSE).await;
        let auction = self.auction(item, KOPI_HOUSE).await;
        let passed = self.bid(CAROL, auction, "10.00").await;
        assert_eq!(self.bid_decided(passed).await.0, "ACCEPTED");
        self.bid(BOB, auction, "40.00").await;
        self.until_listing(auction, "SOLD").await;
        let review = "mutation($id: ID!) { postReview(input: { orderId: $id, subject: PRODUCT, rating: 4 }, idempotencyKey: \"r\") {
            userErrors { code } } }";
        assert_eq!(
            self.ask(CAROL, review, json!({ "id": order })).await["postReview"]["userErrors"],
            json!([])
        );
    }
}

#[tokio::test]
pub(crate) async fn every_message_of_every_service_that_comes_again_changes_no_table_and_is_told_to_nobody_twice()
 {
    let mut world = World::exchange().await;
    world.a_day_of_business().await;
    world.all_heard("").await;
    let (before, written) = (world.everything().await, world.written().await);
    assert!(before.len() > 30 && written > 300, "{} tables, {written} messages", before.len());

    world.send_everything_again().await;
    world.all_heard("").await;
    assert_eq!(world.written().await, written, "a copy is answered by nothing");
    assert_unchanged(&before, &world.everything().await);

    // Consumers that have heard nothing yet, over the same databases.
    world.kill(&ALL);
    for name in ALL {
        let config = world.config(name);
        let again = ServiceConfig { name: format!("{}-again", config.name), ..config };
        world.start_with(name, again).await;
    }
    world.all_heard("-again").await;
    assert_unchanged(&before, &world.everything().await);
    world.assert_sound();
}

fn assert_unchanged(
    before: &BTreeMap<(Name, String), Vec<String>>,
    now: &BTreeMap<(Name, String), Vec<String>>,
) {
    for (table, rows) in before {
        assert_eq!(now[table], *rows, "{table:?}");
    }
}

/// Every event that the service's read models are made of, as told by its owner, each aggregate's in order.
async fn told(world: &World, topics: &[Topic]) -> Vec<(Topic, Envelope)> {
    let mut told = Vec::new();
    for name in ALL {
        let rows: Vec<(String, String)> =
            world.rows(name, "SELECT topic, body FROM kit_outbox ORDER BY seq", vec![]).await;
        for (topic, body) in rows {
            let topic = topics.iter().find(|known| known.name() == topic);
            told.extend(topic.map(|topic| (*topic, serde_json::from_str(&body).unwrap())));
        }
    }
    told
}

/// The events of different aggregates in an order of chance, each aggregate's in its own, and some of the past again.
fn shuffled(told: Vec<(Topic, Envelope)>, dice: &mut Dice) -> Vec<(Topic, Envelope)> {
    let mut aggregates = BTreeMap::<_, VecDeque<_>>::new();
    for (topic, event) in told {
        let key = (topic.name(), event.aggregate_type.clone(), event.aggregate_id);
        aggregates.entry(key).or_default().push_back((topic, event));
    }
    let mut waiting: Vec<VecDeque<(Topic, Envelope)>> = aggregates.into_values().collect();
    let mut shuffled: Vec<(Topic, Envelope)> = Vec::new();
    while !waiting.is_empty() {
        let one = dice.roll(waiting.len());
        shuffled.extend(waiting[one].pop_front());
        if waiting[one].is_empty() {
            waiting.swap_remove(one);
        }
        if dice.roll(3) == 0 {
            let again = shuffled[dice.roll(shuffled.len())].clone();
            shuffled.push(again);
        }
    }
    // However few there are, one comes again behind all others.
    shuffled.extend(shuffled.first().cloned());
    shuffled
}

/// Makes the read models anew of events that come so, without a broker; what they hold then.
async fn remade<M: ReadModels>(
    world: &World,
    name: Name,
    models: &M,
    events: &[(Topic, Envelope)],
) -> Vec<Vec<String>> {
    let make = |tx: Tx| async move {
        for table in models.tables() {
            tx.execute_unprepared(&format!("DELETE FROM {table}")).await?;
        }
        for projection in models.projections() {
            let delete = "DELETE FROM kit_projection_versions WHERE projection = $1";
            let backend = tx.get_database_backend();
            tx.execute_raw(Statement::from_sql_and_values(backend, delete, [(*projection).into()])).await?;
        }
        models.clear(&tx).await?;
        for (topic, event) in events {
            models.apply(&tx, *topic, event).await?;
        }
        Ok::<_, HandleError>(())
    };
    world.databases[&name].transaction(make).await.unwrap();
    held(world, name, models).await
}

async fn held<M: ReadModels>(world: &World, name: Name, models: &M) -> Vec<Vec<String>> {
    let mut held = Vec::new();
    let ratings = if name == Name::Product { &["products"][..] } else { &[] };
    for table in models.tables().iter().chain(ratings) {
        held.push(world.dump(name, table).await);
    }
    held
}

async fn check<M: ReadModels>(world: &World, name: Name, models: &M) {
    let live = held(world, name, models).await;
    assert!(live.iter().all(|rows| !rows.is_empty()), "{name:?} has something to compare");
    let told = told(world, models.topics()).await;
    for seed in 0..20 {
        let events = shuffled(told.clone(), &mut Dice(seed));
        assert!(events.len() > told.len());
        assert_eq!(remade(world, name, models, &events).await, live, "{name:?}, seed {seed}");
    }
}

#[tokio::test]
pub(crate) async fn read_models_are_the_live_ones_in_whatever_order_the_events_of_different_aggregates_come()
{
    let mut world = World::exchange().await;
    world.a_day_of_business().await;
    let banned = kopitiam_kafka::messages::user::UserBanned { reason: "spam".to_owned() };
    let (nobody, banned) = (crate::world::user(44), &banned);
    let ban = world.databases[&Name::User].transaction(|tx| async move {
        outbox::append(&tx, outbox::NewMessage::new(nobody, "service:user", banned)).await
    });
    ban.await.unwrap();
    world.all_heard("").await;
    world.kill(&ALL);
    check(&world, Name::Order, &kopitiam_order::projections::Copies).await;
    check(&world, Name::Listing, &kopitiam_listing::projections::users::Copies).await;
    check(&world, Name::Product, &kopitiam_product::projections::review_events::ReviewEvents).await;
}
