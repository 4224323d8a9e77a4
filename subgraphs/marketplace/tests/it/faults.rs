//! The place-order saga while parts of the system fail: services stopped between two effects, the broker away or
//! forgetful, messages replayed from the first one, databases locked. After each, stock and money add up.
//!
//! Elsewhere: the same saga without these (`sagas.rs`), the kit's parts alone (its own tests).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kills::are_all_wanted;
use crate::world::{
    BEANS, BOB, CAROL, FIELD_RECORDER, Name, SHOP, World, confirmed, is_on_postgres, rejected,
};
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::failpoint::{Point, arm};
use kopitiam_kit::rebuild::rebuild;
use kopitiam_order::projections::Copies;
use kopitiam_order::sagas::place_order::DEADLINE_SECONDS;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;

/// Stops the service at the point for the `nth` time on an order's way, starts it again, and lets the order end. Whether
/// the point was reached.
async fn stopped_at(world: &mut World, name: Name, point: Point, nth: usize) -> bool {
    let armed = arm(&world.config(name).database_url, point, nth);
    let order = tokio::select! {
        order = world.check_out(BOB, BEANS, 1) => Some(order),
        () = armed.reached() => None,
    };
    if let Some(order) = order {
        tokio::select! {
            () = armed.reached() => {}
            _ = world.decided(order) => {
                // It may still be reached by what follows the decision.
                tokio::select! {
                    () = armed.reached() => {}
                    () = world.at_rest() => {}
                }
            }
        }
    }
    let reached = armed.is_reached();
    world.kill(&[name]);
    drop(armed);
    world.start(name).await;
    if let Some(order) = order {
        assert_eq!(world.decided(order).await, confirmed(), "{name:?} stopped at {point:?} {nth}");
    }
    world.assert_books_add_up().await;
    reached
}

async fn stopped_everywhere(name: Name, transactions: &[usize]) {
    let few = is_on_postgres() && !are_all_wanted();
    let (transactions, messages) =
        if few { (&transactions[..1], &[1][..]) } else { (transactions, &[1, 3][..]) };
    let mut world = World::new().await;
    let mut hits = BTreeMap::<String, u32>::new();
    for point in Point::ALL {
        let times = match point {
            Point::AfterBegin | Point::BeforeCommit | Point::AfterCommit => transactions,
            Point::BeforeMark | Point::BeforeOffset => messages,
        };
        for nth in times {
            let reached = stopped_at(&mut world, name, point, *nth).await;
            *hits.entry(format!("{point:?}")).or_default() += u32::from(reached);
        }
    }
    // A point that nothing reaches proves nothing.
    assert_eq!(hits.len(), Point::ALL.len());
    assert!(hits.values().all(|hits| *hits > 0), "{hits:?}");
}

#[tokio::test]
pub(crate) async fn order_service_stopped_between_any_two_effects_loses_and_doubles_nothing() {
    stopped_everywhere(Name::Order, &[1, 2, 4, 7, 11]).await;
}

#[tokio::test]
pub(crate) async fn product_service_stopped_between_any_two_effects_loses_and_doubles_nothing() {
    stopped_everywhere(Name::Product, &[1, 2, 4]).await;
}

#[tokio::test]
pub(crate) async fn user_service_stopped_between_any_two_effects_loses_and_doubles_nothing() {
    stopped_everywhere(Name::User, &[1, 2, 4]).await;
}

#[tokio::test]
pub(crate) async fn orders_are_taken_while_the_broker_is_away_and_decided_when_it_is_back() {
    let mut world = World::new().await;
    let Some(stopped) = world.stop_broker().await else { return };
    // The wallets of the two cover so many.
    let count = (2 * outage_seconds()).clamp(6, 60);
    let pause = Duration::from_millis(1_000 * outage_seconds() / count);
    let mut orders = Vec::new();
    for round in 0..count {
        orders.push(world.check_out(if round % 2 == 0 { BOB } else { CAROL }, BEANS, 1).await);
        let cart = world.ask(BOB, "{ cart { lines { id } } }", json!({})).await;
        assert!(cart["cart"]["lines"].is_array(), "carts work without the broker");
        // No claim rests on the pause: it only makes the clients and the sagas try in vain.
        tokio::time::sleep(pause).await;
    }
    let (status, told) = world.ready(Name::Order).await;
    assert_eq!((status, &told["ready"]), (200, &json!(true)), "it takes orders");
    assert!(told["unpublished"]["messages"].as_u64() >= Some(count), "{told}");
    assert!(told["unpublished"]["since"].is_string(), "{told}");
    world.start_broker(stopped).await;
    let outcomes = world.outcomes(&orders).await;
    if outage_seconds() < u64::from(DEADLINE_SECONDS) / 2 {
        assert_eq!(outcomes, BTreeMap::from([(confirmed(), orders.len())]));
    }
    // Those whose time ran out meanwhile were called off, and took nothing.
    let late = rejected("DEADLINE");
    assert!(outcomes.keys().all(|outcome| *outcome == confirmed() || *outcome == late), "{outcomes:?}");
    assert!(outcomes.contains_key(&confirmed()), "{outcomes:?}");
    world.assert_books_add_up().await;
    let (_, told) = world.ready(Name::Order).await;
    assert_eq!(told, json!({ "ready": true, "unpublished": { "messages": 0, "since": null }, "parked": 0 }));
}

