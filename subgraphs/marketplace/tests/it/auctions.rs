//! Auctions over the real services and a real broker: listing, product, user and order started in this process and killed
//! on the way. After each test money adds up, the item is its owner's, and nothing is locked or held.
//!
//! Elsewhere: the place-order saga (`sagas.rs`), tickets and bookings (`exchanges.rs`), the auction's own rules and races
//! (listing).

use chrono::TimeDelta;
use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kit::outbox::NewMessage;
use kopitiam_kit::testing::eventually;
use kopitiam_kit::{Tx, outbox, time};
use kopitiam_order::seed::seed_id;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{ALL, BOB, CAROL, Name, World, user};

/// Seeded items and their owners.
const ITEMS: [(u16, u16); 4] = [(1, 5), (2, 7), (3, 8), (4, 6)];

fn item(number: u16) -> Uuid {
    seed_id(4, number)
}

impl World {
    /// All services; people have money and things, and nothing is for sale.
    pub(crate) async fn auction_house() -> Self {
        Self::of(&ALL, &[Name::Product, Name::User]).await
    }

    /// What the listing service answers.
    async fn ask_listing(&self, who: u16, roles: &[&str], query: &str, variables: Value) -> Value {
        self.field(Name::Listing, (who, roles, "self"), query, variables).await
    }

    /// An open auction of an item by its owner, from 10.00, sold at once for 40.00.
    pub(crate) async fn auction(&self, item: Uuid, seller: u16) -> Uuid {
        let id = self.new_auction(item, seller).await;
        self.until_listing(id, "ACTIVE").await;
        id
    }

    /// The same before its item is locked for it.
    pub(crate) async fn new_auction(&self, item: Uuid, seller: u16) -> Uuid {
        let create =
            "mutation($in: AuctionInput!, $key: ID!) { createAuction(input: $in, idempotencyKey: $key) {
            listing { id } userErrors { code message } } }";
        let input = json!({ "itemId": item, "title": "A thing", "startPrice": "10.00",
            "buyNowPrice": "40.00", "currency": "USD", "endsAt": time::now() + TimeDelta::days(1) });
        let variables = json!({ "in": input, "key": Uuid::now_v7() });
        let made = self.ask_listing(seller, &["USER", "SELLER"], create, variables).await;
        let id = made["listing"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        id.parse().unwrap()
    }

    /// A new thing of theirs.
    pub(crate) async fn new_item(&self, owner: u16) -> Uuid {
        let create = "mutation($key: ID!) { createItem(title: \"A thing\", idempotencyKey: $key) {
            item { id } userErrors { code message } } }";
        let who: (u16, &[&str], &str) = (owner, &["USER"], "self");
        let made = self.field(Name::Product, who, create, json!({ "key": Uuid::now_v7() })).await;
        let id = made["item"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        id.parse().unwrap()
    }

    pub(crate) async fn bid(&self, who: u16, auction: Uuid, amount: &str) -> Uuid {
        let place = "mutation($id: ID!, $amount: Decimal!, $key: ID!) {
            placeBid(listingId: $id, amount: $amount, currency: \"USD\", idempotencyKey: $key) {
                bid { id } userErrors { code message } } }";
        let variables = json!({ "id": auction, "amount": amount, "key": Uuid::now_v7() });
        let placed = self.ask_listing(who, &["USER"], place, variables).await;
        let id = placed["bid"]["id"].as_str().unwrap_or_else(|| panic!("{placed}"));
        id.parse().unwrap()
    }

    /// The seller calls it off.
    pub(crate) async fn call_off(&self, seller: u16, auction: Uuid) {
        let cancel =
            "mutation($id: ID!, $version: Int!) { cancelListing(id: $id, expectedVersion: $version) {
            userErrors { code message } } }";
        let select = "SELECT version FROM listing WHERE id = $1";
        let version: Vec<(i64,)> = self.rows(Name::Listing, select, vec![auction.into()]).await;
        let variables = json!({ "id": auction, "version": version[0].0 });
        let done = self.ask_listing(seller, &["USER", "SELLER"], cancel, variables).await;
        assert_eq!(done["userErrors"], json!([]));
    }

    /// The time of every auction is up.
    pub(crate) async fn a_day_later(&self) {
        let listing = &self.databases[&Name::Listing];
        let passed = listing.transaction(|tx: Tx| async move {
            tx.execute_unprepared("UPDATE timer SET due_at_ms = 0").await?;
            let earlier = Statement::from_sql_and_values(
                tx.get_database_backend(),
                "UPDATE listing SET ends_at = $1",
                [time::now().into()],
            );
            tx.execute_raw(earlier).await
        });
        passed.await.unwrap();
    }

    /// Waits until a listing has the status.
    pub(crate) async fn until_listing(&self, listing: Uuid, status: &str) {
        eventually(&format!("the listing is {status}"), || async {
            let select = "SELECT status FROM listing WHERE id = $1";
            let rows: Vec<(String,)> = self.rows(Name::Listing, select, vec![listing.into()]).await;
            (rows[0].0 == status).then_some(())
        })
        .await;
    }

    /// Waits until a bid has left `PENDING`; its status and why.
    pub(crate) async fn bid_decided(&self, bid: Uuid) -> (String, Option<String>) {
        eventually("the bid is decided", || async {
            let select = "SELECT status, code FROM bid WHERE id = $1";
            let rows: Vec<(String, Option<String>)> =
                self.rows(Name::Listing, select, vec![bid.into()]).await;
            rows.into_iter().next().filter(|(status, _)| status != "PENDING")
        })
        .await
    }

    /// I1, I11: money moved by these sales (buyer, seller, price) and by nothing else; nothing is held or locked.
    pub(crate) async fn assert_only_sold(&self, sales: &[(u16, u16, i64)]) {
        let moved: Vec<(u16, i64)> = sales
            .iter()
            .flat_map(|(buyer, seller, price)| [(*buyer, -price), (*seller, price - price / 20)])
            .collect();
        self.assert_moved(&moved).await;
        let locked = "SELECT COUNT(*) FROM items WHERE locked_by IS NOT NULL";
        let open = "SELECT COUNT(*) FROM listing WHERE status IN ('ACTIVE', 'PENDING')";
        assert_eq!(
            self.number(Name::Product, locked).await,
            self.number(Name::Listing, open).await,
            "what is locked is up for auction"
        );
        let orders = "SELECT COUNT(*) FROM orders WHERE kind = 'AUCTION' AND status = 'CONFIRMED'";
        let sold = i64::try_from(sales.len()).unwrap();
        assert_eq!(self.number(Name::Order, orders).await, sold, "one order per sale");
        assert_eq!(self.number(Name::Order, "SELECT COUNT(*) FROM invoice").await, sold, "I10");
        let twice =
            "SELECT COUNT(*) FROM (SELECT listing_id FROM bid WHERE status = 'WON' GROUP BY listing_id
            HAVING COUNT(*) > 1) AS twice";
        assert_eq!(self.number(Name::Listing, twice).await, 0, "I4");
    }

    pub(crate) async fn owner(&self, item: Uuid) -> Uuid {
        let rows: Vec<(Uuid,)> =
            self.rows(Name::Product, "SELECT owner_id FROM items WHERE id = $1", vec![item.into()]).await;
        rows[0].0
    }
}

