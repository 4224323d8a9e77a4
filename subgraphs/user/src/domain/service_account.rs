//! Programs that sign in: one identity for each service, with scopes of its own and no others.

pub use kopitiam_kafka::senders::{SERVICES as IDENTITIES, ServiceIdentity};

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
