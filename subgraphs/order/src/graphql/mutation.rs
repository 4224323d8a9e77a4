//! The root mutations: parse, call, wrap.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use kopitiam_kit::auth::viewer;
use kopitiam_kit::errors::{Failure, payload};
use kopitiam_kit::graphql::Decimal;
use uuid::Uuid;

use super::order::OrderNode;
use super::reputation::{BookingNode, ReviewNode};
use super::types::{
    BookingAction, BookingPayload, Cart, CartLineInput, CartPayload, CheckoutInput, OrderPayload,
    ReviewInput, ReviewPayload, parse_id,
};
use super::{onlooker, shop};
use crate::commands::bookings::{self, BookingRequest, TransitionRequest};
use crate::commands::orders::{self, CheckoutRequest};
use crate::commands::reviews::{self, ReviewRequest};
use crate::commands::{carts, refunds, tickets};
use crate::domain;
use crate::domain::booking::Booking;
use crate::domain::order::Order;

/// The root mutations.
pub struct Mutation;

#[Object]
impl Mutation {
    /// Sets how many of each listed product are in the cart; 0 removes it, products not listed stay. A visitor
    /// without `cartId` gets a new cart. Somebody logged in has one cart: a visitor's cart named here becomes part
    /// of it.
    async fn cart_lines_set(
        &self,
        context: &Context<'_>,
        cart_id: Option<ID>,
        lines: Vec<CartLineInput>,
    ) -> async_graphql::Result<CartPayload> {
        // An id that is none is one that nobody has: the nil UUID.
        let known = |id: &ID| parse_id(id).unwrap_or(Uuid::nil());
        let lines: Vec<(Uuid, i32)> =
            lines.iter().map(|line| (known(&line.product_id), line.quantity)).collect();
        let cart_id = cart_id.as_ref().map(known);
        let set = carts::set_cart_lines(shop(context), viewer(context).user_id(), cart_id, &lines).await;
        let (cart, user_errors) = payload(set)?;
        Ok(CartPayload { cart: cart.map(Cart), user_errors })
    }

    /// Places an order for what is in the cart. Answers at once with the order PENDING; `orderChanged` tells how it
    /// goes on.
    async fn checkout(
        &self,
        context: &Context<'_>,
        input: CheckoutInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let buyer = viewer(context).require()?;
        let request = CheckoutRequest {
            cart_id: input.cart_id.0,
            expected_total: input.expected_total.0,
            currency: input.currency,
        };
        let placed = orders::checkout(shop(context), buyer, &request, &idempotency_key).await;
        order_payload(context, placed)
    }

    /// Calls an order off: before it is confirmed at once; after, by refunding it, which is done when the order is
    /// REFUNDED.
    async fn cancel_order(
        &self,
        context: &Context<'_>,
        id: ID,
        reason: Option<String>,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let buyer = viewer(context).require()?;
        let shop = shop(context);
        let cancelled = orders::cancel_order(shop, buyer, &id, reason.as_deref(), &idempotency_key).await;
        order_payload(context, cancelled)
    }

    /// Reserves a fixed-price listing for fifteen minutes. Answers at once with the order AWAITING_PAYMENT; it is
    /// REJECTED if somebody else was first.
    async fn reserve_listing(
        &self,
        context: &Context<'_>,
        listing_id: ID,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let buyer = viewer(context).require()?;
        let reserved = tickets::reserve_listing(shop(context), buyer, &listing_id, &idempotency_key).await;
        order_payload(context, reserved)
    }

    /// Pays a reserved listing. The order is CONFIRMED once the money is held; a refused payment leaves it payable
    /// until it expires.
    async fn pay_order(
        &self,
        context: &Context<'_>,
        id: ID,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let buyer = viewer(context).require()?;
        let paid = tickets::pay_order(shop(context), buyer, &id, &idempotency_key).await;
        order_payload(context, paid)
    }

