//! What the gateway joins: `_entities`, batched through the request's loaders. A missing row is null, never an error,
//! because an error would null the whole batch.

use async_graphql::{Context, InputObject, Object};
use kopitiam_kit::Money;
use kopitiam_kit::graphql::{Decimal, ID};

use super::listing_types::{AuctionListing, FixedPriceListing, Listing, ServiceListing};
use super::loaders::Loaders;
use super::types::{Bid, Item, Product, Seller, User, may_see_all_of};
use super::{load, parse_id};

/// Money in a representation: what `@requires` brings along.
#[derive(Clone, Debug, InputObject)]
pub struct RequiredMoney {
    amount: Decimal,
    currency: String,
}

/// Entity resolvers, merged into the root of queries.
#[derive(Default)]
pub struct Entities;

async fn listing(ctx: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Listing>> {
    let Some(id) = parse_id(id) else { return Ok(None) };
    Ok(load(ctx.data_unchecked::<Loaders>().listings.load_one(id).await)?.map(Listing::from))
}

#[Object]
impl Entities {
    #[graphql(entity)]
    async fn find_listing_by_id(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<Listing>> {
        listing(ctx, &id).await
    }

    #[graphql(entity)]
    async fn find_auction_listing_by_id(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<AuctionListing>> {
        Ok(match listing(ctx, &id).await? {
            Some(Listing::Auction(auction)) => Some(auction),
            _ => None,
        })
    }

    #[graphql(entity)]
    async fn find_fixed_price_listing_by_id(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<FixedPriceListing>> {
        Ok(match listing(ctx, &id).await? {
            Some(Listing::FixedPrice(fixed)) => Some(fixed),
            _ => None,
        })
    }

    #[graphql(entity)]
    async fn find_service_listing_by_id(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<ServiceListing>> {
        Ok(match listing(ctx, &id).await? {
            Some(Listing::Service(service)) => Some(service),
            _ => None,
        })
    }

    #[graphql(entity)]
    async fn find_bid_by_id(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<Bid>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        // Nobody reaches another's bid by guessing its id; on the auction's page it is shown without its bidder.
        let found = load(ctx.data_unchecked::<Loaders>().bids.load_one(id).await)?;
        Ok(found.filter(|bid| may_see_all_of(ctx, bid)).map(Bid))
    }

    #[graphql(entity)]
    async fn find_item_by_id(&self, id: ID) -> Option<Item> {
        parse_id(&id).map(Item)
    }

    #[graphql(entity)]
    async fn find_product_by_id(
        &self,
        #[graphql(key)] id: ID,
        price: Option<RequiredMoney>,
    ) -> Option<Product> {
        let price = price.and_then(|price| Money::parse(&price.amount.0, &price.currency).ok());
        parse_id(&id).map(|id| Product { id, price })
    }

    #[graphql(entity)]
    async fn find_seller_by_id(&self, id: ID) -> Option<Seller> {
        parse_id(&id).map(Seller)
    }

    #[graphql(entity)]
    async fn find_user_by_id(&self, id: ID) -> Option<User> {
        parse_id(&id).map(User)
    }
}
