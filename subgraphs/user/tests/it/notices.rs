//! Who is told what, once, in the shop and by mail; and live, also of what another process wrote. On SQLite and PostgreSQL.

use std::pin::pin;
use std::time::Duration;

use crate::common::{Shop, codes, error_codes, manager, shops, viewer};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use kopitiam_kafka::Envelope;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::consumer::Handler;
use kopitiam_kit::{SystemError, inbox, time};
use kopitiam_user::live;
use kopitiam_user::projections::notices::Notices;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MINE: &str = "query($after: String) { me { notifications(first: 2, after: $after) {
    unreadCount pageInfo { hasNextPage endCursor } edges { node { id kind title body url readAt } } } } }";

fn event(message_type: &str, about: Uuid, payload: Value) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        message_type: message_type.to_owned(),
        schema_version: 1,
        aggregate_type: "test".to_owned(),
        aggregate_id: about,
        aggregate_version: 1,
        occurred_at: time::now(),
        correlation_id: Uuid::now_v7(),
        causation_id: Uuid::now_v7(),
        actor: "service:test".to_owned(),
        traceparent: String::new(),
        payload,
    }
}

/// What a consumer does with an event, in a transaction of its own.
async fn apply(shop: &Shop, consumer: &str, event: &Envelope) {
    let notices = &Notices { herald: shop.commands.herald() };
    let apply = |tx| async move {
        if inbox::first_time(&tx, consumer, event.id).await? {
            notices.handle(&tx, event).await.map_err(|error| SystemError::Invariant(error.to_string()))?;
        }
        Ok::<_, SystemError>(())
    };
    shop.db.transaction(apply).await.unwrap();
}

async fn mine(shop: &Shop, who: &Viewer, after: Option<&str>) -> Value {
    let answer = shop.ask(who, MINE, json!({ "after": after })).await;
    assert_eq!(answer["errors"], Value::Null);
    answer["data"]["me"]["notifications"].clone()
}

/// Kinds of all that a person was told, oldest first.
async fn told(shop: &Shop, user: Uuid) -> Vec<String> {
    let rows = kopitiam_user::store::notifications::newest(shop.db.read(), user, 100).await.unwrap();
    rows.into_iter().rev().map(|row| row.kind).collect()
}

fn usd(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "USD" })
}

fn listing(seller: Uuid, title: &str) -> Value {
    json!({ "kind": "AUCTION", "title": title, "sellerId": seller, "status": "ACTIVE", "askPrice": usd(1000) })
}

#[tokio::test]
async fn sellers_hear_of_a_paid_order_from_its_lines_alone_and_of_tickets_as_listings() {
    for shop in shops().await {
        let [bob, siti, ada] =
            [shop.register("bob").await, shop.register("siti").await, shop.register("ada").await];
        shop.letters().await;
        let line = |seller: Uuid, title: &str, listing: Option<Uuid>| {
            json!({ "lineId": Uuid::now_v7(), "sellerId": seller, "listingId": listing, "title": title,
                "quantity": 1, "unitPrice": usd(500) })
        };
        let siti_id = siti.user.id;
        let lines = [
            line(siti_id, "Cup", None),
            line(ada.user.id, "Seat", Some(Uuid::now_v7())),
            line(siti_id, "Pot", None),
        ];
        let confirmed = json!({ "number": "K-2", "buyerId": bob.user.id, "from": "PENDING", "to": "CONFIRMED", "lines": lines });
        apply(&shop, "notices", &event("OrderStatusChanged", Uuid::now_v7(), confirmed)).await;
        assert_eq!(told(&shop, siti_id).await, ["SOLD"]);
        assert_eq!(told(&shop, ada.user.id).await, Vec::<String>::new());
        let letters = shop.letters().await;
        let sale =
            letters.iter().find(|mail| mail.to == "siti@shop.example").expect("a letter to the seller");
        assert!(sale.written.text.contains("Cup") && sale.written.text.contains("Pot"), "{sale:?}");
    }
}

#[tokio::test]
async fn an_event_is_told_once_however_often_it_comes_and_however_many_consume_it() {
    for shop in shops().await {
        let [bob, siti] = [shop.register("bob").await, shop.register("siti").await];
        shop.letters().await;
        let (order, seller) = (Uuid::now_v7(), siti.user.id);
        let line = json!({ "lineId": Uuid::now_v7(), "sellerId": seller, "title": "Cup", "quantity": 1, "unitPrice": usd(500) });
        let created = json!({ "number": "K-1", "buyerId": bob.user.id, "kind": "CART", "lines": [line], "total": usd(500) });
        let confirmed =
            json!({ "number": "K-1", "buyerId": bob.user.id, "from": "PENDING", "to": "CONFIRMED" });
        let events = [event("OrderCreated", order, created), event("OrderStatusChanged", order, confirmed)];
        for consumer in ["one", "one", "another", "one"] {
            for event in &events {
                apply(&shop, consumer, event).await;
            }
        }
        assert_eq!(told(&shop, bob.user.id).await, ["ORDER_CONFIRMED"]);
        assert_eq!(told(&shop, seller).await, ["SOLD"]);
        let letters = shop.letters().await;
        let subjects: Vec<(&str, &str)> =
            letters.iter().map(|mail| (mail.to.as_str(), mail.written.subject.as_str())).collect();
        assert_eq!(
            subjects,
            [
                ("bob@shop.example", "Order K-1 is confirmed"),
                ("siti@shop.example", "You made a sale: order K-1")
            ]
        );
        assert!(letters[0].written.text.contains("https://shop.example/orders/K-1"), "{letters:?}");
    }
}

