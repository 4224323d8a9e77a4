//! What other services' events change here, one file per topic.

pub mod stock;
pub mod users;
