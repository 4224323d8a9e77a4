//! The order service's own step tables (place order, reserve listing) in ten thousand simulated worlds: messages lost,
//! doubled and delayed, transactions that crash, clocks that jump, impatient buyers. After every step the books add up;
//! in the end every saga is over and nothing stays reserved.
//!
//! Elsewhere: the engine alone (kit), auctions (`listing/src/domain/auction_tests.rs`), the real services (`faults.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::simulated::{Keepers, Kept, PRICE, epoch};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::saga::{Definition, Effect, Failure, Saga, SagaState};
use kopitiam_order::sagas::place_order::{PLACE_ORDER, PlaceOrder};
use kopitiam_order::sagas::reserve_listing::{PAYMENT, RESERVE_LISTING, ReserveListing};
use serde_json::{Value, json};
use uuid::Uuid;

const SEEDS: u64 = 10_000;
const STEPS: u32 = 200;
/// Money of each of two buyers: enough for one purchase.
const PURSE: i64 = 15;
const THREADS: u64 = 4;
const UNITS: i64 = 2;

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 64) + number)
}

fn shares() -> Value {
    json!({ "currency": "USD", "sellers": [[id(1, 9), PRICE - 1]], "platform": 1 })
}

fn cart(order: Uuid, buyer: Uuid) -> (Saga<PlaceOrder>, Vec<Effect>) {
    let context = json!({
        "number": "K-1", "buyerId": buyer, "cartId": null, "currency": "USD", "totalMinor": PRICE,
        "lines": [{ "productId": id(2, 1), "quantity": 1, "unitPriceMinor": PRICE }],
        "sellerShares": shares()["sellers"], "platformShare": shares()["platform"], "reservedUntil": epoch(),
    });
    PLACE_ORDER.start(order, order, serde_json::from_value(context).unwrap(), epoch())
}

fn ticket(order: Uuid, buyer: Uuid) -> (Saga<ReserveListing>, Vec<Effect>) {
    let until = epoch() + TimeDelta::seconds(90);
    let context = json!({
        "orderId": order, "number": "K-2", "buyerId": buyer, "listingId": id(3, 1),
        "price": { "minor": PRICE, "currency": "USD" }, "shares": shares(), "until": until,
        "holdId": kopitiam_kit::saga::command_id(order, "hold-funds~0"), "tries": 0,
    });
    RESERVE_LISTING.start_until(until, order, order, serde_json::from_value(context).unwrap(), epoch())
}

/// SplitMix64: enough randomness for a simulation, the same on every machine.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

#[derive(Clone)]
enum Order {
    Cart(Saga<PlaceOrder>),
    Ticket(Saga<ReserveListing>),
}

/// What happens to a saga.
enum Input<'a> {
    Reply(Uuid, &'a str, &'a Value),
    Wake,
    Pay,
    Cancel,
    Pivoted(Result<(), Failure>),
}

fn feed<C: Clone>(
    definition: &Definition<C>,
    saga: &mut Saga<C>,
    input: Input<'_>,
    now: DateTime<Utc>,
) -> Vec<Effect> {
    match input {
        Input::Reply(message, kind, payload) => definition.replied(saga, message, kind, payload, now),
        Input::Wake => definition.woken(saga, now),
        Input::Pay => definition.signalled(saga, PAYMENT, now).unwrap_or_default(),
        Input::Cancel => definition.abort(saga, Failure::new("CANCELLED_BY_BUYER"), now).unwrap_or_default(),
        Input::Pivoted(answer) => definition.pivoted(saga, answer, now),
    }
}

impl Order {
    fn take(&mut self, input: Input<'_>, now: DateTime<Utc>) -> Vec<Effect> {
        match self {
            Self::Cart(saga) => feed(&PLACE_ORDER, saga, input, now),
            Self::Ticket(saga) => feed(&RESERVE_LISTING, saga, input, now),
        }
    }

    fn state(&self) -> SagaState {
        match self {
            Self::Cart(saga) => saga.state,
            Self::Ticket(saga) => saga.state,
        }
    }

    fn due_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Cart(saga) => saga.due_at,
            Self::Ticket(saga) => saga.due_at,
        }
    }
}

#[derive(Clone)]
struct Letter {
    id: Uuid,
    order: Uuid,
    kind: &'static str,
    payload: Value,
}