#[tokio::test]
async fn each_side_of_an_auction_and_of_a_booking_hears_what_it_must_know() {
    for shop in shops().await {
        let [bob, eve, siti] = ["bob", "eve", "siti"].map(|name| shop.register(name));
        let (bob, eve, siti) = tokio::join!(bob, eve, siti);
        let [bob, eve, siti] = [bob.user.id, eve.user.id, siti.user.id];
        let (auction, service, booking) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let bid =
            |by: Uuid, amount| json!({ "bidId": Uuid::now_v7(), "bidderId": by, "amount": usd(amount) });
        for (kind, about, payload) in [
            ("ListingCreated", auction, listing(siti, "Radio")),
            ("BidAccepted", auction, bid(bob, 1000)),
            ("BidAccepted", auction, bid(eve, 1100)),
            (
                "BidOutbid",
                auction,
                json!({ "bidId": Uuid::now_v7(), "bidderId": bob, "byBidId": Uuid::now_v7() }),
            ),
            (
                "AuctionEnded",
                auction,
                json!({ "winningBidId": Uuid::now_v7(), "winnerId": eve, "price": usd(1100) }),
            ),
            ("ListingSold", auction, json!({ "buyerId": eve, "price": usd(1100) })),
            ("ListingCreated", service, listing(siti, "Wall painting")),
            (
                "BookingRequested",
                booking,
                json!({ "listingId": service, "buyerId": bob, "sellerId": siti, "price": usd(9000), "deposit": usd(3000) }),
            ),
            ("BookingAccepted", booking, json!({})),
            ("BookingDepositHeld", booking, json!({ "deposit": usd(3000) })),
            ("BookingDelivered", booking, json!({})),
            ("BookingDisputed", booking, json!({ "note": "Wrong colour" })),
            ("BookingResolved", booking, json!({ "refunded": usd(1000), "released": usd(2000) })),
            ("BookingCancelled", booking, json!({ "by": bob })),
            (
                "ReviewPosted",
                siti,
                json!({ "reviewId": Uuid::now_v7(), "subject": "SELLER", "rating": 5, "authorId": bob, "ratingSum": 5, "ratingCount": 1 }),
            ),
            ("SomethingNewer", siti, json!({})),
        ] {
            apply(&shop, "notices", &event(kind, about, payload)).await;
        }
        let expected = ["OUTBID", "BOOKING_ACCEPTED", "BOOKING_DELIVERED", "BOOKING_RESOLVED"];
        assert_eq!(told(&shop, bob).await, expected);
        assert_eq!(told(&shop, eve).await, ["AUCTION_WON"]);
        let expected = [
            "BID_RECEIVED",
            "BID_RECEIVED",
            "LISTING_SOLD",
            "BOOKING_REQUESTED",
            "BOOKING_DEPOSIT_HELD",
            "BOOKING_DISPUTED",
            "BOOKING_RESOLVED",
            "BOOKING_CANCELLED",
            "REVIEW_RECEIVED",
        ];
        assert_eq!(told(&shop, siti).await, expected);
    }
}

#[tokio::test]
async fn old_news_is_shown_and_not_mailed() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        shop.letters().await;
        let expired =
            json!({ "number": "K-2", "buyerId": bob.user.id, "from": "AWAITING_PAYMENT", "to": "EXPIRED" });
        let occurred_at: DateTime<Utc> = time::now() - TimeDelta::hours(25);
        let old = Envelope { occurred_at, ..event("OrderStatusChanged", Uuid::now_v7(), expired) };
        apply(&shop, "notices", &old).await;
        assert_eq!(told(&shop, bob.user.id).await, ["ORDER_EXPIRED"]);
        assert!(shop.letters().await.is_empty());
    }
}

