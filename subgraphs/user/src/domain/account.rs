//! Users and sellers: their state, roles, and the scopes that roles give. Input rules live in `input.rs`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What a person or a service may be. Roles add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everyone who registered.
    User,
    /// Has a stall.
    Seller,
    /// Runs the shop: reads users and orders, grants credit, bans.
    Manager,
    /// A manager who also sets roles.
    Admin,
    /// A program with its own scopes; never given to a person.
    Service,
}

impl Role {
    /// Every role, in the order in which they are stored and printed.
    pub const ALL: [Role; 5] = [Role::User, Role::Seller, Role::Manager, Role::Admin, Role::Service];

    /// The name in tokens, events, the database and GraphQL.
    pub fn name(self) -> &'static str {
        match self {
            Role::User => "USER",
            Role::Seller => "SELLER",
            Role::Manager => "MANAGER",
            Role::Admin => "ADMIN",
            Role::Service => "SERVICE",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The scopes this role adds. Sellers write the catalogue too: the product service holds them to their own products.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Role::User => &["self"],
            Role::Seller => &["catalog:write", "stock:write"],
            Role::Manager => &[
                "catalog:write",
                "stock:write",
                "users:read",
                "users:ban",
                "wallet:grant",
                "orders:read:any",
                "revenue:read",
                "disputes:resolve",
                "listings:cancel:any",
            ],
            Role::Admin => &["users:roles"],
            Role::Service => &[],
        }
    }
}

/// A set of roles, sorted and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// The given roles and always [`Role::User`].
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Roles {
        let mut sorted: Vec<Role> = roles.into_iter().chain([Role::User]).collect();
        sorted.sort_unstable();
        sorted.dedup();
        Roles(sorted)
    }

    /// Reads the stored form; unknown names are dropped, so that an older binary gives fewer rights, never more.
    pub fn parse(stored: &str) -> Roles {
        Roles::new(stored.split_whitespace().filter_map(Role::parse))
    }

    /// The roles in order.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }

    /// Whether `role` is among them.
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// These and `role`.
    #[must_use]
    pub fn with(&self, role: Role) -> Roles {
        Roles::new(self.iter().chain([role]))
    }

    /// Names in order.
    pub fn names(&self) -> Vec<String> {
        self.iter().map(|role| role.name().to_owned()).collect()
    }

    /// The stored form: names with a space between.
    pub fn stored(&self) -> String {
        self.names().join(" ")
    }

    /// The `scope` claim: every scope of every role once, sorted, with a space between.
    pub fn scope(&self) -> String {
        let mut scopes: Vec<&str> = self.iter().flat_map(|role| role.scopes().iter().copied()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes.join(" ")
    }
}

/// Whether a user may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// May do all that the roles allow.
    Active,
    /// Has not confirmed the e-mail address; may sign in.
    Unverified,
    /// Can neither sign in nor spend.
    Banned,
}

impl UserStatus {
    /// The stored and published name.
    pub fn name(self) -> &'static str {
        match self {
            UserStatus::Active => "ACTIVE",
            UserStatus::Unverified => "UNVERIFIED",
            UserStatus::Banned => "BANNED",
        }
    }

    /// Reads a stored name; an unknown one counts as banned: the safe side of a mistake.
    pub fn parse(name: &str) -> UserStatus {
        match name {
            "ACTIVE" => UserStatus::Active,
            "UNVERIFIED" => UserStatus::Unverified,
            _ => UserStatus::Banned,
        }
    }
}

/// A person's account. The password hash is not here: only `store/users.rs` hands it out, to those who check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// UUIDv7; also the id of the person's [`Seller`], wallet and event key.
    pub id: Uuid,
    /// As typed; compared by its folded form.
    pub email: String,
    /// Public name, unique without regard to case.
    pub username: String,
    /// Private.
    pub full_name: Option<String>,
    /// Whether the user may act.
    pub status: UserStatus,
    /// What the user may do.
    pub roles: Roles,
    /// The `ver` claim; raised when tokens issued so far must lose their worth (password change, ban, roles).
    pub token_version: i32,
    /// Whether the owner has shown that mail to the address arrives.
    pub email_verified: bool,
    /// Grows by one with every change; gapless, so it is also the version of the user's events.
    pub version: i32,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

impl User {
    /// The state of an account that is not banned.
    pub fn unbanned_status(&self) -> UserStatus {
        if self.email_verified { UserStatus::Active } else { UserStatus::Unverified }
    }
}

/// The public face of a user who sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// Same as the user's.
    pub id: Uuid,
    /// Unique, lower case, part of the stall's address.
    pub handle: String,
    /// What customers read.
    pub display_name: String,
    /// What the stall says of itself.
    pub bio: Option<String>,
    /// Checked by the shop.
    pub verified: bool,
    /// When the stall was opened.
    pub member_since: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_always_hold_user_and_have_one_stored_form() {
        let roles = Roles::new([Role::Admin, Role::Seller, Role::Admin]);
        assert_eq!(roles.stored(), "USER SELLER ADMIN");
        assert_eq!(Roles::parse("ADMIN SELLER nonsense USER"), roles);
    }

    #[test]
    fn a_plain_user_has_no_scope_over_others() {
        assert_eq!(Roles::new([]).scope(), "self");
        assert!(!Roles::new([Role::Seller]).scope().contains("users:read"));
    }

    #[test]
    fn only_an_admin_may_set_roles() {
        assert!(!Roles::new([Role::Manager]).scope().contains("users:roles"));
        assert!(Roles::new([Role::Admin]).scope().contains("users:roles"));
    }
}
