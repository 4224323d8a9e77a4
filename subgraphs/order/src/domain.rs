//! The rules of carts, orders, fees and bookings: types and decisions, nothing else.
//!
//! No I/O, SQL, GraphQL or clock here: time is an argument. Elsewhere: rows (`store`), the place-order steps
//! (`sagas`).
//! - `cart`: lines, what may be set, what is wrong with a cart.
//! - `order`: from a cart to an order; statuses and who may cancel when.
//! - `fee`: the platform's fee and how a payment is split.
//! - `booking`: states and the actions that each party has.

pub mod booking;
pub mod cart;
pub mod fee;
pub mod order;
