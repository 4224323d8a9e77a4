//! The root subscriptions.
//!
//! Always: the first item is the row as it is, each further one a newer version of it; whoever may not see the row gets
//! one error. Streams end with their token or a ban (`kopitiam_kit::serve`). Elsewhere: what wakes them (`live`,
//! `sagas::changes`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_graphql::{Context, ID, Subscription};
use futures::{Stream, StreamExt};
use kopitiam_kit::auth::viewer;
use kopitiam_kit::errors::Denied;

use super::order::OrderNode;
use super::reputation::BookingNode;
use super::types::parse_id;
use super::{onlooker_of, system};
use crate::commands::Shop;
use crate::store::{bookings, orders};

/// The root subscriptions.
pub struct Subscription;

#[Subscription]
impl Subscription {
    /// The order as it is now, and again after each change; for those who may see it.
    async fn order_changed(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<OrderNode>> + use<>> {
        let viewer = viewer(context);
        viewer.require()?;
        let onlooker = onlooker_of(viewer);
        let shop = Arc::clone(context.data_unchecked::<Arc<Shop>>());
        // An order of somebody else and one that is not there are answered alike.
        let id = parse_id(&id).ok_or(Denied::Forbidden)?;
        let order = orders::find(shop.db.read(), id).await.map_err(system)?;
        order.and_then(|order| order.seen_by(onlooker)).ok_or(Denied::Forbidden)?;

        let last_version = Arc::new(AtomicI64::new(0));
        let changed = shop.changes.changes(id).filter_map(move |()| {
            let (shop, last_version) = (Arc::clone(&shop), Arc::clone(&last_version));
            async move {
                let order = match orders::find(shop.db.read(), id).await {
                    Ok(order) => order?,
                    Err(error) => return Some(Err(system(error))),
                };
                let is_new = last_version.swap(order.version, Ordering::Relaxed) != order.version;
                OrderNode::seen_by(order, onlooker).filter(|_| is_new).map(Ok)
            }
        });
        Ok(changed.boxed())
    }

    /// The booking as it is now, and again after each change; for its parties and managers.
    async fn booking_changed(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<BookingNode>> + use<>> {
        let viewer = viewer(context);
        viewer.require()?;
        let onlooker = onlooker_of(viewer);
        let shop = Arc::clone(context.data_unchecked::<Arc<Shop>>());
        let id = parse_id(&id).ok_or(Denied::Forbidden)?;
        let booking = bookings::find(shop.db.read(), id).await.map_err(system)?;
        let seen = booking.filter(|booking| {
            onlooker.may_see_of(booking.buyer_id) || onlooker.may_see_of(booking.seller_id)
        });
        seen.ok_or(Denied::Forbidden)?;

        let last_version = Arc::new(AtomicI64::new(0));
        let changed = shop.booking_changes.changes(id).filter_map(move |()| {
            let (shop, last_version) = (Arc::clone(&shop), Arc::clone(&last_version));
            async move {
                let booking = match bookings::find(shop.db.read(), id).await {
                    Ok(booking) => booking?,
                    Err(error) => return Some(Err(system(error))),
                };
                let is_new = last_version.swap(booking.version, Ordering::Relaxed) != booking.version;
                is_new.then_some(Ok(BookingNode(booking)))
            }
        });
        Ok(changed.boxed())
    }
}
