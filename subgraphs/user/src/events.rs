//! What this service publishes: `user.events.v1` and `wallet.events.v1`, written in the transaction of the change.

use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::user::{
    RolesChanged, SellerOpened, TokensEnded, UserBanned, UserRegistered, UserUnbanned, UserUpdated,
};
use kopitiam_kafka::messages::wallet::{CreditGranted, FundsReleased, ToppedUp};
use kopitiam_kafka::{Envelope, Message};
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use crate::domain::account::{Seller, User};

/// The actor of what the service does by itself.
pub const SERVICE: &str = "service:user";

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

/// A person signed up.
pub fn registered(user: &User) -> UserRegistered {
    UserRegistered {
        username: user.username.clone(),
        email: user.email.clone(),
        full_name: user.full_name.clone(),
        roles: user.roles.names(),
    }
}

/// Profile data changed.
pub fn updated(user: &User) -> UserUpdated {
    UserUpdated {
        username: user.username.clone(),
        email: user.email.clone(),
        full_name: user.full_name.clone(),
    }
}

/// A stall opened.
pub fn seller_opened(seller: &Seller) -> SellerOpened {
    SellerOpened {
        handle: seller.handle.clone(),
        display_name: seller.display_name.clone(),
        bio: seller.bio.clone(),
    }
}

/// The roles are now these.
pub fn roles_changed(user: &User) -> RolesChanged {
    RolesChanged { roles: user.roles.names() }
}

/// Tokens issued before this are good no more.
pub fn tokens_ended(user: &User) -> TokensEnded {
    TokensEnded { token_version: user.token_version.into() }
}

/// The account may not act any more.
pub fn banned(reason: &str) -> UserBanned {
    UserBanned { reason: reason.to_owned() }
}

/// The account may act again.
pub fn unbanned() -> UserUnbanned {
    UserUnbanned {}
}

/// Credit was given; `granted_by` is the user itself for the sign-up credit, which nobody grants.
pub fn credit_granted(minor: i64, currency: &str, reason: &str, granted_by: Uuid) -> CreditGranted {
    CreditGranted { amount: Amount::new(minor, currency), reason: reason.to_owned(), granted_by }
}

/// A payment arrived.
pub fn topped_up(minor: i64, currency: &str, payment_id: &str) -> ToppedUp {
    ToppedUp { amount: Amount::new(minor, currency), payment_id: payment_id.to_owned() }
}

/// A hold ended by the clock.
pub fn released(hold_id: Uuid, minor: i64, currency: &str) -> FundsReleased {
    FundsReleased { hold_id, amount: Amount::new(minor, currency) }
}
