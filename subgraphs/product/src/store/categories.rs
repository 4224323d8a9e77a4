//! Categories: few, so reads take them all or by key.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder};

use super::entity::{category, product_category};
use super::plus;
use crate::domain::category::{Category, CategoryDraft};
use crate::domain::product::name_key;

impl From<category::Model> for Category {
    fn from(row: category::Model) -> Category {
        let category::Model { id, slug, name, parent_id, version, .. } = row;
        Category { id, slug, name, parent_id, version }
    }
}

/// Every category, by name.
///
/// # Errors
/// Database errors.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Category>, DbErr> {
    let rows = category::Entity::find().order_by_asc(category::Column::NameKey).all(db).await?;
    Ok(rows.into_iter().map(Category::from).collect())
}

/// The categories of those ids, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Category>, DbErr> {
    let rows =
        category::Entity::find().filter(category::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(Category::from).collect())
}

/// The categories of those slugs, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_by_slugs(db: &impl ConnectionTrait, slugs: &[String]) -> Result<Vec<Category>, DbErr> {
    let rows =
        category::Entity::find().filter(category::Column::Slug.is_in(slugs.iter().cloned())).all(db).await?;
    Ok(rows.into_iter().map(Category::from).collect())
}

/// Categories of those products, in one query.
///
/// # Errors
/// Database errors.
pub async fn of_products(
    db: &impl ConnectionTrait,
    product_ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Category>>, DbErr> {
    let links = super::products::category_ids(db, product_ids).await?;
    let mut ids: Vec<Uuid> = links.values().flatten().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let categories: HashMap<Uuid, Category> =
        find_many(db, &ids).await?.into_iter().map(|category| (category.id, category)).collect();
    let resolved = links
        .into_iter()
        .map(|(product, ids)| (product, ids.iter().filter_map(|id| categories.get(id).cloned()).collect()));
    Ok(resolved.collect())
}

/// Inserts a category of version 1.
///
/// # Errors
/// Database errors; the unique keys of name and slug among them.
pub async fn insert(db: &impl ConnectionTrait, id: Uuid, draft: &CategoryDraft) -> Result<Category, DbErr> {
    let row = category::Model {
        id,
        slug: draft.slug.clone(),
        name: draft.name.clone(),
        name_key: name_key(&draft.name),
        parent_id: draft.parent_id,
        version: 1,
    };
    category::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(row.into())
}

/// Renames or moves a category; its slug stays. `None` when there is none of that id.
///
/// # Errors
/// Database errors; the unique key of the name among them.
pub async fn update(
    db: &impl ConnectionTrait,
    id: Uuid,
    draft: &CategoryDraft,
) -> Result<Option<Category>, DbErr> {
    category::Entity::update_many()
        .col_expr(category::Column::Name, Expr::value(draft.name.as_str()))
        .col_expr(category::Column::NameKey, Expr::value(name_key(&draft.name)))
        .col_expr(category::Column::ParentId, Expr::value(draft.parent_id))
        .col_expr(category::Column::Version, plus("version", 1))
        .filter(category::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(category::Entity::find_by_id(id).one(db).await?.map(Category::from))
}

/// Whether products or subcategories refer to a category.
///
/// # Errors
/// Database errors.
pub async fn in_use(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    let products = product_category::Entity::find()
        .filter(product_category::Column::CategoryId.eq(id))
        .count(db)
        .await?;
    let below = category::Entity::find().filter(category::Column::ParentId.eq(id)).count(db).await?;
    Ok(products + below > 0)
}

/// Deletes a category that nothing refers to.
///
/// # Errors
/// Database errors; the foreign keys of those that refer to it among them.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    category::Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}
