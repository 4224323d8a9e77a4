//! The saga core against a simulated world: thousands of seeds of lost, doubled and delayed messages, crashes and
//! impatient owners.
//!
//! The world is a trip: seats of one train and money of one purse, kept by two participants that are idempotent as
//! real ones are. Messages to one participant keep their order, as on a partition. Elsewhere: the same over a real
//! broker and databases (the services' tests).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::Topic;
use kopitiam_kit::saga::{
    Command, Definition, Effect, Failure, Message, Outcome, ReplyRule, Saga, SagaState, Step, Undo,
    command_id, learn_nothing,
};
use serde_json::{Value, json};
use uuid::Uuid;

const SEATS: i64 = 3;
const FARE: i64 = 10;
const PURSE: i64 = 45;

#[derive(Clone, Debug, Default)]
struct Trip {
    seat_price: Option<i64>,
    price_max: i64,
}

fn message(saga: &Saga<Trip>, topic: Topic, kind: &'static str) -> Message {
    Message { topic, kind, aggregate_type: "trip", aggregate_id: saga.subject_id, payload: json!({}) }
}

fn learn_price(trip: &mut Trip, payload: &Value) {
    trip.seat_price = payload["price"].as_i64();
}

fn refused(payload: &Value) -> Failure {
    Failure::new(payload["code"].as_str().unwrap_or("REFUSED"))
}

static TRIP: Definition<Trip> = Definition {
    kind: "book-trip",
    deadline_seconds: 60,
    steps: &[
        Step::Send {
            name: "reserve",
            commands: &[Command {
                name: "seat",
                message: |saga| message(saga, Topic::StockCommands, "TakeSeat"),
                replies: &[
                    ReplyRule { event: "SeatTaken", outcome: Outcome::Done(learn_price) },
                    ReplyRule { event: "SeatRefused", outcome: Outcome::Refused(refused) },
                    ReplyRule { event: "SeatBusy", outcome: Outcome::Retry },
                ],
                undo: Some(Undo {
                    name: "give-seat-back",
                    message: |saga| message(saga, Topic::StockCommands, "GiveSeatBack"),
                    confirmed_by: "SeatGivenBack",
                }),
                when: None,
            }],
        },
        Step::Guard {
            name: "price",
            check: |trip| match trip.seat_price {
                Some(price) if price <= trip.price_max => Ok(()),
                _ => Err(Failure::new("TOO_DEAR")),
            },
        },
        Step::Send {
            name: "hold",
            commands: &[Command {
                name: "money",
                message: |saga| message(saga, Topic::WalletCommands, "HoldMoney"),
                replies: &[
                    ReplyRule { event: "MoneyHeld", outcome: Outcome::Done(learn_nothing) },
                    ReplyRule { event: "MoneyRefused", outcome: Outcome::Refused(refused) },
                ],
                undo: Some(Undo {
                    name: "let-money-go",
                    message: |saga| message(saga, Topic::WalletCommands, "LetMoneyGo"),
                    confirmed_by: "MoneyLetGo",
                }),
                when: None,
            }],
        },
        Step::Pivot { name: "book" },
        Step::Send {
            name: "settle",
            commands: &[
                Command {
                    name: "sell-seat",
                    message: |saga| message(saga, Topic::StockCommands, "SellSeat"),
                    replies: &[ReplyRule { event: "SeatSold", outcome: Outcome::Done(learn_nothing) }],
                    undo: None,
                    when: None,
                },
                Command {
                    name: "take-money",
                    message: |saga| message(saga, Topic::WalletCommands, "TakeMoney"),
                    replies: &[ReplyRule { event: "MoneyTaken", outcome: Outcome::Done(learn_nothing) }],
                    undo: None,
                    when: None,
                },
            ],
        },
    ],
};

/// SplitMix64: enough randomness for a simulation, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Reserved,
    Released,
    Used,
}

