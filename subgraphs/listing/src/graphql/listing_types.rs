//! The `Listing` interface and its three kinds, over the domain's listing.
#![expect(clippy::unused_async, reason = "a resolver is an async function, whether it waits or not")]

use std::sync::Arc;

use async_graphql::{Context, Interface, Object};
use chrono::{DateTime, Utc};
use kopitiam_kit::Money;
use kopitiam_kit::errors::SystemError;
use kopitiam_kit::graphql::ID;
use kopitiam_kit::page::PageArgs;

use super::loaders::Loaders;
use super::types::{Bid, BidConnection, Item, ListingStatus, Product, Seller, User, bid_page};
use super::{load, viewer_id, viewer_may};
use crate::domain::bid::BidStatus;
use crate::domain::listing::{self as domain, Details};
use crate::store;

/// Anything on offer.
#[derive(Clone, Interface)]
#[graphql(
    field(name = "id", ty = "ID"),
    field(name = "title", ty = "String"),
    field(name = "status", ty = "ListingStatus"),
    field(name = "ask_price", ty = "Option<Money>"),
    field(name = "seller", ty = "Option<Seller>"),
    field(name = "created_at", ty = "DateTime<Utc>"),
    field(name = "version", ty = "i32")
)]
pub enum Listing {
    /// Sold to the highest bidder.
    Auction(AuctionListing),
    /// Sold at its price.
    FixedPrice(FixedPriceListing),
    /// Booked at its price.
    Service(ServiceListing),
}

impl From<Arc<domain::Listing>> for Listing {
    fn from(listing: Arc<domain::Listing>) -> Self {
        match listing.details {
            Details::Auction { .. } => Self::Auction(AuctionListing(listing)),
            Details::FixedPrice { .. } => Self::FixedPrice(FixedPriceListing(listing)),
            Details::Service { .. } => Self::Service(ServiceListing(listing)),
        }
    }
}

impl From<domain::Listing> for Listing {
    fn from(listing: domain::Listing) -> Self {
        Arc::new(listing).into()
    }
}

/// A version as GraphQL's `Int`; two thousand million changes of one listing will not be seen.
fn version(listing: &domain::Listing) -> i32 {
    i32::try_from(listing.version).unwrap_or(i32::MAX)
}

fn wrong_kind(listing: &domain::Listing) -> async_graphql::Error {
    SystemError::Invariant(format!("listing {} is of another kind", listing.id)).into()
}

/// The resolvers of the interface, and a kind's own.
macro_rules! listing_kind {
    ($kind:ident { $($own:tt)* }) => {
        #[Object]
        impl $kind {
            async fn id(&self) -> ID {
                ID(self.0.id.to_string())
            }

            async fn title(&self) -> &str {
                &self.0.title
            }

            async fn status(&self) -> ListingStatus {
                self.0.status.into()
            }

            /// The price now: the current price of an auction, the price of the others.
            async fn ask_price(&self) -> Option<Money> {
                Some(self.0.ask_price)
            }

            #[graphql(provides = "displayName")]
            async fn seller(&self) -> Option<Seller> {
                Some(Seller(self.0.seller_id))
            }

            async fn created_at(&self) -> DateTime<Utc> {
                self.0.created_at
            }

            /// Grows with every change; send it along with yours.
            async fn version(&self) -> i32 {
                version(&self.0)
            }

            $($own)*
        }
    };
}

/// An auction of a collectible.
#[derive(Clone)]
pub struct AuctionListing(pub Arc<domain::Listing>);

