//! What must hold in this database: one leader whose amount is the price (I4), one order per kept listing (I5), and a clock or
//! a saga behind everything that waits (I6, I11).

use kopitiam_kit::audit::{Check, Late, SAGAS_END};

/// Asked for every hour, and by an operator.
pub const CHECKS: &[Check] = &[
    SAGAS_END,
    Check {
        rule: "a kept listing is kept for the order that holds it",
        breaches: "SELECT COUNT(*) FROM listing LEFT JOIN listing_lock
                ON listing_lock.order_id = listing.locked_by_order AND listing_lock.listing_id = listing.id
                AND listing_lock.state = 'HELD'
            WHERE (listing.status = 'RESERVED') <> (listing_lock.order_id IS NOT NULL)",
        late: Late::Never,
    },
    Check {
        rule: "an order holds a listing that is kept for it",
        breaches: "SELECT COUNT(*) FROM listing_lock LEFT JOIN listing
                ON listing.id = listing_lock.listing_id AND listing.locked_by_order = listing_lock.order_id
                AND listing.status = 'RESERVED'
            WHERE listing_lock.state = 'HELD' AND listing.id IS NULL",
        late: Late::Never,
    },
    Check {
        rule: "the price of an auction is its leading bid's",
        breaches: "SELECT COUNT(*) FROM listing LEFT JOIN bid ON bid.id = listing.highest_bid_id
                AND bid.amount_minor = listing.ask_minor AND bid.status IN ('ACCEPTED', 'WON')
            WHERE listing.kind = 'AUCTION' AND listing.status IN ('ACTIVE', 'SETTLING', 'SOLD')
                AND listing.highest_bid_id IS NOT NULL AND bid.id IS NULL",
        late: Late::Never,
    },
    Check {
        rule: "an auction that is sold has a winner, and no other has",
        breaches: "SELECT COUNT(*) FROM listing WHERE kind = 'AUCTION' AND (status IN ('SETTLING', 'SOLD'))
            <> EXISTS (SELECT 1 FROM bid WHERE bid.listing_id = listing.id AND bid.status = 'WON')",
        late: Late::Never,
    },
    Check {
        rule: "an open auction has a clock that ends it",
        breaches: "SELECT COUNT(*) FROM listing WHERE kind = 'AUCTION' AND status = 'ACTIVE' AND NOT EXISTS
            (SELECT 1 FROM timer WHERE timer.kind = 'end-auction' AND timer.subject_id = listing.id)",
        late: Late::Never,
    },
    Check {
        rule: "an auction that opens or is settled has a saga that does it",
        breaches: "SELECT COUNT(*) FROM listing WHERE status IN ('PENDING', 'SETTLING') AND NOT EXISTS
            (SELECT 1 FROM saga WHERE saga.subject_id = listing.id AND saga.due_at_ms IS NOT NULL)",
        late: Late::Never,
    },
    Check {
        rule: "a bid that waits has a saga that decides it",
        breaches: "SELECT COUNT(*) FROM bid WHERE status = 'PENDING' AND NOT EXISTS
            (SELECT 1 FROM saga WHERE saga.subject_id = bid.id AND saga.due_at_ms IS NOT NULL)",
        late: Late::Never,
    },
    Check {
        rule: "what is to happen by itself happens in time",
        breaches: "SELECT COUNT(*) FROM timer WHERE due_at_ms < $1",
        late: Late::Millis,
    },
];
