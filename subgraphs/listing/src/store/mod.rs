//! Tables and queries. Takes a connection or a transaction, gives domain types; decides nothing.
//!
//! - `entity.rs`: the tables
//! - `listings.rs`: listings, read one by one, in batches and in pages; inserted and moved on
//! - `bids.rs`: bids; `pages.rs`: pages of many owners at once
//! - `locks.rs`: which order a listing is kept for
//! - `sellers.rs`: the replica of seller names, and who is banned; `secrets.rs`: keys of the service's own

pub mod bids;
pub mod entity;
pub mod listings;
pub mod locks;
pub mod pages;
pub mod secrets;
pub mod sellers;
