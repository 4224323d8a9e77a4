//! The steps of orders and bookings, and invoices, stay as they were written, by the database's own rule.

use kopitiam_kit::testing::assert_kept;

use crate::authorization::affairs;
use crate::support::benches;

#[tokio::test]
async fn steps_and_invoices_are_neither_changed_nor_deleted() {
    for bench in benches().await {
        affairs(&bench).await;
        let forgeries = [
            "UPDATE order_event SET note = 'forged'",
            "DELETE FROM order_event",
            "UPDATE booking_event SET version = version",
            "DELETE FROM booking_event",
            "UPDATE invoice SET sequence = 9",
            "DELETE FROM invoice",
        ];
        assert_kept(&bench.db, &forgeries).await;
    }
}
