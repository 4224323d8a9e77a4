//! Orders from PENDING to their end, with the other services played by the test, on SQLite and PostgreSQL.

use std::time::Duration;

use crate::support::{ADA, BEANS, BOB, Bench, CUP, SITI, benches, manager, user};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::order::{InvoiceIssued, OrderStatusChanged};
use kopitiam_kafka::messages::stock::{
    CommitStock, RefusedLine, ReleaseStock, ReserveStock, ReservedLine, RestockLines, StockCommitted,
    StockLine, StockRejected, StockReleased, StockReserved, StockRestocked,
};
use kopitiam_kafka::messages::wallet::{
    CaptureFunds, FundsCaptured, FundsHeld, FundsRefunded, FundsRejected, FundsReleased, HoldFunds,
    RefundFunds, ReleaseFunds,
};
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{Skewed, eventually};
use kopitiam_kit::time;
use kopitiam_order::store::orders;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

async fn reserved(bench: &Bench, price_minor: i64) -> Envelope {
    let (command, reserve) = bench.last::<ReserveStock>().await;
    let lines = reserve.lines.iter().map(|line| ReservedLine {
        product_id: line.product_id,
        quantity: line.quantity,
        unit_price: Amount::new(price_minor, "USD"),
        seller_id: SITI,
        title: "Beans".to_owned(),
    });
    let reply = StockReserved {
        reservation_id: reserve.reservation_id,
        lines: lines.collect(),
        expires_at: reserve.expires_at,
    };
    bench.reply(&command, reserve.reservation_id, &reply).await
}

async fn held(bench: &Bench) -> Envelope {
    let (command, hold) = bench.last::<HoldFunds>().await;
    let reply = FundsHeld { hold_id: hold.hold_id, amount: hold.amount };
    bench.reply(&command, hold.user_id, &reply).await
}

async fn committed(bench: &Bench) -> Envelope {
    let (command, commit) = bench.last::<CommitStock>().await;
    let reply = StockCommitted { reservation_id: commit.reservation_id };
    bench.reply(&command, commit.reservation_id, &reply).await
}

async fn captured(bench: &Bench) -> Envelope {
    let (command, capture) = bench.last::<CaptureFunds>().await;
    let minor = capture.splits.iter().map(|split| split.amount.minor).sum();
    let reply =
        FundsCaptured { hold_id: capture.hold_id, amount: Amount::new(minor, "USD"), splits: capture.splits };
    bench.reply(&command, capture.user_id, &reply).await
}

async fn released(bench: &Bench) -> Envelope {
    let (command, release) = bench.last::<ReleaseStock>().await;
    let reply = StockReleased { reservation_id: release.reservation_id };
    bench.reply(&command, release.reservation_id, &reply).await
}

async fn cancel(bench: &Bench, who: Uuid, order: Uuid, key: &str) -> Value {
    let query = "mutation($id: ID!, $key: ID!) { cancelOrder(id: $id, reason: \"second thoughts\", idempotencyKey: $key) {
        order { status } userErrors { code } } }";
    bench.ask(user(who), query, json!({ "id": order, "key": key })).await["cancelOrder"].clone()
}

