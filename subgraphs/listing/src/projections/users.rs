//! `user.events.v1` → the replica of seller names, and who is banned. Version-gated: an old event never overwrites a newer
//! name, and never lifts a newer ban.

use kopitiam_kafka::messages::user::UserEvent;
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::consumer::HandleError;
use kopitiam_kit::rebuild::ReadModels;
use kopitiam_kit::{Tx, inbox, time};

use crate::commands::Market;
use crate::store::sellers::{self, PROJECTION, USER};

/// Applies one event of a user; anything else is passed over.
///
/// # Errors
/// [`HandleError`] when one before it is missing, or the database refuses.
pub async fn apply(tx: &Tx, market: &Market, envelope: &Envelope) -> Result<(), HandleError> {
    if let Some(UserEvent::UserBanned(_)) = copy(tx, envelope).await? {
        market.seller_banned(tx, envelope.aggregate_id, time::of(tx).await?).await?;
    }
    Ok(())
}

/// Keeps what the event says in the replica; gives it when it was the next one.
async fn copy(tx: &Tx, envelope: &Envelope) -> Result<Option<UserEvent>, HandleError> {
    if envelope.aggregate_type != USER || !inbox::gate(tx, PROJECTION, envelope).await?.applies(envelope)? {
        return Ok(None);
    }
    let (id, event) = (envelope.aggregate_id, UserEvent::decode(envelope)?);
    match &event {
        Some(UserEvent::SellerOpened(opened)) => sellers::save(tx, id, &opened.display_name).await?,
        Some(UserEvent::SellerUpdated(updated)) => sellers::save(tx, id, &updated.display_name).await?,
        Some(UserEvent::UserBanned(_)) => sellers::set_banned(tx, id, true).await?,
        Some(UserEvent::UserUnbanned(_)) => sellers::set_banned(tx, id, false).await?,
        _ => {}
    }
    Ok(event)
}

/// The replica alone, to be made anew from the topic.
#[derive(Clone, Copy)]
pub struct Copies;

#[async_trait::async_trait]
impl ReadModels for Copies {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::UserEvents]
    }

    fn projections(&self) -> &'static [&'static str] {
        &[PROJECTION]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["seller", "banned_user"]
    }

    async fn apply(&self, tx: &Tx, _topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
        copy(tx, envelope).await.map(|_| ())
    }
}
