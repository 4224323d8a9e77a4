//! The database's rows as sea-orm sees them. Only `store/` names these types; everyone else has the domain's.

/// Catalogue rows.
pub(crate) mod product {
    use sea_orm::entity::prelude::*;

    /// One product; `search_text` and `name_words` are words as `domain::search` folds them, `created_ms` is milliseconds since 1970.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "products")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) slug: String,
        pub(crate) name: String,
        pub(crate) name_key: String,
        pub(crate) name_words: String,
        #[sea_orm(column_type = "Text")]
        pub(crate) description: String,
        #[sea_orm(column_type = "Text")]
        pub(crate) search_text: String,
        pub(crate) price_minor: i64,
        pub(crate) currency: String,
        pub(crate) supplier: Option<String>,
        pub(crate) seller_id: Uuid,
        pub(crate) status: String,
        pub(crate) rating_milli: i64,
        pub(crate) version: i32,
        pub(crate) created_ms: i64,
        pub(crate) updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Categories.
pub(crate) mod category {
    use sea_orm::entity::prelude::*;

    /// Categories.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "categories")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) slug: String,
        pub(crate) name: String,
        pub(crate) name_key: String,
        pub(crate) parent_id: Option<Uuid>,
        pub(crate) version: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which product is in which category.
pub(crate) mod product_category {
    use sea_orm::entity::prelude::*;

    /// Which product is in which category.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_categories")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) product_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) category_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Images of a product, in order.
pub(crate) mod image {
    use sea_orm::entity::prelude::*;

    /// Images of a product, in order.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "images")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) product_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) position: i32,
        pub(crate) url: String,
        pub(crate) alt: String,
        pub(crate) width: i32,
        pub(crate) height: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Units on hand and reserved.
pub(crate) mod stock {
    use sea_orm::entity::prelude::*;

    /// Units on hand and reserved.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "stock")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) product_id: Uuid,
        pub(crate) on_hand: i64,
        pub(crate) reserved: i64,
        pub(crate) version: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Reservations; the id is the order's.
pub(crate) mod reservation {
    use sea_orm::entity::prelude::*;

    /// Reservations; the id is the order's.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reservations")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) status: String,
        pub(crate) expires_at: Option<DateTimeUtc>,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) resolved_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Units per product of a reservation.
pub(crate) mod reservation_line {
    use sea_orm::entity::prelude::*;

    /// Units per product of a reservation.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reservation_lines")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) reservation_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) product_id: Uuid,
        pub(crate) quantity: i64,
        pub(crate) restocked: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stock changed by hand, with the reason.
pub(crate) mod adjustment {
    use sea_orm::entity::prelude::*;

    /// Stock changed by hand, with the reason.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "stock_adjustments")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) product_id: Uuid,
        pub(crate) delta: i64,
        pub(crate) reason: String,
        pub(crate) actor_id: Option<Uuid>,
        pub(crate) at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Collectible items.
pub(crate) mod item {
    use sea_orm::entity::prelude::*;

    /// Collectible items.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "items")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) title: String,
        pub(crate) image_url: Option<String>,
        pub(crate) owner_id: Uuid,
        pub(crate) locked_by: Option<Uuid>,
        pub(crate) locked_until: Option<DateTimeUtc>,
        pub(crate) freed_from: Option<Uuid>,
        pub(crate) version: i32,
        pub(crate) deleted_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Changes of owner.
pub(crate) mod item_transfer {
    use sea_orm::entity::prelude::*;

    /// Changes of owner.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "item_transfers")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) item_id: Uuid,
        pub(crate) from_id: Option<Uuid>,
        pub(crate) to_id: Uuid,
        pub(crate) at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Restocks that were done.
pub(crate) mod restock {
    use sea_orm::entity::prelude::*;

    /// Restocks that were done.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "restocks")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) reservation_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) saga_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
