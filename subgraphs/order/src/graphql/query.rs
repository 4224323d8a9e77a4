//! The root queries.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use kopitiam_kit::auth::{HasScope, viewer};
use kopitiam_kit::errors::bad_input;
use kopitiam_kit::money::Currency;
use kopitiam_kit::page::{Page, PageArgs};
use kopitiam_kit::{Money, saga, time};
use uuid::Uuid;

use super::entities::order_page;
use super::order::{OrderConnection, OrderNode};
use super::reputation::BookingNode;
use super::types::{Cart, OrderFilter, Revenue, RevenueDay, Saga, SagaConnection, parse_id};
use super::{READ_ANY, READ_REVENUE, loaders, onlooker, shop, system};
use crate::store::{carts, reports};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The root queries.
#[derive(Default)]
pub struct OrderQuery;

#[Object]
impl OrderQuery {
    /// The cart with this id, if the viewer may use it; without one, or when it is gone, the viewer's own.
    async fn cart(&self, context: &Context<'_>, id: Option<ID>) -> async_graphql::Result<Option<Cart>> {
        let db = shop(context).db.read();
        let viewer = viewer(context).user_id();
        let named = match id.as_ref().and_then(parse_id) {
            Some(id) => carts::find(db, id, viewer).await.map_err(system)?,
            None => None,
        };
        let cart = match (named, viewer) {
            (Some(cart), _) => Some(cart),
            (None, Some(viewer)) => carts::of_owner(db, viewer).await.map_err(system)?,
            (None, None) => None,
        };
        Ok(cart.map(Cart))
    }

    /// The order with this number, if the viewer bought it, sells in it, or may see all.
    async fn order(&self, context: &Context<'_>, number: String) -> async_graphql::Result<Option<OrderNode>> {
        let order = loaders::load(context, loaders::OrderByNumber(number)).await?;
        Ok(order.and_then(|order| OrderNode::seen_by(order, onlooker(context))))
    }

    /// The booking with this id, if the viewer is a party to it or may see all.
    async fn booking(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<BookingNode>> {
        let Some(id) = parse_id(&id) else { return Ok(None) };
        let key = loaders::BookingById(id, onlooker(context));
        Ok(loaders::load(context, key).await?.map(BookingNode))
    }

    /// Everybody's orders, newest first.
    #[graphql(guard = "HasScope(READ_ANY)", requires_scopes = "orders:read:any")]
    async fn orders(
        &self,
        context: &Context<'_>,
        filter: Option<OrderFilter>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<OrderConnection> {
        let args = PageArgs::new(first, after)?;
        let filter = filter.unwrap_or_default().into_filter();
        order_page(context, filter, &args, onlooker(context)).await
    }

    /// Business transactions, newest first; by default those stuck: not over a minute after their deadline.
    #[graphql(guard = "HasScope(READ_ANY)", requires_scopes = "orders:read:any")]
    async fn sagas(
        &self,
        context: &Context<'_>,
        #[graphql(default_with = "Some(true)")] stuck_only: Option<bool>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<SagaConnection> {
        let args = PageArgs::new(first, after)?;
        let stuck_at = stuck_only.unwrap_or(true).then(time::now);
        let rows = saga::list(shop(context).db.read(), stuck_at, args.after::<Uuid>()?, args.limit()).await?;
        Ok(SagaConnection::from_page(Page::new(rows, &args, |saga| saga.id).map(Saga)))
    }

    /// What was invoiced from a time until before another, in one currency.
    #[graphql(guard = "HasScope(READ_REVENUE)", requires_scopes = "revenue:read")]
    async fn revenue(
        &self,
        context: &Context<'_>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        currency: String,
    ) -> async_graphql::Result<Revenue> {
        let currency = Currency::parse(&currency).map_err(|error| bad_input(error.to_string()))?;
        let db = shop(context).db.read();
        let sums = reports::revenue(db, from, to, currency.code()).await.map_err(system)?;
        let by_day = sums.by_day.into_iter().map(|(day, gross)| {
            let date = DateTime::from_timestamp(day * SECONDS_PER_DAY, 0).unwrap_or_default().date_naive();
            RevenueDay { day: date.to_string(), gross: Money::new(gross, currency) }
        });
        Ok(Revenue {
            gross: Money::new(sums.gross_minor, currency),
            fees: Money::new(sums.fees_minor, currency),
            refunds: Money::new(sums.refunds_minor, currency),
            order_count: i32::try_from(sums.order_count).unwrap_or(i32::MAX),
            by_day: by_day.collect(),
        })
    }
}
