//! The service on a real broker: commands in, answers out, each effect once.

use crate::common::{Shop, seeded};
use chrono::{Duration, Utc};
use kopitiam_kafka::Topic;
use kopitiam_kafka::messages::review::ReviewPosted;
use kopitiam_kafka::messages::stock::{
    CommitStock, LockItem, ReleaseStock, ReserveStock, RestockLines, StockLine, StockUpdated, TransferItem,
};
use kopitiam_kit::consumer::Handler;
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::rebuild::rebuild;
use kopitiam_kit::testing::{
    Peer, TestBroker, TestDb, TestTokens, each_database, eventually, service_config, sqlite,
};
use kopitiam_kit::{SystemError, Tasks, Tx};
use kopitiam_product::app::{self, Migrator};
use kopitiam_product::projections::review_events::ReviewEvents;
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const HEARD: [Topic; 2] = [Topic::StockEvents, Topic::ProductEvents];

/// The last stock level that the peer heard of a product.
fn level_of(peer: &Peer, product: Uuid) -> Option<StockUpdated> {
    let heard = peer.heard();
    let levels = heard.iter().filter(|e| e.aggregate_id == product && e.message_type == "StockUpdated");
    levels.max_by_key(|e| e.aggregate_version).map(|e| e.decode().unwrap())
}

#[tokio::test]
async fn stock_commands_are_answered_and_levels_announced() {
    for db in each_database::<Migrator>().await {
        // A broker of its own: the service would hear the commands of the run before as well.
        let broker = TestBroker::start().await;
        let shop = Shop::new(db).await;
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new();
        let peer = Peer::start(&broker, &HEARD, &mut tasks, &shutdown).await;
        let config = service_config("product", &shop.db, broker.kafka(), &TestTokens::new());
        let service = app::start(config, shutdown.clone()).await.unwrap();
        let (beans, shawl) = (seeded(3, 1), seeded(3, 3));
        let order = Uuid::now_v7();
        let line = |product_id, quantity| StockLine { product_id, quantity };
        let expires_at = Utc::now() + Duration::hours(1);
        let reserve =
            ReserveStock { reservation_id: order, lines: vec![line(beans, 2), line(beans, 3)], expires_at };
        // The same command again under a new message id: what a saga does that heard no answer.
        peer.send(order, &reserve).await;
        peer.send(order, &reserve).await;
        peer.send(order, &CommitStock { reservation_id: order }).await;
        let back =
            RestockLines { reservation_id: order, lines: vec![line(beans, 5)], reason: "Refund".into() };
        peer.send(order, &back).await;
        peer.send(order, &back).await;
        let expected =
            ["StockReserved", "StockReserved", "StockCommitted", "StockRestocked", "StockRestocked"];
        assert_eq!(peer.types_of_answers_about(order, 5).await, expected);
        let other = Uuid::now_v7();
        let greedy = ReserveStock { reservation_id: other, lines: vec![line(shawl, 2)], expires_at };
        peer.send(other, &greedy).await;
        peer.send(other, &ReleaseStock { reservation_id: other }).await;
        assert_eq!(peer.types_of_answers_about(other, 2).await, ["StockRejected", "StockReleased"]);
        let senseless = Uuid::now_v7();
        let negative = ReserveStock { reservation_id: senseless, lines: vec![line(shawl, -1)], expires_at };
        peer.send(senseless, &negative).await;
        assert_eq!(peer.types_of_answers_about(senseless, 1).await, ["StockRejected"]);
        let (item, listing_id, owner_id) = (seeded(4, 1), Uuid::now_v7(), seeded(1, 5));
        peer.send(item, &LockItem { item_id: item, listing_id, owner_id, until: None }).await;
        let to = seeded(1, 3);
        peer.send(item, &TransferItem { item_id: item, listing_id, to }).await;
        assert_eq!(peer.types_of_answers_about(item, 2).await, ["ItemLocked", "ItemTransferred"]);
        let level = StockUpdated { on_hand: 200, reserved: 0 };
        eventually("the last level", || async { level_of(&peer, beans).filter(|found| *found == level) })
            .await;
        assert_eq!(shop.stock(shawl).await.reserved, 0);
        shutdown.cancel();
        service.tasks.join().await;
        tasks.join().await;
    }
}