#[tokio::test]
pub(crate) async fn the_highest_bid_pays_the_seller_gets_the_item_and_an_order_with_an_invoice() {
    let world = World::auction_house().await;
    let auction = world.auction(item(ITEMS[0].0), ITEMS[0].1).await;
    let first = world.bid(CAROL, auction, "10.00").await;
    assert_eq!(world.bid_decided(first).await.0, "ACCEPTED");
    let poor = world.bid(CAROL, auction, "39999.00").await;
    assert_eq!(world.bid_decided(poor).await, ("REJECTED".to_owned(), Some("INSUFFICIENT_FUNDS".to_owned())));
    let second = world.bid(BOB, auction, "20.00").await;
    assert_eq!(world.bid_decided(second).await.0, "ACCEPTED");
    world.a_day_later().await;
    world.until_listing(auction, "SOLD").await;
    assert_eq!(world.owner(item(ITEMS[0].0)).await, user(BOB));
    world.assert_only_sold(&[(BOB, ITEMS[0].1, 2_000)]).await;
}

#[tokio::test]
pub(crate) async fn an_auction_is_sold_whichever_service_is_killed_while_its_last_bid_is_decided() {
    let mut world = World::auction_house().await;
    let mut sales = Vec::new();
    for (killed, (number, seller)) in ALL.into_iter().zip(ITEMS) {
        let auction = world.auction(item(number), seller).await;
        world.bid(CAROL, auction, "10.00").await;
        if killed != Name::Listing {
            world.kill(&[killed]);
        }
        let winning = world.bid(BOB, auction, "40.00").await;
        world.kill(&[killed]);
        world.start(killed).await;
        assert_eq!(world.bid_decided(winning).await.0, "WON", "{killed:?}");
        world.until_listing(auction, "SOLD").await;
        assert_eq!(world.owner(item(number)).await, user(BOB));
        sales.push((BOB, seller, 4_000));
    }
    world.assert_only_sold(&sales).await;
}

#[tokio::test]
pub(crate) async fn a_banned_sellers_auction_gives_back_the_leaders_money_and_the_item() {
    let world = World::auction_house().await;
    let auction = world.auction(item(ITEMS[1].0), ITEMS[1].1).await;
    let leading = world.bid(BOB, auction, "10.00").await;
    assert_eq!(world.bid_decided(leading).await.0, "ACCEPTED");
    // As the user service tells of a ban.
    let banned = UserBanned { reason: "sells what is not there".to_owned() };
    let (seller, banned) = (user(ITEMS[1].1), &banned);
    let told = world.databases[&Name::User].transaction(|tx| async move {
        outbox::append(&tx, NewMessage::new(seller, "service:user", banned)).await
    });
    told.await.unwrap();
    world.until_listing(auction, "CANCELLED").await;
    world.assert_only_sold(&[]).await;
    assert_eq!(world.owner(item(ITEMS[1].0)).await, user(ITEMS[1].1));
}
