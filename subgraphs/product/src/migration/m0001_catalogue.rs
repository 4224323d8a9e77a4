//! Products, categories, images and ratings.

use sea_orm_migration::prelude::*;

use super::{at, big, integer, text, uuid};

/// Creates the catalogue tables.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "product_0001_catalogue"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [products(), categories(), product_categories(), images()] {
            manager.create_table(table).await?;
        }
        for (name, table, column) in [
            ("products_seller", "products", "seller_id"),
            ("products_price", "products", "price_minor"),
            ("products_created", "products", "created_ms"),
            ("products_rating", "products", "rating_milli"),
            ("product_categories_category", "product_categories", "category_id"),
        ] {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        Ok(())
    }
}

/// `search_text` is the lower-cased name, supplier and description: both databases fold ASCII only in LIKE, and not
/// in the same way.
fn products() -> TableCreateStatement {
    Table::create()
        .table("products")
        .col(uuid("id").primary_key())
        .col(text("slug").unique_key())
        .col(text("name"))
        .col(text("name_key").unique_key())
        .col(text("description"))
        .col(text("search_text"))
        .col(big("price_minor").check(Expr::col("price_minor").gte(0)))
        .col(text("currency"))
        .col(ColumnDef::new("supplier").text())
        .col(uuid("seller_id"))
        .col(text("status").check(Expr::col("status").is_in(["ACTIVE", "ARCHIVED"])))
        .col(big("rating_milli"))
        .col(integer("version"))
        .col(big("created_ms"))
        .col(at("updated_at"))
        .to_owned()
}

fn categories() -> TableCreateStatement {
    Table::create()
        .table("categories")
        .col(uuid("id").primary_key())
        .col(text("slug").unique_key())
        .col(text("name"))
        .col(text("name_key").unique_key())
        .col(ColumnDef::new("parent_id").uuid())
        .col(integer("version"))
        .foreign_key(ForeignKey::create().from("categories", "parent_id").to("categories", "id"))
        .to_owned()
}

fn product_categories() -> TableCreateStatement {
    Table::create()
        .table("product_categories")
        .col(uuid("product_id"))
        .col(uuid("category_id"))
        .primary_key(Index::create().col("product_id").col("category_id"))
        .foreign_key(ForeignKey::create().from("product_categories", "product_id").to("products", "id"))
        .foreign_key(ForeignKey::create().from("product_categories", "category_id").to("categories", "id"))
        .to_owned()
}

fn images() -> TableCreateStatement {
    Table::create()
        .table("images")
        .col(uuid("product_id"))
        .col(integer("position"))
        .col(text("url"))
        .col(text("alt"))
        .col(integer("width"))
        .col(integer("height"))
        .primary_key(Index::create().col("product_id").col("position"))
        .foreign_key(ForeignKey::create().from("images", "product_id").to("products", "id"))
        .to_owned()
}
