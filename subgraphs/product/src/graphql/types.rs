//! Output and input types. Rows of other services are references: an id, and what this service adds to it.

#![expect(clippy::unused_async, reason = "a resolver is an async function, whether it waits or not")]

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::graphql::{Decimal, ID};
use kopitiam_kit::page::{Page, PageArgs};
use kopitiam_kit::{Money, SystemError, UserError, connection};
use uuid::Uuid;

use super::lists::{self, ProductConnection};
use super::loaders::{CategoriesOf, CategoryById, HistoryOf, ImagesOf, ItemPage, StockOf, load};
use crate::domain::{category, item, product, search};

/// Something the shop sells.
#[derive(Clone)]
pub struct Product(pub(super) product::Product);

/// Something the shop sells.
#[Object]
impl Product {
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn slug(&self) -> &str {
        &self.0.slug
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Plain text.
    async fn description(&self) -> &str {
        &self.0.description
    }

    async fn price(&self) -> async_graphql::Result<Money> {
        let price = Money::stored(self.0.price_minor, &self.0.currency);
        Ok(price.map_err(|error| SystemError::Invariant(error.to_string()))?)
    }

    /// Who makes it.
    async fn supplier(&self) -> Option<&str> {
        self.0.supplier.as_deref()
    }

    async fn images(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Image>> {
        let images = load(context, ImagesOf(self.0.id)).await?.unwrap_or_default();
        Ok(images.into_iter().map(Image::from).collect())
    }

    async fn categories(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Category>> {
        let found = load(context, CategoriesOf(self.0.id)).await?.unwrap_or_default();
        Ok(found.into_iter().map(Category).collect())
    }

    /// What can be ordered now; nothing of an archived product.
    async fn availability(&self, context: &Context<'_>) -> async_graphql::Result<Availability> {
        let level = load(context, StockOf(self.0.id)).await?;
        let available = if self.0.archived { 0 } else { level.map_or(0, product::Stock::available) };
        let available = i32::try_from(available).unwrap_or(i32::MAX);
        Ok(Availability { in_stock: available > 0, available })
    }

    async fn seller(&self) -> Option<Seller> {
        Some(Seller { id: self.0.seller_id })
    }

    /// Grows with every change; `updateProduct` and `archiveProduct` ask for it.
    async fn version(&self) -> i32 {
        self.0.version
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// What can be ordered now.
#[derive(SimpleObject)]
pub struct Availability {
    /// Whether at least one can be ordered.
    in_stock: bool,
    /// How many.
    available: i32,
}

/// A picture with its size in pixels.
#[derive(SimpleObject)]
pub struct Image {
    /// A path of the storefront.
    url: String,
    /// What it shows.
    alt: String,
    /// Pixels.
    width: i32,
    /// Pixels.
    height: i32,
}

impl From<product::Image> for Image {
    fn from(image: product::Image) -> Image {
        let product::Image { url, alt, width, height } = image;
        Image { url, alt, width, height }
    }
}

/// A shelf of the shop; shelves form a tree.
#[derive(Clone)]
pub struct Category(pub(super) category::Category);

/// A shelf of the shop; shelves form a tree.
#[Object]
impl Category {
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn slug(&self) -> &str {
        &self.0.slug
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn parent(&self, context: &Context<'_>) -> async_graphql::Result<Option<Category>> {
        match self.0.parent_id {
            Some(parent) => Ok(load(context, CategoryById(parent)).await?.map(Category)),
            None => Ok(None),
        }
    }

    /// Products in it and in the categories below it.
    async fn products(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
        sort: Option<ProductSort>,
    ) -> async_graphql::Result<ProductConnection> {
        let page = PageArgs::new(first, after)?;
        let sort = sort.unwrap_or(ProductSort::Relevance).into();
        lists::of_category(context, &self.0, sort, page).await
    }
}

/// A person; what this service knows of one.
pub struct User {
    pub(super) id: Uuid,
}

/// A person; what this service knows of one.
#[Object]
impl User {
    async fn id(&self) -> ID {
        ID(self.id.to_string())
    }

    /// The person's collection.
    async fn items(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<ItemConnection>> {
        let page = PageArgs::new(first, after)?;
        let rows = load(context, ItemPage(lists::page_by_id(self.id, &page)?)).await?.unwrap_or_default();
        let page = Page::new(rows, &page, |item| item.id);
        Ok(Some(ItemConnection::from_page(page.map(Item))))
    }
}

/// A stall; what this service knows of one.
pub struct Seller {
    pub(super) id: Uuid,
}

/// A stall; what this service knows of one.
#[Object]
impl Seller {
    async fn id(&self) -> ID {
        ID(self.id.to_string())
    }

    /// What the stall has on sale.
    async fn products(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<ProductConnection>> {
        lists::of_seller(context, self.id, PageArgs::new(first, after)?).await.map(Some)
    }
}

/// A single thing that people own and sell to one another.
#[derive(Clone)]
pub struct Item(pub(super) item::Item);

/// A single thing that people own and sell to one another.
#[Object]
impl Item {
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn title(&self) -> &str {
        &self.0.title
    }

    async fn image_url(&self) -> Option<&str> {
        self.0.image_url.as_deref()
    }

    async fn owner(&self) -> Option<User> {
        Some(User { id: self.0.owner_id })
    }

    async fn state(&self) -> ItemState {
        if self.0.locked_by.is_some() { ItemState::Locked } else { ItemState::Owned }
    }

    /// Its owners, the first one first.
    async fn history(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ItemTransfer>> {
        let history = load(context, HistoryOf(self.0.id)).await?.unwrap_or_default();
        Ok(history.into_iter().map(Into::into).collect())
    }
}

/// One change of owner.
#[derive(SimpleObject)]
pub struct ItemTransfer {
    /// When.
    at: DateTime<Utc>,
    /// The owner before; null for the first.
    from: Option<User>,
    /// The owner after.
    to: Option<User>,
}

impl From<item::ItemTransfer> for ItemTransfer {
    fn from(transfer: item::ItemTransfer) -> ItemTransfer {
        let from = transfer.from.map(|id| User { id });
        ItemTransfer { at: transfer.at, from, to: Some(User { id: transfer.to }) }
    }
}

connection!(ItemConnection, ItemEdge, Item);

/// Whether an item is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ItemState {
    /// Its owner may sell it.
    Owned,
    /// A listing holds it.
    Locked,
}

/// In which order products come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "search::Sort")]
pub enum ProductSort {
    /// Best match first.
    Relevance,
    /// Cheapest first.
    PriceAsc,
    /// Dearest first.
    PriceDesc,
    /// Newest first.
    Newest,
    /// Best rated first.
    Rating,
}

/// What a search is narrowed to.
#[derive(Default, InputObject)]
pub struct ProductFilter {
    /// Products in any of them, or below.
    pub(super) category_slugs: Option<Vec<String>>,
    /// Lowest price.
    pub(super) price_min: Option<Decimal>,
    /// Highest price.
    pub(super) price_max: Option<Decimal>,
    /// Only what can be ordered, or only what is sold out.
    pub(super) in_stock: Option<bool>,
    /// Only one stall's.
    pub(super) seller_id: Option<ID>,
}

/// For `createProduct`.
#[derive(InputObject)]
pub struct ProductInput {
    /// Unique without regard to case.
    pub(super) name: String,
    /// Plain text.
    pub(super) description: String,
    /// Above zero.
    pub(super) price: Decimal,
    /// ISO 4217 code.
    pub(super) currency: String,
    /// Who makes it.
    pub(super) supplier: Option<String>,
    /// At least one.
    pub(super) category_ids: Vec<ID>,
    /// Units on hand.
    pub(super) stock: i32,
}

/// For `updateProduct`. Not the stock: that changes by `adjustStock`, so that what was sold in the meantime stays sold.
#[derive(InputObject)]
pub struct ProductChangeInput {
    /// Unique without regard to case.
    pub(super) name: String,
    /// Plain text.
    pub(super) description: String,
    /// Above zero.
    pub(super) price: Decimal,
    /// ISO 4217 code.
    pub(super) currency: String,
    /// Who makes it.
    pub(super) supplier: Option<String>,
    /// At least one.
    pub(super) category_ids: Vec<ID>,
}

impl ProductInput {
    /// What is common to a new product and a change, and the stock of the new one.
    pub(super) fn split(self) -> (ProductChangeInput, i64) {
        let Self { name, description, price, currency, supplier, category_ids, stock } = self;
        (ProductChangeInput { name, description, price, currency, supplier, category_ids }, i64::from(stock))
    }
}

/// The answer of everything that changes a product.
#[derive(SimpleObject)]
pub struct ProductPayload {
    /// The product after the change.
    pub(super) product: Option<Product>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}

/// The answer of everything that changes a category.
#[derive(SimpleObject)]
pub struct CategoryPayload {
    /// The category after the change; as it was, when it was deleted.
    pub(super) category: Option<Category>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}

/// The answer of everything that changes an item.
#[derive(SimpleObject)]
pub struct ItemPayload {
    /// The item after the change; as it was, when it was deleted.
    pub(super) item: Option<Item>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}
