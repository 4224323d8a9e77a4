//! `user.events.v1`: accounts, roles, bans and seller profiles. The aggregate is the user.

use super::{payloads, topic_messages};

payloads! {
    /// A person signed up.
    struct UserRegistered {
        /// Public name, unique.
        username: String,
        /// For mail; never shown to others.
        email: String,
        /// As the person wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_name: Option<String>,
        /// Role names, such as `USER`.
        roles: Vec<String>,
    }
    /// Profile data changed; carries the whole new state.
    struct UserUpdated {
        /// Public name.
        username: String,
        /// For mail.
        email: String,
        /// As the person wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_name: Option<String>,
    }
    /// The account may not act any more.
    struct UserBanned {
        /// Why, for the audit.
        reason: String,
    }
    /// The account may act again.
    struct UserUnbanned {}
    /// The roles are now these.
    struct RolesChanged {
        /// Role names, complete.
        roles: Vec<String>,
    }
    /// Access tokens of lower versions are good no more: the roles or the password changed.
    struct TokensEnded {
        /// `ver` of the tokens that are good.
        token_version: i64,
    }
    /// The user opened a stall.
    struct SellerOpened {
        /// Unique name in addresses.
        handle: String,
        /// Name shown to buyers.
        display_name: String,
        /// Free text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bio: Option<String>,
    }
    /// The stall's public data changed; carries the whole new state.
    struct SellerUpdated {
        /// Unique name in addresses.
        handle: String,
        /// Name shown to buyers.
        display_name: String,
        /// Free text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bio: Option<String>,
        /// Whether the shop vouches for the seller.
        verified: bool,
    }
}

topic_messages! {
    /// An event of `user.events.v1`.
    enum UserEvent on UserEvents {
        "user" => UserRegistered, UserUpdated, UserBanned, UserUnbanned, RolesChanged, TokensEnded, SellerOpened,
            SellerUpdated;
    }
}
