//! Products with their categories and images.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::own_pages;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder, QueryTrait};

use super::entity::{image, product, product_category};
use super::{ById, plus};
use crate::domain::product::{Image, Product, ProductDraft, name_key, name_words, search_text};

const ACTIVE: &str = "ACTIVE";
const ARCHIVED: &str = "ARCHIVED";
/// How many numbered slugs are tried before a random one: names are unique, so slugs rarely clash.
const SLUG_ATTEMPTS: u32 = 20;

impl From<product::Model> for Product {
    fn from(row: product::Model) -> Product {
        Product {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            price_minor: row.price_minor,
            currency: row.currency,
            supplier: row.supplier,
            seller_id: row.seller_id,
            archived: row.status == ARCHIVED,
            version: row.version,
            updated_at: row.updated_at,
        }
    }
}

/// The products of those ids, archived ones too, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Product>, DbErr> {
    let rows = product::Entity::find().filter(product::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(Product::from).collect())
}

/// The product of that id.
///
/// # Errors
/// Database errors.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Product>, DbErr> {
    Ok(product::Entity::find_by_id(id).one(db).await?.map(Product::from))
}

/// The products of those slugs, archived ones too, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_by_slugs(db: &impl ConnectionTrait, slugs: &[String]) -> Result<Vec<Product>, DbErr> {
    let rows =
        product::Entity::find().filter(product::Column::Slug.is_in(slugs.iter().cloned())).all(db).await?;
    Ok(rows.into_iter().map(Product::from).collect())
}

/// Inserts a product of version 1 with its categories.
///
/// # Errors
/// Database errors; the unique key of the name among them.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: Uuid,
    seller_id: Uuid,
    draft: &ProductDraft,
    now: DateTime<Utc>,
) -> Result<Product, DbErr> {
    let row = product::Model {
        id,
        slug: free_slug(db, &draft.slug).await?,
        name: draft.name.clone(),
        name_key: name_key(&draft.name),
        name_words: name_words(&draft.name),
        description: draft.description.clone(),
        search_text: search_text(&draft.name, draft.supplier.as_deref(), &draft.description),
        price_minor: draft.price_minor,
        currency: draft.currency.clone(),
        supplier: draft.supplier.clone(),
        seller_id,
        status: ACTIVE.to_owned(),
        rating_milli: 0,
        version: 1,
        created_ms: now.timestamp_millis(),
        updated_at: now,
    };
    product::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    set_categories(db, id, &draft.category_ids).await?;
    Ok(row.into())
}

