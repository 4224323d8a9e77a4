//! The ledger under concurrency, repetition and malice, on SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use chrono::{Duration, Utc};
use common::{Shop, shops};
use futures::future::join_all;
use kopitiam_kit::{SystemError, time};
use kopitiam_user::app;
use kopitiam_user::domain::ledger::{AccountKind, Receiver, Share};
use kopitiam_user::store::holds::{self, Answer, NewHold, Refund};
use kopitiam_user::store::ledger;
use sea_orm::{ConnectionTrait, DbBackend};
use uuid::Uuid;

fn wanted(id: Uuid, user_id: Uuid, amount: i64) -> NewHold {
    let (currency, reason) = ("USD".to_owned(), "ORDER K-1".to_owned());
    NewHold { id, user_id, amount, currency, reason, expires_at: Utc::now() + Duration::hours(1) }
}

async fn place(shop: &Shop, hold: &NewHold) -> Answer {
    let place = |tx| async move { Ok::<_, SystemError>(holds::place(&tx, hold, "USD", time::now()).await?) };
    shop.db.transaction(place).await.unwrap()
}

async fn release(shop: &Shop, id: Uuid, user: Uuid) -> Answer {
    let release =
        |tx| async move { Ok::<_, SystemError>(holds::release(&tx, id, user, "USD", time::now()).await?) };
    shop.db.transaction(release).await.unwrap()
}

async fn capture(shop: &Shop, id: Uuid, shares: &[Share]) -> Answer {
    let capture =
        |tx| async move { Ok::<_, SystemError>(holds::capture(&tx, id, shares, time::now()).await?) };
    shop.db.transaction(capture).await.unwrap()
}

async fn refund(shop: &Shop, wanted: &Refund) -> Answer {
    let refund = |tx| async move { Ok::<_, SystemError>(holds::refund(&tx, wanted, time::now()).await?) };
    shop.db.transaction(refund).await.unwrap()
}

fn rejected(code: &str) -> Answer {
    Answer::Rejected(code.to_owned())
}

