//! The data of a fresh installation: past orders in every final state, orders under way, bookings, invoices and reviews,
//! with fixed ids.
//!
//! Always: seeding twice adds nothing, and only what was bought is reviewed. No money moved for what is past, so none of
//! it can be refunded. Elsewhere: the users, products and services that it is about (the services that own them seed the
//! same ids).

mod data;
mod open;

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::{Db, Failure, SystemError, Tx};
use uuid::Uuid;

use self::data::{FIRST, Fate, MORE, PRAISE, VISITS, Visit, WARES, WORDS};
use crate::domain::booking::{Booking, BookingState, Happening, deposit_of};
use crate::domain::cart::{Cart, CartLine, Product};
use crate::domain::order::{self, Checkout, Order, OrderStatus};
use crate::domain::review::{Ground, Subject};
use crate::events::{self, ACTOR};
use crate::store::bookings::{self, Cause};
use crate::store::lines;
use crate::store::orders::{self, Change};
use crate::store::reputation::{self, Review};

const USER: u8 = 1;
const PRODUCT: u8 = 3;
const ORDER: u8 = 5;
const LISTING: u8 = 6;
const REVIEW: u8 = 7;
/// Orders under way have their numbers from here on.
const FIRST_OPEN: u16 = 1_000;
/// Bookings share their kind with reviews; their numbers begin here.
const FIRST_BOOKING: u16 = 1_000;

/// The id that all services agree on for the `number`-th thing of a kind.
pub fn seed_id(kind: u8, number: u16) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + (u128::from(kind) << 16) + u128::from(number))
}

/// Adds what is missing of the seed data to a migrated database.
///
/// # Errors
/// When the database fails.
pub async fn seed(db: &Db, now: DateTime<Utc>) -> Result<(), Failure> {
    let plans: Vec<Plan> = first(now).chain((0..MORE).map(|index| one_more(index, now))).collect();
    let plans = &plans;
    db.transaction(|tx| async move {
        // Reviews are numbered through, whichever orders are there already.
        let mut review = 0;
        for (plan, number) in plans.iter().zip(1..) {
            let id = seed_id(ORDER, number);
            let order = plan.pending(id);
            let is_new = orders::find(&tx, id).await?.is_none();
            if is_new {
                place(&tx, &order, plan).await?;
            }
            if plan.fate == Fate::Fulfilled {
                review_all(&tx, &order, plan, &mut review, is_new).await?;
            }
        }
        open::begin(&tx, |number| seed_id(ORDER, FIRST_OPEN + number), now).await?;
        for (visit, number) in VISITS.iter().zip(FIRST_BOOKING..) {
            let id = seed_id(REVIEW, number);
            if bookings::find(&tx, id).await?.is_none() {
                book(&tx, id, visit, now).await?;
            }
        }
        Ok(())
    })
    .await
}

/// An order to be: who, what, what becomes of it, when.
struct Plan {
    buyer: u16,
    lines: Vec<(u16, i32)>,
    fate: Fate,
    placed_at: DateTime<Utc>,
}

fn first(now: DateTime<Utc>) -> impl Iterator<Item = Plan> {
    FIRST.into_iter().map(move |(buyer, lines, fate, days)| Plan {
        buyer,
        lines: lines.to_vec(),
        fate,
        placed_at: now - TimeDelta::days(days),
    })
}

