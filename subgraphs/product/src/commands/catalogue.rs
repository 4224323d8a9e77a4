//! Products and categories.

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::product::{CategoryDeleted, ProductArchived};
use kopitiam_kit::errors::is_unique_violation;
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Failure, SystemError, Tx, time};
use serde::Serialize;
use uuid::Uuid;

use super::{Commands, Editor, refused};
use crate::domain::category::{Category, CategoryDraft, CategoryTree};
use crate::domain::product::{Image, Product, ProductDraft, ProductForm};
use crate::domain::refusal::Refusal;
use crate::events::{self, Cause, publish, stock_updated};
use crate::store::{categories, products, stock};

/// The picture of a product: drawn by the storefront from the slug.
pub fn picture(slug: &str, name: &str) -> Image {
    Image { url: format!("/images/products/{slug}.svg"), alt: name.to_owned(), width: 800, height: 800 }
}

/// What `createProduct` was asked, for telling one request of a key from another.
#[derive(Serialize)]
struct CreateRequest<'a> {
    name: &'a str,
    description: &'a str,
    price_minor: i64,
    currency: &'a str,
    supplier: Option<&'a str>,
    category_ids: &'a [Uuid],
    stock: i64,
}

impl Commands {
    /// Puts a product on sale, once per key. The editor is its seller.
    ///
    /// # Errors
    /// Refusals by field; `IDEMPOTENCY_MISMATCH`, `IN_PROGRESS`.
    pub async fn create_product(
        &self,
        editor: Editor,
        form: ProductForm,
        client_key: &str,
    ) -> Result<Uuid, Failure> {
        let key = Key::new(editor.actor(), "createProduct", client_key)?;
        let draft = ProductDraft::new(form).map_err(refused)?;
        let request = CreateRequest {
            name: &draft.name,
            description: &draft.description,
            price_minor: draft.price_minor,
            currency: &draft.currency,
            supplier: draft.supplier.as_deref(),
            category_ids: &draft.category_ids,
            stock: draft.stock,
        };
        let draft = &draft;
        let outcome = idempotency::once(&self.db, &key, &request, |tx| async move {
            check_categories(&tx, &draft.category_ids).await?;
            let id = Uuid::now_v7();
            self.insert_product(&tx, Cause::User(editor.user_id), id, editor.user_id, draft, time::now())
                .await?;
            Ok(id)
        })
        .await;
        name_taken(outcome)
    }

    /// Inserts a product with its stock and picture and tells everyone.
    ///
    /// # Errors
    /// Database errors; the unique key of the name among them.
    pub async fn insert_product(
        &self,
        tx: &Tx,
        cause: Cause<'_>,
        id: Uuid,
        seller_id: Uuid,
        draft: &ProductDraft,
        now: DateTime<Utc>,
    ) -> Result<Product, Failure> {
        let product = products::insert(tx, id, seller_id, draft, now).await?;
        let image = picture(&product.slug, &product.name);
        products::add_image(tx, id, 0, image.clone()).await?;
        let level = stock::open(tx, id, draft.stock).await?;
        let event = events::created(&product, &draft.category_ids, Some(image.url));
        publish(tx, cause, id, &event).await?;
        stock_updated(tx, cause, &self.stock, id, level).await?;
        Ok(product)
    }

    /// Replaces a product of `expected_version`; its stock stays as it is.
    ///
    /// # Errors
    /// Refusals by field, [`Refusal::VersionConflict`], [`Refusal::NotYourProduct`].
    pub async fn update_product(
        &self,
        editor: Editor,
        id: Uuid,
        form: ProductForm,
        expected_version: i32,
    ) -> Result<Uuid, Failure> {
        let draft = &ProductDraft::new(form).map_err(refused)?;
        let outcome = self
            .db
            .transaction(|tx| async move {
                let before = on_sale(&tx, id).await?;
                editor.check(before.seller_id)?;
                check_categories(&tx, &draft.category_ids).await?;
                if !products::update(&tx, id, expected_version, draft, time::now()).await? {
                    return Err(Refusal::VersionConflict.into());
                }
                let after = on_sale(&tx, id).await?;
                let cause = Cause::User(editor.user_id);
                let image = products::images(&tx, &[id]).await?.remove(&id).unwrap_or_default();
                let image_url = image.into_iter().next().map(|image| image.url);
                publish(&tx, cause, id, &events::updated(&after, &draft.category_ids, image_url)).await?;
                Ok(id)
            })
            .await;
        name_taken(outcome)
    }

