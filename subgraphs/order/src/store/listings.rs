//! Copies of listings. Which event may write is decided by the version gate of the consumer (kit).

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::entities::listing_replica;
use super::parsed;
use crate::domain::listing::{Listing, ListingKind};

/// The listing with this id, if it was ever announced.
///
/// # Errors
/// When the database fails.
pub async fn find<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Listing>, DbErr> {
    let row = listing_replica::Entity::find_by_id(id).one(db).await?;
    row.map(|row| {
        Ok(Listing {
            id: row.listing_id,
            kind: parsed(ListingKind::parse(&row.kind), "listing_replica.kind", &row.kind)?,
            title: row.title,
            seller_id: row.seller_id,
            status: row.status,
            price_minor: row.price_minor,
            currency: row.currency,
            deposit_percent: row.deposit_percent,
        })
    })
    .transpose()
}

/// Keeps a listing as announced.
///
/// # Errors
/// When the database fails.
pub async fn save<C: ConnectionTrait>(db: &C, listing: &Listing) -> Result<(), DbErr> {
    use listing_replica::Column as C;
    let row = listing_replica::ActiveModel {
        listing_id: Set(listing.id),
        kind: Set(listing.kind.as_str().to_owned()),
        title: Set(listing.title.clone()),
        seller_id: Set(listing.seller_id),
        status: Set(listing.status.clone()),
        price_minor: Set(listing.price_minor),
        currency: Set(listing.currency.clone()),
        deposit_percent: Set(listing.deposit_percent),
    };
    let whole = OnConflict::column(C::ListingId)
        .update_columns([
            C::Kind,
            C::Title,
            C::SellerId,
            C::Status,
            C::PriceMinor,
            C::Currency,
            C::DepositPercent,
        ])
        .to_owned();
    listing_replica::Entity::insert(row).on_conflict(whole).exec_without_returning(db).await?;
    Ok(())
}

/// Keeps a listing's new status.
///
/// # Errors
/// When the database fails.
pub async fn set_status<C: ConnectionTrait>(db: &C, id: Uuid, status: &str) -> Result<(), DbErr> {
    listing_replica::Entity::update_many()
        .col_expr(listing_replica::Column::Status, Expr::value(status))
        .filter(listing_replica::Column::ListingId.eq(id))
        .exec(db)
        .await?;
    Ok(())
}
