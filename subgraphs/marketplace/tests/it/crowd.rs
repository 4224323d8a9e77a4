//! Many buyers at once for few units, over the real services: sixty for six in every run, `KOPITIAM_CROWD=500` for the
//! design's five hundred for fifty.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Tx, time};
use kopitiam_user::domain::input::{Email, Username};
use kopitiam_user::domain::ledger::Transaction;
use kopitiam_user::store::users::{self, NewUser};
use kopitiam_user::store::{ledger, wallets};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{BEANS, Name, World, confirmed, product, rejected, user};

/// The first of the crowd; nobody else has these numbers.
pub(crate) const FIRST: u16 = 2_000;
const CREDIT: i64 = 5_000;
/// So many ask at the same moment.
pub(crate) const AT_ONCE: usize = 32;

fn crowd() -> u16 {
    std::env::var("KOPITIAM_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// People with money, without passwords that would take a while to hash.
pub(crate) async fn people(world: &World, count: u16) {
    let enter = move |tx: Tx| async move {
        for number in FIRST..FIRST + count {
            let id = user(number);
            let new = NewUser {
                id,
                email: Email::parse(&format!("crowd{number}@example.com")).unwrap(),
                username: Username::parse(&format!("crowd{number}")).unwrap(),
                full_name: None,
                password_hash: String::new(),
                roles: kopitiam_user::domain::account::Roles::new([]),
                verified: true,
            };
            users::insert(&tx, new, time::now()).await?;
            let usd = Currency::USD.code();
            wallets::open(&tx, id, usd).await?;
            let grant = Transaction::grant(id, CREDIT, id, "For the crowd".to_owned()).unwrap();
            ledger::post(&tx, &grant, usd, time::now()).await?;
        }
        Ok::<_, kopitiam_kit::Failure>(())
    };
    world.databases[&Name::User].transaction(enter).await.unwrap();
}

/// So many units of beans are there, and the order service has heard of it.
pub(crate) async fn only(world: &World, units: u16) {
    for (name, table) in [(Name::Product, "stock"), (Name::Order, "stock_replica")] {
        let set = format!("UPDATE {table} SET on_hand = {units} WHERE product_id = $1");
        let backend = world.databases[&name].backend();
        let statement = Statement::from_sql_and_values(backend, set, [product(BEANS).into()]);
        let write = |tx: Tx| {
            let statement = statement.clone();
            async move { tx.execute_raw(statement).await.map(|done| done.rows_affected()) }
        };
        assert_eq!(world.databases[&name].transaction(write).await.unwrap(), 1, "{table}");
    }
}

/// The order's id, or `None` when the order service knew already that there is nothing left.
pub(crate) async fn order(world: &World, buyer: u16) -> Option<Uuid> {
    let set = "mutation($lines: [CartLineInput!]!) { cartLinesSet(lines: $lines) {
        cart { id subtotal { amount } } userErrors { code } } }";
    let lines = json!([{ "productId": product(BEANS), "quantity": 1 }]);
    let cart = world.ask(buyer, set, json!({ "lines": lines })).await["cartLinesSet"]["cart"].clone();
    let checkout = "mutation($in: CheckoutInput!, $key: ID!) { checkout(input: $in, idempotencyKey: $key) {
        order { id } userErrors { code } } }";
    let input =
        json!({ "cartId": cart["id"], "expectedTotal": cart["subtotal"]["amount"], "currency": "USD" });
    let placed = world.ask(buyer, checkout, json!({ "in": input, "key": Uuid::now_v7() })).await;
    let refusal = &placed["checkout"]["userErrors"][0]["code"];
    if *refusal != Value::Null {
        assert!(["NOT_ENOUGH_STOCK", "OUT_OF_STOCK"].iter().any(|code| refusal == code), "{placed}");
        return None;
    }
    serde_json::from_value(placed["checkout"]["order"]["id"].clone()).unwrap()
}

#[tokio::test]
pub(crate) async fn of_a_crowd_exactly_as_many_are_confirmed_as_there_are_units() {
    let mut world = World::new().await;
    let (count, units) = (crowd(), crowd() / 10);
    people(&world, count).await;
    only(&world, units).await;
    world.at_start = world.books().await;
    let placed: Vec<Option<Uuid>> = stream::iter(FIRST..FIRST + count)
        .map(|buyer| order(&world, buyer))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let orders: Vec<Uuid> = placed.iter().flatten().copied().collect();
    assert!(orders.len() >= usize::from(units), "every unit was asked for: {}", orders.len());
    let outcomes = world.outcomes(&orders).await;
    let units = usize::from(units);
    let refused = orders.len() - units;
    // Late ones may all be refused before there is an order: what is left was known by then.
    let mut expected = BTreeMap::from([(confirmed(), units)]);
    if refused > 0 {
        expected.insert(rejected("OUT_OF_STOCK"), refused);
    }
    assert_eq!(outcomes, expected);
    let turned_away = placed.iter().filter(|order| order.is_none()).count();
    assert_eq!(turned_away + refused, usize::from(count) - units, "everybody else was refused");
    world.assert_books_add_up().await;
    let left = world.books().await.on_hand[&product(BEANS)];
    assert_eq!(left, 0, "each unit went to one buyer");
}
