//! The rules of listings: kinds, statuses, prices, bids. No I/O, no SQL, no GraphQL, no clock (time is an argument).
//!
//! - `listing.rs`: the aggregate, what may be created, and how it moves through its statuses
//! - `auction.rs`: which bids may be placed, which leads, when it is over
//! - `bid.rs`: bids as others may see them

pub mod auction;
pub mod bid;
pub mod listing;