    /// Takes a product out of sale.
    ///
    /// # Errors
    /// [`Refusal::VersionConflict`], [`Refusal::NotYourProduct`], [`Refusal::ProductNotFound`].
    pub async fn archive_product(
        &self,
        editor: Editor,
        id: Uuid,
        expected_version: i32,
    ) -> Result<Uuid, Failure> {
        self.db
            .transaction(|tx| async move {
                let before = on_sale(&tx, id).await?;
                editor.check(before.seller_id)?;
                if !products::archive(&tx, id, expected_version, time::now()).await? {
                    return Err(Refusal::VersionConflict.into());
                }
                publish(&tx, Cause::User(editor.user_id), id, &ProductArchived {}).await?;
                Ok(id)
            })
            .await
    }

    /// Makes or changes a category; `id` is `None` for a new one.
    ///
    /// # Errors
    /// [`Refusal::NameInvalid`], [`Refusal::NameTaken`], [`Refusal::CategoryNotFound`], [`Refusal::CategoryCycle`].
    pub async fn save_category(
        &self,
        editor: Editor,
        id: Option<Uuid>,
        name: &str,
        parent_id: Option<Uuid>,
    ) -> Result<Category, Failure> {
        let draft = &CategoryDraft::new(name, parent_id)?;
        let outcome = self
            .db
            .transaction(|tx| async move {
                let tree = CategoryTree::new(&categories::all(&tx).await?);
                tree.check_move(id, parent_id)?;
                let category = match id {
                    None => categories::insert(&tx, Uuid::now_v7(), draft).await?,
                    Some(id) => categories::update(&tx, id, draft).await?.ok_or(Refusal::CategoryNotFound)?,
                };
                let cause = Cause::User(editor.user_id);
                publish(&tx, cause, category.id, &events::category_saved(&category)).await?;
                Ok(category)
            })
            .await;
        name_taken(outcome)
    }

    /// Deletes a category that nothing refers to.
    ///
    /// # Errors
    /// [`Refusal::CategoryNotFound`], [`Refusal::CategoryInUse`].
    pub async fn delete_category(&self, editor: Editor, id: Uuid) -> Result<Category, Failure> {
        self.db
            .transaction(|tx| async move {
                let found = categories::find_many(&tx, &[id]).await?.into_iter().next();
                let category = found.ok_or(Refusal::CategoryNotFound)?;
                if categories::in_use(&tx, id).await? {
                    return Err(Refusal::CategoryInUse.into());
                }
                categories::delete(&tx, id).await?;
                publish(&tx, Cause::User(editor.user_id), id, &CategoryDeleted {}).await?;
                Ok(category)
            })
            .await
    }
}

/// Names are the only unique text a client chooses here.
fn name_taken<T>(outcome: Result<T, Failure>) -> Result<T, Failure> {
    match outcome {
        Err(Failure::System(SystemError::Database(error))) if is_unique_violation(&error) => {
            Err(Refusal::NameTaken.into())
        }
        outcome => outcome,
    }
}

pub(super) async fn on_sale(tx: &Tx, id: Uuid) -> Result<Product, Failure> {
    let found = products::find(tx, id).await?.filter(|product| !product.archived);
    Ok(found.ok_or(Refusal::ProductNotFound)?)
}

async fn check_categories(tx: &Tx, ids: &[Uuid]) -> Result<(), Failure> {
    if categories::find_many(tx, ids).await?.len() == ids.len() {
        Ok(())
    } else {
        Err(Refusal::CategoryNotFound.into())
    }
}
