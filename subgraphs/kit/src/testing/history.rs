//! Asserts that a database keeps what was told.

use sea_orm::ConnectionTrait;

use crate::db::Tx;
use crate::errors::SystemError;
use crate::testing::TestDb;

/// Tries each of these statements: the database refuses all of them, as they would change history. Each must find a row.
///
/// # Panics
/// When one is not refused, or for another reason.
pub async fn assert_kept(db: &TestDb, forgeries: &[&str]) {
    for sql in forgeries {
        let forge = |tx: Tx| async move {
            tx.execute_unprepared(sql).await?;
            Ok::<_, SystemError>(())
        };
        let refusal = db.transaction(forge).await.expect_err(sql).to_string();
        assert!(refusal.contains("append-only"), "{sql}: {refusal}");
    }
}
