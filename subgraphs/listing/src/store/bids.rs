//! Bids: read in batches and in pages, newest first. Rows are never changed but for their status, and never deleted.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, SystemError};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Value,
};
use uuid::Uuid;

use super::entity::bid;
use super::pages::{Lists, Part, Rows, of_owners};
use crate::domain::bid::{Bid, BidStatus};

/// Where a page of bids continues: time and id of the last one seen.
pub type Position = (DateTime<Utc>, Uuid);

/// Statuses of bids that led at some time.
const HAVE_LED: [&str; 3] = ["ACCEPTED", "OUTBID", "WON"];

/// Whose bids, or on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// Bids on listings that led at some time: what everybody may see.
    Listings,
    /// Bidders' own bids, optionally of one status.
    Bidders(Option<BidStatus>),
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

/// A page of bids of each listing or bidder, newest first.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn pages(
    connection: &impl ConnectionTrait,
    of: Of,
    owners: &[Uuid],
    part: &Part<Position>,
) -> Result<HashMap<Uuid, Rows<Bid>>, SystemError> {
    let (owner, only) = match of {
        Of::Listings => ("listing_id", "t.status IN ('ACCEPTED', 'OUTBID', 'WON')".to_owned()),
        Of::Bidders(None) => ("bidder_id", "1 = 1".to_owned()),
        Of::Bidders(Some(status)) => ("bidder_id", format!("t.status = '{}'", status.name())),
    };
    let lists = Lists { table: "bid", owner, key: "placed_at", descending: true, only };
    let part = part.at(|(at, id)| [Value::from(*at), Value::from(*id)]);
    let pages = of_owners::<bid::Model>(connection, &lists, owners, &part).await?;
    let read_all = |rows: Vec<bid::Model>| rows.iter().map(read).collect::<Result<Vec<_>, _>>();
    pages.into_iter().map(|(owner, (rows, total))| Ok((owner, (read_all(rows)?, total)))).collect()
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
        code: Set(new.code.clone()),
    };
    bid::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Moves a bid from one status to another; `false` when it was not in the first any more. Never touches anything else.
///
/// # Errors
/// [`SystemError::Database`]; a unique violation when another bid leads already.
pub async fn move_on(
    connection: &impl ConnectionTrait,
    id: Uuid,
    from: BidStatus,
    to: BidStatus,
    code: Option<&str>,
) -> Result<bool, SystemError> {
    let result = bid::Entity::update_many()
        .col_expr(bid::Column::Status, Expr::val(to.name()))
        .col_expr(bid::Column::Code, Expr::val(code.map(str::to_owned)))
        .filter(bid::Column::Id.eq(id))
        .filter(bid::Column::Status.eq(from.name()))
        .exec(connection)
        .await?;
    Ok(result.rows_affected == 1)
}

/// Bids on a listing that wait for their funds, oldest first.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn waiting(connection: &impl ConnectionTrait, listing_id: Uuid) -> Result<Vec<Bid>, SystemError> {
    let rows = bid::Entity::find()
        .filter(bid::Column::ListingId.eq(listing_id))
        .filter(bid::Column::Status.eq(BidStatus::Pending.name()))
        .order_by_asc(bid::Column::Id)
        .all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// The newest bids that a person may see: those that led, and the person's own. Oldest of them first.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn visible(
    connection: &impl ConnectionTrait,
    listing_id: Uuid,
    viewer: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Bid>, SystemError> {
    let own = viewer.map(|viewer| bid::Column::BidderId.eq(viewer));
    let seen = Condition::any().add(bid::Column::Status.is_in(HAVE_LED)).add_option(own);
    let rows = bid::Entity::find()
        .filter(bid::Column::ListingId.eq(listing_id))
        .filter(seen)
        .order_by_desc(bid::Column::PlacedAt)
        .order_by_desc(bid::Column::Id)
        .limit(limit)
        .all(connection)
        .await?;
    rows.iter().rev().map(read).collect()
}

fn read(row: &bid::Model) -> Result<Bid, SystemError> {
    let status = BidStatus::from_name(&row.status)
        .ok_or_else(|| SystemError::Invariant(format!("bid status `{}`", row.status)))?;
    let amount = Money::stored(row.amount_minor, &row.currency)
        .map_err(|error| SystemError::Invariant(format!("bid {}: {error}", row.id)))?;
    let (id, listing_id, bidder_id, placed_at) = (row.id, row.listing_id, row.bidder_id, row.placed_at);
    Ok(Bid { id, listing_id, bidder_id, amount, placed_at, status, code: row.code.clone() })
}
