//! Deposits of bookings: hold, escrow, split; on SQLite and PostgreSQL.

use crate::common::{Shop, shops};
use chrono::{Duration, Utc};
use futures::future::join_all;
use kopitiam_kit::{SystemError, time};
use kopitiam_user::domain::ledger::{AccountKind, Receiver, Share};
use kopitiam_user::store::escrows::{self, Release};
use kopitiam_user::store::holds::{self, Answer, Capture, NewHold, Refund};
use uuid::Uuid;

/// A booking of 100.00 with a deposit of 30.00 already in escrow.
struct Booking {
    id: Uuid,
    buyer: Uuid,
    seller: Uuid,
    deposit: Uuid,
}

async fn pay(
    shop: &Shop,
    payer: Uuid,
    amount: i64,
    shares: Vec<Share>,
    escrow: Option<Uuid>,
) -> (Uuid, Answer) {
    let (currency, reason) = ("USD".to_owned(), "BOOKING B-1".to_owned());
    let expires_at = Utc::now() + Duration::hours(1);
    let hold = &NewHold { id: Uuid::now_v7(), user_id: payer, amount, currency, reason, expires_at };
    let wanted = &Capture { hold_id: hold.id, shares, escrow };
    let pay = |tx| async move {
        assert_eq!(holds::place(&tx, hold, "USD", time::now()).await?, Answer::Held(amount));
        Ok::<_, SystemError>(holds::capture(&tx, wanted, time::now()).await?)
    };
    (hold.id, shop.db.transaction(pay).await.unwrap())
}

fn share(receiver: Receiver, amount: i64) -> Share {
    Share { receiver, amount }
}

async fn booked(shop: &Shop) -> Booking {
    let name = |role: &str| format!("{role}{}", &Uuid::new_v4().simple().to_string()[..8]);
    let buyer = shop.user_with(&name("b"), 10_000).await;
    let seller = shop.user_with(&name("s"), 0).await;
    let id = Uuid::now_v7();
    let (deposit, answer) = pay(shop, buyer, 3000, vec![share(Receiver::Escrow(id), 3000)], None).await;
    assert_eq!(answer, Answer::Captured(3000));
    assert_eq!(shop.balance(buyer, AccountKind::Escrow).await, 3000);
    Booking { id, buyer, seller, deposit }
}

async fn release(shop: &Shop, wanted: &Release) -> Answer {
    let release =
        |tx| async move { Ok::<_, SystemError>(escrows::release(&tx, wanted, "USD", time::now()).await?) };
    shop.db.transaction(release).await.unwrap()
}

fn wanted(booking: &Booking, shares: Vec<Share>) -> Release {
    let (reference, payer, reason) = (booking.id, booking.buyer, "BOOKING B-1".to_owned());
    Release { id: Uuid::now_v7(), reference, payer, shares, reason }
}

fn rejected(code: &str) -> Answer {
    Answer::Rejected(code.to_owned())
}

