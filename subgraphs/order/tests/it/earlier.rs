//! Rows that an earlier release left behind: sagas under way go on with the same next commands (`fixtures/sagas.json` has
//! one row of each kind as this release writes them), and what changed its form since is rewritten.

use chrono::TimeDelta;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::stock::{RestockLines, StockRestocked};
use kopitiam_kafka::messages::wallet::{FundsRefunded, RefundFunds};
use kopitiam_kit::saga::command_id;
use kopitiam_kit::{Tx, time};
use kopitiam_order::migration::Migrator;
use kopitiam_order::sagas::place_order::hold_id;
use sea_orm::{ConnectionTrait, Statement, Value as Sql};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{BEANS, BOB, Bench, SITI, benches, user};

async fn execute(bench: &Bench, sql: &str, values: Vec<Sql>) {
    let statement = Statement::from_sql_and_values(bench.db.backend(), sql, values);
    let write = |tx: Tx| {
        let statement = statement.clone();
        async move { tx.execute_raw(statement).await.map(|_| ()) }
    };
    bench.db.transaction(write).await.unwrap();
}

/// A saga row as stored: `row` has its kind, state, step, what was sent and waits, and its context.
async fn saga_row(bench: &Bench, id: Uuid, subject_id: Uuid, row: &Value) {
    let text = |name: &str| Sql::from(row[name].as_str().unwrap().to_owned());
    let json = |name: &str| Sql::from(row[name].to_string());
    let deadline = (time::now() + TimeDelta::days(1)).timestamp_millis();
    let insert = "INSERT INTO saga (id, kind, subject_id, state, step, attempts, started_at_ms, deadline_ms, due_at_ms, \
            sent, waiting, context, version, claimed_until_ms) \
        VALUES ($1, $2, $3, $4, $5, 0, 1, $6, 1, $7, $8, $9, 1, 0)";
    let values = vec![
        id.into(),
        text("kind"),
        subject_id.into(),
        text("state"),
        text("step"),
        deadline.into(),
        json("sent"),
        json("waiting"),
        json("context"),
    ];
    execute(bench, insert, values).await;
}

#[tokio::test]
async fn saga_rows_as_stored_send_the_same_next_commands() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("fixtures/sagas.json")).unwrap();
    let kinds: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 5, "each kind has a row: {kinds:?}");
    for bench in benches().await {
        for (number, row) in rows.iter().enumerate() {
            let number = u128::try_from(number).unwrap();
            let subject = serde_json::from_value(row["subjectId"].clone()).unwrap();
            saga_row(&bench, Uuid::from_u128(0xa0 + number), subject, row).await;
            let before = bench.sent().await.len();
            bench.sweep(time::now()).await;
            let sent: Vec<Value> = bench.sent().await[before..]
                .iter()
                .map(|envelope| json!({ "type": envelope.message_type, "payload": envelope.payload }))
                .collect();
            assert_eq!(json!(sent), row["sends"], "{} at {}", row["kind"], row["step"]);
        }
    }
}

/// A refund of the whole order as the earlier release stored it.
fn earlier_refund(state: &str, step: &str) -> Value {
    let waiting = if state == "RUNNING" { json!([step]) } else { json!([]) };
    json!({
        "kind": "refund-order", "state": state, "step": step, "sent": [step], "waiting": waiting,
        "context": {
            "placed": {
                "number": "K-1", "buyerId": BOB, "cartId": null, "currency": "USD", "totalMinor": 2_500,
                "lines": [{ "productId": BEANS, "quantity": 2, "unitPriceMinor": 1_250 }],
                "sellerShares": [[SITI, 2_375]], "platformShare": 125, "reservedUntil": "2026-01-02T00:00:00Z",
            },
            "reason": "too many", "actor": format!("user:{BOB}"),
        },
    })
}

