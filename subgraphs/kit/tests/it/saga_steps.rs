//! Steps of a saga that wait for a person, go back, or are sent only when they are needed: decided without any I/O.
//!
//! Elsewhere: the other steps, under thousands of faults (`saga_simulation.rs`).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::Topic;
use kopitiam_kit::saga::{
    Command, Definition, Effect, Failure, Message, Outcome, ReplyRule, Saga, SagaState, Step, Undo, Verdict,
    command_id, learn_nothing,
};
use serde_json::{Value, json};
use uuid::Uuid;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn sent(effects: &[Effect]) -> Vec<&'static str> {
    let kinds = effects.iter().filter_map(|effect| match effect {
        Effect::Send { message, .. } => Some(message.kind),
        _ => None,
    });
    kinds.collect()
}

/// A ticket that is paid by hand: what a refused payment costs nobody, and what is sent only when it is needed.
#[derive(Clone, Debug, Default)]
struct Ticket {
    tries: u32,
    insured: bool,
}

fn ticket(saga: &Saga<Ticket>, kind: &'static str) -> Message {
    let payload = json!({ "try": saga.context.tries });
    Message {
        topic: Topic::WalletCommands,
        kind,
        aggregate_type: "t",
        aggregate_id: saga.subject_id,
        payload,
    }
}

fn paid(ticket: &mut Ticket, answer: &Value) -> Verdict {
    if answer["try"].as_u64() != Some(u64::from(ticket.tries)) {
        return Verdict::Ignore;
    }
    match answer["code"].as_str() {
        None => Verdict::Done,
        Some("POOR") => {
            ticket.tries += 1;
            Verdict::Back { to: "payment", failure: Failure::new("POOR") }
        }
        Some(code) => Verdict::Refused(Failure::new(code)),
    }
}

static TICKET: Definition<Ticket> = Definition {
    kind: "ticket",
    deadline_seconds: 900,
    steps: &[
        Step::Wait { name: "payment" },
        Step::Send {
            name: "pay",
            commands: &[
                Command {
                    name: "hold",
                    message: |saga| ticket(saga, "Hold"),
                    replies: &[ReplyRule { event: "HoldAnswered", outcome: Outcome::Decide(paid) }],
                    undo: Some(Undo {
                        name: "release",
                        message: |saga| ticket(saga, "Release"),
                        confirmed_by: "Released",
                    }),
                    when: None,
                },
                Command {
                    name: "insure",
                    message: |saga| ticket(saga, "Insure"),
                    replies: &[ReplyRule { event: "Insured", outcome: Outcome::Done(learn_nothing) }],
                    undo: None,
                    when: Some(|ticket| ticket.insured),
                },
            ],
        },
        Step::Pivot { name: "sell" },
    ],
};

fn ticket_started(insured: bool) -> Saga<Ticket> {
    let context = Ticket { tries: 0, insured };
    let (saga, effects) = TICKET.start_until(at(60), Uuid::from_u128(1), Uuid::from_u128(2), context, at(0));
    assert_eq!(effects, [], "it waits for a person");
    assert_eq!(saga.due_at, Some(at(60)), "with its deadline as the timer");
    saga
}

#[test]
fn a_person_pays_and_what_is_not_needed_is_not_sent() {
    let mut plain = ticket_started(false);
    assert_eq!(sent(&TICKET.signalled(&mut plain, "payment", at(1)).unwrap()), ["Hold"]);
    assert!(TICKET.signalled(&mut plain, "payment", at(1)).is_err(), "it waits no more");
    let mut insured = ticket_started(true);
    assert_eq!(sent(&TICKET.signalled(&mut insured, "payment", at(1)).unwrap()), ["Hold", "Insure"]);
}

#[test]
fn refused_payment_goes_back_to_waiting_and_may_be_tried_again() {
    let mut saga = ticket_started(false);
    TICKET.signalled(&mut saga, "payment", at(1)).unwrap();
    let refusal = json!({ "try": 0, "code": "POOR" });
    let effects = TICKET.replied(&mut saga, Uuid::nil(), "HoldAnswered", &refusal, at(2));
    assert_eq!(effects, [Effect::WentBack(Failure::new("POOR"))]);
    assert_eq!((saga.step.as_str(), saga.due_at), ("payment", Some(at(60))));
    let again = TICKET.signalled(&mut saga, "payment", at(3)).unwrap();
    let id = command_id(saga.id, "hold~1#0");
    assert!(
        matches!(again[..], [Effect::Send { id: found, .. }] if found == id),
        "another message than the first"
    );
    let late = TICKET.replied(&mut saga, Uuid::nil(), "HoldAnswered", &refusal, at(4));
    assert_eq!(late, [], "the first try's refusal, delivered again, does not refuse the second");
    let granted = TICKET.replied(&mut saga, Uuid::nil(), "HoldAnswered", &json!({ "try": 1 }), at(5));
    assert_eq!(granted, [Effect::Pivot]);
}

#[test]
fn nobody_pays_and_the_deadline_ends_it() {
    let mut saga = ticket_started(false);
    assert_eq!(TICKET.woken(&mut saga, at(59)), []);
    let effects = TICKET.woken(&mut saga, at(60));
    assert_eq!(effects, [Effect::Failed(Failure::new("DEADLINE")), Effect::Ended(SagaState::Failed)]);
    let mut late = ticket_started(false);
    assert!(
        TICKET.signalled(&mut late, "payment", at(60)).is_err(),
        "too late, even before the sweeper has looked"
    );
}

#[test]
fn granted_after_the_end_is_undone_by_what_the_answer_says() {
    let mut saga = ticket_started(false);
    TICKET.signalled(&mut saga, "payment", at(1)).unwrap();
    let effects = TICKET.abort(&mut saga, Failure::new("CANCELLED"), at(2)).unwrap();
    assert_eq!(sent(&effects), ["Release"]);
    TICKET.replied(&mut saga, Uuid::nil(), "Released", &json!({}), at(3));
    assert_eq!(saga.state, SagaState::Failed);
    let granted = TICKET.replied(&mut saga, Uuid::from_u128(7), "HoldAnswered", &json!({ "try": 0 }), at(4));
    assert_eq!(sent(&granted), ["Release"]);
    let refused = json!({ "try": 0, "code": "NO" });
    assert_eq!(TICKET.replied(&mut saga, Uuid::from_u128(8), "HoldAnswered", &refused, at(5)), []);
}
