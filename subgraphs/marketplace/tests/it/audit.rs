//! What an operator asks of a stopped marketplace: whether what must hold holds, and which steps its sagas have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use kopitiam_kit::{Db, SystemError, Tx};
use sea_orm::ConnectionTrait;
use serde_json::Value;

use crate::support::{Marketplace, assert_sound, data_folder};

fn marketplace(operation: &str, data: &Path) -> Output {
    let ran = Command::new(env!("CARGO_BIN_EXE_marketplace")).arg(operation).env("DATA_DIR", data).output();
    ran.expect("it runs")
}

async fn tamper(data: &Path, service: &str, sql: &'static str) {
    let url = format!("sqlite://{}", data.join(format!("{service}.db")).display());
    let forge = |tx: Tx| async move {
        let done = tx.execute_unprepared(sql).await?;
        assert!(done.rows_affected() > 0, "{sql}");
        Ok::<_, SystemError>(())
    };
    Db::connect(&url).await.unwrap().transaction(forge).await.unwrap();
}

#[tokio::test]
async fn what_breaks_a_rule_in_a_database_or_across_them_is_found_by_the_audit() {
    let data = data_folder();
    assert_eq!(Marketplace::start(data.path()).stop(), Some(0));
    assert_sound(data.path());
    let broken = [
        (
            "user",
            "UPDATE accounts SET balance = balance + 1 WHERE id = (SELECT id FROM accounts WHERE kind = 'AVAILABLE' LIMIT 1)",
            &["money is conserved", "a balance is the sum of its postings (broken 1 times)"][..],
        ),
        (
            "user",
            "INSERT INTO holds SELECT randomblob(16), owner_id, 5, currency, 'forged', 'HELD', NULL, '2020-01-01T00:00:00+00:00',
                '2020-01-01T00:00:00+00:00', NULL FROM accounts WHERE kind = 'HELD' LIMIT 1",
            &["what is held is the sum of the standing holds", "no hold outlives its time", "^hold "],
        ),
        (
            "product",
            "INSERT INTO reservations VALUES (randomblob(16), 'RESERVED', NULL, '2020-01-01T00:00:00+00:00', NULL)",
            &["^reservation "],
        ),
        (
            "product",
            "UPDATE stock SET reserved = reserved + 1 WHERE reserved < on_hand",
            &["what is reserved is the sum of the standing reservations"],
        ),
        (
            "product",
            "UPDATE items SET locked_by = randomblob(16) WHERE locked_by IS NULL",
            &["^lock of an item by listing "],
        ),
        (
            "order",
            "UPDATE orders SET status = 'CONFIRMED' WHERE status = 'REJECTED'",
            &["a paid order has an invoice"],
        ),
        (
            "listing",
            "DELETE FROM timer WHERE kind = 'end-auction'",
            &["an open auction has a clock that ends it"],
        ),
        (
            "listing",
            "INSERT INTO listing_lock SELECT randomblob(16), id, seller_id, 'HELD', '2020-01-01', currency, 1 FROM listing
                WHERE status = 'ACTIVE' LIMIT 1",
            &["an order holds a listing that is kept for it", "^lock of a listing by order "],
        ),
    ];
    for (service, sql, _) in &broken {
        tamper(data.path(), service, sql).await;
    }
    let audit = marketplace("audit", data.path());
    let told = String::from_utf8_lossy(&audit.stderr);
    assert!(!audit.status.success());
    for (_, sql, rules) in broken {
        for rule in rules {
            let is_told = match rule.strip_prefix('^') {
                Some(start) => told.lines().any(|line| line.starts_with(start)),
                None => told.contains(rule),
            };
            assert!(is_told, "{sql}: `{rule}` is not in {told}");
        }
    }
}

#[tokio::test]
async fn the_steps_of_every_saga_are_shown_as_data_and_before_the_pivot_each_command_can_be_taken_back() {
    let data = data_folder();
    assert_eq!(Marketplace::start(data.path()).stop(), Some(0));
    let shown = marketplace("sagas", data.path());
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let lines = String::from_utf8(shown.stdout).unwrap();
    let sagas: BTreeMap<String, Value> = lines
        .lines()
        .map(|line| {
            let saga: Value = serde_json::from_str(line.split_once(": ").unwrap().1).unwrap();
            (saga["kind"].as_str().unwrap().to_owned(), saga)
        })
        .collect();
    let kinds: BTreeSet<&str> = sagas.keys().map(String::as_str).collect();
    let expected = [
        "let-go",
        "open-auction",
        "pay-booking",
        "place-bid",
        "place-order",
        "refund-order",
        "release-escrow",
        "reserve-listing",
        "settle-auction",
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
    for (kind, saga) in &sagas {
        let steps = saga["steps"].as_array().unwrap();
        let pivot = steps.iter().position(|step| step["pivot"] == true).unwrap_or_else(|| panic!("{kind}"));
        for (number, step) in steps.iter().enumerate() {
            for command in step["commands"].as_array().into_iter().flatten() {
                let can_be_taken_back = command["compensation"].is_string();
                assert_eq!(can_be_taken_back, number < pivot, "{kind}: {command}");
                assert!(
                    command["replies"].as_object().unwrap().values().any(|meaning| meaning != "business")
                );
            }
        }
    }
}
