//! What this service adds to the entities of others, and every `_entities` resolver.
//!
//! Always: a reference to a row that is not there, or not for this viewer, resolves to null, never to an error: one
//! error would null the whole batch. Fields of a person's own affairs ask who is looking.

use async_graphql::{Context, ID, InputObject, Object};
use kopitiam_kit::Money;
use kopitiam_kit::graphql::Decimal;
use kopitiam_kit::page::{Page, PageArgs};

use super::order::{InvoiceNode, OrderConnection, OrderNode};
use super::reputation::{BookingConnection, BookingNode, Rating, ReviewConnection, ReviewNode};
use super::types::{OrderFilter, parse_id};
use super::{loaders, onlooker, require_own};
use crate::domain::fee::platform_fee;
use crate::domain::order::Onlooker;
use crate::domain::review::Subject;
use crate::store::bookings::Party;
use crate::store::reports::Filter;
use crate::store::{NewestFirst, Position};

/// Shows what selling costs, to those who sell.
const SELLER: &str = "SELLER";

/// A product of the product service.
#[derive(Clone)]
pub struct ProductRef {
    /// Identity.
    pub id: ID,
}

#[Object(name = "Product")]
impl ProductRef {
    /// Identity.
    async fn id(&self) -> &ID {
        &self.id
    }

    /// How buyers rate it; null without reviews.
    async fn rating(&self, context: &Context<'_>) -> async_graphql::Result<Option<Rating>> {
        rating(context, Subject::Product, &self.id).await
    }

    /// What buyers wrote, newest first.
    async fn reviews(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<ReviewConnection>> {
        reviews(context, Subject::Product, &self.id, PageArgs::new(first, after)?).await
    }
}

/// A seller of the user service.
#[derive(Clone)]
pub struct SellerRef {
    /// Identity.
    pub id: ID,
}

#[Object(name = "Seller")]
impl SellerRef {
    /// Identity.
    async fn id(&self) -> &ID {
        &self.id
    }

    /// How buyers rate the seller; null without reviews.
    async fn rating(&self, context: &Context<'_>) -> async_graphql::Result<Option<Rating>> {
        rating(context, Subject::Seller, &self.id).await
    }

    /// What buyers wrote, newest first.
    async fn reviews(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<ReviewConnection>> {
        reviews(context, Subject::Seller, &self.id, PageArgs::new(first, after)?).await
    }

    /// Orders with lines of this seller, newest first; for the seller and managers.
    async fn sales(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
        filter: Option<OrderFilter>,
    ) -> async_graphql::Result<Option<OrderConnection>> {
        let args = PageArgs::new(first, after)?;
        let Some(seller_id) = parse_id(&self.id) else { return Ok(None) };
        let onlooker = require_own(context, seller_id)?;
        let filter = Filter { seller_id: Some(seller_id), ..filter.unwrap_or_default().into_filter() };
        order_page(context, filter, &args, onlooker).await.map(Some)
    }

    /// Bookings of this seller's services, newest first; for the seller and managers.
    async fn bookings(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<BookingConnection>> {
        let args = PageArgs::new(first, after)?;
        let Some(seller_id) = parse_id(&self.id) else { return Ok(None) };
        require_own(context, seller_id)?;
        booking_page(context, Party::Seller(seller_id), &args).await.map(Some)
    }
}

/// A user of the user service.
#[derive(Clone)]
pub struct UserRef {
    /// Identity.
    pub id: ID,
}

#[Object(name = "User")]
impl UserRef {
    /// Identity.
    async fn id(&self) -> &ID {
        &self.id
    }

    /// Orders that this person placed, newest first; for that person and managers.
    async fn orders(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
        filter: Option<OrderFilter>,
    ) -> async_graphql::Result<Option<OrderConnection>> {
        let args = PageArgs::new(first, after)?;
        let Some(buyer_id) = parse_id(&self.id) else { return Ok(None) };
        let onlooker = require_own(context, buyer_id)?;
        let filter = Filter { buyer_id: Some(buyer_id), ..filter.unwrap_or_default().into_filter() };
        order_page(context, filter, &args, onlooker).await.map(Some)
    }

    /// Services that this person booked, newest first; for that person and managers.
    async fn bookings(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<BookingConnection>> {
        let args = PageArgs::new(first, after)?;
        let Some(buyer_id) = parse_id(&self.id) else { return Ok(None) };
        require_own(context, buyer_id)?;
        booking_page(context, Party::Buyer(buyer_id), &args).await.map(Some)
    }
}

/// A listing of the listing service, of whatever kind.
#[derive(Clone)]
pub struct ListingRef {
    /// Identity.
    pub id: ID,
    /// What is asked for it, when the gateway sent it along.
    pub ask_price: Option<Money>,
}

#[Object(name = "Listing", interface_object)]
impl ListingRef {
    /// Identity.
    async fn id(&self) -> &ID {
        &self.id
    }

    #[graphql(external)]
    async fn ask_price(&self) -> Option<Money> {
        self.ask_price
    }

    /// The platform's fee if it sells at the price asked; for sellers and managers.
    #[graphql(requires = "askPrice { amount currency }")]
    async fn estimated_fee(&self, context: &Context<'_>) -> Option<Money> {
        let viewer = kopitiam_kit::auth::viewer(context);
        let is_shown = viewer.has_role(SELLER) || viewer.has_scope(super::READ_ANY);
        self.ask_price
            .filter(|_| is_shown)
            .map(|price| Money::new(platform_fee(price.minor()), price.currency()))
    }

    /// The viewer's newest order of it.
    async fn viewer_order(&self, context: &Context<'_>) -> async_graphql::Result<Option<OrderNode>> {
        let onlooker = onlooker(context);
        let (Some(buyer_id), Some(listing_id)) = (onlooker.user_id, parse_id(&self.id)) else {
            return Ok(None);
        };
        let order = loaders::load(context, loaders::OrderOfListing { buyer_id, listing_id }).await?;
        Ok(order.and_then(|order| OrderNode::seen_by(order, onlooker)))
    }
}

/// A price as the gateway sends it along with a listing.
#[derive(InputObject, Debug)]
pub struct AskPrice {
    amount: Decimal,
    currency: String,
}

/// The `_entities` resolvers.
#[derive(Default)]
pub struct Entities;

#[Object]
impl Entities {
    #[graphql(entity)]
    async fn find_order_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<OrderNode>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        let order = loaders::load(context, loaders::OrderById(id)).await?;
        Ok(order.and_then(|order| OrderNode::seen_by(order, onlooker(context))))
    }

    #[graphql(entity)]
    async fn find_order_by_number(
        &self,
        context: &Context<'_>,
        number: String,
    ) -> async_graphql::Result<Option<OrderNode>> {
        let order = loaders::load(context, loaders::OrderByNumber(number)).await?;
        Ok(order.and_then(|order| OrderNode::seen_by(order, onlooker(context))))
    }

    #[graphql(entity)]
    async fn find_invoice_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<InvoiceNode>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        let key = loaders::InvoiceById(id, onlooker(context));
        Ok(loaders::load(context, key).await?.map(InvoiceNode))
    }

    #[graphql(entity)]
    async fn find_booking_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<BookingNode>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        let key = loaders::BookingById(id, onlooker(context));
        Ok(loaders::load(context, key).await?.map(BookingNode))
    }

