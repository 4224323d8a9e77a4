//! The database's rows as sea-orm sees them. Only `store/` names these types; everyone else has the domain's.

/// Accounts.
pub(crate) mod user {
    use sea_orm::entity::prelude::*;

    /// Accounts.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) email: String,
        pub(crate) email_key: String,
        pub(crate) username: String,
        pub(crate) username_key: String,
        pub(crate) full_name: Option<String>,
        pub(crate) password_hash: String,
        pub(crate) status: String,
        pub(crate) roles: String,
        pub(crate) token_version: i32,
        pub(crate) version: i32,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) updated_at: DateTimeUtc,
        pub(crate) email_verified_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stalls.
pub(crate) mod seller {
    use sea_orm::entity::prelude::*;

    /// Stalls.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sellers")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) handle: String,
        pub(crate) display_name: String,
        pub(crate) bio: Option<String>,
        pub(crate) verified: bool,
        pub(crate) member_since: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Log-ins: families of refresh tokens.
pub(crate) mod session {
    use sea_orm::entity::prelude::*;

    /// Log-ins: families of refresh tokens.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) user_id: Uuid,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) revoked_at: Option<DateTimeUtc>,
        pub(crate) revoked_reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Refresh tokens by their hash.
pub(crate) mod refresh_token {
    use sea_orm::entity::prelude::*;

    /// Refresh tokens by their hash.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refresh_tokens")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) token_hash: String,
        pub(crate) session_id: Uuid,
        pub(crate) issued_at: DateTimeUtc,
        pub(crate) expires_at: DateTimeUtc,
        pub(crate) used_at: Option<DateTimeUtc>,
        pub(crate) nonce_hash: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Tokens sent by mail, by their hash.
pub(crate) mod one_time_token {
    use sea_orm::entity::prelude::*;

    /// Tokens sent by mail, by their hash.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "one_time_tokens")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) token_hash: String,
        pub(crate) purpose: String,
        pub(crate) user_id: Uuid,
        pub(crate) email_key: String,
        pub(crate) issued_at: DateTimeUtc,
        pub(crate) expires_at: DateTimeUtc,
        pub(crate) used_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Letters that wait to be sent.
pub(crate) mod mail {
    use sea_orm::entity::prelude::*;

    /// Letters that wait to be sent.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mails")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) user_id: Option<Uuid>,
        pub(crate) email_key: Option<String>,
        pub(crate) letter: String,
        pub(crate) attempts: i64,
        pub(crate) due_at: DateTimeUtc,
        pub(crate) created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keys that sign access tokens.
pub(crate) mod signing_key {
    use sea_orm::entity::prelude::*;

    /// Keys that sign access tokens.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signing_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kid: String,
        pub(crate) private_key: String,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) retired_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who did what to whom.
pub(crate) mod audit {
    use sea_orm::entity::prelude::*;

    /// Who did what to whom.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) at: DateTimeUtc,
        pub(crate) actor_id: Option<Uuid>,
        pub(crate) action: String,
        pub(crate) subject_id: Uuid,
        pub(crate) detail: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Ledger accounts; `owner_id` is nil for the platform's.
pub(crate) mod account {
    use sea_orm::entity::prelude::*;

    /// Ledger accounts; `owner_id` is nil for the platform's.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "accounts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) owner_id: Uuid,
        pub(crate) kind: String,
        pub(crate) currency: String,
        pub(crate) balance: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Balanced transactions.
pub(crate) mod ledger_transaction {
    use sea_orm::entity::prelude::*;

    /// Balanced transactions.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ledger_transactions")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) kind: String,
        pub(crate) cause_id: Uuid,
        pub(crate) reference: String,
        pub(crate) currency: String,
        pub(crate) at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Legs of transactions.
pub(crate) mod posting {
    use sea_orm::entity::prelude::*;

    /// Legs of transactions.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "postings")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) transaction_id: Uuid,
        pub(crate) account_id: Uuid,
        pub(crate) kind: String,
        pub(crate) amount: i64,
        pub(crate) balance_after: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which transactions are complete.
pub(crate) mod ledger_seal {
    use sea_orm::entity::prelude::*;

    /// Which transactions are complete.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ledger_seals")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) transaction_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Money kept until both sides of a booking confirm.
pub(crate) mod escrow {
    use sea_orm::entity::prelude::*;

    /// Money kept until both sides of a booking confirm.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "escrows")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) reference: Uuid,
        pub(crate) payer_id: Uuid,
        pub(crate) currency: String,
        pub(crate) amount: i64,
        pub(crate) paid_out: i64,
        pub(crate) created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Promised money.
pub(crate) mod hold {
    use sea_orm::entity::prelude::*;

    /// Promised money.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "holds")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) user_id: Uuid,
        pub(crate) amount: i64,
        pub(crate) currency: String,
        pub(crate) reason: String,
        pub(crate) status: String,
        pub(crate) code: Option<String>,
        pub(crate) expires_at: Option<DateTimeUtc>,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) resolved_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What each receiver got of a captured hold; `receiver_id` is nil for the platform.
pub(crate) mod payment {
    use sea_orm::entity::prelude::*;

    /// What each receiver got of a captured hold; `receiver_id` is nil for the platform.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payments")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) hold_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) receiver_id: Uuid,
        pub(crate) amount: i64,
        pub(crate) refunded: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What people were told.
pub(crate) mod notification {
    use sea_orm::entity::prelude::*;

    /// What people were told.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notifications")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) user_id: Uuid,
        pub(crate) kind: String,
        pub(crate) title: String,
        pub(crate) body: String,
        pub(crate) path: String,
        pub(crate) event_id: Uuid,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) read_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What notifications are about; `lines` is JSON.
pub(crate) mod notice_subject {
    use sea_orm::entity::prelude::*;

    /// What notifications are about; `lines` is JSON.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notice_subjects")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) title: String,
        pub(crate) seller_id: Option<Uuid>,
        pub(crate) buyer_id: Option<Uuid>,
        pub(crate) lines: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Top-ups.
pub(crate) mod top_up {
    use sea_orm::entity::prelude::*;

    /// Top-ups.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "top_ups")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) user_id: Uuid,
        pub(crate) amount: i64,
        pub(crate) currency: String,
        pub(crate) status: String,
        pub(crate) payment_id: Option<String>,
        pub(crate) url: Option<String>,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Reports of the payment provider that were heard.
pub(crate) mod payment_event {
    use sea_orm::entity::prelude::*;

    /// Reports of the payment provider that were heard.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_events")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) event_id: String,
        pub(crate) heard_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Identities of programs.
pub(crate) mod service_account {
    use sea_orm::entity::prelude::*;

    /// Identities of programs.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_accounts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) name: String,
        pub(crate) secret_hash: String,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) disabled_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