async fn ratings(db: &TestDb) -> Vec<(Uuid, i64)> {
    let rated = "SELECT id, rating_milli FROM products WHERE rating_milli <> 0";
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), rated)).await.unwrap();
    rows.iter()
        .map(|row| (row.try_get("", "id").unwrap(), row.try_get("", "rating_milli").unwrap()))
        .collect()
}

#[tokio::test]
async fn a_rating_waits_for_the_review_before_and_an_old_one_changes_nothing() {
    for db in each_database::<Migrator>().await {
        let shop = Shop::new(db).await;
        let product = seeded(3, 1);
        let source = sqlite::<Migrator>().await;
        let mut posted = Vec::new();
        for count in 1..=3 {
            let review = ReviewPosted {
                review_id: Uuid::now_v7(),
                subject: "PRODUCT".into(),
                rating: count,
                author_id: seeded(1, 3),
                rating_sum: i64::from(count * count),
                rating_count: i64::from(count),
            };
            let review = &review;
            let post = |tx| async move {
                outbox::append(&tx, NewMessage::new(product, "service:order", review)).await
            };
            posted.push(source.transaction(post).await.unwrap());
        }
        let apply = async |version: usize| {
            let event = &posted[version - 1];
            let apply = |tx: Tx| async move {
                let applied = ReviewEvents.handle(&tx, event).await;
                applied.map_err(|error| SystemError::Invariant(error.to_string()))
            };
            shop.db.transaction(apply).await
        };
        apply(1).await.unwrap();
        let early = apply(3).await.unwrap_err().to_string();
        assert!(early.contains("version gap: at 1, got 3"), "{early}");
        assert_eq!(ratings(&shop.db).await, [(product, 1_000)]);
        for version in [2, 3, 1, 2] {
            apply(version).await.unwrap();
        }
        assert_eq!(ratings(&shop.db).await, [(product, 3_000)]);
    }
}

#[tokio::test]
async fn a_posted_review_moves_its_product_in_the_order_by_rating() {
    let broker = TestBroker::start().await;
    let db = sqlite::<Migrator>().await;
    let shutdown = CancellationToken::new();
    let mut tasks = Tasks::new();
    let peer = Peer::start(&broker, &HEARD, &mut tasks, &shutdown).await;
    let config = service_config("product", &db, broker.kafka(), &TestTokens::new());
    let service = app::start(config, shutdown.clone()).await.unwrap();
    let shop = Shop::new(db).await;
    let product = seeded(3, 24);
    let (review_id, author_id) = (Uuid::now_v7(), seeded(1, 3));
    let review = ReviewPosted {
        review_id,
        subject: "PRODUCT".into(),
        rating: 5,
        author_id,
        rating_sum: 5,
        rating_count: 1,
    };
    peer.send(product, &review).await;
    eventually("the product on top", || async {
        let query = "{ search(first: 1, sort: RATING) { edges { node { id } } } }";
        let found = shop.ask(&kopitiam_kit::auth::Viewer::anonymous(), query, serde_json::json!({})).await;
        (found["data"]["search"]["edges"][0]["node"]["id"] == product.to_string()).then_some(())
    })
    .await;
    assert_eq!(ratings(&shop.db).await, [(product, 5_000)]);
    shop.db
        .transaction(|tx| async move {
            tx.execute_unprepared("UPDATE products SET rating_milli = 1234")
                .await
                .map(|_| ())
                .map_err(SystemError::from)
        })
        .await
        .unwrap();
    rebuild(&shop.db, &broker.kafka(), &ReviewEvents).await.unwrap();
    assert_eq!(ratings(&shop.db).await, [(product, 5_000)], "made anew from the topic");
    shutdown.cancel();
    service.tasks.join().await;
    tasks.join().await;
}
