//! The data of a fresh installation: three past orders and some reviews, with fixed ids.
//!
//! Always: seeding twice adds nothing. Elsewhere: the users and products that they are about (the services that own
//! them seed the same ids).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::{Db, Failure, SystemError, Tx};
use uuid::Uuid;

use crate::domain::cart::{Cart, CartLine, Product};
use crate::domain::order::{self, Checkout, Order, OrderStatus};
use crate::events::{self, ACTOR};
use crate::store::orders::{self, Change};
use crate::store::reputation::{self, Review, Subject};

const USER: u8 = 1;
const PRODUCT: u8 = 3;
const ORDER: u8 = 5;
const REVIEW: u8 = 7;

/// Product number, name, price in cents, seller's user number, quantity.
type Line = (u16, &'static str, i64, u16, i32);

/// Buyer's user number, lines, what became of it, days ago.
const ORDERS: [(u16, &[Line], Option<&str>, i64); 3] = [
    (3, &[(1, "House Blend Beans", 1_250, 5, 2), (2, "Enamel Kopi Cup", 890, 5, 1)], None, 9),
    (4, &[(21, "Hawker Cookbook", 3_400, 8, 1), (23, "Pocket Poems of the Strait", 1_450, 8, 1)], None, 6),
    (3, &[(3, "Hand-drawn Batik Shawl", 14_900, 6, 2)], Some("OUT_OF_STOCK"), 2),
];

/// Subject, its number, author's user number, stars, text, days ago.
const REVIEWS: [(Subject, u16, u16, i32, &str, i64); 14] = [
    (Subject::Product, 1, 3, 5, "The smell of the stall downstairs, in my own kitchen.", 8),
    (Subject::Product, 1, 4, 4, "Strong and sweet. Grind it finer than you think.", 7),
    (Subject::Product, 1, 1, 5, "Second bag already.", 3),
    (Subject::Product, 2, 3, 4, "Thick enamel, thin handle. Still my favourite cup.", 8),
    (Subject::Product, 6, 4, 5, "Nothing else makes a proper kopi.", 20),
    (Subject::Product, 7, 2, 4, "Pours like a thread. Get a cloth for the handle.", 15),
    (Subject::Product, 21, 4, 5, "The laksa chapter alone is worth it.", 5),
    (Subject::Product, 21, 1, 4, "Honest recipes, honest photographs.", 4),
    (Subject::Product, 23, 4, 3, "Lovely poems, small print.", 5),
    (Subject::Product, 17, 2, 5, "Lights our whole balcony after one sunny day.", 12),
    (Subject::Seller, 5, 3, 5, "Sent the same day, wrapped in newspaper comics.", 8),
    (Subject::Seller, 5, 4, 4, "Answers questions, and knows the beans.", 18),
    (Subject::Seller, 8, 4, 5, "Books arrived without a bent corner.", 5),
    (Subject::Seller, 7, 2, 4, "Everything was tested before it was sent.", 12),
];

/// The id that all services agree on for the `number`-th thing of a kind.
pub fn seed_id(kind: u8, number: u16) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + (u128::from(kind) << 16) + u128::from(number))
}

/// Adds what is missing of the seed data to a migrated database.
///
/// # Errors
/// When the database fails.
pub async fn seed(db: &Db, now: DateTime<Utc>) -> Result<(), Failure> {
    db.transaction(|tx| async move {
        for ((buyer, lines, refused, days), number) in ORDERS.into_iter().zip(1..) {
            let id = seed_id(ORDER, number);
            if orders::find(&tx, id).await?.is_none() {
                let placed_at = now - TimeDelta::days(days);
                place(&tx, &pending(id, buyer, lines, placed_at), refused).await?;
            }
        }
        for ((subject, about, author, rating, body, days), number) in REVIEWS.into_iter().zip(1..) {
            let review = Review {
                id: seed_id(REVIEW, number),
                rating,
                body: Some(body.to_owned()),
                author_id: seed_id(USER, author),
                created_at: now - TimeDelta::days(days),
            };
            let kind = if subject == Subject::Product { PRODUCT } else { USER };
            reputation::add_review(&tx, review, subject, seed_id(kind, about)).await?;
        }
        Ok(())
    })
    .await
}

fn pending(id: Uuid, buyer: u16, lines: &[Line], placed_at: DateTime<Utc>) -> Order {
    let lines = lines.iter().map(|(number, name, price_minor, seller, quantity)| {
        let product = Product {
            id: seed_id(PRODUCT, *number),
            name: (*name).to_owned(),
            price_minor: *price_minor,
            currency: "USD".to_owned(),
            seller_id: Some(seed_id(USER, *seller)),
            archived: false,
            available: None,
        };
        CartLine { id: Uuid::now_v7(), product, quantity: *quantity }
    });
    let buyer_id = seed_id(USER, buyer);
    let cart = Cart { id: Uuid::nil(), owner_id: Some(buyer_id), lines: lines.collect() };
    let expected_total_minor = cart.subtotal_minor();
    let checkout = Checkout { buyer_id, expected_total_minor, currency: "USD".to_owned() };
    order::place(id, &cart, &checkout, placed_at, placed_at).expect("the seeded carts can be checked out")
}

/// Writes the order as the place-order saga would have left it.
async fn place(tx: &Tx, order: &Order, refused: Option<&str>) -> Result<(), SystemError> {
    let buyer = format!("user:{}", order.buyer_id);
    orders::insert(tx, order, &buyer).await?;
    events::order_created(tx, order, &buyer, order.id).await?;
    let decided_at = order.placed_at + TimeDelta::seconds(1);
    let to = if refused.is_some() { OrderStatus::Rejected } else { OrderStatus::Confirmed };
    let change = Change { to, reason: refused, actor: ACTOR, note: None };
    orders::change(tx, order, change, decided_at).await?;
    events::status_changed(tx, order, &change, order.id).await?;
    if refused.is_none() {
        let invoice = orders::issue_invoice(tx, order, decided_at).await?;
        events::invoice_issued(tx, order, &invoice, order.id).await?;
    }
    Ok(())
}
