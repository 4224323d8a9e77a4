//! Tickets, bookings and auctions while each service in turn is killed at each step of their sagas: the saga stands at the
//! step because who has to answer is dead, with its command sent; then the victim dies too, and all start again on their
//! files. Every saga ends, money adds up, nothing stays held or locked.
//!
//! Each step once in every run, with another victim each; every step with every victim with `KOPITIAM_KILLS=all`.
//! Elsewhere: orders and refunds (`sagas.rs`), points between two effects (`faults.rs`, `kills.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use kopitiam_kit::saga::{Definition, Step};
use kopitiam_listing::sagas::let_go::LET_GO;
use kopitiam_listing::sagas::open::OPEN_AUCTION;
use kopitiam_listing::sagas::place_bid::PLACE_BID;
use kopitiam_listing::sagas::settle::SETTLE_AUCTION;
use kopitiam_order::sagas::pay_booking::PAY_BOOKING;
use kopitiam_order::sagas::release_escrow::RELEASE_ESCROW;
use kopitiam_order::sagas::reserve_listing::RESERVE_LISTING;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use uuid::Uuid;

use crate::exchanges::{BATIK_LANE, MANAGER};
use crate::kills::are_all_wanted;
use crate::world::{Name, World, user};

/// Seeded buyers with two thousand each: so many from here on.
const FIRST_BUYER: u16 = 25;
const BUYERS: u16 = 20;
/// A stall with seats of a show at 12.00, sixty of them.
const SPICE_ROW: u16 = 9;
const SHOW: u16 = 46;
/// Another stall.
const KOPI_HOUSE: u16 = 5;

/// A step of a saga: its kind and its name there.
type SagaStep = (&'static str, &'static str);

/// Which service dies at which step.
fn plan<S: Copy>(steps: &[S], victims: &[Name]) -> Vec<(S, Name)> {
    let all = are_all_wanted();
    let of_step = |(number, step): (usize, &S)| {
        let one = [victims[number % victims.len()]];
        let victims = if all { victims } else { &one };
        victims.iter().map(|victim| (*step, *victim)).collect::<Vec<_>>()
    };
    steps.iter().enumerate().flat_map(of_step).collect()
}

/// The steps at which a saga waits for somebody; the others are over in the transaction that begins them.
fn waits<C>(definition: &Definition<C>) -> impl Iterator<Item = SagaStep> {
    let waits = definition.steps.iter().filter_map(|step| match step {
        Step::Send { name, .. } | Step::Wait { name } => Some(*name),
        Step::Guard { .. } | Step::Pivot { .. } => None,
    });
    waits.map(|step| (definition.kind, step))
}

/// How often each service was killed at each step.
#[derive(Default)]
struct Hits(BTreeMap<String, u32>);

impl Hits {
    fn hit<S: Debug>(&mut self, step: S, victim: Name) {
        *self.0.entry(format!("{victim:?} at {step:?}")).or_default() += 1;
    }

    /// Every pair of the plan was reached; told by a run with `--nocapture`.
    #[expect(clippy::print_stderr, reason = "the counts are for whoever runs it")]
    fn check<S: Debug>(self, plan: &[(S, Name)]) {
        for (pair, hits) in &self.0 {
            eprintln!("killed {hits} times: {pair}");
        }
        let planned: BTreeSet<String> =
            plan.iter().map(|(step, victim)| format!("{victim:?} at {step:?}")).collect();
        assert!(self.0.keys().eq(&planned), "{:?} of {planned:?}", self.0);
    }
}

impl World {
    /// Waits until a saga of the service stands at the step, and its commands have left.
    async fn until_step(&self, name: Name, (kind, step): SagaStep) {
        let at = format!(
            "SELECT COUNT(*) FROM saga WHERE kind = '{kind}' AND state = 'RUNNING' AND step = '{step}'"
        );
        self.until(name, &at).await;
        self.sent_by(name).await;
    }

    /// Waits until a saga of the order service takes back what was done, and has told who must.
    async fn until_compensating(&self) {
        self.until(Name::Order, "SELECT COUNT(*) FROM saga WHERE state = 'COMPENSATING'").await;
        self.sent_by(Name::Order).await;
    }