    /// Marks lines as handed over; for their seller and managers. The order is FULFILLED when all are.
    async fn fulfil_order(
        &self,
        context: &Context<'_>,
        id: ID,
        line_ids: Vec<ID>,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let lines = ids(&line_ids);
        let done = refunds::fulfil_order(shop(context), viewer(context), &id, &lines, &idempotency_key).await;
        order_payload(context, done)
    }

    /// Gives the money of lines back and their units into stock; for their seller and managers.
    async fn refund_order(
        &self,
        context: &Context<'_>,
        id: ID,
        line_ids: Vec<ID>,
        reason: String,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let (shop, viewer, lines) = (shop(context), viewer(context), ids(&line_ids));
        let refunded = refunds::refund_order(shop, viewer, &id, &lines, &reason, &idempotency_key).await;
        order_payload(context, refunded)
    }

    /// Asks for a service at the price of this moment.
    async fn request_booking(
        &self,
        context: &Context<'_>,
        listing_id: ID,
        starts_at: Option<DateTime<Utc>>,
        note: Option<String>,
        idempotency_key: ID,
    ) -> async_graphql::Result<BookingPayload> {
        let buyer = viewer(context).require()?;
        let request = BookingRequest { listing_id: listing_id.0, starts_at, note };
        let requested = bookings::request_booking(shop(context), buyer, &request, &idempotency_key).await;
        booking_payload(requested)
    }

    /// Moves a booking on; `allowedActions` says what the viewer can do. Paying answers at once, and the booking moves
    /// when the money is held. `refundAmount` splits the escrow when a manager decides a dispute: the buyer gets that
    /// much of it back, the seller the rest.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn booking_transition(
        &self,
        context: &Context<'_>,
        id: ID,
        action: BookingAction,
        note: Option<String>,
        expected_version: i32,
        refund_amount: Option<Decimal>,
        idempotency_key: ID,
    ) -> async_graphql::Result<BookingPayload> {
        let request = TransitionRequest {
            id: id.0,
            action: action.into(),
            note,
            expected_version: i64::from(expected_version),
            refund_amount: refund_amount.map(|amount| amount.0),
        };
        let moved = bookings::transition(shop(context), viewer(context), &request, &idempotency_key).await;
        booking_payload(moved)
    }

    /// Reviews what was bought, its seller, or its buyer; once per order line or booking, by those who took part.
    async fn post_review(
        &self,
        context: &Context<'_>,
        input: ReviewInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<ReviewPayload> {
        let author = viewer(context).require()?;
        let subject: domain::review::Subject = input.subject.into();
        let request = ReviewRequest {
            order_id: input.order_id.map(|id| id.0),
            line_id: input.line_id.map(|id| id.0),
            booking_id: input.booking_id.map(|id| id.0),
            subject: subject.as_str(),
            rating: input.rating,
            body: input.body,
        };
        let posted = reviews::post_review(shop(context), author, &request, &idempotency_key).await;
        let (review, user_errors) = payload(posted)?;
        Ok(ReviewPayload { review: review.map(ReviewNode), user_errors })
    }
}

/// An id that is none is one that nobody has: the nil UUID.
fn ids(ids: &[ID]) -> Vec<Uuid> {
    ids.iter().map(|id| parse_id(id).unwrap_or(Uuid::nil())).collect()
}

fn booking_payload(outcome: Result<Booking, Failure>) -> async_graphql::Result<BookingPayload> {
    let (booking, user_errors) = payload(outcome)?;
    Ok(BookingPayload { booking: booking.map(BookingNode), user_errors })
}

fn order_payload(
    context: &Context<'_>,
    outcome: Result<Order, Failure>,
) -> async_graphql::Result<OrderPayload> {
    let (order, user_errors) = payload(outcome)?;
    let order = order.and_then(|order| OrderNode::seen_by(order, onlooker(context)));
    Ok(OrderPayload { order, user_errors })
}
