//! Root mutations: who may, then the command, then its payload.

use async_graphql::{Context, Object};
use kopitiam_kit::auth::{HasScope, LoggedIn, Viewer, viewer};
use kopitiam_kit::errors::{Denied, payload};
use kopitiam_kit::graphql::ID;
use kopitiam_kit::{Failure, Money};
use uuid::Uuid;

use super::loaders::{ItemById, ProductById, load};
use super::types::{
    Category, CategoryPayload, Item, ItemPayload, Product, ProductChangeInput, ProductInput, ProductPayload,
};
use crate::commands::{Commands, Editor};
use crate::domain::product::ProductForm;
use crate::domain::refusal::Refusal;

/// Root mutations.
pub struct Mutation;

fn commands<'context>(context: &Context<'context>) -> &'context Commands {
    context.data_unchecked::<Commands>()
}

fn is_manager(viewer: &Viewer) -> bool {
    viewer.has_role("MANAGER") || viewer.has_role("ADMIN")
}

fn editor(context: &Context<'_>) -> Result<Editor, Denied> {
    let viewer = viewer(context);
    Ok(Editor { user_id: viewer.require()?.user_id, manager: is_manager(viewer) })
}

/// Sellers have the catalogue's scope for their own products; shelves are the shop's.
fn shelf_editor(context: &Context<'_>) -> Result<Editor, Denied> {
    editor(context).and_then(|editor| if editor.manager { Ok(editor) } else { Err(Denied::Forbidden) })
}

fn id_or(id: &ID, refusal: Refusal) -> Result<Uuid, Failure> {
    Uuid::try_parse(id).map_err(|_| refusal.into())
}

fn form(input: ProductChangeInput, stock: Option<i64>) -> Result<ProductForm, Failure> {
    let price = Money::parse(&input.price.0, &input.currency)
        .map_err(|error| Failure::from(kopitiam_kit::UserError::from(error)))?;
    let category_ids = input.category_ids.iter().map(|id| id_or(id, Refusal::CategoryNotFound));
    Ok(ProductForm {
        category_ids: category_ids.collect::<Result<_, _>>()?,
        name: input.name,
        description: input.description,
        price_minor: price.minor(),
        currency: input.currency,
        supplier: input.supplier,
        stock,
    })
}

async fn product_payload(
    context: &Context<'_>,
    outcome: Result<Uuid, Failure>,
) -> async_graphql::Result<ProductPayload> {
    let (id, user_errors) = payload(outcome)?;
    let product = match id {
        Some(id) => load(context, ProductById(id)).await?.map(Product),
        None => None,
    };
    Ok(ProductPayload { product, user_errors })
}

/// Root mutations.
#[Object]
impl Mutation {
    /// Puts a product on sale; its seller is whoever does.
    #[graphql(requires_scopes = "catalog:write", guard = "HasScope(\"catalog:write\")")]
    async fn create_product(
        &self,
        context: &Context<'_>,
        input: ProductInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<ProductPayload> {
        let editor = editor(context)?;
        let (input, stock) = input.split();
        let outcome = async {
            commands(context).create_product(editor, form(input, Some(stock))?, &idempotency_key).await
        };
        product_payload(context, outcome.await).await
    }

    /// Replaces a product's data but its stock. Sellers change their own products, managers all.
    #[graphql(requires_scopes = "catalog:write", guard = "HasScope(\"catalog:write\")")]
    async fn update_product(
        &self,
        context: &Context<'_>,
        id: ID,
        input: ProductChangeInput,
        expected_version: i32,
    ) -> async_graphql::Result<ProductPayload> {
        let editor = editor(context)?;
        let outcome = async {
            let id = id_or(&id, Refusal::ProductNotFound)?;
            commands(context).update_product(editor, id, form(input, None)?, expected_version).await
        };
        product_payload(context, outcome.await).await
    }

    /// Makes a category, or renames or moves the one of that id. For managers.
    #[graphql(requires_scopes = "catalog:write", guard = "HasScope(\"catalog:write\")")]
    async fn save_category(
        &self,
        context: &Context<'_>,
        id: Option<ID>,
        name: String,
        parent_id: Option<ID>,
    ) -> async_graphql::Result<CategoryPayload> {
        let editor = shelf_editor(context)?;
        let outcome = async {
            let id = id.map(|id| id_or(&id, Refusal::CategoryNotFound)).transpose()?;
            let parent_id = parent_id.map(|id| id_or(&id, Refusal::CategoryNotFound)).transpose()?;
            commands(context).save_category(editor, id, &name, parent_id).await
        };
        let (category, user_errors) = payload(outcome.await)?;
        Ok(CategoryPayload { category: category.map(Category), user_errors })
    }

    /// Deletes an empty category. For managers.
    #[graphql(requires_scopes = "catalog:write", guard = "HasScope(\"catalog:write\")")]
    async fn delete_category(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<CategoryPayload> {
        let editor = shelf_editor(context)?;
        let outcome =
            async { commands(context).delete_category(editor, id_or(&id, Refusal::CategoryNotFound)?).await };
        let (category, user_errors) = payload(outcome.await)?;
        Ok(CategoryPayload { category: category.map(Category), user_errors })
    }

    /// Adds a thing to the signed-in person's collection.
    #[graphql(guard = "LoggedIn")]
    async fn create_item(
        &self,
        context: &Context<'_>,
        title: String,
        image_url: Option<String>,
        idempotency_key: ID,
    ) -> async_graphql::Result<ItemPayload> {
        let owner = viewer(context).require()?.user_id;
        let outcome =
            commands(context).create_item(owner, &title, image_url.as_deref(), &idempotency_key).await;
        let (id, user_errors) = payload(outcome)?;
        let item = match id {
            Some(id) => load(context, ItemById(id)).await?.map(Item),
            None => None,
        };
        Ok(ItemPayload { item, user_errors })
    }

    /// Removes a free thing from the signed-in person's collection.
    #[graphql(guard = "LoggedIn")]
    async fn delete_item(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<ItemPayload> {
        let owner = viewer(context).require()?.user_id;
        let outcome =
            async { commands(context).delete_item(owner, id_or(&id, Refusal::ItemNotFound)?).await };
        let (item, user_errors) = payload(outcome.await)?;
        Ok(ItemPayload { item: item.map(Item), user_errors })
    }

    /// Takes a product out of sale; it stays readable for old orders.
    #[graphql(requires_scopes = "catalog:write", guard = "HasScope(\"catalog:write\")")]
    async fn archive_product(
        &self,
        context: &Context<'_>,
        id: ID,
        expected_version: i32,
    ) -> async_graphql::Result<ProductPayload> {
        let editor = editor(context)?;
        let outcome = async {
            let id = id_or(&id, Refusal::ProductNotFound)?;
            commands(context).archive_product(editor, id, expected_version).await
        };
        product_payload(context, outcome.await).await
    }

    /// Adds units, or by a negative number removes them. Sellers change their own products, managers all.
    #[graphql(requires_scopes = "stock:write", guard = "HasScope(\"stock:write\")")]
    async fn adjust_stock(
        &self,
        context: &Context<'_>,
        product_id: ID,
        delta: i32,
        reason: String,
        idempotency_key: ID,
    ) -> async_graphql::Result<ProductPayload> {
        let editor = editor(context)?;
        let outcome = async {
            let id = id_or(&product_id, Refusal::ProductNotFound)?;
            commands(context).adjust_stock(editor, id, i64::from(delta), &reason, &idempotency_key).await
        };
        product_payload(context, outcome.await).await
    }
}