/// How long the broker is away: a few seconds in every run, `KOPITIAM_OUTAGE_SECONDS=60` in the long one.
fn outage_seconds() -> u64 {
    std::env::var("KOPITIAM_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

const COPIES: [&str; 4] = ["product_replica", "stock_replica", "user_replica", "listing_replica"];

#[tokio::test]
pub(crate) async fn a_broker_that_forgot_its_last_second_is_told_again_and_copies_rebuilt_from_it_equal_the_live_ones()
 {
    let mut world = World::new().await;
    let Some(stopped) = world.stop_broker().await else { return };
    let saved = tempfile::tempdir().unwrap();
    copy(stopped.folder(), saved.path());
    world.start_broker(stopped).await;
    for _ in 0..3 {
        let order = world.check_out(BOB, BEANS, 1).await;
        assert_eq!(world.decided(order).await, confirmed());
    }
    world.at_rest().await;
    let Some(stopped) = world.stop_broker().await else { return };
    copy(saved.path(), stopped.folder());
    world.start_broker(stopped).await;
    for buyer in [CAROL, BOB] {
        let order = world.check_out(buyer, BEANS, 1).await;
        assert_eq!(world.decided(order).await, confirmed());
    }
    world.assert_books_add_up().await;

    let live = copies(&world).await;
    rebuild(&world.databases[&Name::Order], &world.kafka, &Copies).await.unwrap();
    assert_eq!(copies(&world).await, live);
}

async fn copies(world: &World) -> Vec<Vec<String>> {
    let mut copies = Vec::new();
    for table in COPIES {
        copies.push(world.dump(Name::Order, table).await);
    }
    assert!(copies[0].len() > 20 && copies[1].len() > 20, "there is something to compare");
    copies
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
pub(crate) async fn history_read_again_from_the_first_message_changes_nothing() {
    let mut world = World::new().await;
    let confirmed_order = world.check_out(BOB, BEANS, 2).await;
    assert_eq!(world.decided(confirmed_order).await, confirmed());
    let refused = world.check_out(CAROL, FIELD_RECORDER, 4).await;
    assert_eq!(world.decided(refused).await.0, "REJECTED");
    world.assert_books_add_up().await;
    let before = (world.books().await, state(&world).await);

    world.kill(&SHOP);
    for name in SHOP {
        // Another group has no offsets and an empty inbox: everything comes again, as to a new consumer.
        let config = world.config(name);
        let again = ServiceConfig { name: format!("{}-again", config.name), ..config };
        world.start_with(name, again).await;
    }
    let marker = world.check_out(BOB, BEANS, 1).await;
    assert_eq!(world.decided(marker).await, confirmed(), "what is new is behind all that was");
    world.assert_books_add_up().await;
    let (books, orders) = (world.books().await, state(&world).await);
    let beans = crate::world::product(BEANS);
    assert_eq!(books.on_hand[&beans], before.0.on_hand[&beans] - 1, "the marker's unit only");
    let kept: Vec<&String> = orders.iter().filter(|line| before.1.contains(line)).collect();
    assert_eq!(kept.len(), before.1.len(), "every order and its history are as they were");
}

async fn state(world: &World) -> Vec<String> {
    let mut lines = world.dump(Name::Order, "orders").await;
    lines.extend(world.dump(Name::Order, "order_event").await);
    lines.extend(world.dump(Name::Order, "invoice").await);
    lines
}

#[tokio::test]
async fn a_locked_database_delays_what_needs_it_and_breaks_nothing() {
    let world = World::new().await;
    let lock = lock(&world, Name::Product).await;
    let order = world.check_out(BOB, BEANS, 1).await;
    // Longer than a writer waits for the lock by itself, so that it fails and tries again.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.status(order).await.0, "PENDING");
    unlock(lock).await;
    assert_eq!(world.decided(order).await, confirmed());

    let lock = self::lock(&world, Name::Order).await;
    let set = "mutation { cartLinesSet(lines: []) { userErrors { code } } }";
    let answer = world.answer(BOB, set, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{answer}");
    unlock(lock).await;
    let order = world.check_out(BOB, BEANS, 1).await;
    assert_eq!(world.decided(order).await, confirmed());
    world.assert_books_add_up().await;
}

/// Another program that has the whole database for itself.
async fn lock(world: &World, name: Name) -> DatabaseConnection {
    let mut options = ConnectOptions::new(&world.config(name).database_url);
    options.max_connections(1);
    let other = Database::connect(options).await.unwrap();
    other.execute_unprepared("PRAGMA busy_timeout = 5000").await.unwrap();
    other.execute_unprepared("BEGIN EXCLUSIVE").await.unwrap();
    other
}

async fn unlock(other: DatabaseConnection) {
    other.execute_unprepared("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
}
