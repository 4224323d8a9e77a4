//! Listings: read one by one, in batches and in pages; inserted and moved on by conditional updates.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, SystemError, Tx};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, Order, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Value,
};
use uuid::Uuid;

use super::entity::listing::{ActiveModel, Column, Entity, Model};
use super::pages::{Lists, Part, Rows, of_owners};
use crate::domain::bid::Bid;
use crate::domain::listing::{Details, Listing, ListingStatus};

/// Which listings a page shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Kinds by name; empty: all.
    pub kinds: Vec<&'static str>,
    /// Statuses; empty: all.
    pub statuses: Vec<ListingStatus>,
    /// One seller's.
    pub seller_id: Option<Uuid>,
    /// Words in the title.
    pub query: Option<String>,
}

/// In which order a page shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Auctions by their end, then the rest by age.
    EndingSoon,
    /// Newest first.
    Newest,
    /// Cheapest first.
    PriceAscending,
    /// Dearest first.
    PriceDescending,
}

/// Where a page continues: the sort key of the last listing seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Position {
    time: Option<DateTime<Utc>>,
    minor: Option<i64>,
    id: Uuid,
}

/// A time after every auction: listings without an end sort last.
const NEVER: DateTime<Utc> = DateTime::<Utc>::from_timestamp(253_402_300_799, 0).expect("the year 9999");

impl Position {
    /// Whether it is a position of that order: a cursor of a page sorted otherwise is not.
    pub fn fits(&self, sort: Sort) -> bool {
        let is_by_price = matches!(sort, Sort::PriceAscending | Sort::PriceDescending);
        self.minor.is_some() == is_by_price && self.time.is_some() != is_by_price
    }

    /// The position of a listing in that order.
    pub fn of(listing: &Listing, sort: Sort) -> Self {
        let id = listing.id;
        match sort {
            Sort::EndingSoon => {
                let ends_at = match listing.details {
                    Details::Auction { ends_at, .. } => ends_at,
                    _ => NEVER,
                };
                Self { time: Some(ends_at), minor: None, id }
            }
            Sort::Newest => Self { time: Some(listing.created_at), minor: None, id },
            Sort::PriceAscending | Sort::PriceDescending => {
                Self { time: None, minor: Some(listing.ask_price.minor()), id }
            }
        }
    }
}

/// Listings by id.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn by_ids(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Listing>, SystemError> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(connection).await?;
    rows.into_iter().map(|row| Ok((row.id, read(&row)?))).collect()
}

/// The open auction of each of some items.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn open_by_item(
    connection: &impl ConnectionTrait,
    item_ids: &[Uuid],
) -> Result<HashMap<Uuid, Listing>, SystemError> {
    let rows = Entity::find()
        .filter(Column::ItemId.is_in(item_ids.iter().copied()))
        .filter(Column::Status.is_in(["PENDING", "ACTIVE", "SETTLING"]))
        .all(connection)
        .await?;
    rows.into_iter()
        .filter_map(|row| Some((row.item_id?, row)))
        .map(|(item, row)| Ok((item, read(&row)?)))
        .collect()
}

/// The lowest price asked now for each of some products.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn lowest_price(
    connection: &impl ConnectionTrait,
    product_ids: &[Uuid],
) -> Result<HashMap<Uuid, Money>, SystemError> {
    let rows: Vec<(Option<Uuid>, String, i64)> = Entity::find()
        .select_only()
        .column(Column::ProductId)
        .column(Column::Currency)
        .column_as(Column::AskMinor.min(), "lowest")
        .filter(Column::ProductId.is_in(product_ids.iter().copied()))
        .filter(Column::Status.eq(ListingStatus::Active.name()))
        .group_by(Column::ProductId)
        .group_by(Column::Currency)
        .order_by_desc(Column::Currency)
        .into_tuple()
        .all(connection)
        .await?;
    let stored = rows.into_iter().filter_map(|(product, currency, minor)| Some((product?, currency, minor)));
    stored.map(|(product, currency, minor)| Ok((product, money(minor, &currency)?))).collect()
}

