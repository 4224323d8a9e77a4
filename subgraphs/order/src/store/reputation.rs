//! Reviews, and the stars of what they are about.
//!
//! Always: a line or booking gives the right to one review per subject and author, by a unique index; the stars are
//! counted in one row per subject, in the transaction of the review.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::own_pages;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::entities::{rating, review};
use super::{NewestFirst, time};
use crate::domain::review::{Ground, Subject};

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
    let rows = rating::Entity::find()
        .filter(rating::Column::Subject.eq(subject.as_str()))
        .filter(rating::Column::SubjectId.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.subject_id, RatingSum { count: row.count, sum: row.sum })).collect())
}

/// A page of each of these subjects' reviews, newest first, in the order of `pages`.
///
/// # Errors
/// When the database fails.
pub async fn reviews<C: ConnectionTrait>(
    db: &C,
    pages: &[NewestFirst<(Subject, Uuid)>],
) -> Result<Vec<Vec<Review>>, DbErr> {
    use review::Column as C;
    let select = |page: &NewestFirst<(Subject, Uuid)>| {
        let (subject, id) = page.of;
        let of_subject = C::Subject.eq(subject.as_str()).and(C::SubjectId.eq(id));
        page.select(review::Entity::find().filter(of_subject), C::CreatedAtMs, C::Id)
    };
    let found = own_pages::rows(db, pages.iter().map(select).collect()).await?;
    Ok(found.into_iter().map(|rows| rows.into_iter().map(to_review).collect()).collect())
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

/// Adds a review and counts its stars; the stars of the subject with it. The subject's row is locked until the
/// transaction ends, so the sums that are announced grow one review at a time.
///
/// # Errors
/// When the database fails; a unique violation when this author reviewed this subject for the same line or booking.
pub async fn add_review<C: ConnectionTrait>(
    db: &C,
    new: &Review,
    subject: Subject,
    ground: Ground,
) -> Result<RatingSum, DbErr> {
    let row = review::ActiveModel {
        id: Set(new.id),
        subject: Set(subject.as_str().to_owned()),
        subject_id: Set(ground.subject_id),
        author_id: Set(new.author_id),
        order_id: Set(None),
        rating: Set(new.rating),
        body: Set(new.body.clone()),
        created_at_ms: Set(new.created_at.timestamp_millis()),
        source_id: Set(Some(ground.source_id)),
    };
    review::Entity::insert(row).exec_without_returning(db).await?;
    count(db, subject, ground.subject_id, new.rating).await
}

async fn count<C: ConnectionTrait>(
    db: &C,
    subject: Subject,
    subject_id: Uuid,
    stars: i32,
) -> Result<RatingSum, DbErr> {
    use rating::Column as C;
    let stars = i64::from(stars);
    let first = rating::ActiveModel {
        subject: Set(subject.as_str().to_owned()),
        subject_id: Set(subject_id),
        count: Set(1),
        sum: Set(stars),
    };
    let one_more = OnConflict::columns([C::Subject, C::SubjectId])
        .value(C::Count, Expr::col((rating::Entity, C::Count)).add(1_i64))
        .value(C::Sum, Expr::col((rating::Entity, C::Sum)).add(stars))
        .to_owned();
    rating::Entity::insert(first).on_conflict(one_more).exec_without_returning(db).await?;
    let row = rating::Entity::find_by_id((subject.as_str().to_owned(), subject_id)).one(db).await?;
    row.map(|row| RatingSum { count: row.count, sum: row.sum })
        .ok_or_else(|| DbErr::RecordNotFound(format!("rating of {subject_id}")))
}
