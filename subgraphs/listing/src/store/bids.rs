//! Bids: read in batches and in pages, newest first. Rows are never changed but for their status, and never deleted.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, SystemError};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::entity::bid;
use crate::domain::bid::{Bid, BidStatus};

/// Where a page of bids continues: time and id of the last one seen.
pub type Position = (DateTime<Utc>, Uuid);

/// Whose bids, or on what.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Accepted bids on a listing: what everybody may see.
    Listing(Uuid),
    /// A person's own bids, optionally of one status.
    Bidder(Uuid, Option<BidStatus>),
}

/// Bids by id.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn by_ids(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Bid>, SystemError> {
    let rows = bid::Entity::find().filter(bid::Column::Id.is_in(ids.iter().copied())).all(connection).await?;
    rows.into_iter().map(|row| Ok((row.id, read(&row)?))).collect()
}

/// A page of bids, newest first, and how many there are in all.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn page(
    connection: &impl ConnectionTrait,
    of: Of,
    after: Option<Position>,
    limit: u64,
) -> Result<(Vec<Bid>, u64), SystemError> {
    let all = bid::Entity::find().filter(condition(of));
    let total = all.clone().count(connection).await?;
    let after = after.map(|(at, id)| {
        Condition::any()
            .add(bid::Column::PlacedAt.lt(at))
            .add(Condition::all().add(bid::Column::PlacedAt.eq(at)).add(bid::Column::Id.lt(id)))
    });
    let rows = all
        .filter(after.unwrap_or_else(Condition::all))
        .order_by_desc(bid::Column::PlacedAt)
        .order_by_desc(bid::Column::Id)
        .limit(limit)
        .all(connection)
        .await?;
    Ok((rows.iter().map(read).collect::<Result<_, _>>()?, total))
}

/// The newest bid of one person on each of some listings.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn newest_of(
    connection: &impl ConnectionTrait,
    bidder_id: Uuid,
    listing_ids: &[Uuid],
) -> Result<HashMap<Uuid, Bid>, SystemError> {
    let rows = bid::Entity::find()
        .filter(bid::Column::BidderId.eq(bidder_id))
        .filter(bid::Column::ListingId.is_in(listing_ids.iter().copied()))
        .order_by_asc(bid::Column::PlacedAt)
        .order_by_asc(bid::Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(|row| Ok((row.listing_id, read(&row)?))).collect()
}

/// Adds a bid.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn insert(connection: &impl ConnectionTrait, new: &Bid) -> Result<(), SystemError> {
    let row = bid::ActiveModel {
        id: Set(new.id),
        listing_id: Set(new.listing_id),
        bidder_id: Set(new.bidder_id),
        currency: Set(new.amount.currency().code().to_owned()),
        amount_minor: Set(new.amount.minor()),
        placed_at: Set(new.placed_at),
        status: Set(new.status.name().to_owned()),
    };
    bid::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

fn condition(of: Of) -> Condition {
    match of {
        Of::Listing(id) => Condition::all()
            .add(bid::Column::ListingId.eq(id))
            .add(bid::Column::Status.is_in(["ACCEPTED", "OUTBID", "WON"])),
        Of::Bidder(id, status) => Condition::all()
            .add(bid::Column::BidderId.eq(id))
            .add_option(status.map(|status| bid::Column::Status.eq(status.name()))),
    }
}

fn read(row: &bid::Model) -> Result<Bid, SystemError> {
    let status = BidStatus::from_name(&row.status)
        .ok_or_else(|| SystemError::Invariant(format!("bid status `{}`", row.status)))?;
    let amount = Money::stored(row.amount_minor, &row.currency)
        .map_err(|error| SystemError::Invariant(format!("bid {}: {error}", row.id)))?;
    let (id, listing_id, bidder_id, placed_at) = (row.id, row.listing_id, row.bidder_id, row.placed_at);
    Ok(Bid { id, listing_id, bidder_id, amount, placed_at, status })
}