/// A participant: something counted, reserved per trip.
#[derive(Clone)]
struct Keeper {
    free: i64,
    per_trip: i64,
    kept: BTreeMap<Uuid, Kept>,
    seen: BTreeSet<Uuid>,
    words: [&'static str; 5],
}

impl Keeper {
    fn take(&mut self, trip: Uuid, command: &str) -> (&'static str, Value) {
        let [held, refusal, released, used, _] = self.words;
        let state = self.kept.get(&trip).copied();
        match (command, state) {
            ("TakeSeat" | "HoldMoney", None) if self.free < self.per_trip => {
                (refusal, json!({ "code": "NONE_LEFT" }))
            }
            ("TakeSeat" | "HoldMoney", None) => {
                self.free -= self.per_trip;
                self.kept.insert(trip, Kept::Reserved);
                (held, json!({ "price": FARE }))
            }
            ("TakeSeat" | "HoldMoney", Some(Kept::Released)) => (refusal, json!({ "code": "RELEASED" })),
            ("TakeSeat" | "HoldMoney", Some(_)) => (held, json!({ "price": FARE })),
            ("GiveSeatBack" | "LetMoneyGo", Some(Kept::Used)) => {
                panic!("{trip} was used and then taken back")
            }
            ("GiveSeatBack" | "LetMoneyGo", state) => {
                if state == Some(Kept::Reserved) {
                    self.free += self.per_trip;
                }
                self.kept.insert(trip, Kept::Released);
                (released, json!({}))
            }
            ("SellSeat" | "TakeMoney", Some(Kept::Reserved | Kept::Used)) => {
                self.kept.insert(trip, Kept::Used);
                (used, json!({}))
            }
            (command, state) => panic!("{command} on {trip} in state {state:?}"),
        }
    }

    fn count(&self, state: Kept) -> i64 {
        self.kept.values().filter(|kept| **kept == state).map(|_| self.per_trip).sum()
    }
}

#[derive(Clone)]
struct Letter {
    id: Uuid,
    trip: Uuid,
    kind: &'static str,
    payload: Value,
}

struct World {
    dice: Dice,
    now: DateTime<Utc>,
    faults: bool,
    sagas: BTreeMap<Uuid, Saga<Trip>>,
    booked: BTreeSet<Uuid>,
    failed: BTreeSet<Uuid>,
    ended: BTreeMap<Uuid, SagaState>,
    keepers: [Keeper; 2],
    to_keeper: [VecDeque<Letter>; 2],
    replies: VecDeque<Letter>,
    next_reply: u128,
}

impl World {
    fn new(seed: u64) -> Self {
        let keeper = |free, per_trip, words| Keeper {
            free,
            per_trip,
            kept: BTreeMap::new(),
            seen: BTreeSet::new(),
            words,
        };
        Self {
            dice: Dice(seed),
            now: DateTime::UNIX_EPOCH,
            faults: true,
            sagas: BTreeMap::new(),
            booked: BTreeSet::new(),
            failed: BTreeSet::new(),
            ended: BTreeMap::new(),
            keepers: [
                keeper(SEATS, 1, ["SeatTaken", "SeatRefused", "SeatGivenBack", "SeatSold", "SeatBusy"]),
                keeper(PURSE, FARE, ["MoneyHeld", "MoneyRefused", "MoneyLetGo", "MoneyTaken", ""]),
            ],
            to_keeper: [VecDeque::new(), VecDeque::new()],
            replies: VecDeque::new(),
            next_reply: 1 << 64,
        }
    }

    fn begin(&mut self, trip: Uuid, price_max: i64) {
        let context = Trip { seat_price: None, price_max };
        let (mut saga, effects) = TRIP.start(trip, trip, context, self.now);
        self.apply(&mut saga, effects);
        self.sagas.insert(trip, saga);
    }

