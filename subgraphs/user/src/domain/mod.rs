//! The user service's types and rules: accounts, sessions, the ledger. No I/O, SQL, GraphQL or clock (time is an argument).

pub mod account;
pub mod input;
pub mod ledger;
pub mod letter;
pub mod notice;
pub mod one_time;
pub mod refusal;
pub mod service_account;
pub mod session;
pub mod strength;
pub mod top_up;