async fn sagas(bench: &Bench) -> Vec<(String, String)> {
    let query = "{ sagas(stuckOnly: false, first: 10) { edges { node { kind state } } } }";
    let data = bench.ask(manager(), query, json!({})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let edges = data["sagas"]["edges"].as_array().unwrap().iter();
    edges.map(|edge| (text(&edge["node"]["kind"]), text(&edge["node"]["state"]))).collect()
}

#[tokio::test]
async fn order_is_confirmed_with_invoice_once_stock_and_funds_are_reserved() {
    for bench in benches().await {
        let order = bench.place().await;
        assert_eq!(bench.sent_types().await, ["ReserveStock", "OrderCreated"]);
        reserved(&bench, 1_250).await;
        assert_eq!(bench.order(order).await["status"], "PENDING");
        held(&bench).await;

        let confirmed = bench.order(order).await;
        assert_eq!(confirmed["status"], "CONFIRMED");
        assert_eq!(confirmed["invoice"]["total"]["amount"], "25.00");
        assert_eq!(confirmed["canCancel"], false, "the payment is not settled yet");
        let (_, changed) = bench.last::<OrderStatusChanged>().await;
        assert_eq!((changed.from.as_str(), changed.to.as_str()), ("PENDING", "CONFIRMED"));
        let sold: Vec<_> = changed.lines.iter().map(|line| (line.seller_id, line.quantity)).collect();
        assert_eq!(sold, [(Some(SITI), 2)], "sellers hear of it from this event alone");
        let (_, invoice) = bench.last::<InvoiceIssued>().await;
        assert_eq!(invoice.number, confirmed["invoice"]["number"].as_str().unwrap());
        let (_, capture) = bench.last::<CaptureFunds>().await;
        let parts: Vec<i64> = capture.splits.iter().map(|split| split.amount.minor).collect();
        assert_eq!(parts, [2_375, 125], "the seller's share and the platform's five percent");

        captured(&bench).await;
        committed(&bench).await;
        assert_eq!(sagas(&bench).await, [("place-order".to_owned(), "COMPLETED".to_owned())]);
        let settled = bench.order(order).await;
        assert_eq!(settled["canCancel"], true);
        let steps: Vec<_> = settled["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (&entry["status"], &entry["note"]))
            .collect();
        let told = json!([
            ["PENDING", null],
            ["PENDING", "Stock is reserved"],
            ["PENDING", "Funds are held"],
            ["CONFIRMED", null],
            ["CONFIRMED", "Payment is captured"],
            ["CONFIRMED", "Stock is handed over"]
        ]);
        assert_eq!(json!(steps), told);
        assert_eq!(settled["version"], 6);
        let told = ["OrderCreated", "OrderStatusChanged", "InvoiceIssued"].map(str::to_owned);
        let once_each: Vec<_> = told.into_iter().zip(1..).collect();
        assert_eq!(bench.told(Topic::OrderEvents, order).await, once_each);
    }
}

#[tokio::test]
async fn invoice_numbers_of_a_year_have_no_gap() {
    for bench in benches().await {
        let mut numbers = Vec::new();
        for refused in [false, true, false, false] {
            let order = bench.place().await;
            reserved(&bench, 1_250).await;
            if refused {
                let (command, hold) = bench.last::<HoldFunds>().await;
                let reply = FundsRejected { hold_id: hold.hold_id, code: "INSUFFICIENT_FUNDS".to_owned() };
                bench.reply(&command, hold.user_id, &reply).await;
            } else {
                held(&bench).await;
                let number = bench.order(order).await["invoice"]["number"].as_str().unwrap().to_owned();
                numbers.push(number.rsplit('-').next().unwrap().parse::<i64>().unwrap());
            }
        }
        assert_eq!(numbers, [1, 2, 3]);
    }
}

#[tokio::test]
async fn refused_stock_rejects_the_order_and_says_what_is_left() {
    for bench in benches().await {
        let order = bench.place().await;
        let (command, reserve) = bench.last::<ReserveStock>().await;
        let lines = vec![RefusedLine { product_id: BEANS, requested: 2, available: 1 }];
        let code = "OUT_OF_STOCK".to_owned();
        let reply = StockRejected { reservation_id: reserve.reservation_id, code, lines };
        bench.reply(&command, reserve.reservation_id, &reply).await;

        let rejected = bench.order(order).await;
        assert_eq!(
            (&rejected["status"], &rejected["statusReason"]),
            (&json!("REJECTED"), &json!("OUT_OF_STOCK"))
        );
        assert_eq!(rejected["history"][1]["note"], "Beans: 2 asked for, 1 left");
        assert_eq!(rejected["invoice"], Value::Null);
        assert_eq!(bench.sent_types().await, ["ReserveStock", "OrderCreated", "OrderStatusChanged"]);
        assert_eq!(sagas(&bench).await, [("place-order".to_owned(), "FAILED".to_owned())]);
    }
}

#[tokio::test]
async fn refused_funds_give_the_stock_back_and_changed_prices_too() {
    for bench in benches().await {
        let order = bench.place().await;
        reserved(&bench, 1_250).await;
        let (command, hold) = bench.last::<HoldFunds>().await;
        let reply = FundsRejected { hold_id: hold.hold_id, code: "USER_BANNED".to_owned() };
        bench.reply(&command, hold.user_id, &reply).await;
        assert_eq!(bench.order(order).await["statusReason"], "USER_BANNED");
        assert_eq!(sagas(&bench).await[0].1, "COMPENSATING");
        released(&bench).await;
        assert_eq!(sagas(&bench).await[0].1, "FAILED");

        let order = bench.place().await;
        reserved(&bench, 1_300).await;
        assert_eq!(bench.order(order).await["statusReason"], "PRICE_CHANGED");
        let (_, release) = bench.last::<ReleaseStock>().await;
        assert_eq!(release.reservation_id, order);
    }
}

#[tokio::test]
async fn unanswered_order_is_asked_again_and_rejected_at_its_deadline() {
    for bench in benches().await {
        let order = bench.place().await;
        let sweep = async |seconds: i64| {
            bench
                .shop
                .place_order
                .sweep(bench.db.db(), time::now() + TimeDelta::seconds(seconds))
                .await
                .unwrap()
        };
        assert_eq!(sweep(0).await, 0, "not due yet");
        assert_eq!(sweep(2).await, 1);
        let types = bench.sent_types().await;
        assert_eq!(types.iter().filter(|kind| *kind == "ReserveStock").count(), 2);
        assert_eq!(sweep(61).await, 1);
        let rejected = bench.order(order).await;
        assert_eq!(
            (&rejected["status"], &rejected["statusReason"]),
            (&json!("REJECTED"), &json!("DEADLINE"))
        );
        released(&bench).await;
        assert_eq!(sagas(&bench).await[0].1, "FAILED");

        // The answer that came too late is undone.
        reserved(&bench, 1_250).await;
        let types = bench.sent_types().await;
        assert_eq!(types.iter().filter(|kind| *kind == "ReleaseStock").count(), 2);
        assert_eq!(bench.order(order).await["status"], "REJECTED");
    }
}

#[tokio::test]
async fn replies_delivered_twice_change_nothing() {
    for bench in benches().await {
        let order = bench.place().await;
        let mut replies = vec![reserved(&bench, 1_250).await, held(&bench).await];
        replies.extend([captured(&bench).await, committed(&bench).await]);
        let (state, sent) = (bench.order(order).await, bench.sent_types().await);
        for reply in &replies {
            bench.receive(reply).await;
            // The same answer given anew, as a participant does for a command that was sent again.
            bench.receive(&Envelope { id: Uuid::now_v7(), ..reply.clone() }).await;
        }
        assert_eq!(bench.order(order).await, state);
        assert_eq!(bench.sent_types().await, sent);
    }
}

#[tokio::test]
async fn cancelling_a_pending_order_gives_back_what_was_reserved() {
    for bench in benches().await {
        let order = bench.place().await;
        reserved(&bench, 1_250).await;
        assert_eq!(cancel(&bench, ADA, order, "1").await["userErrors"][0]["code"], "ORDER_NOT_FOUND");
        assert_eq!(cancel(&bench, BOB, order, "2").await["order"]["status"], "CANCELLED");

        // The hold may be on its way: it is released first, whether or not it came about.
        let (command, release) = bench.last::<ReleaseFunds>().await;
        held(&bench).await;
        let reply = FundsReleased { hold_id: release.hold_id, amount: Amount::new(2_500, "USD") };
        bench.reply(&command, release.user_id, &reply).await;
        released(&bench).await;
        assert_eq!(sagas(&bench).await[0].1, "FAILED");
        let order = bench.order(order).await;
        assert_eq!(order["history"][2]["note"], "second thoughts");
        assert_eq!(order["history"][2]["actor"], format!("user:{BOB}"));
        assert_eq!(order["invoice"], Value::Null);
    }
}

#[tokio::test]
async fn cancelling_a_settled_order_refunds_and_restocks_it() {
    for bench in benches().await {
        let order = bench.place().await;
        reserved(&bench, 1_250).await;
        held(&bench).await;
        assert_eq!(cancel(&bench, BOB, order, "1").await["userErrors"][0]["code"], "ORDER_SETTLING");
        committed(&bench).await;
        captured(&bench).await;
        assert_eq!(cancel(&bench, BOB, order, "2").await["order"]["status"], "CONFIRMED");
        assert_eq!(cancel(&bench, BOB, order, "3").await["userErrors"][0]["code"], "REFUND_IN_PROGRESS");

        let (command, refund) = bench.last::<RefundFunds>().await;
        let amount = Amount::new(refund.splits.iter().map(|split| split.amount.minor).sum(), "USD");
        assert_eq!(amount.minor, 2_500);
        let reply = FundsRefunded { refund_id: refund.refund_id, hold_id: refund.hold_id, amount };
        bench.reply(&command, refund.user_id, &reply).await;
        assert_eq!(bench.order(order).await["status"], "REFUNDED");
        let (command, restock) = bench.last::<RestockLines>().await;
        assert_eq!(restock.lines[0].quantity, 2);
        let reply = StockRestocked { reservation_id: order, lines: restock.lines };
        bench.reply(&command, order, &reply).await;
        assert!(sagas(&bench).await.iter().all(|(_, state)| state == "COMPLETED"));
        assert_eq!(cancel(&bench, BOB, order, "4").await["userErrors"][0]["code"], "CANNOT_CANCEL");
    }
}

#[tokio::test]
async fn refund_that_the_seller_has_spent_is_owed_until_it_is_there() {
    for bench in benches().await {
        let order = bench.place().await;
        reserved(&bench, 1_250).await;
        held(&bench).await;
        committed(&bench).await;
        captured(&bench).await;
        cancel(&bench, BOB, order, "1").await;
        let (command, refund) = bench.last::<RefundFunds>().await;
        let reply = FundsRejected { hold_id: refund.hold_id, code: "INSUFFICIENT_FUNDS".to_owned() };
        bench.reply(&command, refund.user_id, &reply).await;
        let kept = bench.order(order).await;
        assert_eq!(
            (&kept["status"], &kept["lines"][0]["status"]),
            (&json!("CONFIRMED"), &json!("REFUNDING"))
        );
        assert_eq!(kept["canCancel"], false, "it is decided already");

        bench.sweep(time::now() + TimeDelta::seconds(40)).await;
        let (again, same) = bench.last::<RefundFunds>().await;
        assert_ne!(again.id, command.id);
        assert_eq!(same.refund_id, refund.refund_id, "one refund, however often it is asked for");
        let reply = FundsRefunded {
            refund_id: refund.refund_id,
            hold_id: refund.hold_id,
            amount: Amount::new(2_500, "USD"),
        };
        bench.reply(&again, refund.user_id, &reply).await;
        bench.reply(&command, refund.user_id, &reply).await;
        let back = bench.order(order).await;
        assert_eq!((&back["status"], &back["lines"][0]["status"]), (&json!("REFUNDED"), &json!("REFUNDED")));
        let restocked = bench.sent_types().await.iter().filter(|kind| *kind == "RestockLines").count();
        assert_eq!(restocked, 1);
    }
}

const FULFIL: &str = "mutation($id: ID!, $lines: [ID!]!, $key: ID!) {
    fulfilOrder(id: $id, lineIds: $lines, idempotencyKey: $key) {
        order { status lines { id status } } userErrors { code } } }";
const REFUND: &str = "mutation($id: ID!, $lines: [ID!]!, $key: ID!) {
    refundOrder(id: $id, lineIds: $lines, reason: \"broken\", idempotencyKey: $key) {
        order { status lines { id status } } userErrors { code } } }";

