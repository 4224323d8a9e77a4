//! Copies of products, stock and users. Writes replace the copy whole; which event may write is decided by the
//! version gate of the consumer (kit), and once more here: an older version never overwrites a newer one.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::entities::{product_replica, stock_replica, user_replica};
use crate::domain::cart::Product;

/// The products with these ids, with their stock; unknown ids are missing from the answer.
///
/// # Errors
/// When the database fails.
pub async fn products<C: ConnectionTrait>(db: &C, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Product>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let of_product = product_replica::Column::ProductId.is_in(ids.iter().copied());
    let products = product_replica::Entity::find().filter(of_product).all(db).await?;
    let of_product = stock_replica::Column::ProductId.is_in(ids.iter().copied());
    let stock = stock_replica::Entity::find().filter(of_product).all(db).await?;
    let available: BTreeMap<Uuid, i64> =
        stock.into_iter().map(|row| (row.product_id, row.on_hand - row.reserved)).collect();
    let products = products.into_iter().map(|row| {
        let product = Product {
            id: row.product_id,
            name: row.name,
            price_minor: row.price_minor,
            currency: row.currency,
            seller_id: row.seller_id,
            archived: row.archived,
            available: available.get(&row.product_id).copied(),
        };
        (row.product_id, product)
    });
    Ok(products.collect())
}

/// Keeps a product as announced in `version` of its events.
///
/// # Errors
/// When the database fails.
pub async fn save_product<C: ConnectionTrait>(db: &C, product: &Product, version: i64) -> Result<(), DbErr> {
    use product_replica::Column as C;
    let row = product_replica::ActiveModel {
        product_id: Set(product.id),
        name: Set(product.name.clone()),
        price_minor: Set(product.price_minor),
        currency: Set(product.currency.clone()),
        seller_id: Set(product.seller_id),
        archived: Set(product.archived),
        version: Set(version),
    };
    let newer = OnConflict::column(C::ProductId)
        .update_columns([C::Name, C::PriceMinor, C::Currency, C::SellerId, C::Archived, C::Version])
        .action_and_where(Expr::col((product_replica::Entity, C::Version)).lt(version))
        .to_owned();
    product_replica::Entity::insert(row).on_conflict(newer).exec_without_returning(db).await?;
    Ok(())
}

/// Marks a product as no longer sold.
///
/// # Errors
/// When the database fails.
pub async fn archive_product<C: ConnectionTrait>(db: &C, id: Uuid, version: i64) -> Result<(), DbErr> {
    product_replica::Entity::update_many()
        .col_expr(product_replica::Column::Archived, Expr::value(true))
        .col_expr(product_replica::Column::Version, Expr::value(version))
        .filter(product_replica::Column::ProductId.eq(id))
        .filter(product_replica::Column::Version.lt(version))
        .exec(db)
        .await?;
    Ok(())
}

/// Keeps a product's stock as announced in `version` of its stock events.
///
/// # Errors
/// When the database fails.
pub async fn save_stock<C: ConnectionTrait>(
    db: &C,
    product_id: Uuid,
    on_hand: i64,
    reserved: i64,
    version: i64,
) -> Result<(), DbErr> {
    use stock_replica::Column as C;
    let row = stock_replica::ActiveModel {
        product_id: Set(product_id),
        on_hand: Set(on_hand),
        reserved: Set(reserved),
        version: Set(version),
    };
    let newer = OnConflict::column(C::ProductId)
        .update_columns([C::OnHand, C::Reserved, C::Version])
        .action_and_where(Expr::col((stock_replica::Entity, C::Version)).lt(version))
        .to_owned();
    stock_replica::Entity::insert(row).on_conflict(newer).exec_without_returning(db).await?;
    Ok(())
}

/// What a user event changes in the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// Goes by this name now.
    Named(String),
    /// May not buy any more, or may again.
    Banned(bool),
    /// Nothing that is kept here.
    Other,
}

/// Keeps what `version` of a user's events changed.
///
/// # Errors
/// When the database fails.
pub async fn save_user<C: ConnectionTrait>(
    db: &C,
    user_id: Uuid,
    change: &UserChange,
    version: i64,
) -> Result<(), DbErr> {
    use user_replica::Column as C;
    let (username, banned) = match change {
        UserChange::Named(name) => (Some(name.clone()), false),
        UserChange::Banned(banned) => (None, *banned),
        UserChange::Other => (None, false),
    };
    let changed: &[C] = match change {
        UserChange::Named(_) => &[C::Username, C::Version],
        UserChange::Banned(_) => &[C::Banned, C::Version],
        UserChange::Other => &[C::Version],
    };
    let row = user_replica::ActiveModel {
        user_id: Set(user_id),
        username: Set(username),
        banned: Set(banned),
        version: Set(version),
    };
    let newer = OnConflict::column(C::UserId)
        .update_columns(changed.iter().copied())
        .action_and_where(Expr::col((user_replica::Entity, C::Version)).lt(version))
        .to_owned();
    user_replica::Entity::insert(row).on_conflict(newer).exec_without_returning(db).await?;
    Ok(())
}

/// True when the user is known to be banned. The wallet decides at payment; this only answers sooner.
///
/// # Errors
/// When the database fails.
pub async fn is_banned<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<bool, DbErr> {
    Ok(user_replica::Entity::find_by_id(user_id).one(db).await?.is_some_and(|user| user.banned))
}

/// The name that a user goes by, when one was heard.
///
/// # Errors
/// When the database fails.
pub async fn username<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Option<String>, DbErr> {
    Ok(user_replica::Entity::find_by_id(user_id).one(db).await?.and_then(|user| user.username))
}