/// The further orders walk through buyers and products with strides that share no factor with their numbers, so every
/// product is bought and no two orders are alike.
fn one_more(index: u16, now: DateTime<Utc>) -> Plan {
    let at = usize::from(index);
    let buyer = [3, 25, 4, 31, 2, 28, 3, 40, 1, 37, 4, 33, 26][at % 13];
    let count = 1 + at % 3;
    let wares = (0..WARES.len()).map(|step| WARES[(at * 5 + step * 4) % WARES.len()]);
    let bought = wares.filter(|(_, _, _, seller)| *seller != buyer).take(count);
    let lines = bought.zip([1, 2, 1]).map(|((number, ..), quantity)| (number, quantity)).collect();
    let fate = match at % 12 {
        4 => Fate::Rejected("INSUFFICIENT_FUNDS"),
        7 => Fate::Cancelled,
        10 => Fate::Refunded,
        // The newest are still on their way.
        _ if at < 6 => Fate::Confirmed,
        _ => Fate::Fulfilled,
    };
    let ago = TimeDelta::hours(9 + 37 * i64::from(index));
    Plan { buyer, lines, fate, placed_at: now - ago }
}

impl Plan {
    fn pending(&self, id: Uuid) -> Order {
        let buyer_id = seed_id(USER, self.buyer);
        let lines = self.lines.iter().filter_map(|(number, quantity)| {
            let ware = WARES.iter().find(|ware| ware.0 == *number)?;
            let (_, name, price_minor, seller) = *ware;
            let product = Product {
                id: seed_id(PRODUCT, *number),
                name: name.to_owned(),
                price_minor,
                currency: "USD".to_owned(),
                seller_id: Some(seed_id(USER, seller)),
                archived: false,
                available: None,
            };
            Some(CartLine { id: Uuid::nil(), product, quantity: *quantity })
        });
        let cart = Cart { id: Uuid::nil(), owner_id: Some(buyer_id), lines: lines.collect() };
        let expected_total_minor = cart.subtotal_minor();
        let checkout = Checkout { buyer_id, expected_total_minor, currency: "USD".to_owned() };
        order::place(id, &cart, &checkout, self.placed_at, self.placed_at)
            .expect("the seeded carts can be checked out")
    }
}

/// Writes the order as its sagas would have left it.
async fn place(tx: &Tx, order: &Order, plan: &Plan) -> Result<(), SystemError> {
    let buyer = format!("user:{}", order.buyer_id);
    orders::insert(tx, order, &buyer).await?;
    events::order_created(tx, order, &buyer, order.id).await?;
    let at = order.placed_at + TimeDelta::seconds(1);
    let (to, reason, actor) = match plan.fate {
        Fate::Rejected(reason) => (OrderStatus::Rejected, Some(reason), ACTOR),
        Fate::Cancelled => (OrderStatus::Cancelled, Some("CANCELLED_BY_BUYER"), buyer.as_str()),
        Fate::Confirmed | Fate::Fulfilled | Fate::Refunded => (OrderStatus::Confirmed, None, ACTOR),
    };
    let order = change(tx, order, Change { to, reason, actor, note: None }, at).await?;
    if to != OrderStatus::Confirmed {
        return Ok(());
    }
    let invoice = orders::issue_invoice(tx, &order, at).await?;
    events::invoice_issued(tx, &order, &invoice, order.id).await?;
    let ids: Vec<Uuid> = order.lines.iter().map(|line| line.id).collect();
    let seller = order.lines.iter().find_map(|line| line.seller_id).map(|id| format!("user:{id}"));
    let seller = seller.as_deref().unwrap_or(ACTOR);
    let later = at + TimeDelta::hours(7);
    if plan.fate == Fate::Fulfilled {
        lines::fulfil(tx, order.id, &ids).await?;
        let handed_over = Change { to: OrderStatus::Fulfilled, reason: None, actor: seller, note: None };
        change(tx, &order, handed_over, later).await?;
    } else if plan.fate == Fate::Refunded {
        lines::claim(tx, order.id, &ids, order.id).await?;
        lines::refunded(tx, order.id).await?;
        let reason = Some("REFUNDED_BY_SELLER");
        let note = Some("Damaged on the way");
        change(tx, &order, Change { to: OrderStatus::Refunded, reason, actor: seller, note }, later).await?;
    }
    Ok(())
}

