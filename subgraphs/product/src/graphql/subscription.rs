//! Live updates.

use async_graphql::{Context, Subscription as GraphqlSubscription};
use futures::{Stream, StreamExt};
use kopitiam_kit::SystemError;
use kopitiam_kit::errors::bad_input;
use kopitiam_kit::graphql::ID;
use uuid::Uuid;

use super::types::Product;
use crate::commands::Commands;
use crate::store::products;

/// Root subscriptions.
pub struct Subscription;

/// Root subscriptions.
#[GraphqlSubscription]
impl Subscription {
    /// A product: now, and after each change of its stock.
    async fn stock_changed(
        &self,
        context: &Context<'_>,
        product_id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Product>> + use<>> {
        let unknown = || bad_input("no such product");
        let id = Uuid::try_parse(&product_id).map_err(|_| unknown())?;
        let commands = context.data_unchecked::<Commands>().clone();
        if products::find(commands.db.read(), id).await.map_err(SystemError::from)?.is_none() {
            return Err(unknown());
        }
        let changes = commands.stock.changes(id);
        Ok(changes.then(move |()| {
            let commands = commands.clone();
            async move {
                let product = products::find(commands.db.read(), id).await.map_err(SystemError::from)?;
                product.map(Product).ok_or_else(|| bad_input("no such product"))
            }
        }))
    }
}
