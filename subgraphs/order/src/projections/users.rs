//! `user.events.v1` → the copies of users: name and ban.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::user::UserEvent;
use kopitiam_kit::consumer::HandleError;
use kopitiam_kit::{Tx, inbox};

use crate::store::replicas::{self, UserChange};

/// Applies an event of the topic.
pub(super) async fn apply(tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
    if !inbox::gate(tx, "users", envelope).await?.applies(envelope)? {
        return Ok(());
    }
    let Some(event) = UserEvent::decode(envelope)? else { return Ok(()) };
    let change = match event {
        UserEvent::UserRegistered(user) => UserChange::Named(user.username),
        UserEvent::UserUpdated(user) => UserChange::Named(user.username),
        UserEvent::UserBanned(_) => UserChange::Banned(true),
        UserEvent::UserUnbanned(_) => UserChange::Banned(false),
        UserEvent::RolesChanged(_)
        | UserEvent::TokensEnded(_)
        | UserEvent::SellerOpened(_)
        | UserEvent::SellerUpdated(_) => UserChange::Other,
    };
    replicas::save_user(tx, envelope.aggregate_id, &change, envelope.aggregate_version).await?;
    Ok(())
}
