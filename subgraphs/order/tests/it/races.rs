//! Races on one order, many rounds each, on SQLite and PostgreSQL: whoever is first decides, the other finds it decided,
//! and what was taken is paid or given back, never both. Each test counts both outcomes: a race that always ends the same
//! way was none.

use std::sync::Arc;

use crate::support::{BEANS, BOB, Bench, SITI, benches, message, user};
use chrono::TimeDelta;
use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::{ListingKind, ListingLocked, LockListing};
use kopitiam_kafka::messages::wallet::{FundsHeld, FundsReleased, HoldFunds, ReleaseFunds};
use kopitiam_kit::auth::{Identity, Viewer};
use kopitiam_kit::errors::Failure;
use kopitiam_kit::{Tx, inbox, time};
use kopitiam_order::commands::orders::{CheckoutRequest, cancel_order, checkout};
use kopitiam_order::commands::refunds::{fulfil_order, refund_order};
use kopitiam_order::commands::reviews::{ReviewRequest, post_review};
use kopitiam_order::commands::tickets::{pay_order, reserve_listing};
use kopitiam_order::commands::{Shop, carts};
use kopitiam_order::domain::order::OrderStatus;
use kopitiam_order::store::{lines, orders};
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use uuid::Uuid;

/// Rounds of each race; the long run takes the design's thousand (`RACE_ROUNDS=1000`).
fn rounds() -> usize {
    usize::try_from(kopitiam_kit::testing::rounds(60)).unwrap()
}

fn identity(id: Uuid) -> Identity {
    user(id).identity().unwrap().clone()
}

fn key() -> String {
    Uuid::now_v7().to_string()
}

