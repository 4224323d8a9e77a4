//! Commands of orders on fixed-price listings (I5), on SQLite and on PostgreSQL: one holder, and only the holder frees or
//! buys it; every command is answered, however often it comes.

use crate::support::{SELLER, Shop, envelope, seller, user};
use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::listing::{LockListing, SellListing, UnlockListing};
use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kit::SystemError;
use kopitiam_kit::consumer::Handler;
use kopitiam_listing::domain::listing::ListingStatus;
use kopitiam_listing::projections::Projections;
use serde_json::{Value, json};
use uuid::Uuid;

const ANN: Uuid = Uuid::from_u128(0xa);
const BEN: Uuid = Uuid::from_u128(0xb);

async fn ticket(shop: &Shop, quantity: i32) -> Uuid {
    let create = "mutation($in: FixedPriceInput!, $key: ID!) { createFixedPriceListing(input: $in, idempotencyKey: $key) { listing { id } userErrors { code } } }";
    let input =
        json!({ "title": "Ticket, row 3", "price": "25.00", "currency": "USD", "quantity": quantity });
    let made = shop.ask(seller(), create, json!({ "in": input, "key": Uuid::new_v4() })).await;
    let id =
        made["data"]["createFixedPriceListing"]["listing"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    Uuid::parse_str(id).expect("an id")
}

fn lock(order_id: Uuid, buyer_id: Uuid) -> LockListing {
    LockListing { order_id, buyer_id, until: Utc::now() + TimeDelta::minutes(15) }
}

/// The one answer's type and payload.
fn only(answers: &[Envelope]) -> (&str, &Value) {
    let [answer] = answers else { panic!("{answers:?}") };
    (answer.message_type.as_str(), &answer.payload)
}

async fn status(shop: &Shop, id: Uuid) -> ListingStatus {
    shop.listing(id).await.status
}

#[tokio::test]
async fn an_order_keeps_a_listing_buys_it_and_hears_the_same_when_it_asks_again() {
    for shop in Shop::each().await {
        let (id, order) = (ticket(&shop, 1).await, Uuid::new_v4());
        for _ in 0..2 {
            let answers = shop.command(id, &lock(order, ANN)).await;
            let (kind, payload) = only(&answers);
            assert_eq!(
                (kind, &payload["price"]["minor"], &payload["sellerId"]),
                ("ListingLocked", &json!(2_500), &json!(SELLER))
            );
        }
        assert_eq!(status(&shop, id).await, ListingStatus::Reserved);
        let query = "query($id: ID!) { listing(id: $id) { ... on FixedPriceListing { viewerHasReservation reservedUntil quantity } } }";
        let own = shop.ask(user(ANN), query, json!({ "id": id })).await;
        assert_eq!(own["data"]["listing"]["viewerHasReservation"], true);
        let other = shop.ask(user(BEN), query, json!({ "id": id })).await;
        assert_eq!(other["data"]["listing"]["viewerHasReservation"], false);
        for _ in 0..2 {
            let answers = shop.command(id, &SellListing { order_id: order, buyer_id: ANN }).await;
            let (kind, payload) = only(&answers);
            assert_eq!((kind, &payload["orderId"]), ("ListingSold", &json!(order)));
        }
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
        // A lock that comes late, and one of somebody else.
        assert_eq!(only(&shop.command(id, &lock(order, ANN)).await).0, "ListingLockRejected");
        let refused = shop.command(id, &lock(Uuid::new_v4(), BEN)).await;
        assert_eq!(only(&refused).1["code"], "NOT_ACTIVE");
    }
}

#[tokio::test]
async fn a_list_shows_what_is_open_and_a_page_any_listing() {
    for shop in Shop::each().await {
        let (kept, open) = (ticket(&shop, 1).await, ticket(&shop, 1).await);
        shop.command(kept, &lock(Uuid::new_v4(), ANN)).await;
        let list = shop.ask(user(BEN), "{ listings(first: 9) { edges { node { id } } } }", json!({})).await;
        let shown: Vec<&Value> = list["data"]["listings"]["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| &edge["node"]["id"])
            .collect();
        assert_eq!(shown, [&json!(open)]);
        let page = "query($id: ID!) { listing(id: $id) { status } }";
        let page = shop.ask(user(BEN), page, json!({ "id": kept })).await;
        assert_eq!(page["data"]["listing"]["status"], "RESERVED");
    }
}

#[tokio::test]
async fn what_may_not_be_kept_is_refused_with_its_code() {
    for shop in Shop::each().await {
        let id = ticket(&shop, 1).await;
        let code = |answers: Vec<Envelope>| only(&answers).1["code"].as_str().map(str::to_owned);
        assert_eq!(
            code(shop.command(id, &lock(Uuid::new_v4(), SELLER)).await).as_deref(),
            Some("OWN_LISTING")
        );
        let unknown = shop.command(Uuid::from_u128(404), &lock(Uuid::new_v4(), ANN)).await;
        assert_eq!(code(unknown).as_deref(), Some("UNKNOWN_LISTING"));
        let auction = shop.auction(json!({})).await;
        assert_eq!(
            code(shop.command(auction, &lock(Uuid::new_v4(), ANN)).await).as_deref(),
            Some("NOT_ACTIVE")
        );
        shop.command(id, &lock(Uuid::new_v4(), ANN)).await;
        assert_eq!(
            code(shop.command(id, &lock(Uuid::new_v4(), BEN)).await).as_deref(),
            Some("ALREADY_RESERVED")
        );
    }
}

#[tokio::test]
async fn only_the_holder_frees_it_and_a_lock_after_its_release_is_impossible() {
    for shop in Shop::each().await {
        let (id, order, other) = (ticket(&shop, 1).await, Uuid::new_v4(), Uuid::new_v4());
        shop.command(id, &lock(order, ANN)).await;
        let answers = shop.command(id, &UnlockListing { order_id: other }).await;
        assert_eq!(only(&answers).0, "ListingUnlocked", "who never held it is told that it does not");
        assert_eq!(status(&shop, id).await, ListingStatus::Reserved);
        assert_eq!(only(&shop.command(id, &lock(other, BEN)).await).0, "ListingLockRejected");
        let sold = shop.command(id, &SellListing { order_id: other, buyer_id: BEN }).await;
        assert_eq!(only(&sold).0, "ListingLockRejected");
        for _ in 0..2 {
            assert_eq!(
                only(&shop.command(id, &UnlockListing { order_id: order }).await).0,
                "ListingUnlocked"
            );
        }
        assert_eq!(status(&shop, id).await, ListingStatus::Active);
        assert_eq!(shop.rows("timer").await, 0, "nothing is left to watch");
        assert_eq!(only(&shop.command(id, &lock(order, ANN)).await).0, "ListingLockRejected");
    }
}

#[tokio::test]
async fn a_lock_is_good_for_its_own_listing_and_buyer_only() {
    for shop in Shop::each().await {
        let (id, other, order) = (ticket(&shop, 1).await, ticket(&shop, 1).await, Uuid::new_v4());
        shop.command(id, &lock(order, ANN)).await;
        for (listing, buyer_id) in [(other, ANN), (id, BEN)] {
            let sold = shop.command(listing, &SellListing { order_id: order, buyer_id }).await;
            assert_eq!(only(&sold).1["code"], "NOT_ACTIVE", "{listing} {buyer_id}");
        }
        shop.command(other, &lock(Uuid::new_v4(), BEN)).await;
        shop.command(other, &UnlockListing { order_id: order }).await;
        assert_eq!(status(&shop, other).await, ListingStatus::Reserved, "it is held by another order");
        assert_eq!(status(&shop, id).await, ListingStatus::Reserved);
        let sold = shop.command(id, &SellListing { order_id: order, buyer_id: ANN }).await;
        assert_eq!(only(&sold).0, "ListingSold");
    }
}

#[tokio::test]
async fn a_listing_of_three_pieces_is_sold_three_times() {
    for shop in Shop::each().await {
        let id = ticket(&shop, 3).await;
        for left in [ListingStatus::Active, ListingStatus::Active, ListingStatus::Sold] {
            let order = Uuid::new_v4();
            shop.command(id, &lock(order, ANN)).await;
            shop.command(id, &SellListing { order_id: order, buyer_id: ANN }).await;
            assert_eq!(status(&shop, id).await, left);
        }
    }
}

#[tokio::test]
async fn a_reserved_listing_cannot_be_changed_or_called_off() {
    for shop in Shop::each().await {
        let id = ticket(&shop, 1).await;
        shop.command(id, &lock(Uuid::new_v4(), ANN)).await;
        let version = shop.listing(id).await.version;
        for query in [
            "mutation($id: ID!, $v: Int!) { done: updateListing(id: $id, price: \"1.00\", expectedVersion: $v) { userErrors { code } } }",
            "mutation($id: ID!, $v: Int!) { done: cancelListing(id: $id, expectedVersion: $v) { userErrors { code } } }",
        ] {
            let refused = shop.ask(seller(), query, json!({ "id": id, "v": version })).await;
            assert_eq!(refused["data"]["done"]["userErrors"][0]["code"], "LISTING_RESERVED", "{refused}");
        }
    }
}

#[tokio::test]
async fn a_lock_that_its_order_forgot_falls_after_a_day() {
    for shop in Shop::each().await {
        let (id, order) = (ticket(&shop, 1).await, Uuid::new_v4());
        let wanted = lock(order, ANN);
        shop.command(id, &wanted).await;
        let due = (wanted.until + TimeDelta::hours(24)).timestamp_millis();
        assert_eq!(shop.count(&format!("SELECT COUNT(*) AS n FROM timer WHERE due_at_ms = {due}")).await, 1);
        let market = &shop.market;
        let freed = shop.db.transaction(|tx| async move { market.free_lost(&tx, order, Utc::now()).await });
        freed.await.unwrap();
        assert_eq!(status(&shop, id).await, ListingStatus::Active);
        // It was paid after all, and the listing is still to be had.
        let sold = shop.command(id, &SellListing { order_id: order, buyer_id: ANN }).await;
        assert_eq!(only(&sold).0, "ListingSold");
        assert_eq!(status(&shop, id).await, ListingStatus::Sold);
    }
}

#[tokio::test]
async fn what_the_clock_freed_and_its_order_gave_up_then_is_not_sold_to_it() {
    for shop in Shop::each().await {
        let (id, order) = (ticket(&shop, 1).await, Uuid::new_v4());
        shop.command(id, &lock(order, ANN)).await;
        let market = &shop.market;
        let freed = shop.db.transaction(|tx| async move { market.free_lost(&tx, order, Utc::now()).await });
        freed.await.unwrap();
        assert_eq!(only(&shop.command(id, &UnlockListing { order_id: order }).await).0, "ListingUnlocked");
        let sold = shop.command(id, &SellListing { order_id: order, buyer_id: ANN }).await;
        assert_eq!(only(&sold).1["code"], "NOT_ACTIVE");
        assert_eq!(status(&shop, id).await, ListingStatus::Active);
    }
}

#[tokio::test]
async fn a_release_that_overtakes_its_lock_makes_the_lock_impossible() {
    for shop in Shop::each().await {
        let (id, order) = (ticket(&shop, 1).await, Uuid::new_v4());
        let released = shop.command(id, &UnlockListing { order_id: order }).await;
        assert_eq!(only(&released).0, "ListingUnlocked");
        let late = shop.command(id, &lock(order, ANN)).await;
        assert_eq!(only(&late), ("ListingLockRejected", &json!({ "orderId": order, "code": "NOT_ACTIVE" })));
        assert_eq!(status(&shop, id).await, ListingStatus::Active);
    }
}

#[tokio::test]
async fn what_the_clock_freed_and_another_order_holds_is_not_sold_to_the_first() {
    for shop in Shop::each().await {
        let (id, first, second) = (ticket(&shop, 1).await, Uuid::new_v4(), Uuid::new_v4());
        shop.command(id, &lock(first, ANN)).await;
        let market = &shop.market;
        let freed = shop.db.transaction(|tx| async move { market.free_lost(&tx, first, Utc::now()).await });
        freed.await.unwrap();
        assert_eq!(only(&shop.command(id, &lock(second, BEN)).await).0, "ListingLocked");
        let late = shop.command(id, &SellListing { order_id: first, buyer_id: ANN }).await;
        assert_eq!(only(&late).0, "ListingLockRejected");
        assert_eq!(status(&shop, id).await, ListingStatus::Reserved);
        let sold = shop.command(id, &SellListing { order_id: second, buyer_id: BEN }).await;
        assert_eq!(only(&sold).0, "ListingSold");
    }
}

#[tokio::test]
async fn a_banned_sellers_reserved_listing_stays_with_its_order_and_does_not_open_again() {
    for shop in Shop::each().await {
        let (id, order) = (ticket(&shop, 1).await, Uuid::new_v4());
        shop.command(id, &lock(order, ANN)).await;
        let banned = envelope(SELLER, Uuid::new_v4(), &UserBanned { reason: "fraud".to_owned() });
        let (projections, banned) = (&Projections::new(std::sync::Arc::clone(&shop.market)), &banned);
        let applied = shop.db.transaction(|tx| async move {
            projections.handle(&tx, banned).await.map_err(|error| SystemError::Unavailable(error.to_string()))
        });
        applied.await.unwrap();
        assert_eq!(status(&shop, id).await, ListingStatus::Reserved);
        shop.command(id, &UnlockListing { order_id: order }).await;
        assert_eq!(status(&shop, id).await, ListingStatus::Cancelled);
    }
}

#[tokio::test]
async fn of_a_hundred_orders_at_once_one_holds_the_listing() {
    for shop in Shop::each().await {
        let id = ticket(&shop, 1).await;
        let orders: Vec<Uuid> = (0..100).map(|_| Uuid::new_v4()).collect();
        let wanted: Vec<LockListing> = orders.iter().map(|order| lock(*order, ANN)).collect();
        let answers = join_all(wanted.iter().map(|wanted| shop.command(id, wanted))).await;
        let held = answers.iter().filter(|answers| only(answers).0 == "ListingLocked").count();
        let refused = answers.iter().filter(|answers| only(answers).1["code"] == "ALREADY_RESERVED").count();
        assert_eq!((held, refused), (1, 99), "the others met the holder");
        assert_eq!(shop.count("SELECT COUNT(*) AS n FROM listing_lock WHERE state = 'HELD'").await, 1);
    }
}

#[tokio::test]
async fn whether_the_sale_or_the_release_comes_first_only_one_of_them_happens() {
    for shop in Shop::each().await {
        let id = ticket(&shop, 1_000_000).await;
        let (mut sold, mut freed) = (0, 0);
        for round in 0..60 {
            let order_id = Uuid::new_v4();
            shop.command(id, &lock(order_id, ANN)).await;
            let (sell, free) = (SellListing { order_id, buyer_id: ANN }, UnlockListing { order_id });
            if round % 2 == 0 {
                tokio::join!(shop.command(id, &sell), shop.command(id, &free));
            } else {
                tokio::join!(shop.command(id, &free), shop.command(id, &sell));
            }
            let state = "SELECT COUNT(*) AS n FROM listing_lock WHERE state = 'SOLD'";
            let now_sold = shop.count(state).await;
            if now_sold > sold {
                sold = now_sold;
            } else {
                freed += 1;
            }
            assert_eq!(status(&shop, id).await, ListingStatus::Active);
        }
        let pieces = shop.count("SELECT CAST(quantity AS BIGINT) AS n FROM listing").await;
        assert_eq!(pieces, 1_000_000 - sold, "each sale took one piece");
        assert!(sold > 0 && freed > 0, "no race: {sold} to {freed}");
    }
}
