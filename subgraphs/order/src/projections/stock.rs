//! `stock.events.v1` → the copies of stock levels. Reservations are replies to sagas and items are no concern here.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::stock::StockEvent;
use kopitiam_kit::consumer::HandleError;
use kopitiam_kit::{Tx, inbox};

use crate::store::replicas;

/// What the aggregate of stock levels is called.
const PRODUCT: &str = "product";

/// Applies an event of the topic, if it is about a stock level.
pub(super) async fn apply(tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
    if envelope.aggregate_type != PRODUCT || !inbox::gate(tx, "stock", envelope).await?.applies(envelope)? {
        return Ok(());
    }
    if let Some(StockEvent::StockUpdated(level)) = StockEvent::decode(envelope)? {
        let (id, version) = (envelope.aggregate_id, envelope.aggregate_version);
        replicas::save_stock(tx, id, level.on_hand, level.reserved, version).await?;
    }
    Ok(())
}
