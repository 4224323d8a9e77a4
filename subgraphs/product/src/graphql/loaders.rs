//! Batched reads: however many products or items a request asks for, each kind of row is one query.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use kopitiam_kit::{Db, SystemError};
use sea_orm::DbErr;
use uuid::Uuid;

use crate::commands::Commands;
use crate::domain::category::Category;
use crate::domain::item::{Item, ItemTransfer};
use crate::domain::product::{Image, Product, Stock};
use crate::store::search::{Hit, SearchPage};
use crate::store::{ById, categories, items, products, search, stock};

/// Reads rows in batches.
pub(super) struct Rows {
    db: Db,
}

/// The loader of one request.
pub(super) fn new(commands: &Commands) -> DataLoader<Rows> {
    DataLoader::new(Rows { db: commands.db.clone() }, tokio::spawn)
}

/// Loads one row in the request's next batch; `None` when there is none.
pub(super) async fn load<K>(
    context: &Context<'_>,
    key: K,
) -> async_graphql::Result<Option<<Rows as Loader<K>>::Value>>
where
    K: Send + Sync + Clone + Eq + std::hash::Hash + 'static,
    Rows: Loader<K, Error = Arc<DbErr>>,
{
    let rows = context.data_unchecked::<DataLoader<Rows>>();
    Ok(rows.load_one(key).await.map_err(|error| SystemError::Unavailable(error.to_string()))?)
}

/// Declares a key over a UUID and its loader.
macro_rules! loader {
    ($(#[$meta:meta])* $key:ident => $value:ty, $read:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) struct $key(pub(super) Uuid);

        impl Loader<$key> for Rows {
            type Value = $value;
            type Error = Arc<DbErr>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Arc<DbErr>> {
                tracing::trace!(kind = stringify!($key), keys = keys.len(), "one query for a batch");
                let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let found = $read(self.db.read(), &ids).await?;
                Ok(found.into_iter().map(|row| { let (id, value) = keyed(row); ($key(id), value) }).collect())
            }
        }
    };
}

/// A row with the id it is looked up by.
trait Keyed {
    type Value;
    fn keyed(self) -> (Uuid, Self::Value);
}

impl<V> Keyed for (Uuid, V) {
    type Value = V;
    fn keyed(self) -> (Uuid, V) {
        self
    }
}

macro_rules! keyed_by_id {
    ($($row:ty),+) => {
        $(impl Keyed for $row {
            type Value = $row;
            fn keyed(self) -> (Uuid, $row) {
                (self.id, self)
            }
        })+
    };
}

keyed_by_id!(Product, Category, Item);

fn keyed<R: Keyed>(row: R) -> (Uuid, R::Value) {
    row.keyed()
}

loader!(
    /// A product by id.
    ProductById => Product, products::find_many
);
loader!(
    /// A product's pictures.
    ImagesOf => Vec<Image>, products::images
);
loader!(
    /// A product's categories.
    CategoriesOf => Vec<Category>, categories::of_products
);
loader!(
    /// A product's stock level.
    StockOf => Stock, stock::levels
);
loader!(
    /// A category by id.
    CategoryById => Category, categories::find_many
);
loader!(
    /// An item by id.
    ItemById => Item, items::find_many
);
loader!(
    /// An item's owners.
    HistoryOf => Vec<ItemTransfer>, items::histories
);

loader!(
    /// How many products are on sale in a category and below it.
    CountIn => i64, search::count_in
);

/// Declares a key and its loader of what is read for all keys at once, in their order.
macro_rules! list_loader {
    ($(#[$meta:meta])* $key:ident($of:ty) => $value:ty, $read:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(super) struct $key(pub(super) $of);

        impl Loader<$key> for Rows {
            type Value = $value;
            type Error = Arc<DbErr>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Arc<DbErr>> {
                tracing::trace!(kind = stringify!($key), keys = keys.len(), "one query for a batch");
                let of: Vec<$of> = keys.iter().map(|key| key.0.clone()).collect();
                let found = $read(self.db.read(), &of).await?;
                Ok(keys.iter().cloned().zip(found).collect())
            }
        }
    };
}

list_loader!(
    /// A page of the products in a category and below it.
    CategoryPage(SearchPage) => Vec<Hit>, search::pages
);
list_loader!(
    /// A page of what a seller has on sale.
    SellerPage(ById) => Vec<Product>, products::of_sellers
);
list_loader!(
    /// How many products a seller has on sale.
    CountOfSeller(Uuid) => i64, products::counts_of_sellers
);
list_loader!(
    /// A page of somebody's items.
    ItemPage(ById) => Vec<Item>, items::of_owners
);

/// All categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AllCategories;

impl Loader<AllCategories> for Rows {
    type Value = Arc<Vec<Category>>;
    type Error = Arc<DbErr>;

    async fn load(&self, _: &[AllCategories]) -> Result<HashMap<AllCategories, Self::Value>, Arc<DbErr>> {
        tracing::trace!(kind = "AllCategories", keys = 1, "one query for a batch");
        Ok(HashMap::from([(AllCategories, Arc::new(categories::all(self.db.read()).await?))]))
    }
}

/// A product by slug.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ProductBySlug(pub(super) String);

impl Loader<ProductBySlug> for Rows {
    type Value = Product;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[ProductBySlug]) -> Result<HashMap<ProductBySlug, Product>, Arc<DbErr>> {
        tracing::trace!(kind = "ProductBySlug", keys = keys.len(), "one query for a batch");
        let slugs: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let found = products::find_by_slugs(self.db.read(), &slugs).await?;
        Ok(found.into_iter().map(|product| (ProductBySlug(product.slug.clone()), product)).collect())
    }
}

/// A category by slug.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CategoryBySlug(pub(super) String);

impl Loader<CategoryBySlug> for Rows {
    type Value = Category;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[CategoryBySlug]) -> Result<HashMap<CategoryBySlug, Category>, Arc<DbErr>> {
        tracing::trace!(kind = "CategoryBySlug", keys = keys.len(), "one query for a batch");
        let slugs: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let found = categories::find_by_slugs(self.db.read(), &slugs).await?;
        Ok(found.into_iter().map(|category| (CategoryBySlug(category.slug.clone()), category)).collect())
    }
}
