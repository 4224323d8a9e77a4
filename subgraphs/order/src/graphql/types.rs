//! What belongs to no entity: carts, payloads, inputs, enums, revenue, sagas.

use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::graphql::Decimal;
use kopitiam_kit::saga::SagaRecord;
use kopitiam_kit::{Money, UserError, connection};
use uuid::Uuid;

use super::entities::ProductRef;
use super::order::OrderNode;
use super::reputation::{BookingNode, ReviewNode};
use super::{loaders, money, onlooker};
use crate::domain;
use crate::store::reports::Filter;

/// What brought an order about.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::order::OrderKind")]
pub enum OrderKind {
    /// A cart was checked out.
    Cart,
    /// A fixed-price listing was reserved.
    Ticket,
    /// An auction was won.
    Auction,
}

/// Where an order stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::order::OrderStatus")]
pub enum OrderStatus {
    /// Stock and money are being reserved.
    Pending,
    /// Reserved; waits for the buyer to pay.
    AwaitingPayment,
    /// Paid and invoiced.
    Confirmed,
    /// Could not be fulfilled; `statusReason` says why.
    Rejected,
    /// Not paid in time.
    Expired,
    /// Called off before it was confirmed.
    Cancelled,
    /// Handed over.
    Fulfilled,
    /// Called off after it was confirmed; the money went back.
    Refunded,
}

/// Where a line of a paid order stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::lines::LineStatus")]
pub enum LineStatus {
    /// Not handed over.
    Open,
    /// Handed over.
    Fulfilled,
    /// Its money is on the way back.
    Refunding,
    /// Its money is back.
    Refunded,
}

/// What a review is about.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::review::Subject")]
pub enum ReviewSubject {
    /// A product, by who bought it.
    Product,
    /// A seller, by who bought of them.
    Seller,
    /// A buyer, by who sold to them.
    Buyer,
}

/// A review to post.
#[derive(InputObject, Debug, Clone)]
pub struct ReviewInput {
    /// The order that it is about.
    pub order_id: Option<ID>,
    /// Which of its lines; may be left out where only one fits.
    pub line_id: Option<ID>,
    /// Or the booking.
    pub booking_id: Option<ID>,
    /// What is reviewed.
    pub subject: ReviewSubject,
    /// 1 to 5.
    pub rating: i32,
    /// Text.
    pub body: Option<String>,
}

/// Where a booking stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::booking::BookingState")]
pub enum BookingState {
    /// The seller has not answered.
    Requested,
    /// Waits for the deposit.
    Accepted,
    /// The deposit is in escrow.
    DepositHeld,
    /// The seller says it is done.
    Delivered,
    /// The buyer agrees; the rest is to be paid.
    BalanceDue,
    /// Paid.
    Closed,
    /// The seller said no.
    Declined,
    /// Nobody acted in time.
    Expired,
    /// Called off.
    Cancelled,
    /// Waits for a manager.
    Disputed,
}

/// What a party can do with a booking.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::booking::BookingAction")]
pub enum BookingAction {
    /// The seller agrees.
    Accept,
    /// The seller refuses.
    Decline,
    /// The buyer pays the deposit into escrow.
    PayDeposit,
    /// The seller has done it.
    MarkDelivered,
    /// The buyer agrees that it is done.
    ConfirmCompletion,
    /// The buyer pays the rest.
    PayBalance,
    /// Either calls it off.
    Cancel,
    /// The buyer does not agree.
    Dispute,
    /// A manager gives the money back.
    ResolveRefund,
    /// A manager lets the seller have it.
    ResolveRelease,
}

/// A product and its new quantity in a cart.
#[derive(InputObject, Debug, Clone)]
pub struct CartLineInput {
    /// The product.
    pub product_id: ID,
    /// How many from now on; 0 removes it.
    pub quantity: i32,
}

/// What to check out, and what the buyer expects to pay.
#[derive(InputObject, Debug, Clone)]
pub struct CheckoutInput {
    /// The cart.
    pub cart_id: ID,
    /// The total that the buyer saw; another one is refused as `PRICE_CHANGED`.
    pub expected_total: Decimal,
    /// ISO 4217 code of the total.
    pub currency: String,
}

/// Which orders to list; what is left out is no condition.
#[derive(InputObject, Debug, Clone, Default)]
pub struct OrderFilter {
    /// In one of these statuses.
    pub statuses: Option<Vec<OrderStatus>>,
    /// Bought by.
    pub buyer_id: Option<ID>,
    /// With a line sold by.
    pub seller_id: Option<ID>,
    /// Placed then or later.
    pub from: Option<DateTime<Utc>>,
    /// Placed before.
    pub to: Option<DateTime<Utc>>,
}

impl OrderFilter {
    /// As the store takes it. An id that is none matches nothing.
    pub(super) fn into_filter(self) -> Filter {
        let id = |id: Option<ID>| id.map(|id| parse_id(&id).unwrap_or_default());
        let names = |statuses: Vec<OrderStatus>| {
            statuses.into_iter().map(|status| domain::order::OrderStatus::from(status).as_str()).collect()
        };
        Filter {
            statuses: self.statuses.map(names),
            buyer_id: id(self.buyer_id),
            seller_id: id(self.seller_id),
            from_ms: self.from.map(|at| at.timestamp_millis()),
            to_ms: self.to.map(|at| at.timestamp_millis()),
        }
    }
}

/// A client's id; what is no UUID is simply unknown.
pub(super) fn parse_id(id: &ID) -> Option<Uuid> {
    Uuid::try_parse(id).ok()
}