/// Bob's settled order of beans and a cup; the ids of its lines.
async fn two_lines(bench: &Bench) -> (Uuid, Vec<Value>) {
    let cart = bench.cart(user(BOB), &[(BEANS, 2), (CUP, 1)]).await;
    let placed = bench.checkout(BOB, &cart, "33.90", &Uuid::now_v7().to_string()).await;
    let order: Uuid = placed["order"]["id"].as_str().unwrap().parse().unwrap();
    let (command, reserve) = bench.last::<ReserveStock>().await;
    let price = |id| Amount::new(if id == BEANS { 1_250 } else { 890 }, "USD");
    let line = |line: &StockLine| ReservedLine {
        product_id: line.product_id,
        quantity: line.quantity,
        unit_price: price(line.product_id),
        seller_id: SITI,
        title: String::new(),
    };
    let lines = reserve.lines.iter().map(line).collect();
    let reply = StockReserved { reservation_id: order, lines, expires_at: reserve.expires_at };
    bench.reply(&command, order, &reply).await;
    held(bench).await;
    committed(bench).await;
    captured(bench).await;
    let lines =
        bench.order(order).await["lines"].as_array().unwrap().iter().map(|line| line["id"].clone()).collect();
    (order, lines)
}

async fn do_lines(bench: &Bench, query: &str, who: Viewer, order: Uuid, lines: &[Value], key: &str) -> Value {
    let data = bench.ask(who, query, json!({ "id": order, "lines": lines, "key": key })).await;
    data.as_object().unwrap().values().next().unwrap().clone()
}

