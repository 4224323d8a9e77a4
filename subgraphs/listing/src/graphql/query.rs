//! Reading listings.

use async_graphql::{Context, Object};
use kopitiam_kit::Db;
use kopitiam_kit::graphql::ID;
use kopitiam_kit::page::PageArgs;

use super::listing_types::Listing;
use super::loaders::Loaders;
use super::types::{
    ListingConnection, ListingFilter, ListingKind, ListingSort, listing_connection, position,
};
use super::{load, parse_id};
use crate::domain::listing::ListingStatus;
use crate::store;
use crate::store::listings::Filter;

/// The root of queries.
#[derive(Default)]
pub struct Query;

#[Object(name = "ListingQuery")]
impl Query {
    /// One listing, whatever its status.
    async fn listing(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<Listing>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        Ok(load(ctx.data_unchecked::<Loaders>().listings.load_one(id).await)?.map(Listing::from))
    }

    /// Listings; open ones unless the filter names statuses.
    async fn listings(
        &self,
        ctx: &Context<'_>,
        filter: Option<ListingFilter>,
        #[graphql(default_with = "Some(ListingSort::EndingSoon)")] sort: Option<ListingSort>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<ListingConnection> {
        let args = PageArgs::new(first, after)?;
        let Some(filter) = to_filter(filter.unwrap_or_default()) else {
            return Ok(ListingConnection::from_page(kopitiam_kit::page::Page::empty(), 0));
        };
        let (db, sort) = (ctx.data_unchecked::<Db>(), sort.unwrap_or(ListingSort::EndingSoon).into());
        let after = position(&args, sort)?;
        let rows = store::listings::page(db.read(), &filter, sort, after, args.limit()).await?;
        let counts = ctx.look_ahead().field("totalCount").exists();
        let total = if counts { store::listings::count(db.read(), &filter).await? } else { 0 };
        Ok(listing_connection(rows, total, sort, &args))
    }
}

/// `None` when nothing can match: the seller's id is no id.
fn to_filter(filter: ListingFilter) -> Option<Filter> {
    let kinds = filter.kinds.unwrap_or_default().into_iter().map(|kind| match kind {
        ListingKind::Auction => "AUCTION",
        ListingKind::FixedPrice => "FIXED_PRICE",
        ListingKind::Service => "SERVICE",
    });
    let statuses = filter.statuses.map_or_else(
        || vec![ListingStatus::Active],
        |statuses| statuses.into_iter().map(ListingStatus::from).collect(),
    );
    let seller_id = match filter.seller_id {
        Some(id) => Some(parse_id(&id)?),
        None => None,
    };
    Some(Filter { kinds: kinds.collect(), statuses, seller_id, query: filter.query })
}
