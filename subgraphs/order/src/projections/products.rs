//! `product.events.v1` → the copies of products.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::product::{ProductCreated, ProductEvent, ProductUpdated};
use kopitiam_kit::consumer::HandleError;
use kopitiam_kit::{Tx, inbox};
use uuid::Uuid;

use crate::domain::cart::Product;
use crate::store::replicas;

/// Applies an event of the topic.
pub(super) async fn apply(tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
    if !inbox::gate(tx, "products", envelope).await?.applies(envelope)? {
        return Ok(());
    }
    let Some(event) = ProductEvent::decode(envelope)? else { return Ok(()) };
    let (id, version) = (envelope.aggregate_id, envelope.aggregate_version);
    match event {
        ProductEvent::ProductCreated(created) => {
            let ProductCreated { name, price, seller_id, .. } = created;
            let product = on_sale(id, name, price.minor, price.currency, seller_id);
            replicas::save_product(tx, &product, version).await?;
        }
        ProductEvent::ProductUpdated(updated) => {
            let ProductUpdated { name, price, seller_id, .. } = updated;
            let product = on_sale(id, name, price.minor, price.currency, seller_id);
            replicas::save_product(tx, &product, version).await?;
        }
        ProductEvent::ProductArchived(_) => replicas::archive_product(tx, id, version).await?,
        ProductEvent::CategorySaved(_) | ProductEvent::CategoryDeleted(_) => {}
    }
    Ok(())
}

fn on_sale(id: Uuid, name: String, price_minor: i64, currency: String, seller_id: Uuid) -> Product {
    Product { id, name, price_minor, currency, seller_id: Some(seller_id), archived: false, available: None }
}
