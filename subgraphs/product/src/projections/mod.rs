//! What this service does with the topics it consumes, one file per topic.

pub mod review_events;
pub mod stock_commands;
