//! Bids, enums, inputs, payloads, and the parts of other services' entities that this service contributes to.
#![expect(clippy::unused_async, reason = "a resolver is an async function, whether it waits or not")]

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::errors::{SystemError, UserError, bad_input};
use kopitiam_kit::graphql::{Decimal, ID};
use kopitiam_kit::page::{Page, PageArgs};
use kopitiam_kit::{Money, connection};
use uuid::Uuid;

use super::listing_types::{AuctionListing, Listing};
use super::loaders::{Loaders, PageOf};
use super::{load, viewer_id, viewer_may};
use crate::commands::Market;
use crate::domain::bid::{self, bidder_label};
use crate::domain::listing as domain;
use crate::store;
use crate::store::pages::Part;

/// Where a listing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::ListingStatus")]
pub enum ListingStatus {
    /// An auction that waits for its item.
    Pending,
    /// Open.
    Active,
    /// Kept for one order.
    Reserved,
    /// Ended; money and item change hands.
    Settling,
    /// Sold.
    Sold,
    /// Ended without a sale.
    Closed,
    /// Called off.
    Cancelled,
}

/// Where a bid stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "bid::BidStatus")]
pub enum BidStatus {
    /// Waits for its funds.
    Pending,
    /// Leads.
    Accepted,
    /// Led, and was passed.
    Outbid,
    /// Never led.
    Rejected,
    /// Won.
    Won,
}

/// What kind of listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ListingKind {
    /// Sold to the highest bidder.
    Auction,
    /// Sold at its price.
    FixedPrice,
    /// Booked at its price.
    Service,
}

/// In which order listings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ListingSort {
    /// Auctions by their end, then the rest.
    EndingSoon,
    /// Newest first.
    Newest,
    /// Cheapest first.
    PriceAsc,
    /// Dearest first.
    PriceDesc,
}

impl From<ListingSort> for store::listings::Sort {
    fn from(sort: ListingSort) -> Self {
        match sort {
            ListingSort::EndingSoon => Self::EndingSoon,
            ListingSort::Newest => Self::Newest,
            ListingSort::PriceAsc => Self::PriceAscending,
            ListingSort::PriceDesc => Self::PriceDescending,
        }
    }
}

/// Which listings are shown.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ListingFilter {
    /// Of these kinds.
    pub kinds: Option<Vec<ListingKind>>,
    /// In these statuses; open ones when left out.
    pub statuses: Option<Vec<ListingStatus>>,
    /// One seller's.
    pub seller_id: Option<ID>,
    /// Words of the title.
    pub query: Option<String>,
}

/// A new auction.
#[derive(Clone, Debug, InputObject, serde::Serialize)]
pub struct AuctionInput {
    /// The collectible; it has to be the seller's own, and free.
    pub item_id: ID,
    /// Title.
    pub title: String,
    /// Where bidding starts.
    pub start_price: Decimal,
    /// Below this nothing is sold.
    pub reserve_price: Option<Decimal>,
    /// Ends the auction at once.
    pub buy_now_price: Option<Decimal>,
    /// ISO 4217 code of all three.
    pub currency: String,
    /// When bidding ends.
    pub ends_at: DateTime<Utc>,
}

/// A new fixed-price listing.
#[derive(Clone, Debug, InputObject, serde::Serialize)]
pub struct FixedPriceInput {
    /// The product it offers, if it is one of the catalogue.
    pub product_id: Option<ID>,
    /// Title.
    pub title: String,
    /// Price.
    pub price: Decimal,
    /// ISO 4217 code.
    pub currency: String,
    /// Pieces.
    pub quantity: i32,
}

/// A new service.
#[derive(Clone, Debug, InputObject, serde::Serialize)]
pub struct ServiceInput {
    /// Title.
    pub title: String,
    /// What is done.
    pub description: String,
    /// Price.
    pub price: Decimal,
    /// Paid before work starts, in percent.
    pub deposit_percent: i32,
    /// ISO 4217 code.
    pub currency: String,
    /// How long it takes.
    pub duration_minutes: Option<i32>,
}

