//! Orders from PENDING to their end, with the other services played by the test, on SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "in a test it is a claim that fails the test")]

mod support;

use chrono::TimeDelta;
use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::order::{InvoiceIssued, OrderStatusChanged};
use kopitiam_kafka::messages::stock::{
    CommitStock, RefusedLine, ReleaseStock, ReserveStock, ReservedLine, RestockLines, StockCommitted,
    StockRejected, StockReleased, StockReserved, StockRestocked,
};
use kopitiam_kafka::messages::wallet::{
    CaptureFunds, FundsCaptured, FundsHeld, FundsRefunded, FundsRejected, FundsReleased, HoldFunds,
    RefundFunds, ReleaseFunds,
};
use kopitiam_kit::time;
use serde_json::{Value, json};
use support::{ADA, BEANS, BOB, Bench, SITI, benches, manager, user};
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
async fn refused_refund_leaves_the_order_confirmed_with_a_note() {
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
        assert_eq!(kept["status"], "CONFIRMED");
        let history = kept["history"].as_array().unwrap();
        assert_eq!(history.last().unwrap()["note"], "The refund was refused: INSUFFICIENT_FUNDS");
        assert_eq!(kept["canCancel"], true, "it may be tried again");
    }
}