#[tokio::test]
async fn seller_hands_over_line_by_line_and_the_order_is_fulfilled_with_the_last() {
    for bench in benches().await {
        let (order, lines) = two_lines(&bench).await;
        for (who, code) in [(user(BOB), "ORDER_NOT_FOUND"), (user(ADA), "ORDER_NOT_FOUND")] {
            let refused = do_lines(&bench, FULFIL, who, order, &lines, "x").await;
            assert_eq!(refused["userErrors"][0]["code"], code);
        }
        let first = do_lines(&bench, FULFIL, user(SITI), order, &lines[..1], "1").await;
        assert_eq!(first["order"]["status"], "CONFIRMED");
        let noted = bench.order(order).await["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&noted["note"], &noted["actor"]),
            (&json!("1 of 2 lines handed over"), &json!(format!("user:{SITI}")))
        );
        let again = do_lines(&bench, FULFIL, user(SITI), order, &lines, "2").await;
        assert_eq!(again["userErrors"][0]["code"], "LINE_DONE", "all or none");
        let last = do_lines(&bench, FULFIL, user(SITI), order, &lines[1..], "3").await;
        assert_eq!(last["order"]["status"], "FULFILLED");
        assert_eq!(
            do_lines(&bench, FULFIL, user(SITI), order, &lines[1..], "3").await,
            last,
            "same key, same answer"
        );
        assert_eq!(cancel(&bench, BOB, order, "4").await["userErrors"][0]["code"], "CANNOT_CANCEL");
        let (_, changed) = bench.last::<OrderStatusChanged>().await;
        assert_eq!(changed.to, "FULFILLED");
    }
}

