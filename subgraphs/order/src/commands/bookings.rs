//! Asking for a service, and every step after it, by its parties, managers and time.
//!
//! Elsewhere: what may happen when (`domain::booking`), the money (`sagas::pay_booking`, `sagas::release_escrow`).

use chrono::{DateTime, Utc};
use kopitiam_kit::auth::{Identity, Viewer};
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Money, SystemError, Tx, time};
use serde::Serialize;
use uuid::Uuid;

use super::refunds::RESOLVE;
use super::{NOTE_CHARACTERS_MAX, Shop, too_long};
use crate::domain::booking::{
    Booking, BookingAction, BookingState, Duty, Happening, Part, Refusal, deposit_of,
};
use crate::domain::listing::{Listing, ListingKind};
use crate::events::{self, SYSTEM};
use crate::sagas::changes::move_booking;
use crate::sagas::pay_booking::PayBooking;
use crate::sagas::release_escrow::ReleaseEscrow;
use crate::store::bookings::{self, Cause};
use crate::store::{listings, replicas};

/// Bookings whose time is up that are handled per look at the table.
const DUE_BATCH: u64 = 100;

/// What a buyer asks for, as sent.
#[derive(Debug, Clone, Serialize)]
pub struct BookingRequest {
    /// The service.
    pub listing_id: String,
    /// When it is wanted.
    pub starts_at: Option<DateTime<Utc>>,
    /// For the seller.
    pub note: Option<String>,
}

/// Asks for a service, at the price and deposit of this moment.
///
/// # Errors
/// Refusals; no booking is there then. Failures of the database.
pub async fn request_booking(
    shop: &Shop,
    buyer: &Identity,
    request: &BookingRequest,
    client_key: &str,
) -> Result<Booking, Failure> {
    let key = Key::new(buyer.actor(), "requestBooking", client_key)?;
    check_note(request.note.as_deref())?;
    let work = move |tx: Tx| async move {
        let now = time::of(&tx).await?;
        let listing = match Uuid::try_parse(&request.listing_id) {
            Ok(id) => listings::find(&tx, id).await?,
            Err(_) => None,
        };
        let listing = bookable(listing, buyer.user_id)?;
        if request.starts_at.is_some_and(|starts_at| starts_at <= now) {
            return Err(
                UserError::on(&["startsAt"], "IN_THE_PAST", "The start must be in the future.").into()
            );
        }
        if replicas::is_banned(&tx, buyer.user_id).await? {
            return Err(Failure::refused("USER_BANNED", "This account may not book."));
        }
        let booking = requested(&listing, buyer.user_id, request.starts_at, now);
        let actor = buyer.actor();
        bookings::insert(&tx, &booking, Cause { actor: &actor, note: request.note.as_deref() }).await?;
        events::booking_requested(&tx, &booking, &actor).await?;
        Ok(booking.id)
    };
    let id = idempotency::once(&shop.db, &key, request, work).await?;
    reload(shop, id).await
}

fn check_note(note: Option<&str>) -> Result<(), Failure> {
    if !too_long(note) {
        return Ok(());
    }
    let message = format!("The note may have at most {NOTE_CHARACTERS_MAX} characters.");
    Err(UserError::on(&["note"], "NOTE_TOO_LONG", message).into())
}

fn bookable(listing: Option<Listing>, buyer_id: Uuid) -> Result<Listing, Failure> {
    let refuse = |code: &str, message: &str| Failure::from(UserError::on(&["listingId"], code, message));
    let Some(listing) = listing else {
        return Err(refuse("LISTING_NOT_FOUND", "There is no such listing."));
    };
    if listing.kind != ListingKind::Service {
        return Err(refuse("NOT_BOOKABLE", "Only services can be booked."));
    }
    if listing.seller_id == buyer_id {
        return Err(refuse("OWN_LISTING", "This service is your own."));
    }
    if !listing.is_active() {
        return Err(refuse("NOT_ACTIVE", "This service is not offered at present."));
    }
    Ok(listing)
}

