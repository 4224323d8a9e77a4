//! `user.events.v1` → the replica of seller names. Version-gated: an old event never overwrites a newer name.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::user::UserEvent;
use kopitiam_kit::Tx;
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::inbox;

use crate::store;

/// Applies user events.
pub struct Sellers;

#[async_trait::async_trait]
impl Handler for Sellers {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        if !inbox::gate(tx, "sellers", envelope).await?.applies(envelope)? {
            return Ok(());
        }
        let name = match UserEvent::decode(envelope)? {
            Some(UserEvent::SellerOpened(opened)) => opened.display_name,
            Some(UserEvent::SellerUpdated(updated)) => updated.display_name,
            _ => return Ok(()),
        };
        Ok(store::sellers::save(tx, envelope.aggregate_id, &name).await?)
    }
}