/// A paid order as the earlier release left it, with that saga, read by this release.
async fn upgraded(bench: &Bench, state: &str, step: &str, status: &str) -> Uuid {
    let order = bench.place().await;
    bench.confirm(order).await;
    let earlier = "UPDATE orders SET hold_id = NULL, settled_at_ms = NULL, status = $1 WHERE id = $2";
    execute(bench, earlier, vec![status.into(), order.into()]).await;
    saga_row(bench, Uuid::now_v7(), order, &earlier_refund(state, step)).await;
    execute(bench, "DELETE FROM seaql_migrations WHERE version = 'm0007_earlier_sagas'", vec![]).await;
    bench.db.db().migrate::<Migrator>().await.unwrap();
    order
}

fn line_statuses(order: &Value) -> Vec<&str> {
    order["lines"].as_array().unwrap().iter().map(|line| line["status"].as_str().unwrap()).collect()
}

async fn newest_saga(bench: &Bench) -> (String, String) {
    bench.sagas().await.remove(0)
}

#[tokio::test]
async fn a_refund_of_the_earlier_form_goes_on_under_its_names_and_is_finished() {
    for bench in benches().await {
        let order = upgraded(&bench, "RUNNING", "refund-funds", "CONFIRMED").await;
        assert_eq!(line_statuses(&bench.order(order).await), ["REFUNDING"]);
        bench.sweep(time::now()).await;
        let (command, refund) = bench.last::<RefundFunds>().await;
        assert_eq!(refund.refund_id, command_id(order, "refund-funds"), "the wallet knows it by this name");
        assert_eq!(refund.hold_id, hold_id(order));
        let parts: Vec<i64> = refund.splits.iter().map(|split| split.amount.minor).collect();
        assert_eq!(parts, [2_375, 125]);
        let reply = FundsRefunded {
            refund_id: refund.refund_id,
            hold_id: refund.hold_id,
            amount: Amount::new(2_500, "USD"),
        };
        bench.reply(&command, BOB, &reply).await;
        let refunded = bench.order(order).await;
        assert_eq!((&refunded["status"], line_statuses(&refunded)), (&json!("REFUNDED"), vec!["REFUNDED"]));
        let (command, restock) = bench.last::<RestockLines>().await;
        assert_eq!((restock.lines[0].product_id, restock.lines[0].quantity), (BEANS, 2));
        bench.reply(&command, order, &StockRestocked { reservation_id: order, lines: Vec::new() }).await;
        assert_eq!(newest_saga(&bench).await, ("refund-order".to_owned(), "COMPLETED".to_owned()));
    }
}

#[tokio::test]
async fn a_refund_of_the_earlier_form_that_only_restocks_has_refunded_its_lines() {
    for bench in benches().await {
        let order = upgraded(&bench, "RUNNING", "restock", "REFUNDED").await;
        assert_eq!(line_statuses(&bench.order(order).await), ["REFUNDED"]);
        bench.sweep(time::now()).await;
        let (command, _) = bench.last::<RestockLines>().await;
        bench.reply(&command, order, &StockRestocked { reservation_id: order, lines: Vec::new() }).await;
        assert_eq!(newest_saga(&bench).await.1, "COMPLETED");
    }
}

#[tokio::test]
async fn an_order_paid_before_lines_had_a_status_can_be_called_off() {
    for bench in benches().await {
        let order = upgraded(&bench, "FAILED", "refund-funds", "CONFIRMED").await;
        assert_eq!(line_statuses(&bench.order(order).await), ["OPEN"], "the wallet had refused it");
        let cancel = "mutation($id: ID!, $key: ID!) { cancelOrder(id: $id, idempotencyKey: $key) {
            order { lines { status } } userErrors { code } } }";
        let data = bench.ask(user(BOB), cancel, json!({ "id": order, "key": Uuid::now_v7() })).await;
        assert_eq!(data["cancelOrder"]["userErrors"], json!([]), "{data}");
        let (_, refund) = bench.last::<RefundFunds>().await;
        assert_eq!(refund.hold_id, hold_id(order));
        assert_ne!(
            refund.refund_id,
            command_id(order, "refund-funds"),
            "another refund than the refused one"
        );
    }
}