/// Whose listings a page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// Open listings that offer products, cheapest first.
    Products,
    /// All of sellers, newest first.
    Sellers,
}

impl Of {
    /// In which order.
    pub fn sort(self) -> Sort {
        match self {
            Self::Products => Sort::PriceAscending,
            Self::Sellers => Sort::Newest,
        }
    }
}

/// A page of listings of each product or seller. The position has to fit the order.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn pages(
    connection: &impl ConnectionTrait,
    of: Of,
    owners: &[Uuid],
    part: &Part<Position>,
) -> Result<HashMap<Uuid, Rows<Listing>>, SystemError> {
    let (owner, key, descending, only) = match of {
        Of::Products => ("product_id", "ask_minor", false, "t.status = 'ACTIVE'"),
        Of::Sellers => ("seller_id", "created_at", true, "1 = 1"),
    };
    let lists = Lists { table: "listing", owner, key, descending, only: only.to_owned() };
    let part = part.at(|Position { time, minor, id }| {
        let key = time.map_or_else(|| Value::from(minor.unwrap_or_default()), Value::from);
        [key, Value::from(*id)]
    });
    let pages = of_owners::<Model>(connection, &lists, owners, &part).await?;
    let read_all = |rows: Vec<Model>| rows.iter().map(read).collect::<Result<Vec<_>, _>>();
    pages.into_iter().map(|(owner, (rows, total))| Ok((owner, (read_all(rows)?, total)))).collect()
}

/// How many listings there are.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn count(connection: &impl ConnectionTrait, filter: &Filter) -> Result<u64, SystemError> {
    Ok(Entity::find().filter(condition(filter)).count(connection).await?)
}

/// A page of listings.
///
/// # Errors
/// [`SystemError`] when the database refuses or a row is not understood.
pub async fn page(
    connection: &impl ConnectionTrait,
    filter: &Filter,
    sort: Sort,
    after: Option<Position>,
    limit: u64,
) -> Result<Vec<Listing>, SystemError> {
    let all = Entity::find().filter(condition(filter));
    let (key, order) = match sort {
        Sort::EndingSoon => {
            (Func::coalesce([Expr::col(Column::EndsAt), Expr::val(NEVER)]).into(), Order::Asc)
        }
        Sort::Newest => (Expr::col(Column::CreatedAt), Order::Desc),
        Sort::PriceAscending => (Expr::col(Column::AskMinor), Order::Asc),
        Sort::PriceDescending => (Expr::col(Column::AskMinor), Order::Desc),
    };
    let mut query = all;
    if let Some(position) = after {
        query = query.filter(later(&key, &order, &position));
    }
    let rows =
        query.order_by(key, order.clone()).order_by(Column::Id, order).limit(limit).all(connection).await?;
    rows.iter().map(read).collect()
}

/// Rows after a position in an order: a greater key, or the same key and a greater id (smaller when descending).
fn later(key: &Expr, order: &Order, position: &Position) -> Condition {
    let value = match (position.time, position.minor) {
        (Some(time), _) => Expr::val(time),
        (None, minor) => Expr::val(minor.unwrap_or_default()),
    };
    let id = Expr::col(Column::Id);
    let (beyond, tie) = if *order == Order::Asc {
        (key.clone().gt(value.clone()), id.gt(position.id))
    } else {
        (key.clone().lt(value.clone()), id.lt(position.id))
    };
    Condition::any().add(beyond).add(Condition::all().add(key.clone().eq(value)).add(tie))
}

fn condition(filter: &Filter) -> Condition {
    let mut condition = Condition::all().add_option(filter.seller_id.map(|id| Column::SellerId.eq(id)));
    if !filter.kinds.is_empty() {
        condition = condition.add(Column::Kind.is_in(filter.kinds.iter().copied()));
    }
    if !filter.statuses.is_empty() {
        condition = condition.add(Column::Status.is_in(filter.statuses.iter().map(|status| status.name())));
    }
    for word in filter.query.iter().flat_map(|query| query.split_whitespace()).take(8) {
        let pattern: String =
            word.to_lowercase().chars().filter(|character| !matches!(character, '%' | '_' | '\\')).collect();
        condition =
            condition.add(Expr::from(Func::lower(Expr::col(Column::Title))).like(format!("%{pattern}%")));
    }
    condition
}

