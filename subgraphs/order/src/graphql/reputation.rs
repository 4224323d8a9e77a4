//! Reviews, ratings and bookings.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::auth::viewer;
use kopitiam_kit::{Money, connection};

use super::entities::{ListingRef, SellerRef, UserRef};
use super::types::{BookingAction, BookingState, to_id};
use super::{loaders, money};
use crate::commands::refunds::RESOLVE;
use crate::domain::booking::Booking;
use crate::store::Position;
use crate::store::bookings::HistoryEntry;
use crate::store::reputation::{RatingSum, Review};

/// How something is rated.
#[derive(SimpleObject)]
pub struct Rating {
    /// 1 to 5.
    pub average: f64,
    /// Number of reviews.
    pub count: i32,
}

impl From<RatingSum> for Rating {
    #[expect(clippy::cast_precision_loss, reason = "an average to show, of far fewer ratings than 2^53")]
    fn from(ratings: RatingSum) -> Self {
        let average = ratings.sum as f64 / ratings.count.max(1) as f64;
        Self { average, count: i32::try_from(ratings.count).unwrap_or(i32::MAX) }
    }
}

/// A review.
#[derive(Clone)]
pub struct ReviewNode(pub Review);

#[Object(name = "Review")]
impl ReviewNode {
    /// Identity.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// 1 to 5.
    async fn rating(&self) -> i32 {
        self.0.rating
    }

    /// Text.
    async fn body(&self) -> Option<&str> {
        self.0.body.as_deref()
    }

    /// Who wrote it.
    async fn author(&self) -> Option<UserRef> {
        Some(UserRef { id: to_id(self.0.author_id) })
    }

    /// When.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

connection!(ReviewConnection, ReviewEdge, ReviewNode, total);

/// A booking of a service.
#[derive(Clone)]
pub struct BookingNode(pub Booking);

impl BookingNode {
    /// The sort key of lists.
    pub(super) fn key(booking: &Booking) -> Position {
        (booking.created_at.timestamp_millis(), booking.id)
    }
}

#[Object(name = "Booking")]
impl BookingNode {
    /// Identity.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// The service booked.
    async fn listing(&self) -> Option<ListingRef> {
        Some(ListingRef { id: to_id(self.0.listing_id), ask_price: None })
    }

    /// Who books.
    async fn buyer(&self) -> Option<UserRef> {
        Some(UserRef { id: to_id(self.0.buyer_id) })
    }

    /// Who offers.
    async fn seller(&self) -> Option<SellerRef> {
        Some(SellerRef { id: to_id(self.0.seller_id) })
    }

    /// Where it stands.
    async fn state(&self) -> BookingState {
        self.0.state.into()
    }

    /// Whole price.
    async fn price(&self) -> async_graphql::Result<Money> {
        money(self.0.price_minor, &self.0.currency)
    }

    /// What is paid before the service.
    async fn deposit(&self) -> async_graphql::Result<Money> {
        money(self.0.deposit_minor, &self.0.currency)
    }

    /// What is still to be paid.
    async fn balance_due(&self) -> async_graphql::Result<Money> {
        money(self.0.balance_due_minor(), &self.0.currency)
    }

    /// When the seller said it is done.
    async fn seller_confirmed_at(&self) -> Option<DateTime<Utc>> {
        self.0.seller_confirmed_at
    }

    /// When the buyer agreed, or their silence counted as agreement.
    async fn buyer_confirmed_at(&self) -> Option<DateTime<Utc>> {
        self.0.buyer_confirmed_at
    }

    /// When silence becomes agreement.
    async fn auto_confirm_at(&self) -> Option<DateTime<Utc>> {
        self.0.auto_confirm_at
    }

    /// What the viewer can do now.
    async fn allowed_actions(&self, context: &Context<'_>) -> Vec<BookingAction> {
        let viewer = viewer(context);
        let Some(user_id) = viewer.user_id() else { return Vec::new() };
        let actions = self.0.allowed_actions(user_id, viewer.has_scope(RESOLVE));
        actions.into_iter().map(BookingAction::from).collect()
    }

    /// When the service is wanted.
    async fn starts_at(&self) -> Option<DateTime<Utc>> {
        self.0.starts_at
    }

    /// What is in escrow now.
    async fn escrow(&self) -> async_graphql::Result<Money> {
        money(self.0.escrow_minor, &self.0.currency)
    }

    /// What happened to it, oldest first.
    async fn history(&self, context: &Context<'_>) -> async_graphql::Result<Vec<BookingEvent>> {
        let history = loaders::load(context, loaders::BookingHistoryOf(self.0.id)).await?;
        Ok(history.unwrap_or_default().into_iter().map(BookingEvent::from).collect())
    }

    /// Counts its changes, from 1.
    async fn version(&self) -> i32 {
        i32::try_from(self.0.version).unwrap_or(i32::MAX)
    }
}

/// Something that happened to a booking.
#[derive(SimpleObject)]
pub struct BookingEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The state it had from then on.
    pub state: BookingState,
    /// Who brought it about: `user:<id>`, `SYSTEM` for what time did, or `service:<name>`.
    pub actor: String,
    /// For people.
    pub note: Option<String>,
}

impl From<HistoryEntry> for BookingEvent {
    fn from(entry: HistoryEntry) -> Self {
        Self { at: entry.at, state: entry.state.into(), actor: entry.actor, note: entry.note }
    }
}

connection!(BookingConnection, BookingEdge, BookingNode);