/// Adds a picture at `position`.
///
/// # Errors
/// Database errors.
pub async fn add_image(
    db: &impl ConnectionTrait,
    product_id: Uuid,
    position: i32,
    image: Image,
) -> Result<(), DbErr> {
    let Image { url, alt, width, height } = image;
    let row = image::Model { product_id, position, url, alt, width, height };
    image::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

async fn free_slug(db: &impl ConnectionTrait, wanted: &str) -> Result<String, DbErr> {
    for attempt in 1..=SLUG_ATTEMPTS {
        let slug = if attempt == 1 { wanted.to_owned() } else { format!("{wanted}-{attempt}") };
        if product::Entity::find().filter(product::Column::Slug.eq(&slug)).count(db).await? == 0 {
            return Ok(slug);
        }
    }
    Ok(format!("{wanted}-{}", Uuid::now_v7().simple()))
}

async fn set_categories(db: &impl ConnectionTrait, id: Uuid, categories: &[Uuid]) -> Result<(), DbErr> {
    product_category::Entity::delete_many()
        .filter(product_category::Column::ProductId.eq(id))
        .exec(db)
        .await?;
    let rows = categories.iter().map(|category_id| {
        product_category::Model { product_id: id, category_id: *category_id }.into_active_model()
    });
    product_category::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// Replaces a product of `expected_version` and raises its version; `false` when it has another by now or is archived.
///
/// # Errors
/// Database errors; the unique key of the name among them.
pub async fn update(
    db: &impl ConnectionTrait,
    id: Uuid,
    expected_version: i32,
    draft: &ProductDraft,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let text = search_text(&draft.name, draft.supplier.as_deref(), &draft.description);
    let updated = product::Entity::update_many()
        .col_expr(product::Column::Name, Expr::value(draft.name.as_str()))
        .col_expr(product::Column::NameKey, Expr::value(name_key(&draft.name)))
        .col_expr(product::Column::NameWords, Expr::value(name_words(&draft.name)))
        .col_expr(product::Column::Description, Expr::value(draft.description.as_str()))
        .col_expr(product::Column::SearchText, Expr::value(text))
        .col_expr(product::Column::PriceMinor, Expr::value(draft.price_minor))
        .col_expr(product::Column::Currency, Expr::value(draft.currency.as_str()))
        .col_expr(product::Column::Supplier, Expr::value(draft.supplier.clone()))
        .col_expr(product::Column::Version, plus("version", 1))
        .col_expr(product::Column::UpdatedAt, Expr::value(now))
        .filter(product::Column::Id.eq(id))
        .filter(product::Column::Version.eq(expected_version))
        .filter(product::Column::Status.eq(ACTIVE))
        .exec(db)
        .await?;
    if updated.rows_affected == 0 {
        return Ok(false);
    }
    set_categories(db, id, &draft.category_ids).await?;
    Ok(true)
}

/// Takes a product of `expected_version` out of sale; `false` as in [`update`].
///
/// # Errors
/// Database errors.
pub async fn archive(
    db: &impl ConnectionTrait,
    id: Uuid,
    expected_version: i32,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let updated = product::Entity::update_many()
        .col_expr(product::Column::Status, Expr::value(ARCHIVED))
        .col_expr(product::Column::Version, plus("version", 1))
        .col_expr(product::Column::UpdatedAt, Expr::value(now))
        .filter(product::Column::Id.eq(id))
        .filter(product::Column::Version.eq(expected_version))
        .filter(product::Column::Status.eq(ACTIVE))
        .exec(db)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Keeps a product's average rating, in thousandths, for sorting.
///
/// # Errors
/// Database errors.
pub async fn set_rating(db: &impl ConnectionTrait, id: Uuid, rating_milli: i64) -> Result<(), DbErr> {
    product::Entity::update_many()
        .col_expr(product::Column::RatingMilli, Expr::value(rating_milli))
        .filter(product::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

/// Forgets every rating, before they are made anew.
///
/// # Errors
/// Database errors.
pub async fn clear_ratings(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let none = product::Entity::update_many().col_expr(product::Column::RatingMilli, Expr::value(0_i64));
    none.exec(db).await?;
    Ok(())
}

/// Category ids of those products, in one query.
///
/// # Errors
/// Database errors.
pub async fn category_ids(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Uuid>>, DbErr> {
    let rows = product_category::Entity::find()
        .filter(product_category::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(product_category::Column::CategoryId)
        .all(db)
        .await?;
    let mut found: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for row in rows {
        found.entry(row.product_id).or_default().push(row.category_id);
    }
    Ok(found)
}

/// Images of those products in order, in one query.
///
/// # Errors
/// Database errors.
pub async fn images(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Image>>, DbErr> {
    let rows = image::Entity::find()
        .filter(image::Column::ProductId.is_in(ids.iter().copied()))
        .order_by_asc(image::Column::ProductId)
        .order_by_asc(image::Column::Position)
        .all(db)
        .await?;
    let mut found: HashMap<Uuid, Vec<Image>> = HashMap::new();
    for image::Model { product_id, url, alt, width, height, .. } in rows {
        found.entry(product_id).or_default().push(Image { url, alt, width, height });
    }
    Ok(found)
}

/// A page of each seller's products on sale, in id order; in the order of `pages`.
///
/// # Errors
/// Database errors.
pub async fn of_sellers(db: &impl ConnectionTrait, pages: &[ById]) -> Result<Vec<Vec<Product>>, DbErr> {
    let select = |page: &ById| page.select(on_sale(page.owner), product::Column::Id);
    let found: Vec<Vec<product::Model>> = own_pages::rows(db, pages.iter().map(select).collect()).await?;
    Ok(found.into_iter().map(|rows| rows.into_iter().map(Product::from).collect()).collect())
}

/// How many products each seller has on sale, in their order.
///
/// # Errors
/// Database errors.
pub async fn counts_of_sellers(db: &impl ConnectionTrait, sellers: &[Uuid]) -> Result<Vec<i64>, DbErr> {
    own_pages::counts(db, sellers.iter().map(|seller| on_sale(*seller).into_query()).collect()).await
}

fn on_sale(seller_id: Uuid) -> Select<product::Entity> {
    product::Entity::find()
        .filter(product::Column::SellerId.eq(seller_id))
        .filter(product::Column::Status.eq(ACTIVE))
}
