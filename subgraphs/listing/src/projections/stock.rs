//! `stock.events.v1` → replies to the item locks of saga S-A.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::stock::StockEvent;
use kopitiam_kit::Tx;
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::live::Hub;
use uuid::Uuid;

use crate::commands;

/// Applies stock events.
pub struct ItemLocks {
    /// Wakes subscriptions.
    pub hub: Hub<Uuid>,
}

#[async_trait::async_trait]
impl Handler for ItemLocks {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        match StockEvent::decode(envelope)? {
            Some(StockEvent::ItemLocked(locked)) => {
                commands::open(tx, &self.hub, locked.listing_id, envelope).await?;
            }
            Some(StockEvent::ItemLockRejected(rejected)) => {
                commands::call_off(tx, &self.hub, rejected.listing_id, envelope).await?;
            }
            _ => {}
        }
        Ok(())
    }
}
