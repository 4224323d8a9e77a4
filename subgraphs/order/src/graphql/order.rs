//! Orders with their lines, history and invoice.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, connection};

use super::entities::{ListingRef, ProductRef, SellerRef, UserRef};
use super::types::{LineStatus, OrderKind, OrderStatus, to_id};
use super::{loaders, money, onlooker, shop};
use crate::domain::order::{Onlooker, Order, OrderLine};
use crate::invoices;
use crate::store::Position;
use crate::store::orders::{HistoryEntry, Invoice};

/// An order, as far as the viewer may see it: its buyer and managers all of it, a seller their own lines.
#[derive(Clone)]
pub struct OrderNode(Order);

impl OrderNode {
    /// The order for this onlooker; `None` when it is no concern of theirs.
    pub fn seen_by(order: Order, onlooker: Onlooker) -> Option<Self> {
        order.seen_by(onlooker).map(Self)
    }

    /// The sort key of lists.
    pub(super) fn key(&self) -> Position {
        (self.0.placed_at.timestamp_millis(), self.0.id)
    }
}

#[Object(name = "Order")]
impl OrderNode {
    /// Identity.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// Number, for people and addresses.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// What brought it about.
    async fn kind(&self) -> OrderKind {
        self.0.kind.into()
    }

    /// Where it stands.
    async fn status(&self) -> OrderStatus {
        self.0.status.into()
    }

    /// Why it stands there: `OUT_OF_STOCK`, `PRICE_CHANGED`, `INSUFFICIENT_FUNDS`, `USER_BANNED`, `DEADLINE`, …
    async fn status_reason(&self) -> Option<&str> {
        self.0.status_reason.as_deref()
    }

    /// When it was placed.
    async fn placed_at(&self) -> DateTime<Utc> {
        self.0.placed_at
    }

    /// Until when it will be decided.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    /// Who buys.
    async fn buyer(&self) -> Option<UserRef> {
        Some(UserRef { id: to_id(self.0.buyer_id) })
    }

    /// What is bought.
    async fn lines(&self) -> Vec<OrderLineNode> {
        let of = |line: &OrderLine| OrderLineNode { line: line.clone(), currency: self.0.currency.clone() };
        self.0.lines.iter().map(of).collect()
    }

    /// Sum of the lines.
    async fn subtotal(&self) -> async_graphql::Result<Money> {
        money(self.0.subtotal_minor, &self.0.currency)
    }

    /// The platform's fee; it is part of the total and comes out of the sellers' shares.
    async fn fee(&self) -> async_graphql::Result<Money> {
        money(self.0.fee_minor, &self.0.currency)
    }

    /// What the buyer pays.
    async fn total(&self) -> async_graphql::Result<Money> {
        money(self.0.total_minor, &self.0.currency)
    }

    /// The invoice, for the buyer and managers, once the order is confirmed.
    async fn invoice(&self, context: &Context<'_>) -> async_graphql::Result<Option<InvoiceNode>> {
        if !onlooker(context).may_see_of(self.0.buyer_id) {
            return Ok(None);
        }
        Ok(loaders::load(context, loaders::InvoiceOf(self.0.id)).await?.map(InvoiceNode))
    }

    /// What happened to it, oldest first; empty for sellers.
    async fn history(&self, context: &Context<'_>) -> async_graphql::Result<Vec<OrderEvent>> {
        if !onlooker(context).may_see_of(self.0.buyer_id) {
            return Ok(Vec::new());
        }
        let history = loaders::load(context, loaders::HistoryOf(self.0.id)).await?;
        Ok(history.unwrap_or_default().into_iter().map(OrderEvent::from).collect())
    }

    /// Whether the viewer can call it off.
    async fn can_cancel(&self, context: &Context<'_>) -> bool {
        onlooker(context).is(self.0.buyer_id) && self.0.can_be_cancelled()
    }

    /// Counts its changes, from 1.
    async fn version(&self) -> i32 {
        i32::try_from(self.0.version).unwrap_or(i32::MAX)
    }
}

/// A line of an order; name and price are those of the moment it was placed.
pub struct OrderLineNode {
    line: OrderLine,
    currency: String,
}

#[Object(name = "OrderLine")]
impl OrderLineNode {
    /// Identity.
    async fn id(&self) -> ID {
        to_id(self.line.id)
    }

    /// What the buyer saw.
    async fn title(&self) -> &str {
        &self.line.title
    }

    /// The product sold, if it is one.
    async fn product(&self) -> Option<ProductRef> {
        self.line.product_id.map(|id| ProductRef { id: to_id(id) })
    }

    /// The listing sold, if it is one.
    async fn listing(&self) -> Option<ListingRef> {
        self.line.listing_id.map(|id| ListingRef { id: to_id(id), ask_price: None })
    }

    /// Who sells.
    async fn seller(&self) -> Option<SellerRef> {
        self.line.seller_id.map(|id| SellerRef { id: to_id(id) })
    }

    /// How many.
    async fn quantity(&self) -> i32 {
        self.line.quantity
    }

    /// Price of one.
    async fn unit_price(&self) -> async_graphql::Result<Money> {
        money(self.line.unit_price_minor, &self.currency)
    }

    /// Price of all.
    async fn line_total(&self) -> async_graphql::Result<Money> {
        money(self.line.line_total_minor, &self.currency)
    }

    /// Where it stands once the order is paid.
    async fn status(&self) -> LineStatus {
        self.line.status.into()
    }
}

/// Something that happened to an order.
#[derive(SimpleObject)]
pub struct OrderEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The status it had from then on.
    pub status: OrderStatus,
    /// Who brought it about: `user:<id>` or `service:<name>`.
    pub actor: String,
    /// For people.
    pub note: Option<String>,
}

impl From<HistoryEntry> for OrderEvent {
    fn from(entry: HistoryEntry) -> Self {
        Self { at: entry.at, status: entry.status.into(), actor: entry.actor, note: entry.note }
    }
}

/// The invoice of a confirmed order.
pub struct InvoiceNode(pub Invoice);

#[Object(name = "Invoice")]
impl InvoiceNode {
    /// Identity.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// Number, without gaps within a year.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// When it was issued.
    async fn issued_at(&self) -> DateTime<Utc> {
        self.0.issued_at
    }

    /// What was paid.
    async fn total(&self) -> async_graphql::Result<Money> {
        money(self.0.total_minor, &self.0.currency)
    }

    /// Address of the printable form, relative to the gateway; it opens for fifteen minutes.
    async fn pdf_url(&self, context: &Context<'_>) -> async_graphql::Result<String> {
        Ok(invoices::address(shop(context), &self.0.number).await?)
    }
}

connection!(OrderConnection, OrderEdge, OrderNode, total);
