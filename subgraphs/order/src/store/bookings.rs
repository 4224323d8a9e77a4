//! Bookings and their history.
//!
//! Always: a booking changes by compare-and-set on its version, and each change leaves a row of history under its
//! version; a booking that is not over has its time in `due_at_ms`. Elsewhere: what may change (`domain::booking`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::own_pages;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::entities::{booking, booking_event};
use super::{NewestFirst, parsed, time};
use crate::domain::booking::{Booking, BookingState};
use crate::domain::order::Onlooker;

/// One state that a booking went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    pub state: BookingState,
    /// Who brought it about: `user:<id>`, `SYSTEM` for what time did, or `service:<name>`.
    pub actor: String,
    /// For people.
    pub note: Option<String>,
}

/// Who changed a booking, and what they said.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'cause> {
    /// `user:<id>`, `SYSTEM` or `service:<name>`.
    pub actor: &'cause str,
    /// For people.
    pub note: Option<&'cause str>,
}

/// The versions that these bookings stand at.
///
/// # Errors
/// When the database fails.
pub async fn versions<C: ConnectionTrait>(db: &C, ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>, DbErr> {
    use booking::Column as C;
    let mut versions = Vec::with_capacity(ids.len());
    // Databases bound the number of parameters.
    for some in ids.chunks(500) {
        let rows = booking::Entity::find().select_only().columns([C::Id, C::Version]);
        versions.extend(
            rows.filter(C::Id.is_in(some.iter().copied())).into_tuple::<(Uuid, i64)>().all(db).await?,
        );
    }
    Ok(versions)
}

/// Adds a new booking with its first line of history.
///
/// # Errors
/// When the database fails.
pub async fn insert<C: ConnectionTrait>(db: &C, new: &Booking, cause: Cause<'_>) -> Result<(), DbErr> {
    let row = booking::ActiveModel {
        id: Set(new.id),
        listing_id: Set(new.listing_id),
        buyer_id: Set(new.buyer_id),
        seller_id: Set(new.seller_id),
        state: Set(new.state.as_str().to_owned()),
        currency: Set(new.currency.clone()),
        price_minor: Set(new.price_minor),
        deposit_minor: Set(new.deposit_minor),
        deposit_paid: Set(new.deposit_paid),
        seller_confirmed_at_ms: Set(ms(new.seller_confirmed_at)),
        buyer_confirmed_at_ms: Set(ms(new.buyer_confirmed_at)),
        auto_confirm_at_ms: Set(ms(new.auto_confirm_at)),
        version: Set(new.version),
        title: Set(new.title.clone()),
        note: Set(cause.note.map(str::to_owned)),
        escrow_minor: Set(new.escrow_minor),
        starts_at_ms: Set(ms(new.starts_at)),
        created_at_ms: Set(new.created_at.timestamp_millis()),
        state_since_ms: Set(new.state_since.timestamp_millis()),
        reminded_at_ms: Set(ms(new.reminded_at)),
        due_at_ms: Set(ms(new.due_at())),
    };
    booking::Entity::insert(row).exec_without_returning(db).await?;
    remember(db, new, cause, new.created_at).await
}

fn ms(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(|at| at.timestamp_millis())
}

/// Writes what became of a booking, if it still has `version`. `false`: somebody else was first, and nothing changed.
///
/// # Errors
/// When the database fails.
pub async fn save<C: ConnectionTrait>(
    db: &C,
    version: i64,
    next: &Booking,
    cause: Cause<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    use booking::Column as C;
    let changed = booking::Entity::update_many()
        .col_expr(C::State, Expr::value(next.state.as_str()))
        .col_expr(C::DepositPaid, Expr::value(next.deposit_paid))
        .col_expr(C::EscrowMinor, Expr::value(next.escrow_minor))
        .col_expr(C::SellerConfirmedAtMs, Expr::value(ms(next.seller_confirmed_at)))
        .col_expr(C::BuyerConfirmedAtMs, Expr::value(ms(next.buyer_confirmed_at)))
        .col_expr(C::AutoConfirmAtMs, Expr::value(ms(next.auto_confirm_at)))
        .col_expr(C::StateSinceMs, Expr::value(next.state_since.timestamp_millis()))
        .col_expr(C::RemindedAtMs, Expr::value(ms(next.reminded_at)))
        .col_expr(C::DueAtMs, Expr::value(ms(next.due_at())))
        .col_expr(C::Version, Expr::value(next.version))
        .filter(C::Id.eq(next.id))
        .filter(C::Version.eq(version))
        .exec(db)
        .await?;
    if changed.rows_affected != 1 {
        return Ok(false);
    }
    remember(db, next, cause, now).await?;
    Ok(true)
}

async fn remember<C: ConnectionTrait>(
    db: &C,
    booking: &Booking,
    cause: Cause<'_>,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = booking_event::ActiveModel {
        id: Set(Uuid::now_v7()),
        booking_id: Set(booking.id),
        version: Set(booking.version),
        at_ms: Set(at.timestamp_millis()),
        state: Set(booking.state.as_str().to_owned()),
        actor: Set(cause.actor.to_owned()),
        note: Set(cause.note.map(str::to_owned)),
    };
    booking_event::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// The booking with this id, for the service's own use: no viewer is asked.
///
/// # Errors
/// When the database fails.
pub async fn find<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Booking>, DbErr> {
    booking::Entity::find_by_id(id).one(db).await?.map(to_booking).transpose()
}

/// The booking with this id, for a change: locked until the transaction ends where the database has row locks.
///
/// # Errors
/// When the database fails.
pub async fn find_for_change<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Booking>, DbErr> {
    booking::Entity::find_by_id(id).lock_exclusive().one(db).await?.map(to_booking).transpose()
}

/// Up to `limit` bookings whose time is up, the longest overdue first.
///
/// # Errors
/// When the database fails.
pub async fn due<C: ConnectionTrait>(db: &C, now: DateTime<Utc>, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    booking::Entity::find()
        .select_only()
        .column(booking::Column::Id)
        .filter(booking::Column::DueAtMs.lte(now.timestamp_millis()))
        .order_by_asc(booking::Column::DueAtMs)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Whose bookings to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// Those that this person booked.
    Buyer(Uuid),
    /// Those that this seller offers.
    Seller(Uuid),
}

/// A page of each of these parties' bookings, newest first, in the order of `pages`.
///
/// # Errors
/// When the database fails.
pub async fn lists<C: ConnectionTrait>(
    db: &C,
    pages: &[NewestFirst<Party>],
) -> Result<Vec<Vec<Booking>>, DbErr> {
    use booking::Column as C;
    let select = |page: &NewestFirst<Party>| {
        let of_party = match page.of {
            Party::Buyer(id) => C::BuyerId.eq(id),
            Party::Seller(id) => C::SellerId.eq(id),
        };
        page.select(booking::Entity::find().filter(of_party), C::CreatedAtMs, C::Id)
    };
    let found = own_pages::rows(db, pages.iter().map(select).collect()).await?;
    found.into_iter().map(|rows| rows.into_iter().map(to_booking).collect()).collect()
}

/// The bookings with these ids that the onlooker is a party to, or all of them.
///
/// # Errors
/// When the database fails.
pub async fn by_ids<C: ConnectionTrait>(
    db: &C,
    ids: &[Uuid],
    onlooker: Onlooker,
) -> Result<BTreeMap<Uuid, Booking>, DbErr> {
    let rows = booking::Entity::find().filter(booking::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    rows.into_iter()
        .filter(|row| onlooker.may_see_of(row.buyer_id) || onlooker.may_see_of(row.seller_id))
        .map(|row| to_booking(row).map(|booking| (booking.id, booking)))
        .collect()
}

/// The history of these bookings, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn histories<C: ConnectionTrait>(
    db: &C,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<HistoryEntry>>, DbErr> {
    let rows = booking_event::Entity::find()
        .filter(booking_event::Column::BookingId.is_in(ids.iter().copied()))
        .order_by_asc(booking_event::Column::Version)
        .all(db)
        .await?;
    let mut histories = BTreeMap::<Uuid, Vec<HistoryEntry>>::new();
    for row in rows {
        let state = parsed(BookingState::parse(&row.state), "booking_event.state", &row.state)?;
        let entry = HistoryEntry { at: time(row.at_ms), state, actor: row.actor, note: row.note };
        histories.entry(row.booking_id).or_default().push(entry);
    }
    Ok(histories)
}

fn to_booking(row: booking::Model) -> Result<Booking, DbErr> {
    Ok(Booking {
        id: row.id,
        listing_id: row.listing_id,
        title: row.title,
        buyer_id: row.buyer_id,
        seller_id: row.seller_id,
        state: parsed(BookingState::parse(&row.state), "booking.state", &row.state)?,
        currency: row.currency,
        price_minor: row.price_minor,
        deposit_minor: row.deposit_minor,
        escrow_minor: row.escrow_minor,
        deposit_paid: row.deposit_paid,
        starts_at: row.starts_at_ms.map(time),
        seller_confirmed_at: row.seller_confirmed_at_ms.map(time),
        buyer_confirmed_at: row.buyer_confirmed_at_ms.map(time),
        auto_confirm_at: row.auto_confirm_at_ms.map(time),
        created_at: time(row.created_at_ms),
        state_since: time(row.state_since_ms),
        reminded_at: row.reminded_at_ms.map(time),
        version: row.version,
    })
}
