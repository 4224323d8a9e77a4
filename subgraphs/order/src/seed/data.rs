//! What is seeded, as tables. Numbers are those that the services share (`super::seed_id`).

use crate::domain::booking::{BookingAction, Role};

/// Number, name, price in cents, seller's user number.
pub(super) type Ware = (u16, &'static str, i64, u16);

/// The catalogue's products that are bought here.
pub(super) const WARES: [Ware; 27] = [
    (1, "House Blend Beans", 1_250, 5),
    (2, "Enamel Kopi Cup", 890, 5),
    (3, "Hand-Drawn Batik Shawl", 14_900, 6),
    (4, "Restored Valve Radio", 42_000, 7),
    (5, "Single Origin Gayo", 1_680, 5),
    (6, "Kopi Sock Filter", 640, 5),
    (7, "Copper Long-Spout Kettle", 6_800, 5),
    (8, "Stoneware Saucer Set", 2_400, 5),
    (9, "Pandan Green Tea", 1_120, 5),
    (10, "Condensed Milk Tin Planter", 1_500, 5),
    (11, "Indigo Table Runner", 3_800, 6),
    (12, "Batik Cushion Cover", 2_750, 6),
    (13, "Silk Sarong Parang", 9_500, 6),
    (14, "Hand-Stamped Tea Towel", 1_200, 6),
    (15, "Rattan Market Basket", 4_400, 6),
    (16, "Pocket Synth Kit", 5_900, 7),
    (17, "Solar Night Market Lamp", 3_200, 7),
    (18, "USB-C Soldering Iron", 4_650, 7),
    (19, "Pixel Clock Kit", 3_990, 7),
    (20, "Field Recorder Mini", 12_900, 7),
    (21, "Hawker Cookbook", 3_400, 8),
    (22, "Street Food Atlas", 4_200, 8),
    (23, "Pocket Poems of the Strait", 1_450, 8),
    (24, "Old Town Sketchbook", 1_900, 8),
    (26, "Radio Repair Manual 1962", 5_500, 8),
    (27, "Brass Opium Scale", 8_800, 7),
    (28, "Peranakan Tile Coaster Set", 2_200, 5),
];

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Paid, not handed over.
    Confirmed,
    /// Handed over.
    Fulfilled,
    /// Refused, with the reason.
    Rejected(&'static str),
    /// Called off by the buyer before it was confirmed.
    Cancelled,
    /// Paid, and all of it refunded.
    Refunded,
}

/// Buyer's user number, (product number, quantity) per line, fate, days ago.
pub(super) type Past = (u16, &'static [(u16, i32)], Fate, i64);

/// The first three.
pub(super) const FIRST: [Past; 3] = [
    (3, &[(1, 2), (2, 1)], Fate::Confirmed, 9),
    (4, &[(21, 1), (23, 1)], Fate::Confirmed, 6),
    (3, &[(3, 2)], Fate::Rejected("OUT_OF_STOCK"), 2),
];

/// How many more there are, spread over the days before.
pub(super) const MORE: u16 = 97;

/// What people write about what they bought: stars, text.
pub(super) const WORDS: [(i32, &str); 16] = [
    (5, "The smell of the stall downstairs, in my own kitchen."),
    (4, "Strong and honest. Exactly as described."),
    (5, "Second one already; the first became a present."),
    (4, "Well made. The wrapping alone was worth keeping."),
    (5, "Nothing else comes close for the price."),
    (3, "Good, but smaller than I had imagined."),
    (5, "Arrived within two days and without a scratch."),
    (4, "My father recognised it at once and told stories for an hour."),
    (5, "Better than the one my grandmother had, and she agrees."),
    (4, "Does one thing and does it well."),
    (2, "Came late and a little dusty. It works, though."),
    (5, "I use it every morning."),
    (4, "Beautiful. Handle with care."),
    (5, "Bought for the shop, kept for the house."),
    (3, "Fine for what it costs."),
    (5, "The seller answered three questions before I ordered."),
];

/// What people write about a seller.
pub(super) const PRAISE: [(i32, &str); 6] = [
    (5, "Sent the same day, wrapped in newspaper comics."),
    (4, "Answers questions, and knows the goods."),
    (5, "Everything was tested before it was sent."),
    (5, "Arrived without a bent corner."),
    (4, "Friendly, and packs like a puzzle."),
    (3, "All right, if a little slow to answer."),
];

/// A step of a booking: who, what, hours after the one before.
pub(super) type Move = (Role, BookingAction, i64);

/// Listing number of the service, title, seller, price, deposit in percent, buyer, hours ago, steps. Only bookings in
/// which no money has moved: the wallet knows nothing of the past.
pub(super) type Visit = (u16, &'static str, u16, i64, i32, u16, i64, &'static [Move]);

use BookingAction::{Accept, Cancel, ConfirmCompletion, Decline, Dispute, MarkDelivered};
use Role::{Buyer, Seller};

const BARISTA: (u16, &str, u16, i64) = (12, "Barista for your party", 5, 32_000);
const BATIK: (u16, &str, u16, i64) = (13, "Batik workshop for two", 6, 9_500);
const REPAIR: (u16, &str, u16, i64) = (14, "Radio and amplifier repair", 7, 12_000);
const CARDS: (u16, &str, u16, i64) = (15, "Letterpress cards, fifty pieces", 8, 14_500);

const fn visit(
    service: (u16, &'static str, u16, i64),
    percent: i32,
    buyer: u16,
    hours_ago: i64,
    moves: &'static [Move],
) -> Visit {
    (service.0, service.1, service.2, service.3, percent, buyer, hours_ago, moves)
}

/// The bookings.
pub(super) const VISITS: [Visit; 8] = [
    visit(BARISTA, 25, 3, 5, &[]),
    visit(BATIK, 20, 4, 20, &[(Seller, Accept, 8)]),
    visit(BATIK, 0, 1, 70, &[(Seller, Accept, 3)]),
    visit(REPAIR, 0, 2, 120, &[(Seller, Accept, 5), (Seller, MarkDelivered, 90)]),
    visit(
        CARDS,
        0,
        3,
        200,
        &[(Seller, Accept, 4), (Seller, MarkDelivered, 100), (Buyer, ConfirmCompletion, 30)],
    ),
    visit(REPAIR, 0, 4, 240, &[(Seller, Accept, 6), (Seller, MarkDelivered, 100), (Buyer, Dispute, 40)]),
    visit(BARISTA, 25, 4, 300, &[(Seller, Decline, 12)]),
    visit(CARDS, 50, 2, 90, &[(Buyer, Cancel, 2)]),
];
