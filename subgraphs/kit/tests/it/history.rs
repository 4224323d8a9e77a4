//! What a service told stays as it was told (I8), by the database's own rule, on SQLite and on PostgreSQL.

use kopitiam_kit::outbox;
use kopitiam_kit::testing::{assert_kept, each_database};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use crate::notes::{Migrator, ban};

#[tokio::test]
async fn what_was_told_is_neither_changed_nor_deleted_and_only_its_publishing_is_noted() {
    for db in each_database::<Migrator>().await {
        let told = ban(&db, Uuid::now_v7()).await;
        let bulk = if db.backend() == DbBackend::Postgres {
            "TRUNCATE kit_outbox"
        } else {
            "INSERT OR REPLACE INTO kit_outbox (id, topic, message_key, aggregate_type, aggregate_id, \
             aggregate_version, message_type, body, occurred_at) SELECT id, topic, message_key, aggregate_type, \
             aggregate_id, aggregate_version, message_type, 'forged', occurred_at FROM kit_outbox"
        };
        let forgeries = [
            "UPDATE kit_outbox SET body = 'forged'",
            "UPDATE kit_outbox SET aggregate_version = 7",
            "UPDATE kit_outbox SET topic = topic, published_at = NULL",
            "DELETE FROM kit_outbox",
            bulk,
        ];
        assert_kept(&db, &forgeries).await;
        let again = db.transaction(|tx| async move { outbox::resend(&tx, told.id).await }).await.unwrap();
        assert!(again, "to publish it again changes nothing of it");
        let kept = Statement::from_string(db.backend(), "SELECT body FROM kit_outbox");
        let rows = db.read().query_all_raw(kept).await.unwrap();
        let bodies: Vec<String> = rows.iter().map(|row| row.try_get("", "body").unwrap()).collect();
        assert_eq!(bodies, [serde_json::to_string(&told).unwrap()]);
    }
}
