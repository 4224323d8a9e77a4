//! The step tables of the sagas that this service owns, and their parts in its own rows.
//!
//! Always: an order or booking moves by compare-and-set, so a saga that lost the race is told so and compensates.
//! Elsewhere: what runs them (`kopitiam_kit::saga`), who may begin, signal or abort them (`commands`).
//! - `place_order`: a cart's order from PENDING to CONFIRMED or REJECTED.
//! - `reserve_listing`: a ticket's order from AWAITING_PAYMENT to CONFIRMED, EXPIRED, CANCELLED or REJECTED.
//! - `refund_order`: lines of a paid order back to the buyer and into stock.
//! - `pay_booking`: a booking's deposit into escrow, or its balance together with the escrow to the seller.
//! - `release_escrow`: a booking's escrow to whom it is due.
//! - `purchase`: what `place_order` and `reserve_listing` have in common.
//! - `changes`: what they change in orders, with history and events.
//! - `wallet`: the messages they have in common.

pub mod changes;
pub mod pay_booking;
pub mod place_order;
pub mod purchase;
pub mod refund_order;
pub mod release_escrow;
pub mod reserve_listing;
pub mod wallet;
