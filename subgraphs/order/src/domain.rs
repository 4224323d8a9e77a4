//! The rules of carts, orders, fees, bookings, reviews and invoices: types and decisions, nothing else.
//!
//! No I/O, SQL, GraphQL or clock here: time is an argument. Elsewhere: rows (`store`), the steps over several services
//! (`sagas`).
//! - `cart`: lines, what may be set, what is wrong with a cart.
//! - `order`: from a cart, a listing or an auction to an order; statuses and who may cancel when.
//! - `lines`: handing over and refunding single lines.
//! - `listing`: what is known here of listings.
//! - `fee`: the platform's fee and how a payment is split.
//! - `booking`: states, the actions that each party has, timers, escrow.
//! - `review`: who may review what.
//! - `invoice`: the printable form.

pub mod booking;
pub mod cart;
pub mod fee;
pub mod invoice;
pub mod lines;
pub mod listing;
pub mod order;
pub mod review;