struct World {
    dice: Dice,
    now: DateTime<Utc>,
    faults: bool,
    orders: BTreeMap<Uuid, Order>,
    confirmed: BTreeSet<Uuid>,
    failures: BTreeMap<Uuid, String>,
    keepers: Keepers,
    seen: BTreeSet<Uuid>,
    /// To the stock, the wallets, the listings: in order, as on a partition.
    commands: [VecDeque<Letter>; 3],
    replies: Vec<Letter>,
    next_reply: u128,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            now: epoch(),
            faults: true,
            orders: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            failures: BTreeMap::new(),
            keepers: Keepers {
                on_hand: BTreeMap::from([(id(2, 1), UNITS)]),
                available: BTreeMap::from([(id(1, 1), PURSE), (id(1, 2), PURSE), (id(1, 9), 0)]),
                ..Keepers::default()
            },
            seen: BTreeSet::new(),
            commands: Default::default(),
            replies: Vec::new(),
            next_reply: 1,
        };
        for number in 1..=5 {
            let (order, buyer) = (id(4, number), id(1, 1 + number % 2));
            let (saga, effects) = if number <= 3 {
                let (saga, effects) = cart(order, buyer);
                (Order::Cart(saga), effects)
            } else {
                let (saga, effects) = ticket(order, buyer);
                (Order::Ticket(saga), effects)
            };
            world.commit(order, saga, effects);
        }
        world
    }

    /// One input to a saga, or a crash before its transaction commits: then nothing happened.
    fn input(&mut self, order: Uuid, input: Input<'_>) -> bool {
        if self.faults && self.dice.chance(10) {
            return false;
        }
        let mut saga = self.orders[&order].clone();
        let effects = saga.take(input, self.now);
        self.commit(order, saga, effects);
        true
    }

    fn commit(&mut self, order: Uuid, mut saga: Order, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send { id, message } => {
                    let to = match message.aggregate_type {
                        "reservation" => 0,
                        "wallet" => 1,
                        _ => 2,
                    };
                    let mut payload = message.payload;
                    payload["aggregateId"] = json!(message.aggregate_id);
                    self.commands[to].push_back(Letter { id, order, kind: message.kind, payload });
                }
                Effect::Pivot => {
                    assert!(!self.failures.contains_key(&order), "confirmed after it failed");
                    assert!(self.confirmed.insert(order), "confirmed twice");
                    effects.extend(saga.take(Input::Pivoted(Ok(())), self.now));
                }
                Effect::Failed(failure) => {
                    assert_eq!(self.failures.insert(order, failure.code), None, "failed twice");
                }
                Effect::WentBack(failure) => assert_eq!(failure.code, "INSUFFICIENT_FUNDS"),
                Effect::Ended(_) => {}
                Effect::Alarm { command, failure } => panic!("alarm at {command}: {failure:?}"),
            }
        }
        assert!(saga.state().is_over() || saga.due_at().is_some(), "nobody would ever look at it");
        self.orders.insert(order, saga);
    }

    fn deliver_command(&mut self, to: usize) {
        let Some(letter) = self.commands[to].front().cloned() else { return };
        let (lost, doubled) = (self.faults && self.dice.chance(10), self.faults && self.dice.chance(10));
        if !doubled {
            self.commands[to].pop_front();
        }
        if lost || !self.seen.insert(letter.id) {
            return;
        }
        let (kind, payload) = self.keepers.take(letter.kind, &letter.payload);
        self.next_reply += 1;
        if !(self.faults && self.dice.chance(10)) {
            self.replies.push(Letter { id: Uuid::from_u128(self.next_reply), kind, payload, ..letter });
        }
    }

    fn deliver_reply(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        // Replies come on several partitions: any may be next.
        let index = self.dice.roll(self.replies.len());
        let letter = self.replies[index].clone();
        let handled = self.input(letter.order, Input::Reply(letter.id, letter.kind, &letter.payload));
        if handled && !(self.faults && self.dice.chance(10)) {
            self.replies.swap_remove(index);
        }
    }

    fn step(&mut self) {
        let order = id(4, 1 + self.dice.roll(5) as u128);
        match self.dice.roll(12) {
            0 | 1 => self.deliver_command(0),
            2 | 3 => self.deliver_command(1),
            4 | 5 => self.deliver_command(2),
            6..=8 => self.deliver_reply(),
            9 => {
                // Now and then the clock is set back a little.
                let back = self.faults && self.dice.chance(5);
                let forth = i64::try_from(self.dice.roll(4_000)).unwrap();
                self.now += TimeDelta::milliseconds(if back { -500 } else { forth });
                for order in self.orders.keys().copied().collect::<Vec<_>>() {
                    self.input(order, Input::Wake);
                }
            }
            10 => {
                self.input(order, Input::Pay);
            }
            _ if self.faults && self.dice.chance(5) => {
                self.input(order, Input::Cancel);
            }
            _ => {}
        }
        self.check();
    }

    /// I1, I3, I5 after every step.
    fn check(&self) {
        let held =
            self.keepers.holds.values().filter(|(kept, _)| *kept == Kept::Held).map(|(_, amount)| amount);
        let money: i64 = self.keepers.available.values().sum::<i64>() + held.sum::<i64>() + self.keepers.fees;
        assert_eq!(money, 2 * PURSE, "money is conserved");
        assert!(self.keepers.available.values().all(|available| *available >= 0));
        let reserved = self.keepers.reserved(id(2, 1));
        assert!((0..=self.keepers.on_hand[&id(2, 1)]).contains(&reserved), "no oversell");
        assert!(self.keepers.sold.len() <= 1 && self.keepers.locks.len() <= 1);
    }

    fn settle(&mut self) {
        self.faults = false;
        for _ in 0..30_000 {
            let quiet = self.replies.is_empty() && self.commands.iter().all(VecDeque::is_empty);
            if quiet && self.orders.values().all(|order| order.state().is_over()) {
                return;
            }
            self.step();
        }
        panic!("not at rest");
    }

    /// I2, I6, I11 at the end: all is over, and what was kept is used by the confirmed orders alone.
    fn assert_books_agree(&self) {
        assert!(self.keepers.holds.values().all(|(kept, _)| *kept != Kept::Held), "a hold without an owner");
        assert!(self.keepers.locks.is_empty(), "a lock without an owner");
        assert_eq!(self.keepers.reserved(id(2, 1)), 0, "a reservation without an owner");
        for (order, saga) in &self.orders {
            let confirmed = self.confirmed.contains(order);
            assert_eq!(saga.state() == SagaState::Completed, confirmed);
            assert_eq!(self.failures.contains_key(order), !confirmed);
        }
        let paid = self.keepers.holds.values().filter(|(kept, _)| *kept == Kept::Used).count();
        assert_eq!(paid, self.confirmed.len(), "each confirmed order is paid once");
        let sold = usize::try_from(UNITS - self.keepers.on_hand[&id(2, 1)]).unwrap();
        assert_eq!(sold + self.keepers.sold.len(), self.confirmed.len());
    }
}

