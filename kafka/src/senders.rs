//! Which service may send what: each event its owner, each command the services that have its scope.
//!
//! Elsewhere: how a message proves who sent it, and what becomes of one that may not be sent (`subgraphs/kit`).

use crate::Topic;

/// A service, and all that it may ever ask of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// Its name, also in the actor of its messages.
    pub name: &'static str,
    /// Its scopes: those of commands, and of what it may ask over HTTP. No database row adds to them.
    pub scopes: &'static [&'static str],
}

/// Every service.
pub const SERVICES: [ServiceIdentity; 5] = [
    ServiceIdentity { name: "gateway", scopes: &["schema:read"] },
    ServiceIdentity { name: "user", scopes: &["wallet:answer"] },
    ServiceIdentity { name: "product", scopes: &["stock:answer"] },
    ServiceIdentity {
        name: "order",
        scopes: &[
            "wallet:hold",
            "wallet:capture",
            "wallet:refund",
            "wallet:escrow",
            "stock:reserve",
            "listing:lock",
        ],
    },
    ServiceIdentity { name: "listing", scopes: &["wallet:hold", "wallet:capture", "stock:lock"] },
];

impl ServiceIdentity {
    /// The service of that name.
    pub fn named(name: &str) -> Option<Self> {
        SERVICES.into_iter().find(|service| service.name == name)
    }

    /// The `scope` claim of its tokens.
    pub fn scope(self) -> String {
        self.scopes.join(" ")
    }
}

/// The scope that a command needs; `None` for a type that this build does not know.
pub fn scope_of(command: &str) -> Option<&'static str> {
    Some(match command {
        "HoldFunds" | "ReleaseFunds" => "wallet:hold",
        "CaptureFunds" => "wallet:capture",
        "RefundFunds" => "wallet:refund",
        "ReleaseEscrow" => "wallet:escrow",
        "ReserveStock" | "ReleaseStock" | "CommitStock" | "RestockLines" => "stock:reserve",
        "LockItem" | "UnlockItem" | "TransferItem" => "stock:lock",
        "LockListing" | "UnlockListing" | "SellListing" => "listing:lock",
        _ => return None,
    })
}

/// The service that alone writes a topic of events.
fn owner(topic: Topic) -> Option<&'static str> {
    match topic {
        Topic::UserEvents | Topic::WalletEvents => Some("user"),
        Topic::ProductEvents | Topic::StockEvents => Some("product"),
        Topic::ListingEvents => Some("listing"),
        Topic::OrderEvents | Topic::BookingEvents | Topic::ReviewEvents => Some("order"),
        Topic::WalletCommands | Topic::StockCommands | Topic::ListingCommands => None,
    }
}

/// Whether the service may send a message of that type on the topic. A command of an unknown type may come from any service
/// that commands: nothing is done with it here.
pub fn may_send(service: &str, topic: Topic, message_type: &str) -> bool {
    let Some(service) = ServiceIdentity::named(service) else { return false };
    match (owner(topic), scope_of(message_type)) {
        (Some(owner), _) => owner == service.name,
        (None, Some(scope)) => service.scopes.contains(&scope),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages;

    fn senders(topic: Topic, message_type: &str) -> Vec<&'static str> {
        let may = |service: &ServiceIdentity| may_send(service.name, topic, message_type);
        SERVICES.iter().filter(|service| may(service)).map(|service| service.name).collect()
    }

    #[test]
    fn every_command_is_sent_by_the_services_of_the_design_and_every_event_by_its_owner() {
        for info in messages::all() {
            let who = senders(info.topic, info.message_type);
            let expected: &[&str] = match info.message_type {
                "HoldFunds" | "ReleaseFunds" | "CaptureFunds" => &["order", "listing"],
                "LockItem" | "UnlockItem" | "TransferItem" => &["listing"],
                _ if info.topic.is_command() => &["order"],
                _ => {
                    assert_eq!(who.len(), 1, "{}", info.message_type);
                    continue;
                }
            };
            assert_eq!(who, expected, "{}", info.message_type);
            assert!(scope_of(info.message_type).is_some(), "{}", info.message_type);
        }
    }

    #[test]
    fn whoever_is_no_service_sends_nothing() {
        for name in ["", "user:order", "Order", "admin"] {
            assert!(!may_send(name, Topic::WalletCommands, "CaptureFunds"), "{name}");
        }
    }
}
