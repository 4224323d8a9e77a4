//! Reviews with their averages, and bookings.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use super::entities::{booking, review};
use super::{parsed, time};
use crate::domain::booking::{Booking, BookingState};
use crate::domain::order::Onlooker;

/// What a review is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A product.
    Product,
    /// A seller.
    Seller,
}

impl Subject {
    fn as_str(self) -> &'static str {
        match self {
            Self::Product => "PRODUCT",
            Self::Seller => "SELLER",
        }
    }
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Identity.
    pub id: Uuid,
    /// 1 to 5.
    pub rating: i32,
    /// Text, if any.
    pub body: Option<String>,
    /// Who wrote it.
    pub author_id: Uuid,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Number and sum of ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatingSum {
    /// How many.
    pub count: i64,
    /// Their sum.
    pub sum: i64,
}

/// The ratings of those subjects that have any.
///
/// # Errors
/// When the database fails.
pub async fn ratings<C: ConnectionTrait>(
    db: &C,
    subject: Subject,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, RatingSum>, DbErr> {
    let rows: Vec<(Uuid, i64, i64)> = review::Entity::find()
        .select_only()
        .column(review::Column::SubjectId)
        .column_as(review::Column::Id.count(), "ratings")
        // SUM of INTEGER is BIGINT on PostgreSQL already.
        .column_as(Expr::cust("CAST(SUM(rating) AS BIGINT)"), "total")
        .filter(review::Column::Subject.eq(subject.as_str()))
        .filter(review::Column::SubjectId.is_in(ids.iter().copied()))
        .group_by(review::Column::SubjectId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(id, count, sum)| (id, RatingSum { count, sum })).collect())
}

/// Up to `limit` reviews of a subject, newest first, after the one with the id `after`.
///
/// # Errors
/// When the database fails.
pub async fn reviews<C: ConnectionTrait>(
    db: &C,
    subject: Subject,
    subject_id: Uuid,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Review>, DbErr> {
    let rows = review::Entity::find()
        .filter(review::Column::Subject.eq(subject.as_str()))
        .filter(review::Column::SubjectId.eq(subject_id))
        .filter(Condition::all().add_option(after.map(|after| review::Column::Id.lt(after))))
        .order_by_desc(review::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(to_review).collect())
}

/// The reviews with these ids.
///
/// # Errors
/// When the database fails.
pub async fn reviews_by_id<C: ConnectionTrait>(
    db: &C,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Review>, DbErr> {
    let rows = review::Entity::find().filter(review::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, to_review(row))).collect())
}

fn to_review(row: review::Model) -> Review {
    Review {
        id: row.id,
        rating: row.rating,
        body: row.body,
        author_id: row.author_id,
        created_at: time(row.created_at_ms),
    }
}

/// Adds a review unless it is there.
///
/// # Errors
/// When the database fails.
pub async fn add_review<C: ConnectionTrait>(
    db: &C,
    review: Review,
    subject: Subject,
    subject_id: Uuid,
) -> Result<(), DbErr> {
    let row = review::ActiveModel {
        id: Set(review.id),
        subject: Set(subject.as_str().to_owned()),
        subject_id: Set(subject_id),
        author_id: Set(review.author_id),
        order_id: Set(None),
        rating: Set(review.rating),
        body: Set(review.body),
        created_at_ms: Set(review.created_at.timestamp_millis()),
    };
    let known = OnConflict::column(review::Column::Id).do_nothing().to_owned();
    review::Entity::insert(row).on_conflict(known).exec_without_returning(db).await?;
    Ok(())
}

/// Whose bookings to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Those that this person booked.
    Buyer(Uuid),
    /// Those that this seller offers.
    Seller(Uuid),
}

/// Up to `limit` bookings of a party, newest first, after the one with the id `after`.
///
/// # Errors
/// When the database fails.
pub async fn bookings<C: ConnectionTrait>(
    db: &C,
    party: Party,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Booking>, DbErr> {
    let of_party = match party {
        Party::Buyer(id) => booking::Column::BuyerId.eq(id),
        Party::Seller(id) => booking::Column::SellerId.eq(id),
    };
    let rows = booking::Entity::find()
        .filter(of_party)
        .filter(Condition::all().add_option(after.map(|after| booking::Column::Id.lt(after))))
        .order_by_desc(booking::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    rows.into_iter().map(to_booking).collect()
}

/// The bookings with these ids that the onlooker is a party to, or all of them.
///
/// # Errors
/// When the database fails.
pub async fn bookings_by_id<C: ConnectionTrait>(
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

fn to_booking(row: booking::Model) -> Result<Booking, DbErr> {
    Ok(Booking {
        id: row.id,
        listing_id: row.listing_id,
        buyer_id: row.buyer_id,
        seller_id: row.seller_id,
        state: parsed(BookingState::parse(&row.state), "booking.state", &row.state)?,
        currency: row.currency,
        price_minor: row.price_minor,
        deposit_minor: row.deposit_minor,
        deposit_paid: row.deposit_paid,
        seller_confirmed_at: row.seller_confirmed_at_ms.map(time),
        buyer_confirmed_at: row.buyer_confirmed_at_ms.map(time),
        auto_confirm_at: row.auto_confirm_at_ms.map(time),
        version: row.version,
    })
}