#[tokio::test]
async fn paying_the_balance_releases_deposit_and_balance_to_the_seller_less_the_fee_in_one_transaction() {
    for shop in shops().await {
        let booking = booked(&shop).await;
        let shares = || vec![share(Receiver::User(booking.seller), 9000), share(Receiver::Fees, 1000)];
        let (_, answer) = pay(&shop, booking.buyer, 7000, shares(), Some(booking.id)).await;
        assert_eq!(answer, Answer::Captured(7000));
        for kind in [AccountKind::Available, AccountKind::Held, AccountKind::Escrow] {
            assert_eq!(shop.balance(booking.buyer, kind).await, 0, "{kind:?}");
        }
        assert_eq!(shop.balance(booking.seller, AccountKind::Available).await, 9000);
        assert_eq!(shop.fees().await, 1000);
        assert_eq!(release(&shop, &wanted(&booking, shares())).await, rejected("ESCROW_RESOLVED"));
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_balance_whose_split_is_wrong_leaves_the_deposit_where_it_is() {
    for shop in shops().await {
        let booking = booked(&shop).await;
        let too_much = vec![share(Receiver::User(booking.seller), 10_001)];
        let (hold, answer) = pay(&shop, booking.buyer, 7000, too_much, Some(booking.id)).await;
        assert_eq!(answer, rejected("SPLITS_INVALID"));
        assert_eq!(shop.balance(booking.buyer, AccountKind::Escrow).await, 3000);
        let shares = vec![share(Receiver::User(booking.seller), 10_000)];
        let wanted = &Capture { hold_id: hold, shares, escrow: Some(booking.id) };
        let again = |tx| async move { Ok::<_, SystemError>(holds::capture(&tx, wanted, time::now()).await?) };
        assert_eq!(shop.db.transaction(again).await.unwrap(), Answer::Captured(7000), "all of it is there");
        assert_eq!(shop.balance(booking.seller, AccountKind::Available).await, 10_000);
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn an_escrow_is_paid_out_once_however_many_ask_at_the_same_moment() {
    for shop in shops().await {
        let booking = booked(&shop).await;
        let to_seller = |amount| vec![share(Receiver::User(booking.seller), amount)];
        let asked: Vec<Release> = (0..20).map(|_| wanted(&booking, to_seller(2000))).collect();
        let answers = join_all(asked.iter().map(|one| release(&shop, one))).await;
        assert_eq!(answers.iter().filter(|answer| **answer == Answer::EscrowReleased(3000)).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == rejected("ESCROW_RESOLVED")).count(), 19);
        let won = answers.iter().position(|answer| *answer == Answer::EscrowReleased(3000)).unwrap();
        assert_eq!(release(&shop, &asked[won]).await, Answer::EscrowReleased(3000), "asked again: the same");
        assert_eq!(shop.balance(booking.seller, AccountKind::Available).await, 2000);
        assert_eq!(
            shop.balance(booking.buyer, AccountKind::Available).await,
            8000,
            "the rest is the buyer's"
        );
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_deposit_goes_back_whole_by_refund_and_then_nothing_is_left_to_release() {
    for shop in shops().await {
        let booking = booked(&shop).await;
        let shares = vec![share(Receiver::Escrow(booking.id), 3000)];
        let back = Refund { id: Uuid::now_v7(), hold_id: booking.deposit, shares, reason: "B-1".into() };
        let refund = |tx| {
            let back = back.clone();
            async move { Ok::<_, SystemError>(holds::refund(&tx, &back, time::now()).await?) }
        };
        for _ in 0..2 {
            assert_eq!(shop.db.transaction(&refund).await.unwrap(), Answer::Refunded(3000));
        }
        assert_eq!(shop.balance(booking.buyer, AccountKind::Available).await, 10_000);
        let late = wanted(&booking, vec![share(Receiver::User(booking.seller), 3000)]);
        assert_eq!(release(&shop, &late).await, rejected("ESCROW_RESOLVED"));
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn nobody_gets_at_the_escrow_of_another_booking() {
    for shop in shops().await {
        let (mine, theirs) = (booked(&shop).await, booked(&shop).await);
        let grab =
            Release { reference: theirs.id, ..wanted(&mine, vec![share(Receiver::User(mine.seller), 1)]) };
        assert_eq!(release(&shop, &grab).await, rejected("UNKNOWN_ESCROW"));
        let (_, answer) =
            pay(&shop, mine.buyer, 100, vec![share(Receiver::Escrow(theirs.id), 100)], None).await;
        assert_eq!(answer, rejected("SPLITS_INVALID"));
        let (_, answer) =
            pay(&shop, mine.buyer, 100, vec![share(Receiver::Fees, 100)], Some(theirs.id)).await;
        assert_eq!(answer, rejected("UNKNOWN_ESCROW"));
        let too_much = wanted(&mine, vec![share(Receiver::User(mine.seller), 3001)]);
        assert_eq!(release(&shop, &too_much).await, rejected("SPLITS_INVALID"));
        let again = wanted(&mine, vec![share(Receiver::Escrow(mine.id), 3000)]);
        assert_eq!(release(&shop, &again).await, rejected("SPLITS_INVALID"));
        assert_eq!(shop.balance(mine.buyer, AccountKind::Escrow).await, 3000, "all of it is still there");
        shop.assert_books_close().await;
    }
}
