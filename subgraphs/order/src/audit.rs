//! What must hold in this database: what waits is moved on by somebody (I6, I11), escrow is where a booking is (I9), each
//! paid order has its invoice (I10).

use kopitiam_kit::audit::{Check, Late, SAGAS_END};

/// Asked for every hour, and by an operator.
pub const CHECKS: &[Check] = &[
    SAGAS_END,
    Check {
        rule: "a paid order has an invoice",
        breaches: "SELECT COUNT(*) FROM orders LEFT JOIN invoice ON invoice.order_id = orders.id
            WHERE orders.status IN ('CONFIRMED', 'FULFILLED', 'REFUNDED') AND invoice.id IS NULL",
        late: Late::Never,
    },
    Check {
        rule: "only a paid order has an invoice, of what was paid",
        breaches: "SELECT COUNT(*) FROM invoice JOIN orders ON orders.id = invoice.order_id
            WHERE orders.status NOT IN ('CONFIRMED', 'FULFILLED', 'REFUNDED') OR orders.total_minor <> invoice.total_minor",
        late: Late::Never,
    },
    Check {
        rule: "invoice numbers of a year have no gap",
        breaches: "SELECT COUNT(*) FROM (SELECT year FROM invoice GROUP BY year
            HAVING COUNT(*) <> MAX(sequence) OR MIN(sequence) <> 1) AS torn",
        late: Late::Never,
    },
    Check {
        rule: "an order that is not decided has a saga that decides it",
        breaches: "SELECT COUNT(*) FROM orders WHERE status IN ('PENDING', 'AWAITING_PAYMENT') AND NOT EXISTS
            (SELECT 1 FROM saga WHERE saga.subject_id = orders.id AND saga.due_at_ms IS NOT NULL)",
        late: Late::Never,
    },
    Check {
        rule: "a booking that is not over has a time at which something happens",
        breaches: "SELECT COUNT(*) FROM booking WHERE due_at_ms IS NULL
            AND state NOT IN ('CLOSED', 'DECLINED', 'EXPIRED', 'CANCELLED')",
        late: Late::Never,
    },
    Check {
        rule: "what is to happen to a booking by itself happens in time",
        breaches: "SELECT COUNT(*) FROM booking WHERE due_at_ms < $1",
        late: Late::Millis,
    },
    Check {
        rule: "only a booking that is not over has money in escrow",
        breaches: "SELECT COUNT(*) FROM booking WHERE escrow_minor <> 0
            AND state NOT IN ('DEPOSIT_HELD', 'DELIVERED', 'BALANCE_DUE', 'DISPUTED')",
        late: Late::Never,
    },
];
