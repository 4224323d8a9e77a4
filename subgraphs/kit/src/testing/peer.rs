//! Stands for another service: sends messages from an outbox of its own and notes what it hears.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kopitiam_kafka::{Envelope, Message, Topic};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{TestBroker, TestDb, eventually, sqlite};
use crate::consumer::{self, ConsumerConfig, HandleError, Handler};
use crate::migrations::kit_migrations;
use crate::outbox::{self, NewMessage, relay};
use crate::{SystemError, Tasks, Tx};

struct KitOnly;

impl MigratorTrait for KitOnly {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations()
    }
}

/// The other service.
pub struct Peer {
    db: TestDb,
    ear: Ear,
    saga: Uuid,
}

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Envelope>>>);

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Vec<Envelope>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Handler for Ear {
    async fn handle(&self, _tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        self.heard().push(envelope.clone());
        Ok(())
    }
}

impl Peer {
    /// Starts it among `tasks`; it hears these topics.
    pub async fn start(
        broker: &TestBroker,
        topics: &[Topic],
        tasks: &mut Tasks,
        shutdown: &CancellationToken,
    ) -> Self {
        let (db, ear) = (sqlite::<KitOnly>().await, Ear::default());
        tasks.spawn("peer relay", relay::run(db.db().clone(), broker.kafka(), shutdown.clone()));
        let config = ConsumerConfig { group: "peer".to_owned(), topics: topics.to_vec() };
        let consume = consumer::run(db.db().clone(), broker.kafka(), config, ear.clone(), shutdown.clone());
        tasks.spawn("peer consumer", consume);
        Self { db, ear, saga: Uuid::now_v7() }
    }

    /// Sends a message about that aggregate, of this peer's one saga.
    ///
    /// # Panics
    /// When its own database refuses.
    pub async fn send<M: Message>(&self, about: Uuid, message: &M) {
        let send = |tx: Tx| async move {
            let message = NewMessage::new(about, "service:peer", message).correlation(self.saga);
            outbox::append(&tx, message).await?;
            Ok::<_, SystemError>(())
        };
        self.db.transaction(send).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Everything it heard, in the order in which it came.
    pub fn heard(&self) -> Vec<Envelope> {
        self.ear.heard().clone()
    }

    /// The answers to this peer's messages, in the order in which they came.
    pub fn answers(&self) -> Vec<Envelope> {
        self.ear.heard().iter().filter(|envelope| envelope.correlation_id == self.saga).cloned().collect()
    }

    /// Waits for so many answers; their types.
    pub async fn types_of_answers(&self, count: usize) -> Vec<String> {
        self.types(count, |_| true).await
    }

    /// Waits for so many answers about that aggregate; their types.
    pub async fn types_of_answers_about(&self, subject: Uuid, count: usize) -> Vec<String> {
        self.types(count, |answer| answer.aggregate_id == subject).await
    }

    async fn types(&self, count: usize, wanted: impl Fn(&Envelope) -> bool) -> Vec<String> {
        let enough = || async {
            let answers = self.answers().into_iter().filter(&wanted);
            let types: Vec<String> = answers.map(|answer| answer.message_type).collect();
            (types.len() >= count).then_some(types)
        };
        eventually("answers", enough).await
    }
}
