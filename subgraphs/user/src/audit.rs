//! What must hold in this database: the books close (I1, I2), and no money is kept for what is no more (I11).

use kopitiam_kit::audit::{Check, Late};

/// Asked for every hour, and by an operator.
pub const CHECKS: &[Check] = &[
    Check {
        rule: "money is conserved: per currency all accounts sum to zero",
        breaches: "SELECT COUNT(*) FROM (SELECT currency FROM accounts GROUP BY currency HAVING SUM(balance) <> 0) AS torn",
        late: Late::Never,
    },
    Check {
        rule: "a balance is the sum of its postings",
        breaches: "SELECT COUNT(*) FROM accounts
            LEFT JOIN (SELECT account_id, SUM(amount) AS posted FROM postings GROUP BY account_id) AS sums
                ON sums.account_id = accounts.id
            WHERE accounts.balance <> COALESCE(sums.posted, 0)",
        late: Late::Never,
    },
    Check {
        rule: "what is held is the sum of the standing holds",
        breaches: "SELECT COUNT(*) FROM accounts
            LEFT JOIN (SELECT user_id, currency, SUM(amount) AS held FROM holds WHERE status = 'HELD'
                GROUP BY user_id, currency) AS standing
                ON standing.user_id = accounts.owner_id AND standing.currency = accounts.currency
            WHERE accounts.kind = 'HELD' AND accounts.balance <> COALESCE(standing.held, 0)",
        late: Late::Never,
    },
    Check {
        rule: "what is in escrow is the sum of the bookings' escrows",
        breaches: "SELECT COUNT(*) FROM accounts
            LEFT JOIN (SELECT payer_id, currency, SUM(amount - paid_out) AS kept FROM escrows
                GROUP BY payer_id, currency) AS standing
                ON standing.payer_id = accounts.owner_id AND standing.currency = accounts.currency
            WHERE accounts.kind = 'ESCROW' AND accounts.balance <> COALESCE(standing.kept, 0)",
        late: Late::Never,
    },
    Check {
        rule: "no hold outlives its time",
        breaches: "SELECT COUNT(*) FROM holds WHERE status = 'HELD' AND expires_at < $1",
        late: Late::Timestamp,
    },
];
