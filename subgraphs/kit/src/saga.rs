//! Sagas: a business transaction over several services, as a persistent state machine.
//!
//! In: a step table (`Definition`), replies of other services, the clock. Out: commands through the outbox and a
//! final state. Always: what a saga decides and what it sends are written in one transaction; a saga is either
//! over, or has a time at which the sweeper looks at it again; after the pivot it only goes forward.
//! - `definition`: the step table as data: commands, guards, the pivot, reply rules, compensations.
//! - `machine`: the pure core, no I/O and no clock: (saga, input, now) → effects. This is what is simulated.
//! - `store`: the saga table, claims, and the queries of an operator's page.
//! - `runner`: applies effects in a transaction: outbox, owner's hooks, sweeper.
//!
//! Elsewhere: what the commands mean (the services), how messages travel (`outbox`, `consumer`).

mod definition;
mod machine;
mod runner;
mod store;

pub use definition::{
    Command, Definition, Failure, Message, Outcome, ReplyRule, Step, Undo, Verdict, learn_nothing,
};
pub use machine::{Effect, NotWaiting, PastPivot, Saga, SagaState, backoff, command_id};
pub use runner::{SagaOwner, Sagas};
pub use store::{SagaRecord, list, migrations, of_subjects};