#[tokio::test]
async fn refund_of_one_line_moves_its_money_and_units_only() {
    for bench in benches().await {
        let (order, lines) = two_lines(&bench).await;
        let begun = do_lines(&bench, REFUND, user(SITI), order, &lines[1..], "1").await;
        assert_eq!(begun["order"]["lines"][1]["status"], "REFUNDING");
        for (query, key) in [(REFUND, "2"), (FULFIL, "3")] {
            let refused = do_lines(&bench, query, manager(), order, &lines, key).await;
            assert_eq!(refused["userErrors"][0]["code"], "LINE_DONE", "a claimed line is nobody else's");
        }
        let (command, refund) = bench.last::<RefundFunds>().await;
        let parts: Vec<i64> = refund.splits.iter().map(|split| split.amount.minor).collect();
        assert_eq!(parts, [845, 45], "of the cup, its seller's share and the fee");
        let amount = Amount::new(890, "USD");
        let reply = FundsRefunded { refund_id: refund.refund_id, hold_id: refund.hold_id, amount };
        bench.reply(&command, refund.user_id, &reply).await;
        let (_, restock) = bench.last::<RestockLines>().await;
        assert_eq!(restock.lines, [StockLine { product_id: CUP, quantity: 1 }]);
        let partly = bench.order(order).await;
        assert_eq!(
            (&partly["status"], &partly["lines"][1]["status"]),
            (&json!("CONFIRMED"), &json!("REFUNDED"))
        );

        let now = time::now();
        let query =
            "query($from: DateTime!, $to: DateTime!) { revenue(from: $from, to: $to, currency: \"USD\") {
            gross { amount } fees { amount } refunds { amount } } }";
        let range = json!({ "from": now - TimeDelta::days(1), "to": now + TimeDelta::days(1) });
        let revenue = bench.ask(manager(), query, range).await["revenue"].clone();
        let sums = ["gross", "fees", "refunds"].map(|sum| revenue[sum]["amount"].clone());
        assert_eq!(sums, [json!("33.90"), json!("1.25"), json!("8.90")]);
        // What is left can still be handed over, and then the order is done.
        let done = do_lines(&bench, FULFIL, user(SITI), order, &lines[..1], "4").await;
        assert_eq!(done["order"]["status"], "FULFILLED");
    }
}

