//! The step tables of the sagas that this service owns.
//!
//! Elsewhere: what runs them (`kopitiam_kit::saga`), the rows they change (`store::orders`).
//! - `owners`: what the sagas change in orders, invoices and carts.
//! - `place_order`: from PENDING to CONFIRMED or REJECTED.
//! - `refund_order`: from CONFIRMED to REFUNDED.

pub mod owners;
pub mod place_order;
pub mod refund_order;
