//! Writing a review: by those who took part in an order or booking, once each.
//!
//! Elsewhere: who may (`domain::review`), the stars' sums (`store::reputation`).

use kopitiam_kit::auth::Identity;
use kopitiam_kit::errors::{Failure, SystemError, UserError, is_unique_violation};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Tx, time};
use serde::Serialize;
use uuid::Uuid;

use super::Shop;
use crate::domain::review::{self, BODY_CHARACTERS_MAX, Ground, Refusal, Subject};
use crate::events;
use crate::store::reputation::{self, Review};
use crate::store::{bookings, orders};

/// A review, as sent.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewRequest {
    /// The order that it is about.
    pub order_id: Option<String>,
    /// Which of its lines.
    pub line_id: Option<String>,
    /// Or the booking.
    pub booking_id: Option<String>,
    /// `PRODUCT`, `SELLER` or `BUYER`.
    pub subject: &'static str,
    /// Stars.
    pub rating: i32,
    /// Text.
    pub body: Option<String>,
}

/// Posts a review.
///
/// # Errors
/// Refusals: did not take part, not paid, reviewed already. Failures of the database.
pub async fn post_review(
    shop: &Shop,
    author: &Identity,
    request: &ReviewRequest,
    client_key: &str,
) -> Result<Review, Failure> {
    let key = Key::new(author.actor(), "postReview", client_key)?;
    let subject = Subject::ALL.into_iter().find(|subject| subject.as_str() == request.subject);
    let subject = subject.ok_or_else(|| refuse("subject", "INVALID_SUBJECT", "There is no such subject."))?;
    if !(1..=5).contains(&request.rating) {
        return Err(refuse("rating", "INVALID_RATING", "The rating must be 1 to 5."));
    }
    let body = request.body.as_deref().map(str::trim).filter(|body| !body.is_empty());
    if body.is_some_and(|body| body.chars().count() > BODY_CHARACTERS_MAX) {
        let message = format!("The text may have at most {BODY_CHARACTERS_MAX} characters.");
        return Err(refuse("body", "TEXT_TOO_LONG", &message));
    }
    let work = move |tx: Tx| async move {
        let ground = ground(&tx, author.user_id, subject, request).await?;
        let review = Review {
            id: Uuid::now_v7(),
            rating: request.rating,
            body: body.map(str::to_owned),
            author_id: author.user_id,
            created_at: time::now(),
        };
        let stars = reputation::add_review(&tx, &review, subject, ground)
            .await
            .map_err(|error| if is_unique_violation(&error) { reviewed_already() } else { error.into() })?;
        events::review_posted(&tx, &review, subject, ground.subject_id, stars).await?;
        Ok(review.id)
    };
    let id = idempotency::once(&shop.db, &key, request, work).await?;
    let found = reputation::reviews_by_id(shop.db.read(), &[id]).await?.remove(&id);
    Ok(found
        .ok_or_else(|| SystemError::Invariant(format!("review {id} is not there after its transaction")))?)
}

async fn ground(tx: &Tx, author: Uuid, subject: Subject, request: &ReviewRequest) -> Result<Ground, Failure> {
    let parse = |id: &Option<String>| id.as_deref().map(|id| Uuid::try_parse(id).unwrap_or_default());
    let found = match (parse(&request.order_id), parse(&request.booking_id)) {
        (Some(order_id), None) => {
            let order = orders::find(tx, order_id).await?;
            let line_id = parse(&request.line_id);
            order.map(|order| review::of_order(&order, author, subject, line_id))
        }
        (None, Some(booking_id)) => {
            let booking = bookings::find(tx, booking_id).await?;
            booking.map(|booking| review::of_booking(&booking, author, subject))
        }
        _ => return Err(refuse("orderId", "INVALID_INPUT", "Name an order or a booking, not both.")),
    };
    // What is somebody else's is answered like what is not there.
    found.unwrap_or(Err(Refusal::NotYours)).map_err(|refusal| match refusal {
        Refusal::NotYours => {
            refuse("orderId", "NOT_A_BUYER", "Only what was bought can be reviewed, by who took part.")
        }
        Refusal::NotPaid => {
            refuse("orderId", "NOT_REVIEWABLE", "It can be reviewed once it is paid, and not refunded.")
        }
        Refusal::WhichLine => refuse("lineId", "LINE_REQUIRED", "Say which line of the order it is about."),
    })
}

fn reviewed_already() -> Failure {
    refuse("orderId", "ALREADY_REVIEWED", "You have reviewed this already.")
}

fn refuse(field: &str, code: &str, message: &str) -> Failure {
    UserError::on(&["input", field], code, message).into()
}