/// Hands a message in as the consumer does, again while another transaction is in the way.
async fn deliver(shop: &Shop, envelope: &Envelope) {
    for _ in 0..50 {
        let apply = |tx: Tx| async move {
            if inbox::first_time(&tx, "order", envelope.id).await? {
                shop.reply(&tx, envelope, time::now()).await?;
            }
            Ok::<_, Failure>(())
        };
        match shop.db.transaction(apply).await {
            Ok(()) => return,
            Err(Failure::System(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("{} was never applied", envelope.message_type);
}

/// The messages of a type that a saga sent, oldest first.
async fn sent_by(bench: &Bench, saga_id: Uuid, kind: &str) -> Vec<Envelope> {
    let select = Statement::from_sql_and_values(
        bench.db.backend(),
        "SELECT body FROM kit_outbox WHERE message_type = $1 AND body LIKE $2 ORDER BY seq",
        [kind.into(), format!("%\"correlationId\":\"{saga_id}\"%").into()],
    );
    let rows = bench.db.read().query_all_raw(select).await.unwrap();
    rows.iter()
        .map(|row| serde_json::from_str(&row.try_get::<String>("", "body").unwrap()).unwrap())
        .collect()
}

/// The last message of a type.
async fn last_of(bench: &Bench, kind: &str) -> Envelope {
    let select = Statement::from_sql_and_values(
        bench.db.backend(),
        "SELECT body FROM kit_outbox WHERE message_type = $1 ORDER BY seq DESC LIMIT 1",
        [kind.into()],
    );
    let row = bench.db.read().query_one_raw(select).await.unwrap().unwrap();
    serde_json::from_str(&row.try_get::<String>("", "body").unwrap()).unwrap()
}

async fn one<T: TryGetable>(bench: &Bench, sql: &str) -> T {
    let row = bench.db.read().query_one_raw(Statement::from_string(bench.db.backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

fn held(command: &Envelope) -> Envelope {
    let hold: HoldFunds = command.decode().unwrap();
    message(
        command.correlation_id,
        hold.user_id,
        1,
        &FundsHeld { hold_id: hold.hold_id, amount: hold.amount },
    )
}

/// Every confirmed order has one invoice, and the year's numbers have no gap (I10).
async fn invoices_have_no_gap(bench: &Bench) {
    let paid = "SELECT COUNT(*) FROM orders WHERE status IN ('CONFIRMED', 'FULFILLED', 'REFUNDED')";
    let (paid, invoices) =
        (one::<i64>(bench, paid).await, one::<i64>(bench, "SELECT COUNT(*) FROM invoice").await);
    assert_eq!(paid, invoices);
    let last = one::<i64>(bench, "SELECT COALESCE(MAX(sequence), 0) FROM invoice").await;
    assert_eq!(last, invoices, "numbers without a gap");
    let one_each = "SELECT COUNT(DISTINCT order_id) FROM invoice";
    assert_eq!(one::<i64>(bench, one_each).await, invoices);
}

/// Of two things that happen at once, whichever is polled first changes from round to round.
async fn at_once<A, B>(round: usize, one: A, other: B) -> (A::Output, B::Output)
where
    A: Future + Send + 'static,
    B: Future + Send + 'static,
    A::Output: Send,
    B::Output: Send,
{
    let (one, other) = if round.is_multiple_of(2) {
        let one = tokio::spawn(one);
        (one, tokio::spawn(other))
    } else {
        let other = tokio::spawn(other);
        (tokio::spawn(one), other)
    };
    (one.await.unwrap(), other.await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paying_and_expiring_at_once_has_one_winner() {
    for bench in benches().await {
        let bench = Arc::new(bench);
        let (mut confirmed, mut expired, mut too_late) = (0, 0, 0);
        for round in 0..rounds() {
            let listing = Uuid::now_v7();
            bench.listing(listing, ListingKind::FixedPrice, 2_500, 0).await;
            let reserved =
                reserve_listing(&bench.shop, &identity(BOB), &listing.to_string(), &key()).await.unwrap();
            let lock = last_of(&bench, "LockListing").await;
            let LockListing { order_id, until, .. } = lock.decode().unwrap();
            let price = Amount::new(2_500, "USD");
            let locked = ListingLocked { order_id, until, price, seller_id: SITI, title: String::new() };
            deliver(&bench.shop, &message(lock.correlation_id, listing, 2, &locked)).await;

            let (payer, clock) = (Arc::clone(&bench), Arc::clone(&bench));
            let (id, saga_id) = (reserved.id, lock.correlation_id);
            let pay = async move {
                let paid = pay_order(&payer.shop, &identity(BOB), &id.to_string(), &key()).await;
                if paid.is_ok() {
                    let hold = sent_by(&payer, saga_id, "HoldFunds").await.pop().unwrap();
                    deliver(&payer.shop, &held(&hold)).await;
                }
                paid.is_ok()
            };
            let expire = async move {
                // Now and then the clock comes between the payment and the wallet's answer.
                for _ in 0..(round % 7) {
                    tokio::time::sleep(std::time::Duration::from_micros(700)).await;
                }
                let after = until + TimeDelta::seconds(1);
                clock.shop.reserve_listing.sweep(&clock.shop.db, after).await.unwrap();
            };
            let (paid, ()) = at_once(round, pay, expire).await;
            // A sweep that lost against a payment looks again.
            bench.shop.reserve_listing.sweep(&bench.shop.db, until + TimeDelta::minutes(1)).await.unwrap();

            let of_saga = async |kind: &str| sent_by(&bench, saga_id, kind).await.len();
            let (captures, releases) = (of_saga("CaptureFunds").await, of_saga("ReleaseFunds").await);
            match orders::find(bench.db.read(), id).await.unwrap().unwrap().status {
                OrderStatus::Confirmed => {
                    confirmed += 1;
                    assert!(captures >= 1 && releases == 0 && of_saga("UnlockListing").await == 0);
                }
                OrderStatus::Expired => {
                    expired += 1;
                    too_late += usize::from(paid);
                    assert!(captures == 0 && of_saga("SellListing").await == 0);
                    assert_eq!(releases > 0, paid, "what was held is given back");
                    if let Some(release) = sent_by(&bench, saga_id, "ReleaseFunds").await.pop() {
                        let ReleaseFunds { hold_id, user_id } = release.decode().unwrap();
                        let released = FundsReleased { hold_id, amount: Amount::new(2_500, "USD") };
                        deliver(&bench.shop, &message(saga_id, user_id, 1, &released)).await;
                    }
                    assert!(of_saga("UnlockListing").await >= 1);
                }
                other => panic!("{other:?}"),
            }
        }
        println!("confirmed {confirmed}, expired {expired}, of these after paying {too_late}");
        assert!(confirmed > 0 && expired > 0, "it was no race: {confirmed} to {expired}");
        invoices_have_no_gap(&bench).await;
    }
}

fn seller() -> Viewer {
    Viewer::test(SITI, &["USER", "SELLER"], "")
}

/// Bob's pending order of one bag of beans, whose hold is under way.
async fn pending(bench: &Bench) -> Uuid {
    let cart = carts::set_cart_lines(&bench.shop, Some(BOB), None, &[(BEANS, 2)]).await.unwrap();
    let request = CheckoutRequest {
        cart_id: cart.id.to_string(),
        expected_total: "25.00".to_owned(),
        currency: "USD".to_owned(),
    };
    let order = checkout(&bench.shop, &identity(BOB), &request, &key()).await.unwrap();
    bench.stock_reserved(order.id).await;
    order.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_and_confirming_at_once_has_one_winner() {
    for bench in benches().await {
        let bench = Arc::new(bench);
        let (mut confirmed, mut cancelled, mut refused) = (0, 0, 0);
        for round in 0..rounds() {
            let id = pending(&bench).await;
            let hold = last_of(&bench, "HoldFunds").await;
            let (buyer, wallet) = (Arc::clone(&bench), Arc::clone(&bench));
            let answer = held(&hold);
            let cancel = async move {
                loop {
                    match cancel_order(&buyer.shop, &identity(BOB), &id.to_string(), None, &key()).await {
                        Err(Failure::System(_)) => tokio::task::yield_now().await,
                        outcome => return outcome.is_ok(),
                    }
                }
            };
            let confirm = async move { deliver(&wallet.shop, &answer).await };
            let (was_cancelled, ()) = at_once(round, cancel, confirm).await;
            let order = orders::find(bench.db.read(), id).await.unwrap().unwrap();
            let of_saga = async |kind: &str| sent_by(&bench, hold.correlation_id, kind).await.len();
            match order.status {
                OrderStatus::Confirmed => {
                    confirmed += 1;
                    refused += usize::from(!was_cancelled);
                    assert_eq!((of_saga("CaptureFunds").await, of_saga("ReleaseFunds").await), (1, 0));
                }
                OrderStatus::Cancelled => {
                    cancelled += 1;
                    assert!(was_cancelled);
                    assert_eq!(of_saga("CaptureFunds").await, 0);
                    assert!(of_saga("ReleaseFunds").await >= 1);
                }
                other => panic!("{other:?}"),
            }
        }
        println!("confirmed {confirmed}, cancelled {cancelled}, refused {refused}");
        assert!(confirmed > 0 && cancelled > 0, "it was no race: {confirmed} to {cancelled}");
        assert_eq!(refused, confirmed, "who comes too late is told so");
        invoices_have_no_gap(&bench).await;
    }
}

/// Below the sagas, whose rows are locked first: what is decided on an order that was read is made only while it is still so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_of_an_order_as_both_read_it_one_is_made() {
    for bench in benches().await {
        for round in 0..rounds().min(100) {
            let id = pending(&bench).await;
            let read = orders::find(bench.db.read(), id).await.unwrap().unwrap();
            let change = |to: OrderStatus| {
                let read = &read;
                bench.db.transaction(move |tx: Tx| async move {
                    let change = orders::Change { to, reason: None, actor: "service:order", note: None };
                    orders::change(&tx, read, change, time::now()).await
                })
            };
            let (first, second) = (OrderStatus::Confirmed, OrderStatus::Cancelled);
            let (first, second) = if round % 2 == 0 { (first, second) } else { (second, first) };
            let (one, other) = tokio::join!(change(first), change(second));
            let made = [(first, one.unwrap()), (second, other.unwrap())];
            let made: Vec<OrderStatus> = made.iter().filter(|(_, made)| *made).map(|(to, _)| *to).collect();
            assert_eq!(made.len(), 1, "round {round}");
            let now = orders::find(bench.db.read(), id).await.unwrap().unwrap();
            assert_eq!((now.status, now.version), (made[0], read.version + 1), "round {round}");
        }
    }
}

/// A note is a change of its own: it leaves the status as it was, so only the version tells.
#[tokio::test]
async fn a_change_of_an_order_as_it_was_before_a_note_is_not_made() {
    for bench in benches().await {
        let id = pending(&bench).await;
        let read = &orders::find(bench.db.read(), id).await.unwrap().unwrap();
        let note =
            |tx: Tx| async move { orders::annotate(&tx, read, "service:order", "noted", time::now()).await };
        assert!(bench.db.transaction(note).await.unwrap());
        let change = |tx: Tx| async move {
            let change = orders::Change {
                to: OrderStatus::Confirmed,
                reason: None,
                actor: "service:order",
                note: None,
            };
            orders::change(&tx, read, change, time::now()).await
        };
        assert!(!bench.db.transaction(change).await.unwrap());
        assert!(!bench.db.transaction(note).await.unwrap());
        let now = orders::find(bench.db.read(), id).await.unwrap().unwrap();
        assert_eq!((now.status, now.version), (OrderStatus::Pending, read.version + 1));
    }
}

/// Below the order's row, which is locked first: a line that was read as open is handed over or claimed while it still is.
#[tokio::test]
async fn a_line_is_handed_over_once_and_claimed_once_whatever_was_read_of_it() {
    for bench in benches().await {
        let id = pending(&bench).await;
        let line = orders::find(bench.db.read(), id).await.unwrap().unwrap().lines[0].id;
        let fulfil = async |ids: &[Uuid]| {
            let fulfil = |tx: Tx| async move { lines::fulfil(&tx, id, ids).await };
            bench.db.transaction(fulfil).await.unwrap()
        };
        let claim = async |refund: u128| {
            let refund = Uuid::from_u128(refund);
            let claim = |tx: Tx| async move { lines::claim(&tx, id, &[line], refund).await };
            bench.db.transaction(claim).await.unwrap()
        };
        assert!(!fulfil(&[line, Uuid::now_v7()]).await, "not all of them are there");
        // A caller takes that back. This one did not, so the one that was there is handed over.
        assert!(!fulfil(&[line]).await, "once");
        assert!(claim(1).await);
        assert!(!claim(2).await, "one refund");
        assert!(!fulfil(&[line]).await, "its money is on the way back");
        let back = |tx: Tx| async move { lines::refunded(&tx, Uuid::from_u128(1)).await };
        bench.db.transaction(back).await.unwrap();
        assert!(!claim(1).await, "not even the same one");
        assert!(!fulfil(&[line]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refunds_and_a_hand_over_of_one_line_at_once_have_one_winner() {
    for bench in benches().await {
        let bench = Arc::new(bench);
        let (mut refunds, mut fulfilled) = (0, 0);
        // One against three: who hands over seldom comes first, so he gets a head start that differs from round to round,
        // and further rounds until he has.
        for round in 0..rounds() * 10 {
            if round >= rounds() / 3 && refunds > 0 && fulfilled > 0 {
                break;
            }
            let head_start = 1_u32 << (round % 12);
            let id = pending(&bench).await;
            bench.settle().await;
            let line = orders::find(bench.db.read(), id).await.unwrap().unwrap().lines[0].id;
            let refund = move |who: Arc<Bench>| async move {
                for _ in 0..head_start {
                    tokio::task::yield_now().await;
                }
                refund_order(&who.shop, &seller(), &id.to_string(), &[line], "late", &key()).await.is_ok()
            };
            let (one, two, three, four) =
                (Arc::clone(&bench), Arc::clone(&bench), Arc::clone(&bench), Arc::clone(&bench));
            let hand_over = async move {
                fulfil_order(&three.shop, &seller(), &id.to_string(), &[line], &key()).await.is_ok()
            };
            let cancel = async move {
                cancel_order(&four.shop, &identity(BOB), &id.to_string(), None, &key()).await.is_ok()
            };
            let both = async move { at_once(round, refund(one), refund(two)).await };
            let others = async move { at_once(round + 1, hand_over, cancel).await };
            let ((first, second), (handed_over, called_off)) = Box::pin(at_once(round, both, others)).await;
            let paid_back = [first, second, called_off].into_iter().filter(|won| *won).count();
            assert!(paid_back <= 1, "the money goes back once");
            // What was handed over may still be refunded, once.
            assert!(paid_back + usize::from(handed_over) >= 1);
            refunds += paid_back;
            fulfilled += usize::from(handed_over);
        }
        println!("refunded {refunds}, handed over {fulfilled}");
        assert!(refunds > 0 && fulfilled > 0, "it was no race");
        let asked = "SELECT COUNT(*) FROM kit_outbox WHERE message_type = 'RefundFunds'";
        assert_eq!(usize::try_from(one::<i64>(&bench, asked).await).unwrap(), refunds);
        let claimed = one::<i64>(&bench, "SELECT COUNT(*) FROM order_line WHERE refund_id IS NOT NULL").await;
        assert_eq!(usize::try_from(claimed).unwrap(), refunds);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_reviews_of_one_line_at_once_is_kept() {
    for bench in benches().await {
        let bench = Arc::new(bench);
        let id = pending(&bench).await;
        bench.settle().await;
        let posts = (0..24).map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                let request = ReviewRequest {
                    order_id: Some(id.to_string()),
                    line_id: None,
                    booking_id: None,
                    subject: "PRODUCT",
                    rating: 5,
                    body: None,
                };
                post_review(&bench.shop, &identity(BOB), &request, &key()).await.is_ok()
            })
        });
        let mut kept = 0;
        for post in posts.collect::<Vec<_>>() {
            kept += usize::from(post.await.unwrap());
        }
        assert_eq!(kept, 1);
        assert_eq!(one::<i64>(&bench, "SELECT count FROM rating").await, 1);
    }
}
