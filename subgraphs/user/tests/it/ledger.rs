//! The ledger under concurrency, repetition and malice, on SQLite and PostgreSQL.

use crate::common::{Shop, shops};
use chrono::{Duration, Utc};
use futures::future::join_all;
use kopitiam_kit::testing::{at_once, rounds};
use kopitiam_kit::{SystemError, time};
use kopitiam_user::app;
use kopitiam_user::domain::ledger::{AccountKind, Receiver, Share};
use kopitiam_user::store::holds::{self, Answer, Capture, NewHold, Refund};
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
    let wanted = &Capture { hold_id: id, shares: shares.to_vec(), escrow: None };
    let capture = |tx| async move { Ok::<_, SystemError>(holds::capture(&tx, wanted, time::now()).await?) };
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
async fn of_a_thousand_holds_at_once_on_one_wallet_as_many_stand_as_it_covers_and_not_a_cent_more() {
    for shop in shops().await {
        let user = shop.user_with("bob", 10_000).await;
        let storm: Vec<NewHold> = (0..1000).map(|_| wanted(Uuid::now_v7(), user, 70)).collect();
        let answers = join_all(storm.iter().map(|hold| place(&shop, hold))).await;
        let refused = answers.iter().filter(|answer| **answer == rejected("INSUFFICIENT_FUNDS")).count();
        assert_eq!(answers.iter().filter(|answer| **answer == Answer::Held(70)).count(), 142);
        assert_eq!(refused, 858, "the race took place");
        assert_eq!(shop.balance(user, AccountKind::Available).await, 10_000 - 142 * 70);
        assert_eq!(shop.balance(user, AccountKind::Held).await, 142 * 70);
        shop.assert_books_close().await;
    }
}

