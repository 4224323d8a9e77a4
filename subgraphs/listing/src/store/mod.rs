//! Tables and queries. Takes a connection or a transaction, gives domain types; decides nothing.
//!
//! - `entity.rs`: the tables
//! - `listings.rs`: listings, read one by one, in batches and in pages; inserted and moved on
//! - `bids.rs`: bids
//! - `sellers.rs`: the replica of seller names

pub mod bids;
pub mod entity;
pub mod listings;
pub mod sellers;
