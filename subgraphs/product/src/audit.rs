//! What must hold in this database: units and items are kept for what is there, and for nothing else (I3, I5, I11).

use kopitiam_kit::audit::{Check, Late};

/// Asked for every hour, and by an operator.
pub const CHECKS: &[Check] = &[
    Check {
        rule: "what is reserved is the sum of the standing reservations",
        breaches: "SELECT COUNT(*) FROM stock
            LEFT JOIN (SELECT reservation_lines.product_id AS product_id, SUM(reservation_lines.quantity) AS kept
                FROM reservation_lines JOIN reservations ON reservations.id = reservation_lines.reservation_id
                WHERE reservations.status = 'RESERVED' GROUP BY reservation_lines.product_id) AS standing
                ON standing.product_id = stock.product_id
            WHERE stock.reserved <> COALESCE(standing.kept, 0)",
        late: Late::Never,
    },
    Check {
        rule: "an item is its last receiver's",
        breaches: "SELECT COUNT(*) FROM items WHERE NOT EXISTS
            (SELECT 1 FROM item_transfers WHERE item_transfers.item_id = items.id AND item_transfers.to_id = items.owner_id)",
        late: Late::Never,
    },
    Check {
        rule: "no reservation outlives its time",
        breaches: "SELECT COUNT(*) FROM reservations WHERE status = 'RESERVED' AND expires_at < $1",
        late: Late::Timestamp,
    },
    Check {
        rule: "no lock of an item outlives its time",
        breaches: "SELECT COUNT(*) FROM items WHERE locked_by IS NOT NULL AND locked_until < $1",
        late: Late::Timestamp,
    },
];