    /// Does what the runner does in one transaction.
    fn apply(&mut self, saga: &mut Saga<Trip>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { id, message } => {
                    let to = usize::from(message.topic == Topic::WalletCommands);
                    let letter = Letter { id, trip: saga.id, kind: message.kind, payload: message.payload };
                    self.to_keeper[to].push_back(letter);
                }
                Effect::Pivot => {
                    let answer = if self.dice.chance(10) { Err(Failure::new("LOST")) } else { Ok(()) };
                    if answer.is_ok() {
                        assert!(self.booked.insert(saga.id), "pivot twice");
                        assert!(self.now < saga.deadline, "pivot after the deadline");
                    }
                    let more = TRIP.pivoted(saga, answer, self.now);
                    self.apply(saga, more);
                }
                Effect::Failed(_) => assert!(self.failed.insert(saga.id), "failed twice"),
                Effect::WentBack(failure) => panic!("went back: {failure:?}"),
                Effect::Ended(state) => {
                    assert!(self.ended.insert(saga.id, state).is_none(), "ended twice");
                }
                Effect::Alarm { command, failure } => panic!("alarm at {command}: {failure:?}"),
            }
        }
    }

    /// One input to a saga, or a crash before its transaction commits: then nothing happened.
    fn input(
        &mut self,
        trip: Uuid,
        input: impl FnOnce(&mut Saga<Trip>, DateTime<Utc>) -> Vec<Effect>,
    ) -> bool {
        if self.faults && self.dice.chance(10) {
            return false;
        }
        let mut saga = self.sagas.get(&trip).expect("started").clone();
        let effects = input(&mut saga, self.now);
        self.apply(&mut saga, effects);
        assert!(saga.state.is_over() || saga.due_at.is_some(), "nobody would ever look at {saga:?}");
        self.sagas.insert(trip, saga);
        true
    }

    fn deliver_command(&mut self, to: usize) {
        let Some(letter) = self.to_keeper[to].front().cloned() else { return };
        let (lost, doubled) = (self.faults && self.dice.chance(10), self.faults && self.dice.chance(10));
        if !doubled {
            self.to_keeper[to].pop_front();
        }
        // A message lost is one that the broker forgot; a copy is dropped by the inbox.
        if lost || !self.keepers[to].seen.insert(letter.id) {
            return;
        }
        let busy = to == 0 && self.faults && self.dice.chance(10) && letter.kind == "TakeSeat";
        let (kind, payload) = if busy {
            (self.keepers[to].words[4], json!({}))
        } else {
            self.keepers[to].take(letter.trip, letter.kind)
        };
        self.next_reply += 1;
        let reply = Letter { id: Uuid::from_u128(self.next_reply), trip: letter.trip, kind, payload };
        if !(self.faults && self.dice.chance(10)) {
            self.replies.push_back(reply);
        }
    }

    fn deliver_reply(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        // Replies come on several partitions: any may be next.
        let index = usize::try_from(self.dice.roll(self.replies.len() as u64)).unwrap();
        let letter = self.replies[index].clone();
        let handled = self
            .input(letter.trip, |saga, now| TRIP.replied(saga, letter.id, letter.kind, &letter.payload, now));
        if handled && !(self.faults && self.dice.chance(10)) {
            self.replies.remove(index);
        }
    }

    fn wake_all(&mut self) {
        for trip in self.sagas.keys().copied().collect::<Vec<_>>() {
            self.input(trip, |saga, now| TRIP.woken(saga, now));
        }
    }

    fn step(&mut self) {
        match self.dice.roll(8) {
            0 | 1 => self.deliver_command(0),
            2 | 3 => self.deliver_command(1),
            4 | 5 => self.deliver_reply(),
            6 => {
                self.now += TimeDelta::milliseconds(i64::try_from(self.dice.roll(4_000)).unwrap());
                self.wake_all();
            }
            _ if self.faults && self.dice.chance(5) => {
                let trip = Uuid::from_u128(u128::from(self.dice.roll(self.sagas.len() as u64)));
                self.input(trip, |saga, now| {
                    TRIP.abort(saga, Failure::new("CANCELLED"), now).unwrap_or_default()
                });
            }
            _ => {}
        }
        self.check();
    }

    fn check(&self) {
        for (keeper, total) in self.keepers.iter().zip([SEATS, PURSE]) {
            assert!(keeper.free >= 0, "taken more than there is");
            assert_eq!(keeper.free + keeper.count(Kept::Reserved) + keeper.count(Kept::Used), total);
        }
    }

    /// Faults over: everything must come to rest, and the books must agree.
    fn settle(&mut self) {
        self.faults = false;
        for _ in 0..20_000 {
            let quiet = self.replies.is_empty() && self.to_keeper.iter().all(VecDeque::is_empty);
            if quiet && self.sagas.values().all(|saga| saga.state.is_over()) {
                return;
            }
            self.step();
        }
        panic!("not at rest: {:?}", self.sagas);
    }

    fn assert_books_agree(&self) {
        for (trip, saga) in &self.sagas {
            assert_eq!(self.ended.get(trip), Some(&saga.state), "the owner heard of the end");
            let booked = self.booked.contains(trip);
            assert_eq!(saga.state == SagaState::Completed, booked);
            assert_eq!(self.failed.contains(trip), !booked);
            for keeper in &self.keepers {
                let kept = keeper.kept.get(trip).copied();
                if booked {
                    assert_eq!(kept, Some(Kept::Used), "{trip} is booked");
                } else {
                    assert_ne!(kept, Some(Kept::Used), "{trip} is not booked");
                    assert_ne!(kept, Some(Kept::Reserved), "{trip} is over, nothing may stay reserved");
                }
            }
        }
    }
}