/// Adds a listing.
///
/// # Errors
/// [`SystemError::Database`]; a unique violation when the item is under another open auction.
pub async fn insert(connection: &impl ConnectionTrait, listing: &Listing) -> Result<(), SystemError> {
    Entity::insert(row(listing)).exec_without_returning(connection).await?;
    Ok(())
}

/// Moves a listing from one status to another; `false` when it was not in the first any more.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn move_on(
    connection: &impl ConnectionTrait,
    id: Uuid,
    from: ListingStatus,
    to: ListingStatus,
) -> Result<bool, SystemError> {
    let result = Entity::update_many()
        .col_expr(Column::Status, Expr::val(to.name()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(from.name()))
        .exec(connection)
        .await?;
    Ok(result.rows_affected == 1)
}

/// The listing, locked until the transaction ends where the database has row locks; elsewhere the transaction is the
/// only one that writes.
///
/// # Errors
/// [`SystemError`] when the database refuses or the row is not understood.
pub async fn lock(tx: &Tx, id: Uuid) -> Result<Option<Listing>, SystemError> {
    let found = Entity::find_by_id(id).lock_exclusive().one(tx).await?;
    found.as_ref().map(read).transpose()
}

/// What changes of a listing, see [`change`].
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// Another status.
    Status(ListingStatus),
    /// A bid leads: price, count and, when it moves, the end.
    Lead(&'a Bid, Option<DateTime<Utc>>),
    /// Title and price; of an auction the start price.
    Terms(&'a str, Money),
    /// Kept for an order of this buyer.
    Kept(Uuid, Uuid, DateTime<Utc>),
    /// No longer kept; pieces left.
    Free(ListingStatus, i32),
}

/// Changes a listing that is still as it was read; `false` when another transaction changed it meanwhile.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn change(tx: &Tx, listing: &Listing, change: Change<'_>) -> Result<bool, SystemError> {
    let update = Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(listing.id))
        .filter(Column::Version.eq(listing.version));
    let status = |status: ListingStatus| Expr::val(status.name());
    let update = match change {
        Change::Status(to) => update.col_expr(Column::Status, status(to)),
        Change::Lead(bid, moved) => {
            let update = update
                .col_expr(Column::AskMinor, Expr::val(bid.amount.minor()))
                .col_expr(Column::HighestBidId, Expr::val(bid.id))
                .col_expr(Column::BidCount, Expr::col(Column::BidCount).add(1));
            match moved {
                Some(ends_at) => update.col_expr(Column::EndsAt, Expr::val(ends_at)),
                None => update,
            }
        }
        Change::Terms(title, price) => {
            let update = update
                .col_expr(Column::Title, Expr::val(title))
                .col_expr(Column::AskMinor, Expr::val(price.minor()));
            match listing.details {
                Details::Auction { .. } => update.col_expr(Column::StartMinor, Expr::val(price.minor())),
                _ => update,
            }
        }
        Change::Kept(order_id, buyer_id, until) => update
            .col_expr(Column::Status, status(ListingStatus::Reserved))
            .col_expr(Column::LockedByOrder, Expr::val(order_id))
            .col_expr(Column::ReservedBy, Expr::val(buyer_id))
            .col_expr(Column::ReservedUntil, Expr::val(until)),
        Change::Free(to, left) => update
            .col_expr(Column::Status, status(to))
            .col_expr(Column::Quantity, Expr::val(left))
            .col_expr(Column::LockedByOrder, Expr::val(Option::<Uuid>::None))
            .col_expr(Column::ReservedBy, Expr::val(Option::<Uuid>::None))
            .col_expr(Column::ReservedUntil, Expr::val(Option::<DateTime<Utc>>::None)),
    };
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// Ids of a seller's listings that are not over, oldest first.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn unfinished_of(
    connection: &impl ConnectionTrait,
    seller_id: Uuid,
) -> Result<Vec<Uuid>, SystemError> {
    let rows: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::SellerId.eq(seller_id))
        .filter(Column::Status.is_in(["PENDING", "ACTIVE"]))
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows)
}