pub(super) fn to_id(id: Uuid) -> ID {
    ID(id.to_string())
}

/// A cart, at current prices.
pub struct Cart(pub domain::cart::Cart);

#[Object]
impl Cart {
    /// Keep it to find a visitor's cart again.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// What is in it, in the order it was put in.
    async fn lines(&self) -> Vec<CartLine> {
        self.0.lines.iter().cloned().map(CartLine).collect()
    }

    /// What checkout expects as `expectedTotal`.
    async fn subtotal(&self) -> async_graphql::Result<Money> {
        money(self.0.subtotal_minor(), self.0.currency())
    }

    /// What would go wrong at checkout, as far as is known here.
    async fn problems(&self) -> Vec<CartProblem> {
        self.0.problems().into_iter().map(CartProblem::from).collect()
    }
}

/// A product in a cart.
pub struct CartLine(domain::cart::CartLine);

#[Object]
impl CartLine {
    /// Identity.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// What.
    async fn product(&self) -> Option<ProductRef> {
        Some(ProductRef { id: to_id(self.0.product.id) })
    }

    /// How many.
    async fn quantity(&self) -> i32 {
        self.0.quantity
    }

    /// Price of one.
    async fn unit_price(&self) -> async_graphql::Result<Money> {
        money(self.0.product.price_minor, &self.0.product.currency)
    }

    /// Price of all.
    async fn line_total(&self) -> async_graphql::Result<Money> {
        money(self.0.total_minor(), &self.0.product.currency)
    }
}

/// Something wrong with a line of a cart.
#[derive(SimpleObject, Debug, Clone)]
pub struct CartProblem {
    /// `UNAVAILABLE`, `OUT_OF_STOCK` or `NOT_ENOUGH_STOCK`.
    pub code: String,
    /// The line.
    pub line_id: ID,
    /// How many could be bought, where that is known.
    pub available: Option<i32>,
    /// For people.
    pub message: String,
}

impl From<domain::cart::Problem> for CartProblem {
    fn from(problem: domain::cart::Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            line_id: to_id(problem.line_id),
            available: problem.available.map(|units| i32::try_from(units).unwrap_or(i32::MAX)),
            message: problem.message,
        }
    }
}

/// The cart as it is now, or why it was not changed.
#[derive(SimpleObject)]
pub struct CartPayload {
    /// The cart.
    pub cart: Option<Cart>,
    /// Refusals.
    pub user_errors: Vec<UserError>,
}

/// The order as it is now, or why nothing was done.
#[derive(SimpleObject)]
pub struct OrderPayload {
    /// The order.
    pub order: Option<OrderNode>,
    /// Refusals.
    pub user_errors: Vec<UserError>,
}

/// The booking as it is now, or why nothing was done.
#[derive(SimpleObject)]
pub struct BookingPayload {
    /// The booking.
    pub booking: Option<BookingNode>,
    /// Refusals.
    pub user_errors: Vec<UserError>,
}

/// The review, or why there is none.
#[derive(SimpleObject)]
pub struct ReviewPayload {
    /// The review.
    pub review: Option<ReviewNode>,
    /// Refusals.
    pub user_errors: Vec<UserError>,
}

/// What was invoiced in a period.
#[derive(SimpleObject)]
pub struct Revenue {
    /// All invoices.
    pub gross: Money,
    /// The platform's fees in what was not refunded.
    pub fees: Money,
    /// What of them was refunded since.
    pub refunds: Money,
    /// Number of invoices.
    pub order_count: i32,
    /// Invoices by day (UTC).
    pub by_day: Vec<RevenueDay>,
}

/// What was invoiced on one day.
#[derive(SimpleObject)]
pub struct RevenueDay {
    /// The day, as `2026-01-31`.
    pub day: String,
    /// All invoices of the day.
    pub gross: Money,
}

/// A business transaction over several services.
#[derive(Clone)]
pub struct Saga(pub SagaRecord);

#[Object]
impl Saga {
    /// Identity; the correlation id of all its messages.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// Such as `place-order`.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// `RUNNING`, `COMPENSATING`, `COMPLETED` or `FAILED`.
    async fn state(&self) -> &str {
        self.0.state.as_str()
    }

    /// Name of the step it is at.
    async fn step(&self) -> &str {
        &self.0.step
    }

    /// How often the step's commands were sent again.
    async fn attempts(&self) -> i32 {
        i32::try_from(self.0.attempts).unwrap_or(i32::MAX)
    }

    /// When it began.
    async fn started_at(&self) -> DateTime<Utc> {
        self.0.started_at
    }

    /// Until when it has to be decided.
    async fn deadline(&self) -> DateTime<Utc> {
        self.0.deadline
    }

    /// The order it is about.
    async fn order(&self, context: &async_graphql::Context<'_>) -> async_graphql::Result<Option<OrderNode>> {
        let order = loaders::load(context, loaders::OrderById(self.0.subject_id)).await?;
        Ok(order.and_then(|order| OrderNode::seen_by(order, onlooker(context))))
    }

    /// The booking it is about.
    async fn booking(
        &self,
        context: &async_graphql::Context<'_>,
    ) -> async_graphql::Result<Option<BookingNode>> {
        let key = loaders::BookingById(self.0.subject_id, onlooker(context));
        Ok(loaders::load(context, key).await?.map(BookingNode))
    }
}

connection!(SagaConnection, SagaEdge, Saga);
