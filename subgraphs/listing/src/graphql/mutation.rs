//! Making, changing and calling off listings, and bidding. Resolvers read the input, call the commands, and put refusals
//! into `userErrors`.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use kopitiam_kit::auth::{LoggedIn, viewer};
use kopitiam_kit::errors::{Failure, UserError, payload};
use kopitiam_kit::graphql::{Decimal, ID};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Money, time};
use serde::Serialize;
use uuid::Uuid;

use super::listing_types::Listing;
use super::types::{AuctionInput, Bid, BidPayload, FixedPriceInput, ListingPayload, ServiceInput};
use super::{parse_id, viewer_may};
use crate::commands::Market;
use crate::domain::listing::{self, NewAuction, NewFixedPrice, NewService};
use crate::store;

/// The root of mutations.
#[derive(Default)]
pub struct Mutation;

#[Object]
impl Mutation {
    /// Offers an own collectible to the highest bidder. The auction opens once the item is locked for it.
    #[graphql(guard = "LoggedIn")]
    async fn create_auction(
        &self,
        ctx: &Context<'_>,
        input: AuctionInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<ListingPayload> {
        let request = input.clone();
        create(ctx, "createAuction", &idempotency_key, &request, |id, seller, now| {
            let new = auction(input.clone())?;
            listing::new_auction(id, seller, &new, now).map_err(Failure::Refused)
        })
        .await
    }

    /// Offers something at a fixed price.
    #[graphql(guard = "LoggedIn")]
    async fn create_fixed_price_listing(
        &self,
        ctx: &Context<'_>,
        input: FixedPriceInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<ListingPayload> {
        let request = input.clone();
        create(ctx, "createFixedPriceListing", &idempotency_key, &request, |id, seller, now| {
            let new = fixed_price(input.clone())?;
            listing::new_fixed_price(id, seller, &new, now).map_err(Failure::Refused)
        })
        .await
    }

    /// Offers a service.
    #[graphql(guard = "LoggedIn")]
    async fn create_service_listing(
        &self,
        ctx: &Context<'_>,
        input: ServiceInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<ListingPayload> {
        let request = input.clone();
        create(ctx, "createServiceListing", &idempotency_key, &request, |id, seller, now| {
            let new = service(input.clone())?;
            listing::new_service(id, seller, &new, now).map_err(Failure::Refused)
        })
        .await
    }

    /// Changes title or price of an own listing, while nobody has bid on it or reserved it.
    #[graphql(guard = "LoggedIn")]
    async fn update_listing(
        &self,
        ctx: &Context<'_>,
        id: ID,
        title: Option<String>,
        price: Option<Decimal>,
        expected_version: i32,
    ) -> async_graphql::Result<ListingPayload> {
        let (identity, expected) = (viewer(ctx).require()?, i64::from(expected_version));
        let (id, title) = (parse_id(&id), title.as_deref());
        let outcome = market(ctx).update(identity, id, title, price.as_ref(), expected).await;
        listing_payload(ctx, outcome).await
    }

    /// Calls a listing off: an own one while nobody has bid on it or reserved it. Managers may call off any, with bids too.
    #[graphql(guard = "LoggedIn")]
    async fn cancel_listing(
        &self,
        ctx: &Context<'_>,
        id: ID,
        expected_version: i32,
    ) -> async_graphql::Result<ListingPayload> {
        let (identity, expected) = (viewer(ctx).require()?, i64::from(expected_version));
        let any = viewer_may(ctx, "listings:cancel:any");
        let outcome = market(ctx).cancel(identity, any, parse_id(&id), expected).await;
        listing_payload(ctx, outcome).await
    }

    /// Bids on an auction. The bid is pending until its funds are held; then it leads, or is refused.
    #[graphql(guard = "LoggedIn")]
    async fn place_bid(
        &self,
        ctx: &Context<'_>,
        listing_id: ID,
        amount: Decimal,
        currency: String,
        idempotency_key: ID,
    ) -> async_graphql::Result<BidPayload> {
        let identity = viewer(ctx).require()?;
        let (market, listing_id) = (market(ctx), parse_id(&listing_id));
        let outcome = async {
            let amount = Money::parse(&amount.0, &currency).map_err(|error| {
                let refused = UserError::from(error);
                let field = if refused.code == "UNKNOWN_CURRENCY" { "currency" } else { "amount" };
                UserError::on(&[field], refused.code, refused.message)
            })?;
            market.place_bid(identity.user_id, listing_id, amount, &idempotency_key).await
        }
        .await;
        let (id, user_errors) = payload(outcome)?;
        let (bids, listings) = (id.as_slice(), listing_id.as_slice());
        let bid = match bids {
            [] => None,
            _ => store::bids::by_ids(market.db.read(), bids).await?.into_values().next(),
        };
        let listing = store::listings::by_ids(market.db.read(), listings).await?.into_values().next();
        let listing = match listing.map(Listing::from) {
            Some(Listing::Auction(auction)) => Some(auction),
            _ => None,
        };
        Ok(BidPayload { bid: bid.map(Bid), listing, user_errors })
    }
}

fn market<'a>(ctx: &Context<'a>) -> &'a Market {
    ctx.data_unchecked::<Arc<Market>>()
}

/// The changed listing, or why it was not changed.
async fn listing_payload(
    ctx: &Context<'_>,
    outcome: Result<Uuid, Failure>,
) -> async_graphql::Result<ListingPayload> {
    let (id, user_errors) = payload(outcome)?;
    let listing = match id {
        Some(id) => store::listings::by_ids(market(ctx).db.read(), &[id]).await?.remove(&id),
        None => None,
    };
    Ok(ListingPayload { listing: listing.map(Listing::from), user_errors })
}

/// Makes one listing per idempotency key: checks who asks, builds it, writes it with its events.
async fn create<R: Serialize + Sync>(
    ctx: &Context<'_>,
    operation: &'static str,
    idempotency_key: &str,
    request: &R,
    build: impl Fn(Uuid, Uuid, DateTime<Utc>) -> Result<listing::Listing, Failure> + Sync,
) -> async_graphql::Result<ListingPayload> {
    let identity = viewer(ctx).require()?;
    let market = market(ctx);
    let actor = identity.actor();
    let is_seller = viewer(ctx).has_role("SELLER");
    let outcome: Result<Uuid, Failure> = async {
        let key = Key::new(actor.as_str(), operation, idempotency_key)?;
        idempotency::once(&market.db, &key, request, |tx| {
            let (build, actor) = (&build, actor.as_str());
            async move {
                if !is_seller {
                    return Err(Failure::refused("NOT_A_SELLER", "Open a stall before you list something."));
                }
                let listing = build(Uuid::now_v7(), identity.user_id, time::of(&tx).await?)?;
                market.create(&tx, &listing, actor, None).await?;
                Ok(listing.id)
            }
        })
        .await
    }
    .await;
    listing_payload(ctx, outcome).await
}

fn money(field: &str, amount: &Decimal, currency: &str) -> Result<Money, UserError> {
    Money::parse(&amount.0, currency).map_err(|error| {
        let refused = UserError::from(error);
        let field = if refused.code == "UNKNOWN_CURRENCY" { "currency" } else { field };
        UserError::on(&["input", field], refused.code, refused.message)
    })
}

fn auction(input: AuctionInput) -> Result<NewAuction, Failure> {
    let price = |field: &str, amount: &Option<Decimal>| {
        amount.as_ref().map(|amount| money(field, amount, &input.currency)).transpose()
    };
    let item_id = parse_id(&input.item_id)
        .ok_or_else(|| UserError::on(&["input", "itemId"], "UNKNOWN_ITEM", "There is no such item."))?;
    Ok(NewAuction {
        item_id,
        start_price: money("startPrice", &input.start_price, &input.currency)?,
        reserve_price: price("reservePrice", &input.reserve_price)?,
        buy_now_price: price("buyNowPrice", &input.buy_now_price)?,
        ends_at: input.ends_at,
        title: input.title,
    })
}

fn fixed_price(input: FixedPriceInput) -> Result<NewFixedPrice, Failure> {
    let unknown = || UserError::on(&["input", "productId"], "UNKNOWN_PRODUCT", "There is no such product.");
    let product_id = input.product_id.map(|id| parse_id(&id).ok_or_else(unknown)).transpose()?;
    let price = money("price", &input.price, &input.currency)?;
    Ok(NewFixedPrice { product_id, title: input.title, price, quantity: input.quantity })
}

fn service(input: ServiceInput) -> Result<NewService, Failure> {
    Ok(NewService {
        price: money("price", &input.price, &input.currency)?,
        title: input.title,
        description: input.description,
        deposit_percent: input.deposit_percent,
        duration_minutes: input.duration_minutes,
    })
}
