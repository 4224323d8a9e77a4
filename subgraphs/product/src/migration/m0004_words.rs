//! Full text search: an index of words that each database keeps by itself, and the words of names for ranking.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::prelude::*;
use uuid::Uuid;

use crate::domain::product::{name_words, search_text};

/// Adds the column and the index.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "product_0004_words"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("name_words").text().not_null().default("").to_owned();
        manager.alter_table(Table::alter().table("products").add_column(column).to_owned()).await?;
        let db = manager.get_connection();
        fold(db).await?;
        let statements = match db.get_database_backend() {
            DbBackend::Sqlite => SQLITE,
            _ => POSTGRES,
        };
        for statement in statements {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Folds what an earlier release wrote as this one does.
async fn fold<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let all = Statement::from_string(backend, "SELECT id, name, supplier, description FROM products");
    for row in db.query_all_raw(all).await? {
        let (id, name): (Uuid, String) = (row.try_get("", "id")?, row.try_get("", "name")?);
        let supplier: Option<String> = row.try_get("", "supplier")?;
        let description: String = row.try_get("", "description")?;
        let text = search_text(&name, supplier.as_deref(), &description);
        let update = Statement::from_sql_and_values(
            backend,
            "UPDATE products SET search_text = $1, name_words = $2 WHERE id = $3",
            [text.into(), name_words(&name).into(), id.into()],
        );
        db.execute_raw(update).await?;
    }
    Ok(())
}

/// FTS5 names rows by whole numbers, so each product gets one. It keeps no copy of the text. Products are never deleted.
const SQLITE: &[&str] = &[
    "CREATE TABLE product_word_rows (seq INTEGER PRIMARY KEY, \
        product_id uuid_text NOT NULL UNIQUE REFERENCES products (id))",
    "CREATE VIRTUAL TABLE product_words USING fts5 (words, content = '', contentless_delete = 1, \
        tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3 4')",
    "CREATE TRIGGER products_words_insert AFTER INSERT ON products BEGIN \
        INSERT INTO product_word_rows (product_id) VALUES (new.id); \
        INSERT INTO product_words (rowid, words) \
            SELECT seq, new.search_text FROM product_word_rows WHERE product_id = new.id; END",
    "CREATE TRIGGER products_words_update AFTER UPDATE OF search_text ON products BEGIN \
        DELETE FROM product_words WHERE rowid = (SELECT seq FROM product_word_rows WHERE product_id = new.id); \
        INSERT INTO product_words (rowid, words) \
            SELECT seq, new.search_text FROM product_word_rows WHERE product_id = new.id; END",
    "INSERT INTO product_word_rows (product_id) SELECT id FROM products",
    "INSERT INTO product_words (rowid, words) \
        SELECT seq, search_text FROM product_word_rows JOIN products ON products.id = product_id",
];

/// `simple` takes words as they are, in whatever language.
const POSTGRES: &[&str] = &[
    "ALTER TABLE products ADD COLUMN search_vector tsvector \
        GENERATED ALWAYS AS (to_tsvector('simple', search_text)) STORED",
    "CREATE INDEX products_search ON products USING gin (search_vector)",
];

#[cfg(test)]
mod tests {
    use kopitiam_kit::SystemError;
    use kopitiam_kit::migrations::kit_migrations;
    use kopitiam_kit::testing::each_database;

    use super::*;
    use crate::domain::search::{SearchFilter, Words};
    use crate::store::search::{Resolved, count};

    /// The schema of the release before.
    struct Before;

    impl MigratorTrait for Before {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            let ours = super::super::migrations().into_iter().take(3);
            kit_migrations().into_iter().chain(ours).collect()
        }
    }

    #[tokio::test]
    async fn what_an_earlier_release_wrote_is_found() {
        for db in each_database::<Before>().await {
            let insert = Statement::from_sql_and_values(
                db.backend(),
                "INSERT INTO products (id, slug, name, name_key, description, search_text, price_minor, currency, \
                 seller_id, status, rating_milli, version, created_ms, updated_at) \
                 VALUES ($1, 'a', 'Pour-Over Set', 'pour-over set', 'Slow.', 'pour-over set', 1, 'USD', $1, 'ACTIVE', 0, 1, 0, $2)",
                [Uuid::now_v7().into(), kopitiam_kit::time::now().into()],
            );
            let insert = &insert;
            db.transaction(|tx| async move {
                tx.execute_raw(insert.clone()).await.map(|_| ()).map_err(SystemError::from)
            })
            .await
            .unwrap();
            db.migrate::<crate::app::Migrator>().await.unwrap();
            for (query, found) in [("over", 1), ("SLOW set", 1), ("lower", 0)] {
                let filter = SearchFilter { words: Words::new(Some(query)), ..SearchFilter::default() };
                assert_eq!(count(db.read(), &Resolved::new(filter, &[])).await.unwrap(), found, "{query}");
            }
        }
    }
}
