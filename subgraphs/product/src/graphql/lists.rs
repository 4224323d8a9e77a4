//! Lists of products: pages read at once, counts and facets only when asked for.

use async_graphql::{Context, Object, SimpleObject};
use kopitiam_kit::SystemError;
use kopitiam_kit::errors::bad_input;
use kopitiam_kit::graphql::PageInfo;
use kopitiam_kit::page::{Page, PageArgs};
use uuid::Uuid;

use super::facets::{self, Facet};
use super::loaders::{AllCategories, CountIn, load};
use super::types::Product;
use crate::commands::Commands;
use crate::domain::category::Category;
use crate::domain::search::{Position, SearchFilter, Sort};
use crate::store::search::{self, Resolved};
use crate::store::{categories, products};

/// One product of the list with its cursor.
#[derive(Clone, SimpleObject)]
pub struct ProductEdge {
    /// Continue after this product with it.
    cursor: String,
    /// The product.
    node: Product,
}

fn edges(page: &Page<Product>) -> Vec<ProductEdge> {
    page.edges
        .iter()
        .map(|(cursor, node)| ProductEdge { cursor: cursor.clone(), node: node.clone() })
        .collect()
}

/// What a list's total is counted over.
enum Source {
    Seller(Uuid),
    Category(Uuid),
}

/// A page of products.
pub struct ProductConnection {
    page: Page<Product>,
    source: Source,
}

/// A page of products.
#[Object]
impl ProductConnection {
    async fn edges(&self) -> Vec<ProductEdge> {
        edges(&self.page)
    }

    async fn page_info(&self) -> PageInfo {
        self.page.info.clone()
    }

    /// Products of the whole list.
    async fn total_count(&self, context: &Context<'_>) -> async_graphql::Result<i32> {
        match self.source {
            Source::Seller(id) => {
                let db = context.data_unchecked::<Commands>().db.read();
                let total = products::count_of_seller(db, id).await.map_err(SystemError::from)?;
                Ok(i32::try_from(total).unwrap_or(i32::MAX))
            }
            Source::Category(id) => {
                let total = load(context, CountIn(id)).await?.unwrap_or_default();
                Ok(i32::try_from(total).unwrap_or(i32::MAX))
            }
        }
    }
}

/// A page of what a search found.
pub struct ProductSearchConnection {
    page: Page<Product>,
    search: Resolved,
    categories: Vec<Category>,
}

/// A page of what a search found.
#[Object]
impl ProductSearchConnection {
    async fn edges(&self) -> Vec<ProductEdge> {
        edges(&self.page)
    }

    async fn page_info(&self) -> PageInfo {
        self.page.info.clone()
    }

    /// Everything the search found.
    async fn total_count(&self, context: &Context<'_>) -> async_graphql::Result<i32> {
        let db = context.data_unchecked::<Commands>().db.read();
        let total = search::count(db, &self.search).await.map_err(SystemError::from)?;
        Ok(i32::try_from(total).unwrap_or(i32::MAX))
    }

    /// How the finds spread; each facet counts as if its own filter were not set.
    async fn facets(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Facet>> {
        let db = context.data_unchecked::<Commands>().db.read();
        Ok(facets::read(db, &self.search, &self.categories).await.map_err(SystemError::from)?)
    }
}

async fn read_page(
    context: &Context<'_>,
    search: &Resolved,
    sort: Sort,
    page: &PageArgs,
) -> async_graphql::Result<Page<Product>> {
    let db = context.data_unchecked::<Commands>().db.read();
    let after = match page.after::<String>()? {
        None => None,
        Some(text) => Some(
            Position::parse(&text, sort).ok_or_else(|| bad_input("`after` is a cursor of another order"))?,
        ),
    };
    let hits = search::page(db, search, sort, after, page.limit()).await.map_err(SystemError::from)?;
    Ok(Page::new(hits, page, |hit| hit.position.cursor(sort)).map(|hit| Product(hit.product)))
}

/// Searches.
pub(super) async fn search(
    context: &Context<'_>,
    filter: SearchFilter,
    sort: Sort,
    page: PageArgs,
) -> async_graphql::Result<ProductSearchConnection> {
    let db = context.data_unchecked::<Commands>().db.read();
    let categories = categories::all(db).await.map_err(SystemError::from)?;
    let search = Resolved::new(filter, &categories);
    let page = read_page(context, &search, sort, &page).await?;
    Ok(ProductSearchConnection { page, search, categories })
}

/// Products in a category and below it.
pub(super) async fn of_category(
    context: &Context<'_>,
    category: &Category,
    sort: Sort,
    page: PageArgs,
) -> async_graphql::Result<ProductConnection> {
    let (asked, source) = (context.look_ahead(), Source::Category(category.id));
    if !asked.field("edges").exists() && !asked.field("pageInfo").exists() {
        // A menu asks many shelves for nothing but how much is on them.
        return Ok(ProductConnection { page: Page::empty(), source });
    }
    let categories = load(context, AllCategories).await?.unwrap_or_default();
    let filter = SearchFilter { category_slugs: vec![category.slug.clone()], ..SearchFilter::default() };
    let page = read_page(context, &Resolved::new(filter, &categories), sort, &page).await?;
    Ok(ProductConnection { page, source })
}

/// Products that a seller has on sale.
pub(super) async fn of_seller(
    context: &Context<'_>,
    seller_id: Uuid,
    page: PageArgs,
) -> async_graphql::Result<ProductConnection> {
    let db = context.data_unchecked::<Commands>().db.read();
    let after = page.after::<Uuid>()?;
    let rows = products::of_seller(db, seller_id, after, page.limit()).await.map_err(SystemError::from)?;
    let page = Page::new(rows, &page, |product| product.id).map(Product);
    Ok(ProductConnection { page, source: Source::Seller(seller_id) })
}
