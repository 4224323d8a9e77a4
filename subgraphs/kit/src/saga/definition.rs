//! The step table of one kind of saga, as data.
//!
//! A definition is a `static` of the owning service; it names no transport and does no I/O. Elsewhere: what runs
//! it (`machine`), what stores it (`store`).

use kopitiam_kafka::Topic;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::machine::Saga;

/// Why a saga gave up before its pivot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code, shown to the user as the reason.
    pub code: String,
    /// Facts behind the code, for instance which lines failed; `Null` when there is nothing to add.
    #[serde(default)]
    pub detail: Value,
}

impl Failure {
    /// A failure that its code explains.
    pub fn new(code: impl Into<String>) -> Self {
        Self { code: code.into(), detail: Value::Null }
    }
}

/// A command as the outbox takes it; ids and tracing headers are added by the runner.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Topic to publish on.
    pub topic: Topic,
    /// Type of the message.
    pub kind: &'static str,
    /// Type of the aggregate that the command is about.
    pub aggregate_type: &'static str,
    /// Aggregate that the command is about; also the partition key, so commands to one aggregate keep their order.
    pub aggregate_id: Uuid,
    /// Body.
    pub payload: Value,
}

impl Message {
    /// A typed command about the aggregate `id`.
    pub fn of<M: kopitiam_kafka::Message>(id: Uuid, command: &M) -> Self {
        Self {
            topic: M::TOPIC,
            kind: M::TYPE,
            aggregate_type: M::AGGREGATE,
            aggregate_id: id,
            payload: serde_json::to_value(command)
                .expect("payload structs have string keys and plain values"),
        }
    }
}

/// What a reply means for the command it answers.
pub enum Outcome<C: 'static> {
    /// Done. The function keeps what later steps need to know.
    Done(fn(&mut C, &Value)),
    /// Refused for a business reason: before the pivot the saga fails and compensates.
    Refused(fn(&Value) -> Failure),
    /// A passing trouble: the command is sent again after the usual pause.
    Retry,
    /// Depends on what the answer says. The function may also keep what later steps need to know.
    Decide(fn(&mut C, &Value) -> Verdict),
}

/// What one answer means, see [`Outcome::Decide`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Done,
    /// Refused for a business reason: before the pivot the saga fails and compensates.
    Refused(Failure),
    /// Refused, and the saga goes back to an earlier step of that name, such as a [`Step::Wait`] for a person who may
    /// try again. The refused command must have had no effect, nor may its copies have one. Before the pivot only.
    Back {
        /// Name of the step.
        to: &'static str,
        /// Told to the owner.
        failure: Failure,
    },
    /// A passing trouble: the command is sent again after the usual pause.
    Retry,
    /// About something else, such as an earlier try.
    Ignore,
}

/// For replies that carry nothing to remember.
pub fn learn_nothing<C>(_: &mut C, _: &Value) {}

/// Which message type answers a command, and how.
pub struct ReplyRule<C: 'static> {
    /// Message type.
    pub event: &'static str,
    /// Its meaning.
    pub outcome: Outcome<C>,
}

/// The command that takes another command's effect back. It must be safe to send it for an effect that never
/// happened, and more than once.
pub struct Undo<C: 'static> {
    /// Name, unique in the definition.
    pub name: &'static str,
    /// Builds the message.
    pub message: fn(&Saga<C>) -> Message,
    /// Message type that confirms it.
    pub confirmed_by: &'static str,
}

/// One request to another service.
pub struct Command<C: 'static> {
    /// Name, unique in the definition.
    pub name: &'static str,
    /// Builds the message.
    pub message: fn(&Saga<C>) -> Message,
    /// The answers it may get.
    pub replies: &'static [ReplyRule<C>],
    /// How to take it back; `None` after the pivot, or when it has no effect worth taking back.
    pub undo: Option<Undo<C>>,
    /// Sent only if this holds when its step begins; `None`: always.
    pub when: Option<fn(&C) -> bool>,
}

/// One step.
pub enum Step<C: 'static> {
    /// Sends the commands side by side and waits until each is done.
    Send {
        /// Name, unique in the definition.
        name: &'static str,
        /// The commands.
        commands: &'static [Command<C>],
    },
    /// Waits for a person: until [`super::Sagas::signal`] names this step, or the deadline fails the saga.
    Wait {
        /// Name, unique in the definition.
        name: &'static str,
    },
    /// Decides on what the saga knows, without I/O.
    Guard {
        /// Name, unique in the definition.
        name: &'static str,
        /// `Err` fails the saga.
        check: fn(&C) -> Result<(), Failure>,
    },
    /// The point of no return: the owner's own change, in the saga's transaction. At most one per definition.
    Pivot {
        /// Name, unique in the definition.
        name: &'static str,
    },
}

impl<C> Step<C> {
    /// The step's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send { name, .. }
            | Self::Wait { name }
            | Self::Guard { name, .. }
            | Self::Pivot { name } => name,
        }
    }
}

/// One kind of saga.
pub struct Definition<C: 'static> {
    /// Kind, stored with each saga.
    pub kind: &'static str,
    /// Time from the start to the pivot, unless the saga is begun with a deadline of its own; later it fails with
    /// `DEADLINE`.
    pub deadline_seconds: u32,
    /// Steps in order.
    pub steps: &'static [Step<C>],
}

impl<C> Definition<C> {
    /// The definition as JSON, for an operator's page.
    pub fn describe(&self) -> Value {
        let steps: Vec<Value> = self.steps.iter().map(describe_step).collect();
        json!({ "kind": self.kind, "deadlineSeconds": self.deadline_seconds, "steps": steps })
    }

    /// Position of the pivot; a definition without one never compensates after its last step.
    pub(super) fn pivot(&self) -> usize {
        self.steps.iter().position(|step| matches!(step, Step::Pivot { .. })).unwrap_or(self.steps.len())
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = &'static Command<C>> {
        self.steps.iter().flat_map(|step| match step {
            Step::Send { commands, .. } => *commands,
            Step::Wait { .. } | Step::Guard { .. } | Step::Pivot { .. } => &[],
        })
    }

    pub(super) fn command(&self, name: &str) -> Option<&'static Command<C>> {
        self.commands().find(|command| command.name == name)
    }
}

fn describe_step<C>(step: &Step<C>) -> Value {
    match step {
        Step::Send { name, commands } => json!({
            "name": name,
            "commands": commands.iter().map(describe_command).collect::<Vec<_>>(),
        }),
        Step::Wait { name } => json!({ "name": name, "waits": true }),
        Step::Guard { name, .. } => json!({ "name": name, "guard": true }),
        Step::Pivot { name } => json!({ "name": name, "pivot": true }),
    }
}

fn describe_command<C>(command: &Command<C>) -> Value {
    let replies: serde_json::Map<String, Value> = command
        .replies
        .iter()
        .map(|rule| {
            let meaning = match rule.outcome {
                Outcome::Done(_) => "ok",
                Outcome::Refused(_) => "business",
                Outcome::Retry => "retry",
                Outcome::Decide(_) => "depends",
            };
            (rule.event.to_owned(), json!(meaning))
        })
        .collect();
    json!({
        "name": command.name,
        "replies": replies,
        "compensation": command.undo.as_ref().map(|undo| undo.name),
        "conditional": command.when.is_some(),
    })
}
