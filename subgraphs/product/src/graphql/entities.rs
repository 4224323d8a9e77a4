//! Entities for other subgraphs' references. A missing row is null, because an error would take the whole batch with it.
//! Users and sellers belong to another service: their references are taken as they are, and their lists may be empty.

use async_graphql::Context;
use kopitiam_kit::graphql::ID;
use uuid::Uuid;

use super::loaders::{CategoryById, CategoryBySlug, ItemById, ProductById, ProductBySlug, load};
use super::types::{Category, Item, Product, Seller, User};

fn uuid(id: &ID) -> Option<Uuid> {
    Uuid::try_parse(id).ok()
}

pub(super) async fn product(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Product>> {
    match uuid(id) {
        Some(id) => Ok(load(context, ProductById(id)).await?.map(Product)),
        None => Ok(None),
    }
}

pub(super) async fn product_by_slug(
    context: &Context<'_>,
    slug: String,
) -> async_graphql::Result<Option<Product>> {
    Ok(load(context, ProductBySlug(slug)).await?.map(Product))
}

pub(super) async fn category(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Category>> {
    match uuid(id) {
        Some(id) => Ok(load(context, CategoryById(id)).await?.map(Category)),
        None => Ok(None),
    }
}

pub(super) async fn category_by_slug(
    context: &Context<'_>,
    slug: String,
) -> async_graphql::Result<Option<Category>> {
    Ok(load(context, CategoryBySlug(slug)).await?.map(Category))
}

pub(super) async fn item(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Item>> {
    match uuid(id) {
        Some(id) => Ok(load(context, ItemById(id)).await?.map(Item)),
        None => Ok(None),
    }
}

pub(super) fn user(id: &ID) -> Option<User> {
    uuid(id).map(|id| User { id })
}

pub(super) fn seller(id: &ID) -> Option<Seller> {
    uuid(id).map(|id| Seller { id })
}