#[test]
fn every_saga_ends_and_the_books_agree_whatever_the_network_does() {
    let (mut completed, mut failures) = (0, BTreeMap::<String, u32>::new());
    for seed in 0..2_000 {
        let mut world = World::new(seed);
        for trip in 0..6_u128 {
            world.begin(Uuid::from_u128(trip), if trip == 5 { FARE - 1 } else { FARE });
        }
        for _ in 0..200 {
            world.step();
        }
        world.settle();
        world.assert_books_agree();
        completed += world.booked.len();
        for failure in world.sagas.values().filter_map(|saga| saga.failure.as_ref()) {
            *failures.entry(failure.code.clone()).or_default() += 1;
        }
    }
    // A simulation that never reaches a branch proves nothing about it.
    assert!(completed > 1_000, "{completed}");
    for code in ["NONE_LEFT", "TOO_DEAR", "DEADLINE", "CANCELLED", "LOST"] {
        assert!(failures.get(code).copied().unwrap_or(0) > 20, "{code} in {failures:?}");
    }
}

fn sent(effects: &[Effect]) -> Vec<&'static str> {
    let kinds = effects.iter().filter_map(|effect| match effect {
        Effect::Send { message, .. } => Some(message.kind),
        _ => None,
    });
    kinds.collect()
}

