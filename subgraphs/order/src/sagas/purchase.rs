//! What every way to pay for an order has in common: how its history tells the answers, how it is confirmed, and how it ends.
//!
//! In: what is particular to a way ([`Purchase`]). Out: its owner. Elsewhere: the steps of each way (`place_order`,
//! `reserve_listing`), the rows (`changes`).

use std::future::Future;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{Definition, Failure, Saga, SagaOwner, SagaState};
use kopitiam_kit::{SystemError, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::changes::{change_order, confirm_order, load_order, note_order};
use crate::domain::order::{Order, OrderStatus};
use crate::events::ACTOR;
use crate::store::orders::{self, Change};

/// The code of a failure that the buyer wished for.
pub const CANCELLED: &str = "CANCELLED_BY_BUYER";
/// The code of a failure by the saga's deadline, as the engine gives it.
const DEADLINE: &str = "DEADLINE";
/// The order is not in a state to be confirmed any more.
const MOVED_ON: &str = "ORDER_MOVED_ON";

/// What an order's history says when a command was answered.
const ANSWERED: &[(&str, &str)] = &[
    ("reserve-stock", "Stock is reserved"),
    ("lock-listing", "The listing is reserved"),
    ("hold-funds", "Funds are held"),
    ("commit-stock", "Stock is handed over"),
    ("sell-listing", "The listing is handed over"),
    ("capture-funds", "Payment is captured"),
];

/// A way to pay for an order: what is particular to it. The saga's subject is the order.
pub trait Purchase: Send + Sync + 'static {
    /// What the saga remembers.
    type Context: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The order's status when time ran out.
    const LATE: OrderStatus;

    /// The steps.
    fn definition() -> &'static Definition<Self::Context>;

    /// The hold that pays the order.
    fn hold_id(saga: &Saga<Self::Context>) -> Uuid;

    /// More of a failure, for people.
    fn explain(_order: &Order, _failure: &Failure) -> Option<String> {
        None
    }

    /// The order is confirmed, in this transaction: what else follows from it.
    fn confirmed(
        _tx: &Tx,
        _saga: &Saga<Self::Context>,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), SystemError>> + Send {
        std::future::ready(Ok(()))
    }
}

/// The order's part in its purchase.
pub struct PurchaseOwner<P> {
    /// Woken when an order changed.
    changes: Hub<Uuid>,
    way: PhantomData<fn() -> P>,
}

impl<P> PurchaseOwner<P> {
    /// Wakes `changes` when an order changed.
    pub fn new(changes: Hub<Uuid>) -> Self {
        Self { changes, way: PhantomData }
    }
}

impl<P: Purchase> SagaOwner for PurchaseOwner<P> {
    type Context = P::Context;

    fn definition(&self) -> &'static Definition<P::Context> {
        P::definition()
    }

    /// A command was answered: the order's history says so.
    async fn answered(
        &self,
        tx: &Tx,
        saga: &Saga<P::Context>,
        command: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let Some((_, note)) = ANSWERED.iter().find(|(name, _)| *name == command) else { return Ok(()) };
        let order = load_order(tx, saga.subject_id).await?;
        note_order(tx, &order, ACTOR, note, now, &self.changes).await
    }

    /// The order is confirmed with its invoice, or it moved on before.
    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<P::Context>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        let order = load_order(tx, saga.subject_id).await?;
        if !confirm_order(tx, &order, P::hold_id(saga), saga.id, now, &self.changes).await? {
            return Ok(Err(Failure::new(MOVED_ON)));
        }
        P::confirmed(tx, saga, now).await?;
        Ok(Ok(()))
    }

    /// The order says so at once, by its buyer's name if the buyer wished for it.
    async fn failed(
        &self,
        tx: &Tx,
        saga: &Saga<P::Context>,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let order = load_order(tx, saga.subject_id).await?;
        let buyer = format!("user:{}", order.buyer_id);
        let (to, actor) = match failure.code.as_str() {
            CANCELLED => (OrderStatus::Cancelled, buyer.as_str()),
            DEADLINE => (P::LATE, ACTOR),
            _ => (OrderStatus::Rejected, ACTOR),
        };
        let note = P::explain(&order, failure);
        let note = note.as_deref().or_else(|| failure.detail["note"].as_str());
        let change = Change { to, reason: Some(&failure.code), actor, note };
        change_order(tx, &order, change, saga.id, now, &self.changes).await?;
        Ok(())
    }

    /// The buyer may try again, and reads why.
    async fn went_back(
        &self,
        tx: &Tx,
        saga: &Saga<P::Context>,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let order = load_order(tx, saga.subject_id).await?;
        let note = format!("The payment was refused: {}", failure.code);
        note_order(tx, &order, ACTOR, &note, now, &self.changes).await
    }

    /// When it went through, the money is where it belongs.
    async fn ended(
        &self,
        tx: &Tx,
        saga: &Saga<P::Context>,
        state: SagaState,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        if state == SagaState::Completed {
            orders::settled(tx, saga.subject_id, now).await?;
        }
        self.changes.changed_by(tx, saga.subject_id);
        Ok(())
    }
}
