//! What the mutations do, each in one transaction.
//!
//! In: a verified caller and parsed input. Out: the new state, or a refusal for `userErrors`. Always: what is written
//! is written with its event and its saga, or not at all; what belongs to somebody else is answered like what is not
//! there. Elsewhere: the rules (`domain`), rows (`store`), what happens after the answer (`sagas`).
//! - `carts`: what is in them.
//! - `orders`: checkout, and calling an order off.
//! - `tickets`: reserving a listing, and paying for it.
//! - `refunds`: handing over and refunding lines.
//! - `bookings`: asking for a service, and every step after it.
//! - `reviews`: writing one.

pub mod bookings;
pub mod carts;
pub mod orders;
pub mod refunds;
pub mod reviews;
pub mod tickets;

use chrono::{DateTime, Utc};
use kopitiam_kafka::Envelope;
use kopitiam_kit::errors::Failure;
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::Sagas;
use kopitiam_kit::{Db, SystemError, Tx};
use uuid::Uuid;

use crate::domain::order::Order;
use crate::events::ACTOR;
use crate::invoices::Links;
use crate::sagas::pay_booking::PayBookingOwner;
use crate::sagas::place_order::OfCart;
use crate::sagas::purchase::PurchaseOwner;
use crate::sagas::refund_order::RefundOrderOwner;
use crate::sagas::release_escrow::ReleaseEscrowOwner;
use crate::sagas::reserve_listing::OfListing;
use crate::store::orders as rows;

/// Longest reason or note that a person may give, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;

/// What every operation of this service works with.
pub struct Shop {
    /// Its database.
    pub db: Db,
    /// Signs the addresses of invoices.
    pub links: Links,
    /// Woken with an order's id when it changed.
    pub changes: Hub<Uuid>,
    /// Woken with a booking's id when it changed.
    pub booking_changes: Hub<Uuid>,
    /// Orders being placed.
    pub place_order: Sagas<PurchaseOwner<OfCart>>,
    /// Listings being reserved and paid.
    pub reserve_listing: Sagas<PurchaseOwner<OfListing>>,
    /// Lines being refunded.
    pub refund_order: Sagas<RefundOrderOwner>,
    /// Parts of bookings being paid.
    pub pay_booking: Sagas<PayBookingOwner>,
    /// Escrow on its way out.
    pub release_escrow: Sagas<ReleaseEscrowOwner>,
}

impl Shop {
    /// Over a migrated database.
    pub fn new(db: Db) -> Self {
        let (changes, booking_changes) = (Hub::default(), Hub::default());
        Self {
            place_order: Sagas::new(PurchaseOwner::new(changes.clone()), ACTOR),
            reserve_listing: Sagas::new(PurchaseOwner::new(changes.clone()), ACTOR),
            refund_order: Sagas::new(RefundOrderOwner { changes: changes.clone() }, ACTOR),
            pay_booking: Sagas::new(PayBookingOwner { changes: booking_changes.clone() }, ACTOR),
            release_escrow: Sagas::new(ReleaseEscrowOwner { changes: booking_changes.clone() }, ACTOR),
            links: Links::default(),
            db,
            changes,
            booking_changes,
        }
    }

    /// Hands a message to the saga that it answers, if any.
    ///
    /// # Errors
    /// When the database fails, or another transaction moved the saga: to be tried again.
    pub async fn reply(&self, tx: &Tx, message: &Envelope, now: DateTime<Utc>) -> Result<bool, SystemError> {
        Ok(self.place_order.reply(tx, message, now).await?
            || self.reserve_listing.reply(tx, message, now).await?
            || self.refund_order.reply(tx, message, now).await?
            || self.pay_booking.reply(tx, message, now).await?
            || self.release_escrow.reply(tx, message, now).await?)
    }
}

async fn reload_order(shop: &Shop, id: Uuid) -> Result<Order, Failure> {
    let found = rows::find(shop.db.read(), id).await?;
    Ok(found
        .ok_or_else(|| SystemError::Invariant(format!("order {id} is not there after its transaction")))?)
}

fn too_long(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.chars().count() > NOTE_CHARACTERS_MAX)
}