async fn change(tx: &Tx, order: &Order, change: Change<'_>, at: DateTime<Utc>) -> Result<Order, SystemError> {
    orders::change(tx, order, change, at).await?;
    events::status_changed(tx, order, &change, order.id).await?;
    let changed = orders::find(tx, order.id).await?;
    changed.ok_or_else(|| SystemError::Invariant(format!("seeded order {} is gone", order.id)))
}

/// The buyer reviews each product of the order, and the first seller.
async fn review_all(
    tx: &Tx,
    order: &Order,
    plan: &Plan,
    number: &mut u16,
    is_new: bool,
) -> Result<(), SystemError> {
    // Lines get their ids when the order is written.
    let written = orders::find(tx, order.id).await?.map(|order| order.lines).unwrap_or_default();
    for line in &written {
        let (rating, body) = WORDS[usize::from(*number * 7) % WORDS.len()];
        let subject_id = line.product_id.unwrap_or_default();
        let of = (Subject::Product, Ground { subject_id, source_id: line.id });
        review(tx, order, of, (rating, body), plan, number, is_new).await?;
    }
    if let Some((line, seller_id)) = written.first().and_then(|line| Some((line, line.seller_id?))) {
        let (rating, body) = PRAISE[usize::from(*number * 5) % PRAISE.len()];
        let of = (Subject::Seller, Ground { subject_id: seller_id, source_id: line.id });
        review(tx, order, of, (rating, body), plan, number, is_new).await?;
    }
    Ok(())
}

async fn review(
    tx: &Tx,
    order: &Order,
    (subject, ground): (Subject, Ground),
    (rating, body): (i32, &str),
    plan: &Plan,
    number: &mut u16,
    is_new: bool,
) -> Result<(), SystemError> {
    *number += 1;
    if !is_new {
        return Ok(());
    }
    let review = Review {
        id: seed_id(REVIEW, *number),
        rating,
        body: Some(body.to_owned()),
        author_id: order.buyer_id,
        created_at: plan.placed_at + TimeDelta::hours(30 + i64::from(*number % 5)),
    };
    let stars = reputation::add_review(tx, &review, subject, ground).await?;
    events::review_posted(tx, &review, subject, ground.subject_id, stars).await
}

/// Walks a booking through its steps, each at its time in the past.
async fn book(tx: &Tx, id: Uuid, visit: &Visit, now: DateTime<Utc>) -> Result<(), SystemError> {
    let (listing, title, seller, price_minor, percent, buyer, hours_ago, moves) = *visit;
    let mut at = now - TimeDelta::hours(hours_ago);
    let mut booking = Booking {
        id,
        listing_id: seed_id(LISTING, listing),
        title: title.to_owned(),
        buyer_id: seed_id(USER, buyer),
        seller_id: seed_id(USER, seller),
        state: BookingState::Requested,
        currency: "USD".to_owned(),
        price_minor,
        deposit_minor: deposit_of(price_minor, percent),
        escrow_minor: 0,
        deposit_paid: false,
        starts_at: None,
        seller_confirmed_at: None,
        buyer_confirmed_at: None,
        auto_confirm_at: None,
        created_at: at,
        state_since: at,
        reminded_at: None,
        version: 1,
    };
    let buyer = format!("user:{}", booking.buyer_id);
    let seller = format!("user:{}", booking.seller_id);
    bookings::insert(tx, &booking, Cause { actor: &buyer, note: None }).await?;
    events::booking_requested(tx, &booking, &buyer).await?;
    for (role, action, hours) in moves {
        at += TimeDelta::hours(*hours);
        let happening = Happening::Act(*role, *action, None);
        let (next, _no_money_moves) = booking.after(happening, at).expect("the seeded steps are possible");
        let by_buyer = *role == crate::domain::booking::Role::Buyer;
        let cause = Cause { actor: if by_buyer { &buyer } else { &seller }, note: None };
        bookings::save(tx, booking.version, &next, cause, at).await?;
        events::booking_moved(tx, &booking, &next, happening, cause).await?;
        booking = next;
    }
    Ok(())
}
