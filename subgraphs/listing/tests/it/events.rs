//! What other services' events do here, through a real broker: item locks open auctions, seller names are replicated.

use chrono::{TimeDelta, Utc};
use kopitiam_kafka::messages::stock::{ItemLockRejected, ItemLocked};
use kopitiam_kafka::messages::user::SellerOpened;
use kopitiam_kit::Db;
use kopitiam_kit::errors::Failure;
use kopitiam_kit::live::Hub;
use kopitiam_kit::money::{Currency, Money};
use kopitiam_kit::outbox::{self, NewMessage, relay};
use kopitiam_kit::saga;
use kopitiam_kit::testing::{TestBroker, TestTokens, eventually, service_config, sqlite};
use kopitiam_listing::commands::Market;
use kopitiam_listing::domain::auction::Rules;
use kopitiam_listing::domain::listing::{ListingStatus, NewAuction, new_auction};
use kopitiam_listing::migration::Migrator;
use kopitiam_listing::{app, store};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

async fn auction(db: &Db, item: u128) -> Uuid {
    let now = Utc::now();
    let new = NewAuction {
        item_id: Uuid::from_u128(item),
        title: "Sign".to_owned(),
        start_price: Money::new(1_000, Currency::USD),
        reserve_price: None,
        buy_now_price: None,
        ends_at: now + TimeDelta::days(1),
    };
    let listing =
        new_auction(Uuid::now_v7(), Uuid::from_u128(5), &new, now).expect("the test database works");
    let (listing, market) = (&listing, &Market::new(db.clone(), Hub::default(), Rules::default()));
    db.transaction(|tx| async move { market.create(&tx, listing, "user:test", None).await })
        .await
        .expect("the test database works");
    listing.id
}

/// The saga that opens an auction: replies name it as their correlation.
async fn saga_of(db: &Db, listing: Uuid) -> Uuid {
    saga::of_subjects(db.read(), &[listing]).await.expect("the test database works")[0].id
}

async fn status(db: &Db, id: Uuid) -> ListingStatus {
    store::listings::by_ids(db.read(), &[id]).await.expect("the test database works")[&id].status
}

#[tokio::test]
async fn an_auction_opens_when_its_item_is_locked_and_is_called_off_when_it_is_not() {
    let (broker, tokens) = (TestBroker::start().await, TestTokens::new());
    // Another service's outbox: what the product and user services would publish.
    let (here, others) = (sqlite::<Migrator>().await, sqlite::<Migrator>().await);
    let shutdown = CancellationToken::new();
    let service = app::start(service_config("listing", &here, broker.kafka(), &tokens), shutdown.clone())
        .await
        .unwrap();
    let relay = tokio::spawn(relay::run(others.db().clone(), broker.kafka(), shutdown.clone()));

    let (opened, refused) = (auction(&here, 1).await, auction(&here, 2).await);
    let sagas = [saga_of(&here, opened).await, saga_of(&here, refused).await];
    let owner_id = Uuid::from_u128(5);
    others
        .transaction(|tx| async move {
            let locked = ItemLocked { listing_id: opened, owner_id };
            let (first, second) = (sagas[0], sagas[1]);
            let message = NewMessage::new(Uuid::from_u128(1), "service:product", &locked);
            outbox::append(&tx, message.correlation(first)).await?;
            let rejected = ItemLockRejected { listing_id: refused, code: "NOT_OWNER".to_owned() };
            let message = NewMessage::new(Uuid::from_u128(2), "service:product", &rejected);
            outbox::append(&tx, message.correlation(second)).await?;
            let seller = SellerOpened {
                handle: "sari".to_owned(),
                display_name: "Sari's stall".to_owned(),
                bio: None,
            };
            outbox::append(&tx, NewMessage::new(owner_id, "service:user", &seller)).await?;
            Ok::<(), Failure>(())
        })
        .await
        .unwrap();

    eventually("the auction opens", || async {
        (status(&here, opened).await == ListingStatus::Active).then_some(())
    })
    .await;
    eventually("the other is called off", || async {
        (status(&here, refused).await == ListingStatus::Cancelled).then_some(())
    })
    .await;
    eventually("the seller's name is known", || async {
        let names = store::sellers::names(here.read(), &[owner_id]).await.unwrap();
        (names.get(&owner_id).map(String::as_str) == Some("Sari's stall")).then_some(())
    })
    .await;
    shutdown.cancel();
    service.tasks.join().await;
    relay.await.unwrap();
}