    #[graphql(entity)]
    async fn find_review_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<ReviewNode>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        Ok(loaders::load(context, loaders::ReviewById(id)).await?.map(ReviewNode))
    }

    #[graphql(entity)]
    async fn find_product_by_id(&self, id: ID) -> Option<ProductRef> {
        parse_id(&id).map(|_| ProductRef { id })
    }

    #[graphql(entity)]
    async fn find_seller_by_id(&self, id: ID) -> Option<SellerRef> {
        parse_id(&id).map(|_| SellerRef { id })
    }

    #[graphql(entity)]
    async fn find_user_by_id(&self, id: ID) -> Option<UserRef> {
        parse_id(&id).map(|_| UserRef { id })
    }

    #[graphql(entity)]
    async fn find_listing_by_id(
        &self,
        #[graphql(key)] id: ID,
        ask_price: Option<AskPrice>,
    ) -> Option<ListingRef> {
        parse_id(&id)?;
        let ask_price = ask_price.and_then(|price| Money::parse(&price.amount.0, &price.currency).ok());
        Some(ListingRef { id, ask_price })
    }
}

async fn rating(context: &Context<'_>, subject: Subject, id: &ID) -> async_graphql::Result<Option<Rating>> {
    let Some(id) = parse_id(id) else { return Ok(None) };
    Ok(loaders::load(context, loaders::RatingsOf(subject, id)).await?.map(Rating::from))
}

async fn reviews(
    context: &Context<'_>,
    subject: Subject,
    id: &ID,
    args: PageArgs,
) -> async_graphql::Result<Option<ReviewConnection>> {
    let Some(id) = parse_id(id) else { return Ok(None) };
    let page = NewestFirst { of: (subject, id), after: args.after::<Position>()?, limit: args.limit() };
    // At the same time, so that the ratings are read together with those that other fields show.
    let (rows, ratings) = futures::try_join!(
        loaders::load(context, loaders::ReviewPage(page)),
        loaders::load(context, loaders::RatingsOf(subject, id)),
    )?;
    let rows = rows.unwrap_or_default();
    let total = ratings.map_or(0, |ratings| u64::try_from(ratings.count).unwrap_or(0));
    let page =
        Page::new(rows, &args, |review| (review.created_at.timestamp_millis(), review.id)).map(ReviewNode);
    Ok(Some(ReviewConnection::from_page(page, total)))
}

/// A page of orders as this onlooker sees them. What is not asked for is not read.
pub(super) async fn order_page(
    context: &Context<'_>,
    filter: Filter,
    args: &PageArgs,
    onlooker: Onlooker,
) -> async_graphql::Result<OrderConnection> {
    let (asked, after) = (context.look_ahead(), args.after::<Position>()?);
    let total = if asked.field("totalCount").exists() {
        let count = loaders::load(context, loaders::OrderCount(filter.clone())).await?;
        count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
    } else {
        0
    };
    let rows = if asked.field("edges").exists() || asked.field("pageInfo").exists() {
        let page = NewestFirst { of: filter, after, limit: args.limit() };
        loaders::load(context, loaders::OrderPage(page)).await?.unwrap_or_default()
    } else {
        Vec::new()
    };
    // The filter lets through only what this onlooker may see at least a line of.
    let seen: Vec<OrderNode> =
        rows.into_iter().filter_map(|order| OrderNode::seen_by(order, onlooker)).collect();
    Ok(OrderConnection::from_page(Page::new(seen, args, OrderNode::key), total))
}

async fn booking_page(
    context: &Context<'_>,
    party: Party,
    args: &PageArgs,
) -> async_graphql::Result<BookingConnection> {
    let page = NewestFirst { of: party, after: args.after::<Position>()?, limit: args.limit() };
    let rows = loaders::load(context, loaders::BookingPage(page)).await?.unwrap_or_default();
    let page = Page::new(rows, args, BookingNode::key).map(BookingNode);
    Ok(BookingConnection::from_page(page))
}
