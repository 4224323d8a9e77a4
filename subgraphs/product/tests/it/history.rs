//! Who owned an item, and why a level was changed by hand, stays as it was written, by the database's own rule.

use kopitiam_kit::testing::assert_kept;
use serde_json::json;
use uuid::Uuid;

use crate::common::{codes, manager, seeded, shops};

#[tokio::test]
async fn transfers_and_corrections_are_neither_changed_nor_deleted() {
    for shop in shops().await {
        let adjust = "mutation($id: ID!) { adjustStock(productId: $id, delta: 2, reason: \"counted\", idempotencyKey: \"a\") {
            userErrors { code } } }";
        let adjusted = shop.ask(&manager(), adjust, json!({ "id": seeded(3, 1) })).await;
        assert_eq!(codes(&adjusted["data"]["adjustStock"]), Vec::<&str>::new());
        let (owner, now) = (Uuid::from_u128(7), kopitiam_kit::time::now());
        let make = |tx: kopitiam_kit::Tx| async move {
            kopitiam_product::store::items::insert(
                &tx,
                Uuid::from_u128(1),
                owner,
                "Sign".to_owned(),
                None,
                now,
            )
            .await
        };
        shop.db.transaction(make).await.unwrap();
        let forgeries = [
            "UPDATE stock_adjustments SET delta = 0",
            "DELETE FROM stock_adjustments",
            "UPDATE item_transfers SET to_id = item_id",
            "DELETE FROM item_transfers",
        ];
        assert_kept(&shop.db, &forgeries).await;
    }
}
