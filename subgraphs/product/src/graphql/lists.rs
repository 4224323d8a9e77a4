//! Lists of products: pages read at once, counts and facets only when asked for.

use async_graphql::{Context, Object, SimpleObject};
use kopitiam_kit::SystemError;
use kopitiam_kit::errors::bad_input;
use kopitiam_kit::graphql::PageInfo;
use kopitiam_kit::page::{Page, PageArgs};
use uuid::Uuid;

use super::facets::{self, Facet};
use super::loaders::{AllCategories, CategoryPage, CountIn, CountOfSeller, SellerPage, load};
use super::types::Product;
use crate::commands::Commands;
use crate::domain::category::Category;
use crate::domain::search::{Position, SearchFilter, Sort};
use crate::store::search::{self, Hit, Resolved, SearchPage};
use crate::store::{ById, categories};

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
        let total = match self.source {
            Source::Seller(id) => load(context, CountOfSeller(id)).await?,
            Source::Category(id) => load(context, CountIn(id)).await?,
        };
        Ok(i32::try_from(total.unwrap_or_default()).unwrap_or(i32::MAX))
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

fn search_page(search: Resolved, sort: Sort, page: &PageArgs) -> async_graphql::Result<SearchPage> {
    let after = match page.after::<String>()? {
        None => None,
        Some(text) => Some(
            Position::parse(&text, sort).ok_or_else(|| bad_input("`after` is a cursor of another order"))?,
        ),
    };
    Ok(SearchPage { search, sort, after, limit: page.limit() })
}

fn page_of(hits: Vec<Hit>, sort: Sort, page: &PageArgs) -> Page<Product> {
    Page::new(hits, page, |hit| hit.position.cursor(sort)).map(|hit| Product(hit.product))
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
    let wanted = [search_page(search.clone(), sort, &page)?];
    let hits = search::pages(db, &wanted).await.map_err(SystemError::from)?.pop().unwrap_or_default();
    Ok(ProductSearchConnection { page: page_of(hits, sort, &page), search, categories })
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
    let wanted = search_page(Resolved::new(filter, &categories), sort, &page)?;
    let hits = load(context, CategoryPage(wanted)).await?.unwrap_or_default();
    Ok(ProductConnection { page: page_of(hits, sort, &page), source })
}

/// The page of what somebody has that a client asks for.
pub(super) fn page_by_id(owner: Uuid, page: &PageArgs) -> async_graphql::Result<ById> {
    Ok(ById { owner, after: page.after()?, limit: page.limit() })
}

/// Products that a seller has on sale.
pub(super) async fn of_seller(
    context: &Context<'_>,
    seller_id: Uuid,
    page: PageArgs,
) -> async_graphql::Result<ProductConnection> {
    let rows = load(context, SellerPage(page_by_id(seller_id, &page)?)).await?.unwrap_or_default();
    let page = Page::new(rows, &page, |product| product.id).map(Product);
    Ok(ProductConnection { page, source: Source::Seller(seller_id) })
}