/// The answer of a mutation on a listing.
#[derive(Clone, SimpleObject)]
pub struct ListingPayload {
    /// The listing after it, if it was not refused.
    pub listing: Option<Listing>,
    /// Why it was refused.
    pub user_errors: Vec<UserError>,
}

/// The answer of a bid.
#[derive(Clone, SimpleObject)]
pub struct BidPayload {
    /// The bid, pending until its funds are held.
    pub bid: Option<Bid>,
    /// The auction after it.
    pub listing: Option<AuctionListing>,
    /// Why it was refused.
    pub user_errors: Vec<UserError>,
}

connection!(ListingConnection, ListingEdge, Listing, total);
connection!(BidConnection, BidEdge, Bid, total);

/// A bid on an auction. Who made it is private; others see a label.
#[derive(Clone)]
pub struct Bid(pub bid::Bid);

#[Object]
impl Bid {
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn listing(&self, ctx: &Context<'_>) -> async_graphql::Result<AuctionListing> {
        let listing = load(ctx.data_unchecked::<Loaders>().listings.load_one(self.0.listing_id).await)?;
        let listing =
            listing.ok_or_else(|| SystemError::Invariant(format!("bid {} has no listing", self.0.id)))?;
        Ok(AuctionListing(listing))
    }

    /// Only for the bidder and for managers.
    async fn bidder(&self, ctx: &Context<'_>) -> Option<User> {
        may_see_all_of(ctx, &self.0).then_some(User(self.0.bidder_id))
    }

    async fn amount(&self) -> Money {
        self.0.amount
    }

    async fn placed_at(&self) -> DateTime<Utc> {
        self.0.placed_at
    }

    async fn status(&self) -> BidStatus {
        self.0.status.into()
    }

    /// Why it does not lead, such as `INSUFFICIENT_FUNDS`; only for the bidder and for managers.
    async fn status_reason(&self, ctx: &Context<'_>) -> Option<&str> {
        self.0.code.as_deref().filter(|_| may_see_all_of(ctx, &self.0))
    }

    async fn is_viewer(&self, ctx: &Context<'_>) -> bool {
        viewer_id(ctx) == Some(self.0.bidder_id)
    }

    /// The same person has the same label throughout one auction, and another in the next.
    async fn bidder_label(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        let market = ctx.data_unchecked::<Arc<Market>>();
        let key = market.labels.key(&market.db).await?;
        Ok(bidder_label(key, self.0.listing_id, self.0.bidder_id))
    }
}

/// Whose bid it is, and a bid that never led, are for the bidder and for managers; that one led, and for how much, is for
/// everybody: it was the auction's price.
pub(super) fn may_see_all_of(ctx: &Context<'_>, bid: &bid::Bid) -> bool {
    viewer_id(ctx) == Some(bid.bidder_id) || viewer_may(ctx, "users:read")
}

/// A person: what this service knows of them.
#[derive(Clone)]
pub struct User(pub Uuid);

#[Object]
impl User {
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// Only for oneself and for managers.
    async fn bids(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
        status: Option<BidStatus>,
    ) -> async_graphql::Result<Option<BidConnection>> {
        super::require_self_or(ctx, self.0, "users:read")?;
        let of = store::bids::Of::Bidders(status.map(Into::into));
        bid_page(ctx, of, self.0, &PageArgs::new(first, after)?).await.map(Some)
    }
}

/// The part of a list that a client asks for: what is not asked for is not read.
fn part<P>(ctx: &Context<'_>, args: &PageArgs, after: Option<P>) -> Part<P> {
    let asked = ctx.look_ahead();
    let shows_rows = asked.field("edges").exists() || asked.field("pageInfo").exists();
    let limit = if shows_rows { args.limit() } else { 0 };
    Part { after, limit, with_total: asked.field("totalCount").exists() }
}

/// A page of an auction's or a bidder's bids.
pub(super) async fn bid_page(
    ctx: &Context<'_>,
    of: store::bids::Of,
    owner: Uuid,
    args: &PageArgs,
) -> async_graphql::Result<BidConnection> {
    let wanted = PageOf { of, owner, part: part(ctx, args, args.after()?) };
    let found = load(ctx.data_unchecked::<Loaders>().bid_pages.load_one(wanted).await)?;
    let (rows, total) = found.unwrap_or_default();
    let page = Page::new(rows, args, |bid| (bid.placed_at, bid.id)).map(Bid);
    Ok(BidConnection::from_page(page, total))
}