#[tokio::test]
async fn revenue_is_counted_by_day_and_a_year_ends_at_its_edge() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    for bench in benches().await {
        // Invoices of the last and the first moment of two years, and two of one day.
        let moments = [
            "2025-12-31T23:59:59.999Z",
            "2026-01-01T00:00:00Z",
            "2026-01-02T08:00:00Z",
            "2026-01-02T20:00:00Z",
        ];
        let mut numbers = Vec::new();
        for moment in moments {
            let id = bench.place().await;
            let issue = move |tx: kopitiam_kit::Tx| async move {
                let order = orders::find(&tx, id).await?.unwrap();
                Ok::<_, kopitiam_kit::SystemError>(orders::issue_invoice(&tx, &order, at(moment)).await?)
            };
            numbers.push(bench.db.transaction(issue).await.unwrap().number);
        }
        let expected = ["INV-2025-000001", "INV-2026-000001", "INV-2026-000002", "INV-2026-000003"];
        assert_eq!(numbers, expected, "each year counts from one");
        let revenue = async |from: &str, to: &str| {
            let query =
                "query($from: DateTime!, $to: DateTime!) { revenue(from: $from, to: $to, currency: \"USD\") {
                gross { amount } orderCount byDay { day gross { amount } } } }";
            bench.ask(manager(), query, json!({ "from": from, "to": to })).await["revenue"].clone()
        };
        let last_year = revenue("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z").await;
        assert_eq!((&last_year["orderCount"], &last_year["gross"]["amount"]), (&json!(1), &json!("25.00")));
        let this_year = revenue("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z").await;
        let day = |day: &str, amount: &str| json!({ "day": day, "gross": { "amount": amount } });
        assert_eq!(this_year["byDay"], json!([day("2026-01-01", "25.00"), day("2026-01-02", "50.00")]));
    }
}

/// R14: replicas whose machines' clocks differ share a database, and its clock says when a saga's time is over.
#[tokio::test]
async fn a_sweeper_whose_machines_clock_is_ahead_ends_no_saga_before_its_time() {
    for bench in benches().await {
        let (old, young) = (bench.place().await, bench.place().await);
        let age = &format!(
            "UPDATE saga SET deadline_ms = 1, due_at_ms = 1 WHERE subject_id = {}",
            sql_id(&bench, old)
        );
        let write = |tx: kopitiam_kit::Tx| async move { tx.execute_unprepared(age).await.map(|_| ()) };
        bench.db.transaction(write).await.unwrap();
        let _ahead = Skewed::by(TimeDelta::hours(2));
        let (stop, sagas) = (CancellationToken::new(), &bench.shop.place_order);
        let sweeping = sagas.run_sweeper(bench.db.db(), Duration::from_millis(5), &stop);
        let watching = async {
            eventually("the old one is over", || async {
                (bench.order(old).await["status"] == "REJECTED").then_some(())
            })
            .await;
            stop.cancel();
        };
        // The sweep that ended the old one is over too, with all it found.
        tokio::join!(sweeping, watching);
        // A file is on one machine, whose clock is the only one.
        let expected = if bench.db.backend() == DbBackend::Postgres { "PENDING" } else { "REJECTED" };
        assert_eq!(bench.order(young).await["status"], expected);
    }
}

fn sql_id(bench: &Bench, id: Uuid) -> String {
    if bench.db.backend() == DbBackend::Postgres { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
}