#[tokio::test]
async fn of_two_holds_on_a_wallet_that_covers_one_exactly_one_stands() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        let holds = [wanted(Uuid::now_v7(), user, 80), wanted(Uuid::now_v7(), user, 80)];
        let answers = join_all(holds.iter().map(|hold| place(&shop, hold))).await;
        assert_eq!(answers.iter().filter(|answer| **answer == Answer::Held(80)).count(), 1);
        assert!(answers.contains(&rejected("INSUFFICIENT_FUNDS")));
        assert_eq!(shop.balance(user, AccountKind::Available).await, 20);
        assert_eq!(shop.balance(user, AccountKind::Held).await, 80);
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_storm_of_holds_takes_what_there_is_and_not_a_cent_more() {
    for shop in shops().await {
        let user = shop.user_with("bob", 1000).await;
        let storm: Vec<NewHold> = (0..60).map(|_| wanted(Uuid::now_v7(), user, 70)).collect();
        let answers = join_all(storm.iter().map(|hold| place(&shop, hold))).await;
        assert_eq!(answers.iter().filter(|answer| **answer == Answer::Held(70)).count(), 14);
        assert_eq!(shop.balance(user, AccountKind::Available).await, 20);
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_repeated_command_is_one_effect_and_the_same_answer() {
    for shop in shops().await {
        let buyer = shop.user_with("bob", 1000).await;
        let seller = shop.user_with("siti", 0).await;
        let hold = wanted(Uuid::now_v7(), buyer, 600);
        let shares = [
            Share { receiver: Receiver::User(seller), amount: 540 },
            Share { receiver: Receiver::Fees, amount: 60 },
        ];
        let back =
            Refund { id: Uuid::now_v7(), hold_id: hold.id, shares: shares.to_vec(), reason: "K-1".into() };
        let large = wanted(Uuid::now_v7(), buyer, 5000);
        for _ in 0..2 {
            assert_eq!(place(&shop, &hold).await, Answer::Held(600));
            assert_eq!(place(&shop, &large).await, rejected("INSUFFICIENT_FUNDS"));
        }
        for _ in 0..2 {
            assert_eq!(capture(&shop, hold.id, &shares).await, Answer::Captured(600));
        }
        assert_eq!(shop.balance(seller, AccountKind::Available).await, 540);
        assert_eq!(shop.fees().await, 60);
        assert_eq!(release(&shop, hold.id, buyer).await, rejected("HOLD_RESOLVED"));
        for _ in 0..2 {
            assert_eq!(refund(&shop, &back).await, Answer::Refunded(600));
        }
        assert_eq!(shop.balance(buyer, AccountKind::Available).await, 1000);
        let more = Refund { id: Uuid::now_v7(), ..back };
        assert_eq!(refund(&shop, &more).await, rejected("REFUND_EXCEEDS_PAYMENT"));
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn capture_and_release_of_one_hold_race_to_a_single_outcome() {
    for shop in shops().await {
        let buyer = shop.user_with("bob", 100).await;
        let seller = shop.user_with("siti", 0).await;
        for _ in 0..5 {
            let hold = wanted(Uuid::now_v7(), buyer, 10);
            assert_eq!(place(&shop, &hold).await, Answer::Held(10));
            let shares = [Share { receiver: Receiver::User(seller), amount: 10 }];
            let (captured, released) =
                futures::join!(capture(&shop, hold.id, &shares), release(&shop, hold.id, buyer));
            let outcomes = [captured == Answer::Captured(10), released == Answer::Released(10)];
            assert_eq!(outcomes.iter().filter(|won| **won).count(), 1, "{captured:?} {released:?}");
        }
        assert_eq!(shop.balance(buyer, AccountKind::Held).await, 0);
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_release_before_its_hold_makes_the_hold_impossible() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        let hold = wanted(Uuid::now_v7(), user, 50);
        assert_eq!(release(&shop, hold.id, user).await, Answer::Released(0));
        assert_eq!(place(&shop, &hold).await, rejected("HOLD_RESOLVED"));
        assert_eq!(shop.balance(user, AccountKind::Available).await, 100);
    }
}

#[tokio::test]
async fn holds_that_make_no_sense_are_rejected_by_code() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        let nobody = Uuid::now_v7();
        assert_eq!(place(&shop, &wanted(Uuid::now_v7(), nobody, 5)).await, rejected("UNKNOWN_USER"));
        for amount in [0, -5, i64::MIN] {
            assert_eq!(place(&shop, &wanted(Uuid::now_v7(), user, amount)).await, rejected("AMOUNT_INVALID"));
        }
        let yen = NewHold { currency: "JPY".into(), ..wanted(Uuid::now_v7(), user, 5) };
        assert_eq!(place(&shop, &yen).await, rejected("CURRENCY_MISMATCH"));
        assert_eq!(capture(&shop, Uuid::now_v7(), &[]).await, rejected("UNKNOWN_HOLD"));
        let hold = wanted(Uuid::now_v7(), user, 50);
        place(&shop, &hold).await;
        let too_much = [Share { receiver: Receiver::Fees, amount: 51 }];
        assert_eq!(capture(&shop, hold.id, &too_much).await, rejected("SPLITS_INVALID"));
        assert_eq!(shop.balance(user, AccountKind::Held).await, 50, "the hold still stands");
        shop.commands.ban(Uuid::now_v7(), user, "Shill bids").await.unwrap();
        assert_eq!(place(&shop, &wanted(Uuid::now_v7(), user, 5)).await, rejected("USER_BANNED"));
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_refund_waits_for_a_seller_who_spent_the_money_so_that_no_pair_of_accounts_makes_money() {
    for shop in shops().await {
        let buyer = shop.user_with("bob", 100).await;
        let seller = shop.user_with("siti", 0).await;
        let hold = wanted(Uuid::now_v7(), buyer, 100);
        let shares = [
            Share { receiver: Receiver::User(seller), amount: 90 },
            Share { receiver: Receiver::Fees, amount: 10 },
        ];
        place(&shop, &hold).await;
        capture(&shop, hold.id, &shares).await;
        let spent = wanted(Uuid::now_v7(), seller, 60);
        assert_eq!(place(&shop, &spent).await, Answer::Held(60));
        let back =
            Refund { id: Uuid::now_v7(), hold_id: hold.id, shares: shares.to_vec(), reason: "K-1".into() };
        assert_eq!(refund(&shop, &back).await, rejected("INSUFFICIENT_FUNDS"));
        assert_eq!(shop.balance(buyer, AccountKind::Available).await, 0);
        assert_eq!((shop.balance(seller, AccountKind::Available).await, shop.fees().await), (30, 10));
        release(&shop, spent.id, seller).await;
        assert_eq!(refund(&shop, &back).await, Answer::Refunded(100), "the refusal left nothing behind");
        assert_eq!(shop.balance(buyer, AccountKind::Available).await, 100);
        assert_eq!((shop.balance(seller, AccountKind::Available).await, shop.fees().await), (0, 0));
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_forgotten_hold_is_released_and_a_late_capture_takes_it_again_while_it_can() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        let over = Utc::now() - Duration::minutes(1);
        let [kept, spent] =
            [60, 40].map(|amount| NewHold { expires_at: over, ..wanted(Uuid::now_v7(), user, amount) });
        place(&shop, &kept).await;
        place(&shop, &spent).await;
        app::sweep(&shop.commands).await.unwrap();
        assert_eq!(shop.balance(user, AccountKind::Held).await, 0);
        let fee = |amount| [Share { receiver: Receiver::Fees, amount }];
        assert_eq!(capture(&shop, kept.id, &fee(60)).await, Answer::Captured(60));
        place(&shop, &wanted(Uuid::now_v7(), user, 30)).await;
        assert_eq!(capture(&shop, spent.id, &fee(40)).await, rejected("HOLD_RESOLVED"));
        assert_eq!(shop.fees().await, 60);
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn the_books_are_append_only_and_refuse_an_unbalanced_posting() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        for sql in [
            "UPDATE postings SET amount = amount + 1",
            "DELETE FROM postings",
            "UPDATE ledger_transactions SET reference = 'x'",
            "DELETE FROM ledger_transactions",
            "UPDATE accounts SET balance = -1 WHERE kind = 'AVAILABLE'",
            "UPDATE accounts SET balance = 1 WHERE kind = 'ISSUANCE'",
        ] {
            let tamper = |tx: kopitiam_kit::Tx| async move {
                tx.execute_unprepared(sql).await?;
                Ok::<_, SystemError>(())
            };
            assert!(shop.db.transaction(tamper).await.is_err(), "{sql}");
        }
        let forge = |tx: kopitiam_kit::Tx| async move {
            let copy = "INSERT INTO postings (id, transaction_id, account_id, kind, amount, balance_after) \
                        SELECT transaction_id, transaction_id, account_id, kind, 7, balance_after FROM postings LIMIT 1";
            tx.execute_unprepared(copy).await?;
            Ok::<_, SystemError>(())
        };
        let forged = shop.db.transaction(forge).await;
        if shop.db.backend() == DbBackend::Postgres {
            assert!(forged.is_err(), "the deferred constraint refuses it at commit");
            shop.assert_books_close().await;
        } else {
            let closing = ledger::close(shop.db.read()).await.unwrap();
            assert_eq!((closing.unbalanced.len(), closing.drifted.len()), (1, 1), "the closing finds it");
        }
        assert_eq!(shop.balance(user, AccountKind::Available).await, 100);
    }
}

#[tokio::test]
async fn after_any_mix_of_commands_the_books_close() {
    for shop in shops().await {
        let users = [
            shop.user_with("ann", 500).await,
            shop.user_with("bob", 500).await,
            shop.user_with("cat", 0).await,
        ];
        let mix = (0..40_usize).map(|n| {
            let shop = &shop;
            async move {
                let (payer, payee) = (users[n % 3], users[(n + 1) % 3]);
                let amount = i64::try_from(n * 13 % 120).unwrap() + 1;
                let hold = wanted(Uuid::now_v7(), payer, amount);
                place(shop, &hold).await;
                let fee = amount / 10;
                let mut shares = vec![Share { receiver: Receiver::User(payee), amount: amount - fee }];
                if fee > 0 {
                    shares.push(Share { receiver: Receiver::Fees, amount: fee });
                }
                match n % 4 {
                    0 => release(shop, hold.id, payer).await,
                    1 => place(shop, &hold).await,
                    2 => capture(shop, hold.id, &shares).await,
                    _ => {
                        capture(shop, hold.id, &shares).await;
                        let id = Uuid::now_v7();
                        refund(shop, &Refund { id, hold_id: hold.id, shares, reason: "R".into() }).await
                    }
                }
            }
        });
        join_all(mix).await;
        shop.assert_books_close().await;
    }
}