    /// The dead user service grants the hold that the asker sent it, so that this much is held in all (minor units), and
    /// dies before the asker hears of it and goes on.
    async fn granted_by_the_dying(&mut self, asker: Name, held: i64) {
        self.kill(&[asker]);
        self.start(Name::User).await;
        let granted = format!(
            "SELECT COUNT(*) FROM (SELECT SUM(balance) AS held FROM accounts WHERE kind = 'HELD') AS all_holds
             WHERE held >= {held}"
        );
        self.until(Name::User, &granted).await;
        self.sent_by(Name::User).await;
        self.kill(&[Name::User]);
        self.start(asker).await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TicketStep {
    LockListing,
    /// Waits for a person, with a timer.
    Payment,
    HoldFunds,
    SellListing,
    CaptureFunds,
    /// The buyer calls it off.
    UnlockListing,
    /// The time to pay is up.
    Expiry,
}

impl TicketStep {
    const ALL: [Self; 7] = [
        Self::LockListing,
        Self::Payment,
        Self::HoldFunds,
        Self::SellListing,
        Self::CaptureFunds,
        Self::UnlockListing,
        Self::Expiry,
    ];

    /// `None`: on the way back.
    fn in_saga(self) -> Option<SagaStep> {
        let step = match self {
            Self::LockListing => "lock-listing",
            Self::Payment => "payment",
            Self::HoldFunds => "hold-funds",
            Self::SellListing | Self::CaptureFunds => "settle",
            Self::UnlockListing | Self::Expiry => return None,
        };
        Some((RESERVE_LISTING.kind, step))
    }
}

/// An order whose saga stands at the step.
async fn ticket_at(world: &mut World, step: TicketStep, buyer: u16) -> Value {
    if step == TicketStep::LockListing {
        world.kill(&[Name::Listing]);
        return world.new_reservation(buyer, SHOW).await;
    }
    let order = world.reserve(buyer, SHOW).await;
    match step {
        TicketStep::LockListing | TicketStep::Payment => {}
        TicketStep::HoldFunds => {
            world.kill(&[Name::User]);
            world.pay(buyer, &order).await;
        }
        TicketStep::SellListing => {
            world.kill(&[Name::Listing]);
            world.pay(buyer, &order).await;
        }
        TicketStep::CaptureFunds => {
            world.kill(&[Name::User]);
            world.pay(buyer, &order).await;
            world.until_step(Name::Order, (RESERVE_LISTING.kind, "hold-funds")).await;
            world.granted_by_the_dying(Name::Order, 1_200).await;
        }
        TicketStep::UnlockListing => {
            world.kill(&[Name::Listing]);
            world.call_order_off(buyer, &order).await;
        }
        TicketStep::Expiry => {
            world.kill(&[Name::Listing]);
            let late = |tx: kopitiam_kit::Tx| async move {
                tx.execute_unprepared(
                    "UPDATE saga SET deadline_ms = 0, due_at_ms = 0 WHERE state = 'RUNNING'",
                )
                .await
            };
            world.databases[&Name::Order].transaction(late).await.unwrap();
        }
    }
    order
}

#[tokio::test]
pub(crate) async fn tickets_end_whichever_service_is_killed_at_whichever_step() {
    let steps = TicketStep::ALL.iter().filter_map(|step| step.in_saga());
    assert_eq!(steps.collect::<BTreeSet<_>>(), waits(&RESERVE_LISTING).collect());
    let plan = plan(&TicketStep::ALL, &[Name::Order, Name::Listing, Name::User]);
    let mut world = World::exchange().await;
    let (mut hits, mut moved) = (Hits::default(), Vec::new());
    for ((step, victim), buyer) in plan.iter().zip((FIRST_BUYER..FIRST_BUYER + BUYERS).cycle()) {
        let order = ticket_at(&mut world, *step, buyer).await;
        match step.in_saga() {
            Some(step) => world.until_step(Name::Order, step).await,
            None => world.until_compensating().await,
        }
        hits.hit(step, *victim);
        world.kill(&[*victim]);
        world.start_all().await;
        if matches!(step, TicketStep::LockListing | TicketStep::Payment) {
            world.pay(buyer, &order).await;
        }
        let ends = match step {
            TicketStep::UnlockListing => "CANCELLED",
            TicketStep::Expiry => "EXPIRED",
            _ => "CONFIRMED",
        };
        world.until_order(&order, ends).await;
        if ends == "CONFIRMED" {
            moved.extend([(buyer, -1_200), (SPICE_ROW, 1_140)]);
        }
        world.assert_moved(&moved).await;
        let locked = "SELECT COUNT(*) FROM listing WHERE status = 'RESERVED'";
        assert_eq!(world.number(Name::Listing, locked).await, 0, "{victim:?} killed at {step:?}");
    }
    hits.check(&plan);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BookingStep {
    /// Waits for the seller, with a timer.
    Answer,
    HoldDeposit,
    CaptureDeposit,
    /// The deposit is in escrow; waits for the seller, with a timer.
    Delivery,
    HoldBalance,
    CaptureBalance,
    /// A manager gives the deposit back.
    ReleaseEscrow,
}

impl BookingStep {
    const ALL: [Self; 7] = [
        Self::Answer,
        Self::HoldDeposit,
        Self::CaptureDeposit,
        Self::Delivery,
        Self::HoldBalance,
        Self::CaptureBalance,
        Self::ReleaseEscrow,
    ];

    /// `None`: no saga, the booking's own row waits.
    fn in_saga(self) -> Option<SagaStep> {
        Some(match self {
            Self::Answer | Self::Delivery => return None,
            Self::HoldDeposit | Self::HoldBalance => (PAY_BOOKING.kind, "hold-funds"),
            Self::CaptureDeposit | Self::CaptureBalance => (PAY_BOOKING.kind, "capture-funds"),
            Self::ReleaseEscrow => (RELEASE_ESCROW.kind, "release-escrow"),
        })
    }
}

/// A booking that stands at the step.
async fn booking_at(world: &mut World, step: BookingStep, buyer: u16) -> Value {
    let booking = world.book(buyer).await;
    if step == BookingStep::Answer {
        return booking;
    }
    world.act(BATIK_LANE, &booking, "ACCEPT", "ACCEPTED").await;
    if matches!(step, BookingStep::HoldDeposit | BookingStep::CaptureDeposit) {
        world.kill(&[Name::User]);
        world.begin(buyer, &booking, "PAY_DEPOSIT").await;
        if step == BookingStep::CaptureDeposit {
            world.until_step(Name::Order, (PAY_BOOKING.kind, "hold-funds")).await;
            world.granted_by_the_dying(Name::Order, 1_900).await;
        }
        return booking;
    }
    world.act(buyer, &booking, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    world.at_rest().await;
    if step == BookingStep::Delivery {
        return booking;
    }
    world.act(BATIK_LANE, &booking, "MARK_DELIVERED", "DELIVERED").await;
    if step == BookingStep::ReleaseEscrow {
        world.act(buyer, &booking, "DISPUTE", "DISPUTED").await;
        world.kill(&[Name::User]);
        world.begin(MANAGER, &booking, "RESOLVE_REFUND").await;
        return booking;
    }
    world.act(buyer, &booking, "CONFIRM_COMPLETION", "BALANCE_DUE").await;
    world.kill(&[Name::User]);
    world.begin(buyer, &booking, "PAY_BALANCE").await;
    if step == BookingStep::CaptureBalance {
        world.until_step(Name::Order, (PAY_BOOKING.kind, "hold-funds")).await;
        world.granted_by_the_dying(Name::Order, 7_600).await;
    }
    booking
}

/// What its parties have left to do when all services are back.
async fn go_on(world: &World, step: BookingStep, booking: &Value, buyer: u16) {
    if step == BookingStep::ReleaseEscrow {
        return world.until_booking(booking, "CANCELLED").await;
    }
    if step == BookingStep::Answer {
        world.act(BATIK_LANE, booking, "ACCEPT", "ACCEPTED").await;
        world.act(buyer, booking, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    }
    if !matches!(step, BookingStep::HoldBalance | BookingStep::CaptureBalance) {
        world.until_booking(booking, "DEPOSIT_HELD").await;
        world.act(BATIK_LANE, booking, "MARK_DELIVERED", "DELIVERED").await;
        world.act(buyer, booking, "CONFIRM_COMPLETION", "BALANCE_DUE").await;
        world.act(buyer, booking, "PAY_BALANCE", "CLOSED").await;
    }
    world.until_booking(booking, "CLOSED").await;
}

#[tokio::test]
pub(crate) async fn bookings_end_whichever_service_is_killed_at_whichever_step() {
    let steps = BookingStep::ALL.iter().filter_map(|step| step.in_saga());
    let waits = waits(&PAY_BOOKING).chain(waits(&RELEASE_ESCROW));
    assert_eq!(steps.collect::<BTreeSet<_>>(), waits.collect());
    let plan = plan(&BookingStep::ALL, &[Name::Order, Name::User]);
    let mut world = World::exchange().await;
    let (mut hits, mut moved) = (Hits::default(), Vec::new());
    for ((step, victim), buyer) in plan.iter().zip((FIRST_BUYER..FIRST_BUYER + BUYERS).cycle()) {
        let booking = booking_at(&mut world, *step, buyer).await;
        if let Some(step) = step.in_saga() {
            world.until_step(Name::Order, step).await;
        }
        hits.hit(step, *victim);
        let forgotten = "SELECT COUNT(*) FROM booking WHERE due_at_ms IS NULL
            AND state NOT IN ('CLOSED', 'DECLINED', 'EXPIRED', 'CANCELLED')";
        assert_eq!(world.number(Name::Order, forgotten).await, 0, "a booking waits without a timer");
        world.kill(&[*victim]);
        world.start_all().await;
        go_on(&world, *step, &booking, buyer).await;
        if *step != BookingStep::ReleaseEscrow {
            moved.extend([(buyer, -9_500), (BATIK_LANE, 9_025)]);
        }
        world.assert_moved(&moved).await;
        let kept = "SELECT SUM(balance) FROM accounts WHERE kind = 'ESCROW'";
        assert_eq!(world.number(Name::User, kept).await, 0, "{victim:?} killed at {step:?}");
    }
    hits.check(&plan);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuctionStep {
    LockItem,
    HoldFunds,
    /// A bid that was still unanswered a while after the end is refused, and gives its hold back when it is granted after
    /// all.
    LateHold,
    /// A bid was passed.
    GiveBackFunds,
    /// An auction was called off.
    GiveBackItem,
    /// The timer is due.
    End,
    CaptureFunds,
    TransferItem,
    WriteOrder,
}

impl AuctionStep {
    const ALL: [Self; 9] = [
        Self::LockItem,
        Self::HoldFunds,
        Self::LateHold,
        Self::GiveBackFunds,
        Self::GiveBackItem,
        Self::End,
        Self::CaptureFunds,
        Self::TransferItem,
        Self::WriteOrder,
    ];

    /// `None`: the auction's own row waits.
    fn in_saga(self) -> Option<SagaStep> {
        Some(match self {
            Self::End => return None,
            Self::LockItem => (OPEN_AUCTION.kind, "lock-item"),
            Self::HoldFunds | Self::LateHold => (PLACE_BID.kind, "hold-funds"),
            Self::GiveBackFunds | Self::GiveBackItem => (LET_GO.kind, "give-back"),
            Self::CaptureFunds | Self::TransferItem => (SETTLE_AUCTION.kind, "exchange"),
            Self::WriteOrder => (SETTLE_AUCTION.kind, "write-order"),
        })
    }
}

/// An auction of the item that stands at the step. The second buyer comes after the first.
async fn auction_at(world: &mut World, step: AuctionStep, item: Uuid, [first, second]: [u16; 2]) -> Uuid {
    if step == AuctionStep::LockItem {
        world.kill(&[Name::Product]);
        return world.new_auction(item, KOPI_HOUSE).await;
    }
    let auction = world.auction(item, KOPI_HOUSE).await;
    let hold = (PLACE_BID.kind, "hold-funds");
    match step {
        AuctionStep::LockItem => {}
        AuctionStep::HoldFunds => {
            world.kill(&[Name::User]);
            world.bid(first, auction, "40.00").await;
        }
        AuctionStep::LateHold => {
            world.kill(&[Name::User]);
            let bid = world.bid(first, auction, "10.00").await;
            world.until_step(Name::Listing, hold).await;
            world.a_day_later().await;
            assert_eq!(world.bid_decided(bid).await.0, "REJECTED");
        }
        AuctionStep::GiveBackFunds => {
            let bid = world.bid(first, auction, "10.00").await;
            assert_eq!(world.bid_decided(bid).await.0, "ACCEPTED");
            world.kill(&[Name::User]);
            world.bid(second, auction, "20.00").await;
            world.until_step(Name::Listing, hold).await;
            world.granted_by_the_dying(Name::Listing, 3_000).await;
        }
        AuctionStep::GiveBackItem => {
            world.kill(&[Name::Product]);
            world.call_off(KOPI_HOUSE, auction).await;
        }
        AuctionStep::End => {
            let bid = world.bid(first, auction, "10.00").await;
            assert_eq!(world.bid_decided(bid).await.0, "ACCEPTED");
            world.kill(&[Name::Listing]);
            world.a_day_later().await;
        }
        AuctionStep::CaptureFunds => {
            world.kill(&[Name::User]);
            world.bid(first, auction, "40.00").await;
            world.until_step(Name::Listing, hold).await;
            world.granted_by_the_dying(Name::Listing, 4_000).await;
        }
        AuctionStep::TransferItem => {
            world.kill(&[Name::Product]);
            world.bid(first, auction, "40.00").await;
        }
        AuctionStep::WriteOrder => {
            world.kill(&[Name::Order]);
            world.bid(first, auction, "40.00").await;
        }
    }
    auction
}

#[tokio::test]
pub(crate) async fn auctions_end_whichever_service_is_killed_at_whichever_step() {
    let steps = AuctionStep::ALL.iter().filter_map(|step| step.in_saga());
    let opening = waits(&OPEN_AUCTION).chain(waits(&PLACE_BID));
    let waits = opening.chain(waits(&LET_GO)).chain(waits(&SETTLE_AUCTION));
    assert_eq!(steps.collect::<BTreeSet<_>>(), waits.collect());
    let victims = [Name::Listing, Name::Product, Name::User, Name::Order];
    let plan = plan(&AuctionStep::ALL, &victims);
    let mut world = World::auction_house().await;
    let (mut hits, mut sales) = (Hits::default(), Vec::new());
    for ((step, victim), first) in plan.iter().zip((FIRST_BUYER..FIRST_BUYER + BUYERS - 1).cycle()) {
        let (item, second) = (world.new_item(KOPI_HOUSE).await, first + 1);
        let auction = auction_at(&mut world, *step, item, [first, second]).await;
        if let Some(step) = step.in_saga() {
            world.until_step(Name::Listing, step).await;
        }
        hits.hit(step, *victim);
        world.kill(&[*victim]);
        world.start_all().await;
        let sale = match step {
            AuctionStep::LockItem => {
                world.until_listing(auction, "ACTIVE").await;
                world.bid(first, auction, "40.00").await;
                Some((first, KOPI_HOUSE, 4_000))
            }
            AuctionStep::LateHold | AuctionStep::GiveBackItem => None,
            AuctionStep::GiveBackFunds => {
                world.a_day_later().await;
                Some((second, KOPI_HOUSE, 2_000))
            }
            AuctionStep::End => Some((first, KOPI_HOUSE, 1_000)),
            _ => Some((first, KOPI_HOUSE, 4_000)),
        };
        let ends = match step {
            AuctionStep::LateHold => "CLOSED",
            AuctionStep::GiveBackItem => "CANCELLED",
            _ => "SOLD",
        };
        world.until_listing(auction, ends).await;
        sales.extend(sale);
        world.assert_only_sold(&sales).await;
        let owner = sale.map_or(KOPI_HOUSE, |(buyer, ..)| buyer);
        assert_eq!(world.owner(item).await, user(owner), "{victim:?} killed at {step:?}");
    }
    hits.check(&plan);
}