fn row(listing: &Listing) -> ActiveModel {
    let mut row = ActiveModel {
        id: Set(listing.id),
        title: Set(listing.title.clone()),
        seller_id: Set(listing.seller_id),
        status: Set(listing.status.name().to_owned()),
        currency: Set(listing.ask_price.currency().code().to_owned()),
        ask_minor: Set(listing.ask_price.minor()),
        created_at: Set(listing.created_at),
        version: Set(listing.version),
        bid_count: Set(0),
        ..Default::default()
    };
    match &listing.details {
        Details::Auction {
            item_id,
            start_price,
            reserve_price,
            buy_now_price,
            ends_at,
            bid_count,
            highest_bid_id,
        } => {
            row.kind = Set("AUCTION".to_owned());
            row.item_id = Set(Some(*item_id));
            row.start_minor = Set(Some(start_price.minor()));
            row.reserve_minor = Set(reserve_price.map(Money::minor));
            row.buy_now_minor = Set(buy_now_price.map(Money::minor));
            row.ends_at = Set(Some(*ends_at));
            row.bid_count = Set(*bid_count);
            row.highest_bid_id = Set(*highest_bid_id);
        }
        Details::FixedPrice { product_id, quantity, reserved_until, reserved_by } => {
            row.kind = Set("FIXED_PRICE".to_owned());
            row.product_id = Set(*product_id);
            row.quantity = Set(Some(*quantity));
            row.reserved_until = Set(*reserved_until);
            row.reserved_by = Set(*reserved_by);
        }
        Details::Service { description, deposit_percent, duration_minutes } => {
            row.kind = Set("SERVICE".to_owned());
            row.description = Set(Some(description.clone()));
            row.deposit_percent = Set(Some(*deposit_percent));
            row.duration_minutes = Set(*duration_minutes);
        }
    }
    row
}

fn read(row: &Model) -> Result<Listing, SystemError> {
    let broken = |what: &str| SystemError::Invariant(format!("listing {}: {what}", row.id));
    let price = |minor: i64| money(minor, &row.currency);
    let details = match row.kind.as_str() {
        "AUCTION" => Details::Auction {
            item_id: row.item_id.ok_or_else(|| broken("no item"))?,
            start_price: price(row.start_minor.ok_or_else(|| broken("no start price"))?)?,
            reserve_price: row.reserve_minor.map(price).transpose()?,
            buy_now_price: row.buy_now_minor.map(price).transpose()?,
            ends_at: row.ends_at.ok_or_else(|| broken("no end"))?,
            bid_count: row.bid_count,
            highest_bid_id: row.highest_bid_id,
        },
        "FIXED_PRICE" => Details::FixedPrice {
            product_id: row.product_id,
            quantity: row.quantity.ok_or_else(|| broken("no quantity"))?,
            reserved_until: row.reserved_until,
            reserved_by: row.reserved_by,
        },
        "SERVICE" => Details::Service {
            description: row.description.clone().ok_or_else(|| broken("no description"))?,
            deposit_percent: row.deposit_percent.ok_or_else(|| broken("no deposit"))?,
            duration_minutes: row.duration_minutes,
        },
        _ => return Err(broken("unknown kind")),
    };
    Ok(Listing {
        id: row.id,
        title: row.title.clone(),
        seller_id: row.seller_id,
        status: ListingStatus::from_name(&row.status).ok_or_else(|| broken("unknown status"))?,
        ask_price: price(row.ask_minor)?,
        created_at: row.created_at,
        version: row.version,
        details,
    })
}

fn money(minor: i64, currency: &str) -> Result<Money, SystemError> {
    Money::stored(minor, currency).map_err(|error| SystemError::Invariant(error.to_string()))
}