/// The wallet holds more than the one hold: what resolves it twice would take from the other.
#[tokio::test]
async fn of_a_release_and_a_capture_at_once_one_resolves_the_hold_and_the_other_is_told_so() {
    for shop in shops().await {
        let seller = shop.user_with("siti", 0).await;
        let (mut released, mut captured) = (0, 0);
        let user = shop.user_with("bob", 1_000_000).await;
        let other = wanted(Uuid::now_v7(), user, 5_000);
        place(&shop, &other).await;
        for round in 0..rounds(40) {
            let hold = wanted(Uuid::now_v7(), user, 100);
            place(&shop, &hold).await;
            let shares = [Share { receiver: Receiver::User(seller), amount: 100 }];
            let release = release(&shop, hold.id, user);
            let outcome = Box::pin(at_once(round, release, capture(&shop, hold.id, &shares))).await;
            match outcome {
                (Answer::Released(100), Answer::Rejected(code)) if code == "HOLD_RESOLVED" => released += 1,
                (Answer::Rejected(code), Answer::Captured(100)) if code == "HOLD_RESOLVED" => captured += 1,
                both => panic!("round {round}: {both:?}"),
            }
            assert_eq!(shop.balance(user, AccountKind::Held).await, 5_000, "round {round}");
        }
        assert_eq!(shop.balance(seller, AccountKind::Available).await, 100 * captured);
        assert!(released > 0 && captured > 0, "it was no race: {released} to {captured}");
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn of_the_clock_and_a_capture_at_once_on_a_hold_its_money_moves_once() {
    for shop in shops().await {
        let seller = shop.user_with("siti", 0).await;
        let user = shop.user_with("bob", 1_000_000).await;
        let other = wanted(Uuid::now_v7(), user, 5_000);
        place(&shop, &other).await;
        for round in 0..rounds(40) {
            let hold = wanted(Uuid::now_v7(), user, 100);
            let due = NewHold { expires_at: Utc::now() - Duration::minutes(1), ..hold };
            place(&shop, &due).await;
            let sweep =
                |tx| async move { Ok::<_, SystemError>(holds::release_expired(&tx, 10, time::now()).await?) };
            let shares = [Share { receiver: Receiver::User(seller), amount: 100 }];
            let sweep = shop.db.transaction(sweep);
            let (swept, captured) = Box::pin(at_once(round, sweep, capture(&shop, due.id, &shares))).await;
            // Whichever came first, the order that is confirmed by now gets its money: again, if the clock gave it back.
            if captured != Answer::Captured(100) {
                assert_eq!(captured, rejected("HOLD_RESOLVED"), "round {round}");
                assert_eq!(capture(&shop, due.id, &shares).await, Answer::Captured(100), "round {round}");
            }
            assert!(swept.unwrap().len() <= 1);
            assert_eq!(shop.balance(user, AccountKind::Held).await, 5_000, "round {round}");
            let paid = i64::from(round + 1) * 100;
            assert_eq!(shop.balance(seller, AccountKind::Available).await, paid, "round {round}");
        }
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_hold_is_released_by_itself_when_its_time_is_over_and_not_before() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        let hold = wanted(Uuid::now_v7(), user, 40);
        place(&shop, &hold).await;
        for (minutes, expected) in [(59, vec![]), (61, vec![(hold.id, user, 40)]), (62, vec![])] {
            let now = Utc::now() + Duration::minutes(minutes);
            let sweep = |tx| async move { Ok::<_, SystemError>(holds::release_expired(&tx, 10, now).await?) };
            assert_eq!(shop.db.transaction(sweep).await.unwrap(), expected, "after {minutes} minutes");
        }
        assert_eq!(shop.balance(user, AccountKind::Available).await, 100);
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

/// The first answer tells the asker what is held: it is not what it wants now.
#[tokio::test]
async fn a_hold_asked_for_again_with_another_amount_stays_as_it_was_and_moves_no_money() {
    for shop in shops().await {
        let user = shop.user_with("bob", 1000).await;
        let hold = wanted(Uuid::now_v7(), user, 600);
        for amount in [600, 300, 900, 600] {
            let again = NewHold { amount, ..hold.clone() };
            assert_eq!(place(&shop, &again).await, Answer::Held(600), "{amount}");
            assert_eq!(shop.balance(user, AccountKind::Available).await, 400, "{amount}");
            assert_eq!(shop.balance(user, AccountKind::Held).await, 600, "{amount}");
        }
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn what_was_released_or_never_held_stays_so_whatever_is_asked_again() {
    for shop in shops().await {
        let user = shop.user_with("bob", 1000).await;
        let (hold, large) = (wanted(Uuid::now_v7(), user, 600), wanted(Uuid::now_v7(), user, 5000));
        // Money of another hold is there for whoever would resolve one of these twice.
        place(&shop, &wanted(Uuid::now_v7(), user, 400)).await;
        place(&shop, &hold).await;
        place(&shop, &large).await;
        let fee = [Share { receiver: Receiver::Fees, amount: 600 }];
        for _ in 0..2 {
            assert_eq!(release(&shop, hold.id, user).await, Answer::Released(600));
            assert_eq!(place(&shop, &hold).await, rejected("HOLD_RESOLVED"));
            assert_eq!(capture(&shop, hold.id, &fee).await, rejected("HOLD_RESOLVED"));
            assert_eq!(release(&shop, large.id, user).await, Answer::Released(0));
            assert_eq!(capture(&shop, large.id, &fee).await, rejected("UNKNOWN_HOLD"));
            assert_eq!(shop.balance(user, AccountKind::Available).await, 600);
            assert_eq!(shop.balance(user, AccountKind::Held).await, 400);
        }
        assert_eq!(shop.fees().await, 0);
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn capture_and_release_of_one_hold_race_to_a_single_outcome() {
    for shop in shops().await {
        let buyer = shop.user_with("bob", 100).await;
        let seller = shop.user_with("siti", 0).await;
        let (mut paid, mut given_back) = (0, 0);
        for round in 0..rounds(100) {
            let hold = wanted(Uuid::now_v7(), buyer, 10);
            assert_eq!(place(&shop, &hold).await, Answer::Held(10));
            let shares = [Share { receiver: Receiver::User(seller), amount: 10 }];
            // Which of the two is first is not ours to say; begin with another one each time.
            let (captured, released) = if round % 2 == 0 {
                futures::join!(capture(&shop, hold.id, &shares), release(&shop, hold.id, buyer))
            } else {
                let (released, captured) =
                    futures::join!(release(&shop, hold.id, buyer), capture(&shop, hold.id, &shares));
                (captured, released)
            };
            match (captured == Answer::Captured(10), released == Answer::Released(10)) {
                (true, false) => paid += 1,
                (false, true) => given_back += 1,
                _ => panic!("round {round}: {captured:?} {released:?}"),
            }
            if captured == Answer::Captured(10) {
                let shares = shares.to_vec();
                let back = Refund { id: Uuid::now_v7(), hold_id: hold.id, shares, reason: "K-1".into() };
                assert_eq!(refund(&shop, &back).await, Answer::Refunded(10), "round {round}");
            }
        }
        assert!(paid > 0 && given_back > 0, "no race: {paid} to {given_back}");
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
        let all = [Share { receiver: Receiver::Fees, amount: 50 }];
        capture(&shop, hold.id, &all).await;
        let nothing = Refund { id: Uuid::now_v7(), hold_id: hold.id, shares: vec![], reason: "K-1".into() };
        assert_eq!(refund(&shop, &nothing).await, rejected("SPLITS_INVALID"), "not a failure to try again");
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

async fn refused(shop: &Shop, statements: &[String]) -> String {
    let tamper = |tx: kopitiam_kit::Tx| async move {
        for sql in statements {
            tx.execute_unprepared(sql).await?;
        }
        Ok::<_, SystemError>(())
    };
    let outcome = shop.db.transaction(tamper).await;
    outcome.err().unwrap_or_else(|| panic!("accepted: {statements:?}")).to_string()
}

#[tokio::test]
async fn the_books_are_append_only() {
    for shop in shops().await {
        let user = shop.user_with("bob", 100).await;
        let hold = wanted(Uuid::now_v7(), user, 40);
        place(&shop, &hold).await;
        capture(&shop, hold.id, &[Share { receiver: Receiver::Fees, amount: 40 }]).await;
        for (sql, reason) in [
            ("UPDATE postings SET amount = amount + 1", "append-only"),
            ("DELETE FROM postings", "append-only"),
            ("UPDATE ledger_transactions SET reference = 'x'", "append-only"),
            ("DELETE FROM ledger_transactions", "append-only"),
            ("UPDATE ledger_seals SET transaction_id = transaction_id", "append-only"),
            ("DELETE FROM ledger_seals", "append-only"),
            ("UPDATE accounts SET balance = -1 WHERE kind = 'AVAILABLE'", ""),
            ("UPDATE accounts SET balance = 1 WHERE kind = 'ISSUANCE'", ""),
            ("UPDATE accounts SET kind = 'FEES' WHERE kind = 'AVAILABLE'", "keeps its owner"),
            ("DELETE FROM accounts", ""),
            ("UPDATE holds SET status = 'RELEASED'", "resolved once"),
            ("UPDATE holds SET amount = amount - 1", "resolved once"),
            ("DELETE FROM holds", ""),
        ] {
            let error = refused(&shop, &[sql.to_owned()]).await;
            assert!(error.contains(reason), "{sql}: {error}");
        }
        let bulk = if shop.db.backend() == DbBackend::Postgres {
            "TRUNCATE postings"
        } else {
            "INSERT OR REPLACE INTO postings SELECT id, transaction_id, account_id, kind, 7, 7 FROM postings"
        };
        refused(&shop, &[bulk.to_owned()]).await;
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn the_database_refuses_a_transaction_that_does_not_balance_or_is_changed_later() {
    for shop in shops().await {
        shop.user_with("bob", 100).await;
        let late = "INSERT INTO postings (id, transaction_id, account_id, kind, amount, balance_after) \
                    SELECT account_id, transaction_id, account_id, kind, 7, 7 FROM postings LIMIT 1";
        let error = refused(&shop, &[late.to_owned()]).await;
        assert!(error.contains("closed"), "{error}");
        // A new transaction of one leg: refused when it is sealed, and refused at commit when it is not.
        let row = "INSERT INTO ledger_transactions (id, kind, cause_id, reference, currency, at) \
                   SELECT account_id, 'GRANT', account_id, 'forged', 'USD', t.at \
                   FROM postings JOIN ledger_transactions t ON t.id = transaction_id LIMIT 1";
        let leg = "INSERT INTO postings (id, transaction_id, account_id, kind, amount, balance_after) \
                   SELECT p.account_id, l.id, p.account_id, p.kind, 7, 7 FROM postings p, ledger_transactions l \
                   WHERE l.reference = 'forged' LIMIT 1";
        let seal = "INSERT INTO ledger_seals SELECT id FROM ledger_transactions WHERE reference = 'forged'";
        let sealed = [row, leg, seal].map(str::to_owned);
        let error = refused(&shop, &sealed).await;
        assert!(error.contains("does not balance"), "{error}");
        let error = refused(&shop, &sealed[..2]).await;
        assert!(error.to_lowercase().contains("foreign key"), "{error}");
        let error = refused(&shop, &[row.to_owned(), seal.to_owned()]).await;
        assert!(error.contains("does not balance"), "a transaction without legs is none: {error}");
        shop.assert_books_close().await;
    }
}
