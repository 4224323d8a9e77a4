//! Live listings and bids: the current state first, then every change, in whichever process it was made.

use std::collections::HashMap;

use async_graphql::{Context, Subscription};
use futures::{Stream, StreamExt};
use kopitiam_kit::Db;
use kopitiam_kit::errors::Failure;
use kopitiam_kit::graphql::ID;
use kopitiam_kit::live::Hub;
use uuid::Uuid;

use super::listing_types::Listing;
use super::types::Bid;
use super::{parse_id, viewer_id};
use crate::domain::bid::{self, BidStatus};
use crate::domain::listing;
use crate::store;

/// Of one auction a stream tells at most this many bids per change; whoever reads slower sees the newest.
const BIDS_AT_ONCE: u64 = 100;

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
        let shown =
            futures::stream::unfold((Box::pin(changes), db, 0), move |(mut changes, db, shown)| async move {
                loop {
                    changes.next().await?;
                    match read(&db, id).await {
                        // Woken without a change of the listing itself: a bid that waits, say.
                        Ok(listing) if listing.version == shown => {}
                        Ok(listing) => {
                            let version = listing.version;
                            return Some((Ok(Listing::from(listing)), (changes, db, version)));
                        }
                        Err(error) => return Some((Err(error), (changes, db, shown))),
                    }
                }
            });
        Ok(shown)
    }

    /// The leading bid of an auction now, then every bid that leads, is passed or wins; of the viewer's own also those
    /// that wait or are refused.
    async fn bid_changed(
        &self,
        ctx: &Context<'_>,
        listing_id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Bid>> + use<>> {
        let db = ctx.data_unchecked::<Db>().clone();
        let id = parse_id(&listing_id).ok_or_else(unknown)?;
        read(&db, id).await?;
        let viewer = viewer_id(ctx);
        let changes = ctx.data_unchecked::<Hub<Uuid>>().changes(id);
        let seen: Option<HashMap<Uuid, BidStatus>> = None;
        let batches = futures::stream::unfold(
            (Box::pin(changes), db, seen),
            move |(mut changes, db, mut seen)| async move {
                changes.next().await?;
                let batch = match store::bids::visible(db.read(), id, viewer, BIDS_AT_ONCE).await {
                    Ok(bids) => news(&mut seen, bids).into_iter().map(|bid| Ok(Bid(bid))).collect(),
                    Err(error) => vec![Err(error.into())],
                };
                Some((futures::stream::iter(batch), (changes, db, seen)))
            },
        );
        Ok(batches.flatten())
    }
}

/// What changed since the last look, in the order of placing; at the first look only the leader.
fn news(seen: &mut Option<HashMap<Uuid, BidStatus>>, bids: Vec<bid::Bid>) -> Vec<bid::Bid> {
    let now = bids.iter().map(|bid| (bid.id, bid.status)).collect();
    let before = seen.replace(now);
    let is_news = |bid: &bid::Bid| match &before {
        Some(before) => before.get(&bid.id) != Some(&bid.status),
        None => matches!(bid.status, BidStatus::Accepted | BidStatus::Won),
    };
    bids.into_iter().filter(is_news).collect()
}

async fn read(db: &Db, id: Uuid) -> async_graphql::Result<listing::Listing> {
    let mut found = store::listings::by_ids(db.read(), &[id]).await.map_err(async_graphql::Error::from)?;
    found.remove(&id).ok_or_else(unknown)
}

fn unknown() -> async_graphql::Error {
    Failure::refused("NOT_FOUND", "there is no such listing").into()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use kopitiam_kit::Money;
    use kopitiam_kit::money::Currency;

    use super::*;

    fn bid(id: u128, status: BidStatus) -> bid::Bid {
        bid::Bid {
            id: Uuid::from_u128(id),
            listing_id: Uuid::nil(),
            bidder_id: Uuid::nil(),
            amount: Money::new(1, Currency::USD),
            placed_at: DateTime::UNIX_EPOCH,
            status,
            code: None,
        }
    }

    #[test]
    fn the_leader_comes_first_then_only_what_changed() {
        let mut seen = None;
        let first = news(&mut seen, vec![bid(1, BidStatus::Outbid), bid(2, BidStatus::Accepted)]);
        assert_eq!(first, [bid(2, BidStatus::Accepted)]);
        let same = vec![bid(1, BidStatus::Outbid), bid(2, BidStatus::Accepted)];
        assert_eq!(news(&mut seen, same), []);
        let next = vec![bid(1, BidStatus::Outbid), bid(2, BidStatus::Outbid), bid(3, BidStatus::Accepted)];
        assert_eq!(news(&mut seen, next), [bid(2, BidStatus::Outbid), bid(3, BidStatus::Accepted)]);
    }
}
