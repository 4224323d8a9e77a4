//! P32: several processes of each service share the work, and how much one machine does: `make limits` measures it on SQLite
//! and on PostgreSQL and prints the table of the README.
//!
//! Always: no test asserts a time. Elsewhere: the gateway's figures (`make bench`), races for few units (`crowd.rs`).

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
        for processes in 1..=2 {
            let mut world = World::in_parts(PARTITIONS).await;
            if processes == 2 {
                world.start_beside().await;
            }
            let count = 400;
            let (_, answered, decided) = orders(&mut world, count).await;
            world.assert_books_add_up().await;
            let per_second = |took: Duration| f64::from(count) / took.as_secs_f64();
            let (taken, decided) = (per_second(answered), per_second(decided));
            tell(&format!("| {database} | {processes} | {taken:.0} | {decided:.0} |"));
        }
    });
}

#[test]
#[ignore = "measures for a minute or two: `make limits`"]
fn the_readme_says_how_many_orders_one_machine_decides() {
    tell("| database | processes of each service | orders taken per second | decided per second |");
    tell("|---|---|---|---|");
    measured();
    on_postgres(measured);
}
