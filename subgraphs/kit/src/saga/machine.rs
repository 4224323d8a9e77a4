//! The pure core of a saga: (saga, input, now) → effects.
//!
//! In: a start, a reply, a wake-up, an abort, the owner's answer at the pivot. Out: effects for the runner. Always:
//! a saga that is not over has a `due_at`; a command is in `sent` from the moment it may have an effect until that
//! effect is known to be undone; the same input twice changes nothing. No I/O and no clock: time is an argument.
//! Elsewhere: the transaction around it (`runner`).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::definition::{Command, Definition, Failure, Message, Outcome, Step, Undo, Verdict};

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SagaState {
    /// Going forward.
    Running,
    /// Failed before the pivot; taking back what was done, last first.
    Compensating,
    /// Over: every step done.
    Completed,
    /// Over: failed, and everything taken back.
    Failed,
}

impl SagaState {
    /// The stored and shown form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Compensating => "COMPENSATING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// The inverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Compensating, Self::Completed, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Nothing will happen any more, but for the undoing of late replies.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// One running or finished saga.
#[derive(Debug, Clone)]
pub struct Saga<C> {
    /// Identity; the correlation id of every message of this saga.
    pub id: Uuid,
    /// The owner's business row that this saga is about.
    pub subject_id: Uuid,
    /// Where it stands.
    pub state: SagaState,
    /// Name of the current step; while compensating, of the step that failed.
    pub step: String,
    /// How often the outstanding commands were sent again.
    pub attempts: u32,
    /// How often the saga went back to an earlier step.
    pub rounds: u32,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// Latest time of the pivot.
    pub deadline: DateTime<Utc>,
    /// When the sweeper must look again; `None` once over.
    pub due_at: Option<DateTime<Utc>>,
    /// Commands that may have an effect, in the order of sending.
    pub sent: Vec<String>,
    /// Commands that wait for an answer; while compensating, the one whose undo does.
    pub waiting: Vec<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the owner needs to build commands and to decide.
    pub context: C,
}

/// What the runner must do, in this order, in the saga's transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Append to the outbox under this message id.
    Send {
        /// Deterministic message id: the same command and attempt has the same id.
        id: Uuid,
        /// The command.
        message: Message,
    },
    /// Ask the owner to make its change, then call `Definition::pivoted` with the answer.
    Pivot,
    /// Tell the owner that the saga failed: its row shows the reason now, while compensation goes on.
    Failed(Failure),
    /// Tell the owner that the saga went back to the step it is at, and why.
    WentBack(Failure),
    /// Tell the owner that the saga is over.
    Ended(SagaState),
    /// A command after the pivot was refused, which its owner promised not to do: a person should look.
    Alarm {
        /// Command.
        command: &'static str,
        /// What was answered.
        failure: Failure,
    },
}

/// An abort came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the saga has passed its pivot")]
pub struct PastPivot;

/// A signal for a step that the saga does not wait in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the saga does not wait for this")]
pub struct NotWaiting;

/// Pause before the next sending: 1, 2, 4, 8, 16 and then 30 seconds.
pub fn backoff(attempts: u32) -> TimeDelta {
    TimeDelta::seconds(i64::from(2_u32.saturating_pow(attempts).min(30)))
}