#[tokio::test]
async fn notifications_are_read_by_page_marked_by_their_owner_and_nobody_elses_business() {
    for shop in shops().await {
        let (bob, eve) = (shop.register("bob").await, shop.register("eve").await);
        for number in ["K-1", "K-2", "K-3"] {
            let rejected = json!({ "number": number, "buyerId": bob.user.id, "from": "PENDING", "to": "REJECTED", "reason": "OUT_OF_STOCK" });
            apply(&shop, "notices", &event("OrderStatusChanged", Uuid::now_v7(), rejected)).await;
        }
        let (bob_sees, eve_sees) = (viewer(&bob), viewer(&eve));
        let first = mine(&shop, &bob_sees, None).await;
        assert_eq!((&first["unreadCount"], &first["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
        let newest = &first["edges"][0]["node"];
        assert_eq!(newest["title"], "Order K-3 could not be placed");
        assert_eq!(newest["body"], "Something in it is sold out. Nothing was charged.");
        assert_eq!(newest["url"], "/orders/K-3");
        let second = mine(&shop, &bob_sees, first["pageInfo"]["endCursor"].as_str()).await;
        assert_eq!(second["edges"][0]["node"]["title"], "Order K-1 could not be placed");
        assert_eq!(second["pageInfo"]["hasNextPage"], false);

        let mark = "mutation($ids: [ID!]!) { markNotificationsRead(ids: $ids) { user { username } userErrors { code } } }";
        let ids = json!({ "ids": [newest["id"], "no id"] });
        shop.ask(&eve_sees, mark, ids.clone()).await;
        assert_eq!(mine(&shop, &bob_sees, None).await["unreadCount"], 3, "not eve's to mark");
        let answer = shop.ask(&bob_sees, mark, ids).await;
        assert_eq!(codes(&answer["data"]["markNotificationsRead"]), Vec::<&str>::new());
        let after = mine(&shop, &bob_sees, None).await;
        assert_eq!(after["unreadCount"], 2);
        assert!(after["edges"][0]["node"]["readAt"].is_string());
        let many = json!({ "ids": (0..101).map(|_| Uuid::now_v7()).collect::<Vec<_>>() });
        let answer = shop.ask(&bob_sees, mark, many).await;
        assert_eq!(codes(&answer["data"]["markNotificationsRead"]), ["TOO_MANY_IDS"]);

        let theirs = "query($r: [_Any!]!) { _entities(representations: $r) { ... on User { username notifications(first: 1) { unreadCount } } } }";
        let of_bob = json!({ "r": [{ "__typename": "User", "id": bob.user.id }] });
        for (who, code) in [(eve_sees, "FORBIDDEN"), (Viewer::anonymous(), "UNAUTHENTICATED")] {
            let answer = shop.ask(&who, theirs, of_bob.clone()).await;
            assert_eq!(error_codes(&answer), [code]);
            assert_eq!(answer["data"]["_entities"][0]["notifications"], Value::Null);
        }
        let seen = shop.ask(&manager(), theirs, of_bob).await;
        assert_eq!(seen["data"]["_entities"][0]["notifications"]["unreadCount"], 2);
    }
}

#[tokio::test]
async fn a_stream_shows_what_another_process_wrote() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let other = shop.beside().await;
        let shutdown = CancellationToken::new();
        let following = tokio::spawn(live::follow(shop.commands.clone(), shutdown.clone()));
        let streams = [
            "subscription { notificationAdded { kind title } }",
            "subscription { walletChanged { available { amount } } }",
        ]
        .map(|query| shop.listen(&viewer(&bob), query));
        let [notifications, wallet] = streams;
        let (mut notifications, mut wallet) = (pin!(notifications), pin!(wallet));
        let patience = Duration::from_secs(30);
        let first = tokio::time::timeout(patience, wallet.next()).await.unwrap().unwrap();
        assert_eq!(first["data"]["walletChanged"]["available"]["amount"], "100.00");
        let grant = kopitiam_user::commands::Grant {
            user_id: bob.user.id,
            minor: 250,
            currency: "USD".into(),
            reason: "Regular guest".into(),
        };
        // A stream tells what comes after its first look, and when that is cannot be seen from here: so again until it tells.
        assert!(futures::poll!(notifications.next()).is_pending(), "nothing has happened");
        let mut grants = 0;
        let told = loop {
            grants += 1;
            other.grant_credit(Uuid::now_v7(), grant.clone(), &format!("k-{grants}")).await.unwrap();
            match tokio::time::timeout(Duration::from_secs(3), notifications.next()).await {
                Ok(told) => break told.unwrap(),
                Err(_) => assert!(grants < 10, "it is never told"),
            }
        };
        assert_eq!(told["data"]["notificationAdded"]["kind"], "CREDIT_GRANTED", "{told}");
        let cents = 10_000 + 250 * grants;
        let balance = format!("{}.{:02}", cents / 100, cents % 100);
        loop {
            let next = tokio::time::timeout(patience, wallet.next()).await.unwrap().unwrap();
            if next["data"]["walletChanged"]["available"]["amount"] == balance {
                break;
            }
        }
        shutdown.cancel();
        following.await.unwrap();
    }
}
