//! Programs that sign in: one identity for each service, with scopes of its own and no others.

/// A service that may have an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// Its name, also in the actor of its messages.
    pub name: &'static str,
    /// All that it may ever do; no database row adds to it.
    pub scopes: &'static [&'static str],
}

/// Every identity.
pub const IDENTITIES: [ServiceIdentity; 5] = [
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
    /// The identity of that name.
    pub fn named(name: &str) -> Option<ServiceIdentity> {
        IDENTITIES.into_iter().find(|identity| identity.name == name)
    }

    /// The `scope` claim.
    pub fn scope(self) -> String {
        self.scopes.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{Role, Roles};

    #[test]
    fn a_service_has_no_scope_of_a_person_and_no_two_have_the_same() {
        let people = Roles::new(Role::ALL).scope();
        for identity in IDENTITIES {
            assert!(identity.scopes.iter().all(|scope| !people.split(' ').any(|theirs| theirs == *scope)));
            let same = IDENTITIES.iter().filter(|other| other.scopes == identity.scopes).count();
            assert_eq!(same, 1, "{}", identity.name);
        }
    }
}
