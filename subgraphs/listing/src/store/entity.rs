//! The tables as sea-orm entities. Nothing here decides anything.

/// The `listing` table.
pub mod listing {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "listing")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub title: String,
        pub seller_id: Uuid,
        pub status: String,
        pub currency: String,
        pub ask_minor: i64,
        pub created_at: DateTimeUtc,
        pub version: i64,
        pub item_id: Option<Uuid>,
        pub start_minor: Option<i64>,
        pub reserve_minor: Option<i64>,
        pub buy_now_minor: Option<i64>,
        pub ends_at: Option<DateTimeUtc>,
        pub bid_count: i32,
        pub highest_bid_id: Option<Uuid>,
        pub product_id: Option<Uuid>,
        pub quantity: Option<i32>,
        pub reserved_until: Option<DateTimeUtc>,
        pub reserved_by: Option<Uuid>,
        pub locked_by_order: Option<Uuid>,
        pub description: Option<String>,
        pub deposit_percent: Option<i32>,
        pub duration_minutes: Option<i32>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The `bid` table.
pub mod bid {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bid")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub listing_id: Uuid,
        pub bidder_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub placed_at: DateTimeUtc,
        pub status: String,
        pub code: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The `seller` table: a replica of public seller data, kept by user events.
pub mod seller {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "seller")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub display_name: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The `listing_lock` table: which order a listing is or was kept for.
pub mod lock {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "listing_lock")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: Uuid,
        pub listing_id: Uuid,
        pub buyer_id: Option<Uuid>,
        pub state: String,
        pub until: Option<DateTimeUtc>,
        pub currency: Option<String>,
        pub price_minor: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The `banned_user` table: who may not act, kept by user events.
pub mod banned {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "banned_user")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The `secret` table.
pub mod secret {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "secret")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