listing_kind!(AuctionListing {
    async fn item(&self) -> Option<Item> {
        match self.0.details {
            Details::Auction { item_id, .. } => Some(Item(item_id)),
            _ => None,
        }
    }

    async fn start_price(&self) -> async_graphql::Result<Money> {
        match self.0.details {
            Details::Auction { start_price, .. } => Ok(start_price),
            _ => Err(wrong_kind(&self.0)),
        }
    }

    async fn current_price(&self) -> Money {
        self.0.ask_price
    }

    /// The lowest amount of a new bid.
    async fn min_next_bid(&self) -> async_graphql::Result<Money> {
        self.0.min_next_bid().ok_or_else(|| wrong_kind(&self.0))
    }

    /// A bid of this much ends the auction.
    async fn buy_now_price(&self) -> Option<Money> {
        match self.0.details {
            Details::Auction { buy_now_price, .. } => buy_now_price,
            _ => None,
        }
    }

    /// Whether the secret reserve is reached.
    async fn reserve_met(&self) -> bool {
        self.0.reserve_met()
    }

    async fn ends_at(&self) -> async_graphql::Result<DateTime<Utc>> {
        match self.0.details {
            Details::Auction { ends_at, .. } => Ok(ends_at),
            _ => Err(wrong_kind(&self.0)),
        }
    }

    /// The clock that ends the auction; count down from the difference.
    async fn server_now(&self, ctx: &Context<'_>) -> async_graphql::Result<DateTime<Utc>> {
        Ok(ctx.data_unchecked::<Loaders>().clock.now().await?)
    }

    async fn bid_count(&self) -> i32 {
        match self.0.details {
            Details::Auction { bid_count, .. } => bid_count,
            _ => 0,
        }
    }

    async fn highest_bid(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Bid>> {
        let Details::Auction { highest_bid_id: Some(id), .. } = self.0.details else { return Ok(None) };
        Ok(load(ctx.data_unchecked::<Loaders>().bids.load_one(id).await)?.map(Bid))
    }

    /// Bids that led, newest first.
    async fn bids(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<BidConnection> {
        bid_page(ctx, store::bids::Of::Listings, self.0.id, &PageArgs::new(first, after)?).await
    }

    /// Only for the winner, the seller and managers.
    async fn winner(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        let Details::Auction { highest_bid_id: Some(id), .. } = self.0.details else { return Ok(None) };
        let bid = load(ctx.data_unchecked::<Loaders>().bids.load_one(id).await)?;
        let Some(bid) = bid.filter(|bid| bid.status == BidStatus::Won) else { return Ok(None) };
        let viewer = viewer_id(ctx);
        let may_see = viewer == Some(bid.bidder_id)
            || viewer == Some(self.0.seller_id)
            || viewer_may(ctx, "users:read");
        Ok(may_see.then_some(User(bid.bidder_id)))
    }

    /// The viewer's newest bid.
    async fn viewer_bid(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Bid>> {
        let Some(viewer) = viewer_id(ctx) else { return Ok(None) };
        let found = ctx.data_unchecked::<Loaders>().viewer_bids.load_one((viewer, self.0.id)).await;
        Ok(load(found)?.map(Bid))
    }
});

/// Something at a fixed price: a ticket, a resale.
#[derive(Clone)]
pub struct FixedPriceListing(pub Arc<domain::Listing>);

listing_kind!(FixedPriceListing {
    async fn product(&self) -> Option<Product> {
        match self.0.details {
            Details::FixedPrice { product_id, .. } => product_id.map(|id| Product { id, price: None }),
            _ => None,
        }
    }

    async fn price(&self) -> Money {
        self.0.ask_price
    }

    /// Pieces left.
    async fn quantity(&self) -> i32 {
        match self.0.details {
            Details::FixedPrice { quantity, .. } if self.0.status != domain::ListingStatus::Sold => quantity,
            _ => 0,
        }
    }

    /// Somebody is paying for it until then.
    async fn reserved_until(&self) -> Option<DateTime<Utc>> {
        match self.0.details {
            Details::FixedPrice { reserved_until, .. } => reserved_until,
            _ => None,
        }
    }

    async fn viewer_has_reservation(&self, ctx: &Context<'_>) -> bool {
        match self.0.details {
            Details::FixedPrice { reserved_by: Some(buyer), .. } => viewer_id(ctx) == Some(buyer),
            _ => false,
        }
    }
});

/// A service to book.
#[derive(Clone)]
pub struct ServiceListing(pub Arc<domain::Listing>);

listing_kind!(ServiceListing {
    async fn description(&self) -> &str {
        match &self.0.details {
            Details::Service { description, .. } => description,
            _ => "",
        }
    }

    async fn price(&self) -> Money {
        self.0.ask_price
    }

    /// Paid before work starts, kept in escrow.
    async fn deposit(&self) -> async_graphql::Result<Money> {
        self.0.deposit().ok_or_else(|| wrong_kind(&self.0))
    }

    async fn duration_minutes(&self) -> Option<i32> {
        match self.0.details {
            Details::Service { duration_minutes, .. } => duration_minutes,
            _ => None,
        }
    }
});
