//! A module of its own beside the services: the example `subgraphs/kit/examples/bestsellers.rs`, on the bus of a shop.

use kopitiam_kit::Db;
use kopitiam_kit::testing::eventually;
use tokio_util::sync::CancellationToken;

use crate::world::{BEANS, BOB, CAROL, SHAWL, World, confirmed, product};

#[path = "../../../kit/examples/bestsellers.rs"]
#[allow(dead_code, reason = "its main is the example's own")]
mod bestsellers;

#[tokio::test]
async fn a_module_that_nobody_knows_of_needs_the_bus_alone_and_counts_each_sale_once() {
    let world = World::new().await;
    let before = world.check_out(BOB, BEANS, 3).await;
    assert_eq!(world.decided(before).await, confirmed());
    // It begins with what was told before it was there.
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(&format!("sqlite://{}", folder.path().join("own.db").display())).await.unwrap();
    let counted = |expected: [(uuid::Uuid, i64); 2]| {
        let db = &db;
        eventually("each sale is counted once", move || async move {
            (bestsellers::best(db).await.ok()? == expected).then_some(())
        })
    };
    let shutdown = CancellationToken::new();
    let counting = tokio::spawn(bestsellers::run(db.clone(), world.kafka.clone(), shutdown.clone()));
    let shawl = world.check_out(CAROL, SHAWL, 1).await;
    assert_eq!(world.decided(shawl).await, confirmed());
    counted([(product(BEANS), 3), (product(SHAWL), 1)]).await;
    shutdown.cancel();
    counting.await.unwrap().unwrap();
    // Started again it goes on, and counts nothing twice.
    let shutdown = CancellationToken::new();
    let counting = tokio::spawn(bestsellers::run(db.clone(), world.kafka.clone(), shutdown.clone()));
    let more = world.check_out(BOB, BEANS, 1).await;
    assert_eq!(world.decided(more).await, confirmed());
    counted([(product(BEANS), 4), (product(SHAWL), 1)]).await;
    shutdown.cancel();
    counting.await.unwrap().unwrap();
}