/// Deterministic id of something a saga does: UUID version 8 over saga id and name.
pub fn command_id(saga_id: Uuid, name: &str) -> Uuid {
    let digest = Sha256::new().chain_update(saga_id.as_bytes()).chain_update(name.as_bytes()).finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

enum Answered<C: 'static> {
    Forward(&'static Command<C>, &'static Outcome<C>),
    Undone(&'static Command<C>),
}

impl<C: Clone> Definition<C> {
    /// Begins a saga and its first step.
    pub fn start(
        &self,
        id: Uuid,
        subject_id: Uuid,
        context: C,
        now: DateTime<Utc>,
    ) -> (Saga<C>, Vec<Effect>) {
        let deadline = now + TimeDelta::seconds(i64::from(self.deadline_seconds));
        self.start_until(deadline, id, subject_id, context, now)
    }

    /// Begins a saga that must reach its pivot before `deadline`.
    pub fn start_until(
        &self,
        deadline: DateTime<Utc>,
        id: Uuid,
        subject_id: Uuid,
        context: C,
        now: DateTime<Utc>,
    ) -> (Saga<C>, Vec<Effect>) {
        let mut saga = Saga {
            id,
            subject_id,
            state: SagaState::Running,
            step: String::new(),
            attempts: 0,
            rounds: 0,
            started_at: now,
            deadline,
            due_at: Some(deadline),
            sent: Vec::new(),
            waiting: Vec::new(),
            failure: None,
            context,
        };
        let effects = self.enter(&mut saga, 0, now);
        (saga, effects)
    }

    /// Takes a reply. `message_id` is the reply's own id. Unknown, repeated and late replies are safe.
    pub fn replied(
        &self,
        saga: &mut Saga<C>,
        message_id: Uuid,
        event: &str,
        payload: &Value,
        now: DateTime<Utc>,
    ) -> Vec<Effect> {
        match self.answered(saga, event) {
            None => Vec::new(),
            Some(Answered::Undone(command)) => self.undone(saga, command, now),
            Some(Answered::Forward(command, outcome)) => match saga.state {
                SagaState::Running if saga.waiting.iter().any(|name| name == command.name) => {
                    self.answer(saga, command, outcome, payload, now)
                }
                SagaState::Running | SagaState::Completed => Vec::new(),
                SagaState::Compensating | SagaState::Failed => {
                    late(saga, command, outcome, message_id, payload)
                }
            },
        }
    }

    /// A person did what the step `step` waits for.
    ///
    /// # Errors
    /// [`NotWaiting`] when the saga is elsewhere, or past its deadline.
    pub fn signalled(
        &self,
        saga: &mut Saga<C>,
        step: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Effect>, NotWaiting> {
        let position = self.position(&saga.step);
        let waits = matches!(self.steps.get(position), Some(Step::Wait { name }) if *name == step);
        if saga.state != SagaState::Running || !waits || now >= saga.deadline {
            return Err(NotWaiting);
        }
        Ok(self.enter(saga, position + 1, now))
    }

    /// Looks at an overdue saga: past its deadline it fails, otherwise it sends again what is unanswered.
    pub fn woken(&self, saga: &mut Saga<C>, now: DateTime<Utc>) -> Vec<Effect> {
        if saga.due_at.is_none_or(|due_at| due_at > now) {
            return Vec::new();
        }
        if saga.state == SagaState::Running && !self.is_past_pivot(saga) && now >= saga.deadline {
            return self.fail(saga, Failure::new("DEADLINE"), now);
        }
        if saga.waiting.is_empty() {
            // It waits for a person, and was woken before its time.
            saga.due_at = Some(saga.deadline);
            return Vec::new();
        }
        saga.attempts += 1;
        self.schedule(saga, now);
        self.outstanding(saga)
    }

    /// Gives up at the owner's wish.
    ///
    /// # Errors
    /// `PastPivot` when the saga can only go forward.
    pub fn abort(
        &self,
        saga: &mut Saga<C>,
        failure: Failure,
        now: DateTime<Utc>,
    ) -> Result<Vec<Effect>, PastPivot> {
        match saga.state {
            SagaState::Running if !self.is_past_pivot(saga) => Ok(self.fail(saga, failure, now)),
            SagaState::Running | SagaState::Completed => Err(PastPivot),
            SagaState::Compensating | SagaState::Failed => Ok(Vec::new()),
        }
    }

    /// Takes the owner's answer to `Effect::Pivot`.
    pub fn pivoted(
        &self,
        saga: &mut Saga<C>,
        answer: Result<(), Failure>,
        now: DateTime<Utc>,
    ) -> Vec<Effect> {
        match answer {
            Ok(()) => self.enter(saga, self.pivot() + 1, now),
            Err(failure) => self.fail(saga, failure, now),
        }
    }

    /// True once the saga can only go forward.
    pub fn is_past_pivot(&self, saga: &Saga<C>) -> bool {
        let position = self.position(&saga.step);
        saga.state == SagaState::Completed || (position < self.steps.len() && position > self.pivot())
    }

    /// Of the step of that name; the end when there is none.
    fn position(&self, name: &str) -> usize {
        self.steps.iter().position(|step| step.name() == name).unwrap_or(self.steps.len())
    }

    /// Which command a message of this type answers. Several commands may share a type of refusal: then it is the
    /// one that waits.
    fn answered(&self, saga: &Saga<C>, event: &str) -> Option<Answered<C>> {
        let is_waiting = |command: &&Command<C>| saga.waiting.iter().any(|name| name == command.name);
        let waiting = self.commands().filter(is_waiting);
        waiting.chain(self.commands()).find_map(|command| {
            if let Some(rule) = command.replies.iter().find(|rule| rule.event == event) {
                return Some(Answered::Forward(command, &rule.outcome));
            }
            let undo = command.undo.as_ref()?;
            (undo.confirmed_by == event).then_some(Answered::Undone(command))
        })
    }

    fn answer(
        &self,
        saga: &mut Saga<C>,
        command: &'static Command<C>,
        outcome: &Outcome<C>,
        payload: &Value,
        now: DateTime<Utc>,
    ) -> Vec<Effect> {
        let verdict = match outcome {
            Outcome::Retry => Verdict::Retry,
            Outcome::Done(learn) => {
                learn(&mut saga.context, payload);
                Verdict::Done
            }
            Outcome::Refused(reason) => Verdict::Refused(reason(payload)),
            Outcome::Decide(decide) => decide(&mut saga.context, payload),
        };
        match verdict {
            Verdict::Retry | Verdict::Ignore => Vec::new(),
            Verdict::Done => {
                saga.waiting.retain(|name| name != command.name);
                if !saga.waiting.is_empty() {
                    return Vec::new();
                }
                let position = self.position(&saga.step);
                self.enter(saga, position.saturating_add(1), now)
            }
            Verdict::Refused(failure) | Verdict::Back { failure, .. } if self.is_past_pivot(saga) => {
                vec![Effect::Alarm { command: command.name, failure }]
            }
            Verdict::Back { to, failure } => {
                saga.sent.retain(|name| name != command.name);
                saga.waiting.clear();
                saga.rounds += 1;
                let mut effects = self.enter(saga, self.position(to), now);
                effects.insert(0, Effect::WentBack(failure));
                effects
            }
            Verdict::Refused(failure) => {
                // A refused command has no effect, so there is nothing of it to take back, unless it was sent again:
                // what was refused once may be granted to the copy that is still under way.
                if saga.attempts == 0 {
                    saga.sent.retain(|name| name != command.name);
                }
                self.fail(saga, failure, now)
            }
        }
    }

    /// Walks from `position` to the next step that waits for something.
    fn enter(&self, saga: &mut Saga<C>, position: usize, now: DateTime<Utc>) -> Vec<Effect> {
        for step in &self.steps[position.min(self.steps.len())..] {
            step.name().clone_into(&mut saga.step);
            match step {
                Step::Guard { check, .. } => {
                    if let Err(failure) = check(&saga.context) {
                        return self.fail(saga, failure, now);
                    }
                }
                Step::Wait { .. } => {
                    saga.waiting.clear();
                    saga.attempts = 0;
                    saga.due_at = Some(saga.deadline);
                    return Vec::new();
                }
                Step::Pivot { .. } if now >= saga.deadline => {
                    return self.fail(saga, Failure::new("DEADLINE"), now);
                }
                Step::Pivot { .. } => return vec![Effect::Pivot],
                Step::Send { commands, .. } => {
                    let due =
                        commands.iter().filter(|command| command.when.is_none_or(|when| when(&saga.context)));
                    saga.waiting = due.map(|command| command.name.to_owned()).collect();
                    if saga.waiting.is_empty() {
                        continue;
                    }
                    let again = |name: &String| !saga.sent.contains(name);
                    let sent: Vec<String> = saga.waiting.iter().filter(|name| again(name)).cloned().collect();
                    saga.sent.extend(sent);
                    saga.attempts = 0;
                    self.schedule(saga, now);
                    return self.outstanding(saga);
                }
            }
        }
        end(saga, SagaState::Completed)
    }

    fn fail(&self, saga: &mut Saga<C>, failure: Failure, now: DateTime<Utc>) -> Vec<Effect> {
        saga.state = SagaState::Compensating;
        saga.failure = Some(failure.clone());
        let mut effects = vec![Effect::Failed(failure)];
        effects.extend(self.compensate(saga, now));
        effects
    }

    /// Sends the undo of the last command that may have an effect, or ends.
    fn compensate(&self, saga: &mut Saga<C>, now: DateTime<Utc>) -> Vec<Effect> {
        while let Some(name) = saga.sent.last() {
            if self.command(name).is_some_and(|command| command.undo.is_some()) {
                saga.waiting = vec![name.clone()];
                saga.attempts = 0;
                self.schedule(saga, now);
                return self.outstanding(saga);
            }
            saga.sent.pop();
        }
        end(saga, SagaState::Failed)
    }

    fn undone(&self, saga: &mut Saga<C>, command: &Command<C>, now: DateTime<Utc>) -> Vec<Effect> {
        let expected = saga.waiting.iter().any(|name| name == command.name);
        if saga.state != SagaState::Compensating || !expected {
            return Vec::new();
        }
        saga.sent.retain(|name| name != command.name);
        self.compensate(saga, now)
    }

    /// The messages of everything unanswered, under the ids of this attempt.
    fn outstanding(&self, saga: &Saga<C>) -> Vec<Effect> {
        let commands = saga.waiting.iter().filter_map(|name| self.command(name));
        let sends = commands.filter_map(|command| match (saga.state, &command.undo) {
            (SagaState::Compensating, Some(undo)) => Some((undo.name, (undo.message)(saga))),
            (SagaState::Compensating, None) => None,
            _ => Some((command.name, (command.message)(saga))),
        });
        sends
            .map(|(name, message)| {
                let round = if saga.rounds == 0 { String::new() } else { format!("~{}", saga.rounds) };
                let id = command_id(saga.id, &format!("{name}{round}#{}", saga.attempts));
                Effect::Send { id, message }
            })
            .collect()
    }

    fn schedule(&self, saga: &mut Saga<C>, now: DateTime<Utc>) {
        let again = now + backoff(saga.attempts);
        let before_pivot = saga.state == SagaState::Running && !self.is_past_pivot(saga);
        saga.due_at = Some(if before_pivot { again.min(saga.deadline) } else { again });
    }
}

/// A command turned out to have had its effect after the saga gave up on it: take that effect back.
fn late<C: Clone>(
    saga: &Saga<C>,
    command: &Command<C>,
    outcome: &Outcome<C>,
    message_id: Uuid,
    payload: &Value,
) -> Vec<Effect> {
    let undo_to_come = saga.sent.iter().any(|name| name == command.name);
    // Whether an answer that depends says "done" is asked of a copy: nothing is learnt any more.
    let done = match outcome {
        Outcome::Done(_) => true,
        Outcome::Decide(decide) => decide(&mut saga.context.clone(), payload) == Verdict::Done,
        Outcome::Refused(_) | Outcome::Retry => false,
    };
    match &command.undo {
        Some(undo) if done && !undo_to_come => vec![send_late(saga, undo, message_id)],
        _ => Vec::new(),
    }
}

fn send_late<C>(saga: &Saga<C>, undo: &Undo<C>, message_id: Uuid) -> Effect {
    // The cause is part of the id: one late reply, however often it is delivered, is undone by one message.
    let id = command_id(saga.id, &format!("{}@{message_id}", undo.name));
    Effect::Send { id, message: (undo.message)(saga) }
}

fn end<C>(saga: &mut Saga<C>, state: SagaState) -> Vec<Effect> {
    saga.state = state;
    saga.due_at = None;
    saga.waiting.clear();
    vec![Effect::Ended(state)]
}
