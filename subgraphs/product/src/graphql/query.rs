//! Root queries and entity lookups.

use async_graphql::{Context, Object};
use kopitiam_kit::errors::bad_input;
use kopitiam_kit::graphql::{Decimal, ID};
use kopitiam_kit::page::PageArgs;
use kopitiam_kit::{Money, SystemError};
use uuid::Uuid;

use super::entities;
use super::lists::{self, ProductSearchConnection};
use super::types::{Category, Item, Product, ProductFilter, ProductSort, Seller, User};
use crate::commands::Commands;
use crate::domain::product::CURRENCY;
use crate::domain::search::{SearchFilter, Words};
use crate::store::categories;

/// Root queries.
pub struct Query;

fn minor(name: &str, amount: Option<Decimal>) -> async_graphql::Result<Option<i64>> {
    amount
        .map(|amount| Money::parse(&amount.0, CURRENCY).map(Money::minor))
        .transpose()
        .map_err(|error| bad_input(format!("`{name}`: {error}")))
}

fn search_filter(query: Option<&str>, filter: ProductFilter) -> async_graphql::Result<SearchFilter> {
    let ProductFilter { category_slugs, price_min, price_max, in_stock, seller_id } = filter;
    let seller_id = seller_id
        .map(|id| Uuid::try_parse(&id).map_err(|_| bad_input("`sellerId` is not an id")))
        .transpose()?;
    Ok(SearchFilter {
        words: Words::new(query),
        category_slugs: category_slugs.unwrap_or_default(),
        price_min: minor("priceMin", price_min)?,
        price_max: minor("priceMax", price_max)?,
        in_stock,
        seller_id,
    })
}

/// Root queries.
#[Object]
impl Query {
    /// The product of that slug.
    async fn product(&self, context: &Context<'_>, slug: String) -> async_graphql::Result<Option<Product>> {
        entities::product_by_slug(context, slug).await
    }

    /// The category of that slug.
    async fn category(&self, context: &Context<'_>, slug: String) -> async_graphql::Result<Option<Category>> {
        entities::category_by_slug(context, slug).await
    }

    /// Every category, by name.
    async fn categories(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Category>> {
        let db = context.data_unchecked::<Commands>().db.read();
        let all = categories::all(db).await.map_err(SystemError::from)?;
        Ok(all.into_iter().map(Category).collect())
    }

    /// Products whose name, supplier or description has every word of `query`; without words, all.
    async fn search(
        &self,
        context: &Context<'_>,
        query: Option<String>,
        filter: Option<ProductFilter>,
        #[graphql(default_with = "Some(ProductSort::Relevance)")] sort: Option<ProductSort>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<ProductSearchConnection> {
        let page = PageArgs::new(first, after)?;
        let filter = search_filter(query.as_deref(), filter.unwrap_or_default())?;
        let sort = sort.unwrap_or(ProductSort::Relevance).into();
        lists::search(context, filter, sort, page).await
    }

    #[graphql(entity)]
    async fn find_product_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<Product>> {
        entities::product(context, &id).await
    }

    #[graphql(entity)]
    async fn find_product_by_slug(
        &self,
        context: &Context<'_>,
        slug: String,
    ) -> async_graphql::Result<Option<Product>> {
        entities::product_by_slug(context, slug).await
    }

    #[graphql(entity)]
    async fn find_category_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<Category>> {
        entities::category(context, &id).await
    }

    #[graphql(entity)]
    async fn find_category_by_slug(
        &self,
        context: &Context<'_>,
        slug: String,
    ) -> async_graphql::Result<Option<Category>> {
        entities::category_by_slug(context, slug).await
    }

    #[graphql(entity)]
    async fn find_item_by_id(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<Item>> {
        entities::item(context, &id).await
    }

    #[graphql(entity)]
    async fn find_user_by_id(&self, id: ID) -> Option<User> {
        entities::user(&id)
    }

    #[graphql(entity)]
    async fn find_seller_by_id(&self, id: ID) -> Option<Seller> {
        entities::seller(&id)
    }
}