/// A page of a product's or a seller's listings.
pub(super) async fn listing_page(
    ctx: &Context<'_>,
    of: store::listings::Of,
    owner: Uuid,
    args: &PageArgs,
) -> async_graphql::Result<ListingConnection> {
    let wanted = PageOf { of, owner, part: part(ctx, args, position(args, of.sort())?) };
    let found = load(ctx.data_unchecked::<Loaders>().listing_pages.load_one(wanted).await)?;
    let (rows, total) = found.unwrap_or_default();
    Ok(listing_connection(rows, total, of.sort(), args))
}

/// The position after which a page of that order continues.
pub(super) fn position(
    args: &PageArgs,
    sort: store::listings::Sort,
) -> async_graphql::Result<Option<store::listings::Position>> {
    let after: Option<store::listings::Position> = args.after()?;
    if after.as_ref().is_some_and(|position| !position.fits(sort)) {
        return Err(bad_input("`after` is a cursor of a list in another order"));
    }
    Ok(after)
}

/// Rows as a connection.
pub(super) fn listing_connection(
    rows: Vec<domain::Listing>,
    total: u64,
    sort: store::listings::Sort,
    args: &PageArgs,
) -> ListingConnection {
    let page =
        Page::new(rows, args, |listing| store::listings::Position::of(listing, sort)).map(Listing::from);
    ListingConnection::from_page(page, total)
}

/// A seller: what this service knows of them.
#[derive(Clone)]
pub struct Seller(pub Uuid);

#[Object]
impl Seller {
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// From the replica that user events keep.
    #[graphql(external)]
    async fn display_name(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        let name = load(ctx.data_unchecked::<Loaders>().seller_names.load_one(self.0).await)?;
        Ok(name.ok_or_else(|| SystemError::Unavailable("seller not known yet".to_owned()))?)
    }

    async fn listings(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<ListingConnection>> {
        let of = store::listings::Of::Sellers;
        listing_page(ctx, of, self.0, &PageArgs::new(first, after)?).await.map(Some)
    }
}

/// A collectible: what this service knows of it.
#[derive(Clone)]
pub struct Item(pub Uuid);

#[Object]
impl Item {
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// The auction it is under.
    async fn active_listing(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Listing>> {
        let found = load(ctx.data_unchecked::<Loaders>().open_auctions.load_one(self.0).await)?;
        Ok(found.map(Listing::from))
    }
}

/// A catalogue product: what this service knows of it. `price` comes with the representation when a field requires it.
#[derive(Clone)]
pub struct Product {
    /// Which one.
    pub id: Uuid,
    /// The catalogue's price, when the gateway sent it.
    pub price: Option<Money>,
}

#[Object]
impl Product {
    async fn id(&self) -> ID {
        ID(self.id.to_string())
    }

    #[graphql(external)]
    async fn price(&self) -> async_graphql::Result<Money> {
        self.price.ok_or_else(|| SystemError::Invariant("`price` is another service's".to_owned()).into())
    }

    /// Open listings that offer it, cheapest first.
    async fn listings(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<ListingConnection>> {
        let of = store::listings::Of::Products;
        listing_page(ctx, of, self.id, &PageArgs::new(first, after)?).await.map(Some)
    }

    async fn lowest_listing_price(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Money>> {
        load(ctx.data_unchecked::<Loaders>().lowest_prices.load_one(self.id).await)
    }

    /// By how much the cheapest listing is below the catalogue's price, in whole percent; null when it is not below.
    #[graphql(requires = "price { amount currency }")]
    async fn resale_discount_percent(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<i32>> {
        let lowest = load(ctx.data_unchecked::<Loaders>().lowest_prices.load_one(self.id).await)?;
        Ok(self.price.zip(lowest).and_then(|(price, lowest)| domain::discount_percent(price, lowest)))
    }
}