fn started() -> (Saga<Trip>, Vec<Effect>) {
    let context = Trip { seat_price: None, price_max: FARE };
    TRIP.start(Uuid::from_u128(1), Uuid::from_u128(2), context, DateTime::UNIX_EPOCH)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

#[test]
fn unanswered_command_is_sent_again_after_1_2_4_seconds_up_to_30() {
    let (mut saga, _) = started();
    let mut pauses = Vec::new();
    let mut last = DateTime::UNIX_EPOCH;
    while saga.state == SagaState::Running && saga.due_at.unwrap() < saga.deadline {
        let due = saga.due_at.unwrap();
        assert!(TRIP.woken(&mut saga, due - TimeDelta::milliseconds(1)).is_empty(), "not before its time");
        assert_eq!(sent(&TRIP.woken(&mut saga, due)), ["TakeSeat"]);
        pauses.push((due - last).num_seconds());
        last = due;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
    let pauses: Vec<_> = (5..8).map(|attempts| kopitiam_kit::saga::backoff(attempts).num_seconds()).collect();
    assert_eq!(pauses, [30, 30, 30]);
}

#[test]
fn ids_of_messages_are_those_of_saga_command_and_attempt() {
    let (saga, effects) = started();
    let expected = command_id(saga.id, "seat#0");
    assert!(matches!(effects[..], [Effect::Send { id, .. }] if id == expected));
    let (mut again, _) = started();
    let resent = TRIP.woken(&mut again, at(1));
    assert!(matches!(resent[..], [Effect::Send { id, .. }] if id == command_id(saga.id, "seat#1")));
}

#[test]
fn failure_takes_back_what_was_done_last_first() {
    let (mut saga, _) = started();
    TRIP.replied(&mut saga, Uuid::nil(), "SeatTaken", &json!({ "price": FARE }), at(0));
    let effects = TRIP.abort(&mut saga, Failure::new("CANCELLED"), at(1)).unwrap();
    assert_eq!(sent(&effects), ["LetMoneyGo"], "the hold may have happened: it was sent");
    let effects = TRIP.replied(&mut saga, Uuid::nil(), "MoneyLetGo", &json!({}), at(1));
    assert_eq!(sent(&effects), ["GiveSeatBack"]);
    let effects = TRIP.replied(&mut saga, Uuid::nil(), "SeatGivenBack", &json!({}), at(1));
    assert_eq!(effects, [Effect::Ended(SagaState::Failed)]);
}

#[test]
fn refused_command_is_not_taken_back() {
    let (mut saga, _) = started();
    let effects = TRIP.replied(&mut saga, Uuid::nil(), "SeatRefused", &json!({ "code": "NONE_LEFT" }), at(0));
    assert_eq!(effects, [Effect::Failed(Failure::new("NONE_LEFT")), Effect::Ended(SagaState::Failed)]);
}

#[test]
fn command_refused_after_it_was_sent_again_is_taken_back() {
    let (mut saga, _) = started();
    TRIP.woken(&mut saga, at(1));
    let effects = TRIP.replied(&mut saga, Uuid::nil(), "SeatRefused", &json!({ "code": "NONE_LEFT" }), at(1));
    assert_eq!(effects[0], Effect::Failed(Failure::new("NONE_LEFT")));
    assert_eq!(sent(&effects), ["GiveSeatBack"], "the second sending may be granted");
}

#[test]
fn reply_after_the_end_is_undone_once_per_reply() {
    let (mut saga, _) = started();
    TRIP.replied(&mut saga, Uuid::nil(), "SeatRefused", &json!({ "code": "NONE_LEFT" }), at(0));
    let late = |saga: &mut Saga<Trip>| TRIP.replied(saga, Uuid::from_u128(9), "SeatTaken", &json!({}), at(9));
    let first = late(&mut saga);
    assert_eq!(sent(&first), ["GiveSeatBack"]);
    assert_eq!(first, late(&mut saga), "the same reply again is undone under the same id");
}

#[test]
fn saga_past_its_pivot_cannot_be_aborted_and_has_no_deadline() {
    let (mut saga, _) = started();
    TRIP.replied(&mut saga, Uuid::nil(), "SeatTaken", &json!({ "price": FARE }), at(0));
    let effects = TRIP.replied(&mut saga, Uuid::nil(), "MoneyHeld", &json!({}), at(0));
    assert_eq!(effects, [Effect::Pivot]);
    assert_eq!(sent(&TRIP.pivoted(&mut saga, Ok(()), at(0))), ["SellSeat", "TakeMoney"]);
    assert!(TRIP.abort(&mut saga, Failure::new("CANCELLED"), at(1)).is_err());
    TRIP.replied(&mut saga, Uuid::nil(), "SeatSold", &json!({}), at(1));
    assert_eq!(sent(&TRIP.woken(&mut saga, at(3_600))), ["TakeMoney"], "only what is unanswered");
    let effects = TRIP.replied(&mut saga, Uuid::nil(), "MoneyTaken", &json!({}), at(3_601));
    assert_eq!(effects, [Effect::Ended(SagaState::Completed)]);
}

#[test]
fn definition_can_be_shown_as_data() {
    let shown = TRIP.describe();
    assert_eq!(shown["steps"][0]["commands"][0]["replies"]["SeatBusy"], "retry");
    assert_eq!(shown["steps"][0]["commands"][0]["compensation"], "give-seat-back");
    assert_eq!(shown["steps"][3]["pivot"], true);
}
