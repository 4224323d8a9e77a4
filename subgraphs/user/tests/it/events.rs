//! The service on a real broker: commands in, answers out, each effect once.

use std::path::Path;

use crate::common::Shop;
use chrono::{Duration, Utc};
use kopitiam_kafka::Topic;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::order::OrderStatusChanged;
use kopitiam_kafka::messages::wallet::{
    CaptureFunds, HoldFunds, Payee, RefundFunds, ReleaseEscrow, ReleaseFunds, Split,
};
use kopitiam_kit::Tasks;
use kopitiam_kit::testing::{Peer, TestBroker, TestTokens, each_database, eventually, service_config};
use kopitiam_user::app::{self, Migrator};
use kopitiam_user::domain::ledger::AccountKind;
use kopitiam_user::store::notifications;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const HEARD: [Topic; 2] = [Topic::WalletEvents, Topic::UserEvents];

fn usd(minor: i64) -> Amount {
    Amount::new(minor, "USD")
}

/// A deposit into escrow, and out of it again: once, however often it is asked for. A third of it goes to `seller`.
async fn send_deposit(peer: &Peer, hold: HoldFunds, seller: Uuid) {
    let (buyer, deposit, reference) = (hold.user_id, Uuid::now_v7(), Uuid::now_v7());
    peer.send(buyer, &HoldFunds { hold_id: deposit, amount: usd(3000), ..hold }).await;
    let splits = vec![Split { to: Payee::Escrow { reference }, amount: usd(3000) }];
    peer.send(buyer, &CaptureFunds { hold_id: deposit, user_id: buyer, splits, escrow: None }).await;
    let splits = vec![Split { to: Payee::User { user_id: seller }, amount: usd(1000) }];
    let (release_id, reason) = (Uuid::now_v7(), "BOOKING B-1".to_owned());
    let release = ReleaseEscrow { release_id, reference, user_id: buyer, splits, reason };
    peer.send(buyer, &release).await;
    peer.send(buyer, &release).await;
    peer.send(buyer, &ReleaseEscrow { release_id: Uuid::now_v7(), ..release }).await;
}

/// An event of another service becomes a notification and a letter.
async fn order_is_told(peer: &Peer, shop: &Shop, buyer: Uuid, letters: &Path) {
    let (number, from, to) = ("K-1".to_owned(), "PENDING".to_owned(), "CONFIRMED".to_owned());
    let confirmed = OrderStatusChanged { number, buyer_id: buyer, from, to, reason: None, lines: Vec::new() };
    peer.send(Uuid::now_v7(), &confirmed).await;
    eventually("the notice of an order", || async {
        let told = notifications::newest(shop.db.read(), buyer, 5).await.unwrap();
        told.iter().any(|notice| notice.kind == "ORDER_CONFIRMED").then_some(())
    })
    .await;
    eventually("its letter, beside those that verify two addresses", || async {
        (std::fs::read_dir(letters).ok()?.count() >= 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn wallet_commands_are_answered_once_each_and_accounts_are_announced() {
    let broker = TestBroker::start().await;
    for db in each_database::<Migrator>().await {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new();
        let peer = Peer::start(&broker, &HEARD, &mut tasks, &shutdown).await;
        let name = format!("user-{}", Uuid::now_v7().simple());
        let files = tempfile::tempdir().unwrap();
        let mut config = service_config(&name, &db, broker.kafka(), &TestTokens::new());
        config.data_dir = files.path().to_owned();
        let service = app::start(config, shutdown.clone()).await.unwrap();
        let shop = Shop::new(db).await;
        let bob = shop.register("bob").await.user.id;
        let siti = shop.register("siti").await.user.id;
        let hold_id = Uuid::now_v7();
        let expires_at = Utc::now() + Duration::hours(1);
        let hold =
            HoldFunds { hold_id, user_id: bob, amount: usd(4000), reason: "ORDER K-1".into(), expires_at };
        // The same command again under a new message id: what a saga does that heard no answer.
        peer.send(bob, &hold).await;
        peer.send(bob, &hold).await;
        let splits = vec![
            Split { to: Payee::User { user_id: siti }, amount: usd(3600) },
            Split { to: Payee::Fees, amount: usd(400) },
        ];
        let capture = CaptureFunds { hold_id, user_id: bob, splits: splits.clone(), escrow: None };
        peer.send(bob, &capture).await;
        peer.send(bob, &capture).await;
        let refund_id = Uuid::now_v7();
        peer.send(bob, &RefundFunds { refund_id, hold_id, user_id: bob, splits, reason: "K-1".into() }).await;
        peer.send(bob, &ReleaseFunds { hold_id: Uuid::now_v7(), user_id: bob }).await;
        let huge = HoldFunds { hold_id: Uuid::now_v7(), amount: usd(i64::MAX), ..hold.clone() };
        peer.send(bob, &huge).await;
        send_deposit(&peer, hold, siti).await;
        let answers = peer.types_of_answers(12).await;
        let expected = [
            "FundsHeld",
            "FundsHeld",
            "FundsCaptured",
            "FundsCaptured",
            "FundsRefunded",
            "FundsReleased",
            "FundsRejected",
            "FundsHeld",
            "FundsCaptured",
            "EscrowReleased",
            "EscrowReleased",
            "FundsRejected",
        ];
        assert_eq!(answers, expected);
        assert_eq!(shop.balance(bob, AccountKind::Available).await, 9_000);
        assert_eq!(shop.balance(bob, AccountKind::Escrow).await, 0);
        assert_eq!(shop.balance(siti, AccountKind::Available).await, 11_000);
        shop.assert_books_close().await;
        order_is_told(&peer, &shop, bob, &files.path().join("mailbox")).await;
        eventually("both registrations", || async {
            let heard = peer.heard();
            let count = |of: &str| {
                heard.iter().filter(|e| e.message_type == of && [bob, siti].contains(&e.aggregate_id)).count()
            };
            (count("UserRegistered") == 2 && count("CreditGranted") == 2).then_some(())
        })
        .await;
        shutdown.cancel();
        service.tasks.join().await;
        tasks.join().await;
    }
}
