//! The product service's types and rules: the catalogue, stock, reservations, items, search. No I/O, SQL, GraphQL or
//! clock (time is an argument).

pub mod category;
pub mod item;
pub mod product;
pub mod refusal;
pub mod reservation;
pub mod search;
