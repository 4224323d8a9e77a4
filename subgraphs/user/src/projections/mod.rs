//! What this service does with the topics it consumes, one file per topic.

pub mod notices;
pub mod wallet_commands;
