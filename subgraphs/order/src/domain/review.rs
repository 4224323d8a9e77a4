//! Reviews: by those who bought, of what they bought, once each.
//!
//! Elsewhere: rows and rating sums (`store::reputation`).

use uuid::Uuid;

use super::booking::{Booking, BookingState};
use super::lines::LineStatus;
use super::order::{Order, OrderLine, OrderStatus};

/// Longest text, in characters.
pub const BODY_CHARACTERS_MAX: usize = 4_000;

/// What a review is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A product.
    Product,
    /// A seller, by a buyer.
    Seller,
    /// A buyer, by a seller.
    Buyer,
}

impl Subject {
    /// All subjects.
    pub const ALL: [Self; 3] = [Self::Product, Self::Seller, Self::Buyer];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Product => "PRODUCT",
            Self::Seller => "SELLER",
            Self::Buyer => "BUYER",
        }
    }
}

/// What a review is of: the subject's id, and the line or booking that gives the right to write it, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// Product, seller or buyer.
    pub subject_id: Uuid,
    /// Order line or booking.
    pub source_id: Uuid,
}

/// Why something cannot be reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a party of it, or no such thing in it.
    #[error("only what was bought can be reviewed, by those who took part")]
    NotYours,
    /// Not paid, or refunded.
    #[error("it can be reviewed once it is paid")]
    NotPaid,
    /// Several lines would fit.
    #[error("say which line")]
    WhichLine,
}

/// What the author may review of an order; `line_id` where several lines would fit.
///
/// # Errors
/// Why not.
pub fn of_order(
    order: &Order,
    author: Uuid,
    subject: Subject,
    line_id: Option<Uuid>,
) -> Result<Ground, Refusal> {
    let fits = |line: &&OrderLine| match subject {
        Subject::Product => order.buyer_id == author && line.product_id.is_some(),
        Subject::Seller => order.buyer_id == author && line.seller_id.is_some(),
        Subject::Buyer => line.seller_id == Some(author) && order.buyer_id != author,
    };
    let mut lines = order.lines.iter().filter(fits).filter(|line| line_id.is_none_or(|id| line.id == id));
    let line = lines.next().ok_or(Refusal::NotYours)?;
    let other = lines.next();
    let is_paid = matches!(order.status, OrderStatus::Confirmed | OrderStatus::Fulfilled)
        && matches!(line.status, LineStatus::Open | LineStatus::Fulfilled);
    // Lines of one seller are alike for a review of the seller or the buyer.
    let alike = |other: &OrderLine| subject != Subject::Product && other.seller_id == line.seller_id;
    if other.is_some_and(|other| !alike(other)) {
        return Err(Refusal::WhichLine);
    }
    if !is_paid {
        return Err(Refusal::NotPaid);
    }
    let subject_id = match subject {
        Subject::Product => line.product_id,
        Subject::Seller => line.seller_id,
        Subject::Buyer => Some(order.buyer_id),
    };
    Ok(Ground { subject_id: subject_id.ok_or(Refusal::NotYours)?, source_id: line.id })
}

/// What the author may review of a booking: its seller, or its buyer.
///
/// # Errors
/// Why not.
pub fn of_booking(booking: &Booking, author: Uuid, subject: Subject) -> Result<Ground, Refusal> {
    let subject_id = match subject {
        Subject::Seller if author == booking.buyer_id => booking.seller_id,
        Subject::Buyer if author == booking.seller_id => booking.buyer_id,
        _ => return Err(Refusal::NotYours),
    };
    if booking.state != BookingState::Closed {
        return Err(Refusal::NotPaid);
    }
    Ok(Ground { subject_id, source_id: booking.id })
}
