//! P32: several processes of each service share the work, and how much one machine does: `make limits` measures it on SQLite
//! and on PostgreSQL and prints the table of the README.
//!
//! Always: no test asserts a time. Elsewhere: the gateway's figures (`make bench`), races for few units (`crowd.rs`).

use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use uuid::Uuid;

use crate::crowd::{AT_ONCE, FIRST, only, order, people};
use crate::support::tell;
use crate::world::{World, confirmed, is_on_postgres, on_postgres};

/// Parts of each topic, as in production.
const PARTITIONS: i32 = 3;

/// Orders of so many people at once, one each; how long until all had their answer, and until all were decided.
async fn orders(world: &mut World, count: u16) -> (Vec<Uuid>, Duration, Duration) {
    people(world, count).await;
    only(world, count).await;
    world.at_start = world.books().await;
    let started = Instant::now();
    let placed =
        stream::iter(FIRST..FIRST + count).map(|buyer| order(world, buyer)).buffer_unordered(AT_ONCE);
    let placed: Vec<Uuid> = placed.filter_map(async |order| order).collect().await;
    let answered = started.elapsed();
    let outcomes = world.outcomes(&placed).await;
    assert_eq!(outcomes.get(&confirmed()), Some(&usize::from(count)), "{outcomes:?}");
    (placed, answered, started.elapsed())
}

fn several_processes_decide_each_order_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::in_parts(PARTITIONS).await;
        world.start_beside().await;
        let (count, killed_after) = (24, 8);
        people(&world, count).await;
        only(&world, count).await;
        world.at_start = world.books().await;
        let mut placed = Vec::new();
        for buyer in FIRST..FIRST + count {
            placed.extend(order(&world, buyer).await);
            if buyer == FIRST + killed_after {
                // What they were at goes to those that are left.
                world.kill_beside();
            }
        }
        let outcomes = world.outcomes(&placed).await;
        assert_eq!(outcomes.get(&confirmed()), Some(&usize::from(count)), "{outcomes:?}");
        world.assert_books_add_up().await;
    });
}

#[test]
fn two_processes_of_every_service_share_the_work_and_decide_each_order_once() {
    on_postgres(several_processes_decide_each_order_once);
}

fn measured() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = if is_on_postgres() { "PostgreSQL" } else { "SQLite" };
    runtime.block_on(async {
        // Two processes on one file would only wait for one another.
        for processes in 1..=if is_on_postgres() { 2 } else { 1 } {
            let mut world = World::in_parts(PARTITIONS).await;
            if processes == 2 {
                world.start_beside().await;
            }
            let count = 150;
            let (_, answered, decided) = orders(&mut world, count).await;
            world.assert_books_add_up().await;
            let per_second = |took: Duration| f64::from(count) / took.as_secs_f64();
            let (taken, decided) = (per_second(answered), per_second(decided));
            tell(&format!("| {database} | {processes} | {taken:.0} | {decided:.0} |"));
        }
    });
}

/// The number that a constant has in a source file.
fn constant(file: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.contains(&format!("const {name}: "))).expect(name);
    line.rsplit("= ").next().unwrap().trim_end_matches(';').to_owned()
}

#[test]
fn the_readme_names_the_limits_that_the_code_has() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, limits) = readme.split_once("### What it scales to").expect("an operator finds it");
    let (limits, _) = limits.split_once("\n## ").unwrap();
    let database = "subgraphs/kit/src/db.rs";
    let (connections, migrating) =
        (constant(database, "POSTGRES_CONNECTIONS"), constant(database, "MIGRATION_CONNECTIONS"));
    let all = connections.parse::<u32>().unwrap() + migrating.parse::<u32>().unwrap();
    let batch = constant("subgraphs/kit/src/outbox/relay.rs", "BATCH");
    for said in [
        format!("at most {connections} connections, {migrating} more while it migrates"),
        format!("at least {all} for each process"),
        format!("as a topic has partitions: {PARTITIONS} (`KAFKA_PARTITIONS`"),
        format!("{batch} in a batch"),
        format!("pages of at most {} rows", constant("subgraphs/kit/src/page.rs", "FIRST_MAX")),
        "`make limits`".to_owned(),
    ] {
        assert!(limits.contains(&said), "{said}");
    }
    assert_eq!(constant("subgraphs/kit/src/serve/handler.rs", "BODY_BYTES_MAX"), "1024 * 1024");
    assert!(limits.contains("1 MiB of body"));
    for measured in ["| SQLite | 1 |", "| PostgreSQL | 1 |", "| PostgreSQL | 2 |"] {
        assert!(limits.contains(measured), "{measured}");
    }
}

#[test]
#[ignore = "measures for a minute or two: `make limits`"]
fn the_readme_says_how_many_orders_one_machine_decides() {
    tell("| database | processes of each service | orders taken per second | decided per second |");
    tell("|---|---|---|---|");
    measured();
    on_postgres(measured);
}
