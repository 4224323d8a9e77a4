//! Live listings: the current state first, then every change.

use async_graphql::{Context, Subscription};
use futures::{Stream, StreamExt};
use kopitiam_kit::Db;
use kopitiam_kit::errors::Failure;
use kopitiam_kit::graphql::ID;
use kopitiam_kit::live::Hub;
use uuid::Uuid;

use super::listing_types::Listing;
use super::parse_id;
use crate::store;

/// The root of subscriptions.
#[derive(Default)]
pub struct Subscription;

#[Subscription]
impl Subscription {
    /// The listing now, and again after every change.
    async fn listing_changed(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Listing>> + use<>> {
        let db = ctx.data_unchecked::<Db>().clone();
        let id = parse_id(&id).ok_or_else(unknown)?;
        read(&db, id).await?;
        let changes = ctx.data_unchecked::<Hub<Uuid>>().changes(id);
        Ok(changes.then(move |()| {
            let db = db.clone();
            async move { read(&db, id).await }
        }))
    }
}

async fn read(db: &Db, id: Uuid) -> async_graphql::Result<Listing> {
    let mut found = store::listings::by_ids(db.read(), &[id]).await.map_err(async_graphql::Error::from)?;
    found.remove(&id).map(Listing::from).ok_or_else(unknown)
}

fn unknown() -> async_graphql::Error {
    Failure::refused("NOT_FOUND", "there is no such listing").into()
}
