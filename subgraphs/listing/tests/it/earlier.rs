//! Rows that an earlier release left behind: sagas under way go on with the same next commands (`fixtures/sagas.json` has
//! rows of each kind as this release writes them).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use kopitiam_kit::time;
use sea_orm::{ConnectionTrait, Statement, Value as Sql};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Shop;

/// A saga row as stored: `row` has its kind, subject, state, step, what was sent and waits, and its context.
async fn saga_row(shop: &Shop, id: Uuid, row: &Value) {
    let text = |name: &str| Sql::from(row[name].as_str().unwrap().to_owned());
    let json = |name: &str| Sql::from(row[name].to_string());
    let subject: Uuid = serde_json::from_value(row["subjectId"].clone()).unwrap();
    let deadline = (time::now() + TimeDelta::days(1)).timestamp_millis();
    let values: Vec<Sql> = vec![
        id.into(),
        text("kind"),
        subject.into(),
        text("state"),
        text("step"),
        deadline.into(),
        json("sent"),
        json("waiting"),
        json("context"),
    ];
    let insert = "INSERT INTO saga (id, kind, subject_id, state, step, attempts, started_at_ms, deadline_ms, due_at_ms, \
            sent, waiting, context, version, claimed_until_ms) \
        VALUES ($1, $2, $3, $4, $5, 0, 1, $6, 1, $7, $8, $9, 1, 0)";
    let statement = &Statement::from_sql_and_values(shop.db.backend(), insert, values);
    let write = |tx: kopitiam_kit::Tx| async move { tx.execute_raw(statement.clone()).await.map(|_| ()) };
    shop.db.transaction(write).await.unwrap();
}

async fn sweep(shop: &Shop) {
    let (db, now, market) = (shop.db.db(), time::now(), &shop.market);
    market.open.sweep(db, now).await.unwrap();
    market.bids.sweep(db, now).await.unwrap();
    market.auctions.settle.sweep(db, now).await.unwrap();
    market.auctions.let_go.sweep(db, now).await.unwrap();
}

#[tokio::test]
async fn saga_rows_as_stored_send_the_same_next_commands() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("fixtures/sagas.json")).unwrap();
    let kinds: BTreeSet<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 4, "each kind has a row: {kinds:?}");
    for shop in Shop::each().await {
        for (number, row) in (0..).zip(&rows) {
            let before = shop.messages().await.len();
            saga_row(&shop, Uuid::from_u128(0xa0 + number), row).await;
            sweep(&shop).await;
            let sent: Vec<Value> = shop.messages().await[before..]
                .iter()
                .map(|envelope| json!({ "type": envelope.message_type, "payload": envelope.payload }))
                .collect();
            assert_eq!(json!(sent), row["sends"], "{} at {}", row["kind"], row["step"]);
        }
    }
}
