//! `product.events.v1`: the catalogue. The aggregate is the product, or the category.

use uuid::Uuid;

use super::{Amount, payloads, topic_messages};

payloads! {
    /// A product is on sale.
    struct ProductCreated {
        /// Unique name in addresses.
        slug: String,
        /// Shown name.
        name: String,
        /// Plain text.
        description: String,
        /// Current price.
        price: Amount,
        /// Who makes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supplier: Option<String>,
        /// Who sells it.
        seller_id: Uuid,
        /// Its categories.
        category_ids: Vec<Uuid>,
        /// First picture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
    }
    /// A product changed; carries the whole new state.
    struct ProductUpdated {
        /// Unique name in addresses.
        slug: String,
        /// Shown name.
        name: String,
        /// Plain text.
        description: String,
        /// Current price.
        price: Amount,
        /// Who makes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supplier: Option<String>,
        /// Who sells it.
        seller_id: Uuid,
        /// Its categories.
        category_ids: Vec<Uuid>,
        /// First picture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
    }
    /// A product is no longer sold; it stays readable for old orders.
    struct ProductArchived {}
    /// A category was made or changed.
    struct CategorySaved {
        /// Unique name in addresses.
        slug: String,
        /// Shown name.
        name: String,
        /// The category it is in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<Uuid>,
    }
    /// A category is gone.
    struct CategoryDeleted {}
}

topic_messages! {
    /// An event of `product.events.v1`.
    enum ProductEvent on ProductEvents {
        "product" => ProductCreated, ProductUpdated, ProductArchived;
        "category" => CategorySaved, CategoryDeleted;
    }
}