fn requested(
    listing: &Listing,
    buyer_id: Uuid,
    starts_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Booking {
    Booking {
        id: Uuid::now_v7(),
        listing_id: listing.id,
        title: listing.title.clone(),
        buyer_id,
        seller_id: listing.seller_id,
        state: BookingState::Requested,
        currency: listing.currency.clone(),
        price_minor: listing.price_minor,
        deposit_minor: deposit_of(listing.price_minor, listing.deposit_percent),
        escrow_minor: 0,
        deposit_paid: false,
        starts_at,
        seller_confirmed_at: None,
        buyer_confirmed_at: None,
        auto_confirm_at: None,
        created_at: now,
        state_since: now,
        reminded_at: None,
        version: 1,
    }
}

/// What somebody does with a booking, as sent.
#[derive(Debug, Clone, Serialize)]
pub struct TransitionRequest {
    /// The booking.
    pub id: String,
    /// What.
    pub action: BookingAction,
    /// For the other party and the record.
    pub note: Option<String>,
    /// The version that the person saw.
    pub expected_version: i64,
    /// What a manager gives back to the buyer, as a decimal; `None`: all or nothing, as the action says.
    pub refund_amount: Option<String>,
}

/// Moves a booking on. Paying answers at once, and the booking moves when the money is held.
///
/// # Errors
/// Refusals: not a party, not possible now, seen in another version. Failures of the database.
pub async fn transition(
    shop: &Shop,
    viewer: &Viewer,
    request: &TransitionRequest,
    client_key: &str,
) -> Result<Booking, Failure> {
    let who = viewer.require()?;
    let key = Key::new(who.actor(), "bookingTransition", client_key)?;
    check_note(request.note.as_deref())?;
    let is_manager = viewer.has_scope(RESOLVE);
    let work = move |tx: Tx| async move {
        let now = time::of(&tx).await?;
        let booking = match Uuid::try_parse(&request.id) {
            Ok(id) => bookings::find_for_change(&tx, id).await?,
            Err(_) => None,
        };
        let found = booking.and_then(|booking| Some((booking.role_of(who.user_id, is_manager)?, booking)));
        let Some((role, booking)) = found else {
            return Err(UserError::on(&["id"], "BOOKING_NOT_FOUND", "There is no such booking.").into());
        };
        if booking.version != request.expected_version {
            let message = "This booking has changed meanwhile; look at it again.";
            return Err(UserError::on(&["expectedVersion"], "VERSION_CONFLICT", message).into());
        }
        let refund = refund_minor(&booking, request)?;
        let happening = Happening::Act(role, request.action, refund);
        let actor = who.actor();
        let cause = Cause { actor: &actor, note: request.note.as_deref() };
        advance(shop, &tx, &booking, happening, cause, now).await?;
        Ok(booking.id)
    };
    let id = idempotency::once(&shop.db, &key, request, work).await?;
    reload(shop, id).await
}

fn refund_minor(booking: &Booking, request: &TransitionRequest) -> Result<Option<i64>, Failure> {
    let Some(amount) = &request.refund_amount else { return Ok(None) };
    if !matches!(request.action, BookingAction::ResolveRefund | BookingAction::ResolveRelease) {
        let message = "An amount is only given when a dispute is decided.";
        return Err(UserError::on(&["refundAmount"], "INVALID_AMOUNT", message).into());
    }
    let amount = Money::parse(amount, &booking.currency).map_err(UserError::from)?;
    Ok(Some(amount.minor()))
}

/// Lets something happen to a booking whose row the caller holds, with all that follows from it.
async fn advance(
    shop: &Shop,
    tx: &Tx,
    booking: &Booking,
    happening: Happening,
    cause: Cause<'_>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let (next, duty) = booking.after(happening, now).map_err(booking_refusal)?;
    match duty {
        Duty::Collect(part) => return collect(shop, tx, booking, part, now).await,
        Duty::None => {}
        Duty::PayOut { seller, fee, buyer } => {
            let context = ReleaseEscrow {
                release_id: Uuid::now_v7(),
                buyer_id: booking.buyer_id,
                seller_id: booking.seller_id,
                seller_minor: seller,
                fee_minor: fee,
                buyer_minor: buyer,
                currency: booking.currency.clone(),
                reason: format!("BOOKING {}", booking.title),
            };
            shop.release_escrow.begin(tx, booking.id, context, now).await?;
        }
    }
    move_booking(tx, booking, &next, (happening, cause), now, &shop.booking_changes).await?;
    Ok(())
}

async fn collect(
    shop: &Shop,
    tx: &Tx,
    booking: &Booking,
    part: Part,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let earlier = shop.pay_booking.of_subject(tx, booking.id).await?;
    if earlier.is_some_and(|earlier| !earlier.state.is_over() && earlier.context.part == part) {
        return Err(Failure::refused_for_now("PAYMENT_IN_PROGRESS", "This payment is under way."));
    }
    shop.pay_booking.begin(tx, booking.id, PayBooking::of(booking, part, now), now).await?;
    Ok(())
}

fn booking_refusal(refusal: Refusal) -> Failure {
    let error = match refusal {
        Refusal::NotNow => UserError::on(&["action"], "NOT_POSSIBLE", "This is not possible now."),
        Refusal::Amount => {
            let message = "The amount must be 0 to what is in escrow.";
            UserError::on(&["refundAmount"], "INVALID_AMOUNT", message)
        }
    };
    error.into()
}

/// Lets time pass for bookings: requests and unpaid deposits end, silence confirms, the buyer is reminded, old disputes
/// are refunded. How many moved.
///
/// # Errors
/// When what is due cannot be read. A booking that cannot be moved is logged and tried again at the next look.
pub async fn time_passes(shop: &Shop, now: DateTime<Utc>) -> Result<usize, SystemError> {
    let due = bookings::due(shop.db.read(), now, DUE_BATCH).await?;
    let mut moved = 0;
    for id in due {
        let work = |tx: Tx| async move {
            let Some(booking) = bookings::find_for_change(&tx, id).await? else { return Ok(false) };
            // Somebody else may have moved it since it was read.
            if booking.after(Happening::TimeUp, now).is_err() {
                return Ok(false);
            }
            let cause = Cause { actor: SYSTEM, note: Some(reason_of(booking.state)) };
            advance(shop, &tx, &booking, Happening::TimeUp, cause, now).await?;
            Ok::<_, Failure>(true)
        };
        match shop.db.transaction(work).await {
            Ok(has_moved) => moved += usize::from(has_moved),
            Err(error) => tracing::warn!(booking_id = %id, %error, "booking could not be moved"),
        }
    }
    Ok(moved)
}

fn reason_of(state: BookingState) -> &'static str {
    match state {
        BookingState::Requested => "The seller did not answer in time",
        BookingState::Accepted => "The deposit was not paid in time",
        BookingState::Delivered => "Confirmed by silence",
        BookingState::BalanceDue => "Reminder: the balance is not paid",
        BookingState::DepositHeld => "The service was never delivered",
        _ => "Nobody decided the dispute in time",
    }
}

async fn reload(shop: &Shop, id: Uuid) -> Result<Booking, Failure> {
    let found = bookings::find(shop.db.read(), id).await?;
    Ok(found
        .ok_or_else(|| SystemError::Invariant(format!("booking {id} is not there after its transaction")))?)
}
