//! What this service publishes: `product.events.v1` and `stock.events.v1`, written in the transaction of the change.

use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::product::{CategorySaved, ProductCreated, ProductUpdated};
use kopitiam_kafka::messages::stock::StockUpdated;
use kopitiam_kafka::{Envelope, Message};
use kopitiam_kit::live::Hub;
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use crate::domain::category::Category;
use crate::domain::product::{Product, Stock};

/// The actor of what the service does by itself.
pub const SERVICE: &str = "service:product";

/// What an event follows from.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A request of this user.
    User(Uuid),
    /// A command or event.
    Message(&'a Envelope),
    /// The clock, or set-up.
    Service,
}

/// Publishes `payload` about `aggregate_id`.
///
/// # Errors
/// [`SystemError`] of the outbox.
pub async fn publish<M: Message>(
    tx: &Tx,
    cause: Cause<'_>,
    aggregate_id: Uuid,
    payload: &M,
) -> Result<(), SystemError> {
    let message = match cause {
        Cause::User(id) => NewMessage::new(aggregate_id, format!("user:{id}"), payload),
        Cause::Message(envelope) => NewMessage::caused_by(envelope, aggregate_id, SERVICE, payload),
        Cause::Service => NewMessage::new(aggregate_id, SERVICE, payload),
    };
    outbox::append(tx, message).await.map(|_| ())
}

/// Publishes a product's new level and wakes who watches it.
///
/// # Errors
/// [`SystemError`] of the outbox.
pub async fn stock_updated(
    tx: &Tx,
    cause: Cause<'_>,
    hub: &Hub<Uuid>,
    product_id: Uuid,
    level: Stock,
) -> Result<(), SystemError> {
    hub.changed_by(tx, product_id);
    let event = StockUpdated { on_hand: level.on_hand, reserved: level.reserved };
    publish(tx, cause, product_id, &event).await
}

/// A product is on sale.
pub fn created(product: &Product, category_ids: &[Uuid], image_url: Option<String>) -> ProductCreated {
    let ProductUpdated { slug, name, description, price, supplier, seller_id, category_ids, image_url } =
        updated(product, category_ids, image_url);
    ProductCreated { slug, name, description, price, supplier, seller_id, category_ids, image_url }
}

/// A product changed.
pub fn updated(product: &Product, category_ids: &[Uuid], image_url: Option<String>) -> ProductUpdated {
    ProductUpdated {
        slug: product.slug.clone(),
        name: product.name.clone(),
        description: product.description.clone(),
        price: Amount::new(product.price_minor, &*product.currency),
        supplier: product.supplier.clone(),
        seller_id: product.seller_id,
        category_ids: category_ids.to_vec(),
        image_url,
    }
}

/// A category was made or changed.
pub fn category_saved(category: &Category) -> CategorySaved {
    CategorySaved { slug: category.slug.clone(), name: category.name.clone(), parent_id: category.parent_id }
}