/// Runs one world to its end; how many orders were confirmed, and why the others were not.
fn run(seed: u64) -> (usize, BTreeMap<Uuid, String>) {
    let run = std::panic::catch_unwind(|| {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        world.assert_books_agree();
        (world.confirmed.len(), world.failures)
    });
    run.unwrap_or_else(|_| panic!("seed {seed}"))
}

#[test]
fn in_ten_thousand_worlds_every_order_ends_and_stock_money_and_listings_add_up() {
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let part = |thread: u64| {
            move || (0..SEEDS).filter(|seed| seed % THREADS == thread).map(run).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(part(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the seed is told")).collect()
    });
    let confirmed: usize = outcomes.iter().map(|(confirmed, _)| confirmed).sum();
    let mut failures = BTreeMap::<&str, u32>::new();
    for code in outcomes.iter().flat_map(|(_, failures)| failures.values()) {
        *failures.entry(code.as_str()).or_default() += 1;
    }
    // A simulation that never reaches a branch proves nothing about it.
    assert!(confirmed > 5_000, "{confirmed}");
    for code in ["OUT_OF_STOCK", "INSUFFICIENT_FUNDS", "ALREADY_RESERVED", "DEADLINE", "CANCELLED_BY_BUYER"] {
        assert!(failures.get(code).copied().unwrap_or(0) > 20, "{code} in {failures:?}");
    }
}
