//! `wallet.commands.v1` and `wallet.events.v1`: holds, captures, refunds and credit. The aggregate is the wallet, whose id
//! is its user's; a reply carries its command's correlation id.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Amount, payloads, topic_messages};

/// Who receives a part of captured funds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Payee {
    /// A user's available balance (the seller's share).
    User {
        /// Whose.
        user_id: Uuid,
    },
    /// The platform's fee account.
    Fees,
    /// The escrow account, until both sides confirm.
    Escrow {
        /// What the escrow is for (a booking's id).
        reference: Uuid,
    },
}

payloads! {
    /// Set funds aside: available → held, only where enough is available and the user is active.
    struct HoldFunds {
        /// Names the hold for ever; a second command with the same id changes nothing.
        hold_id: Uuid,
        /// Whose funds.
        user_id: Uuid,
        /// How much; positive.
        amount: Amount,
        /// Shown in the ledger, such as `ORDER K-1001`.
        reason: String,
        /// The hold is released by itself after this.
        expires_at: DateTime<Utc>,
    }
    /// Give a hold back: held → available.
    struct ReleaseFunds {
        /// Which hold.
        hold_id: Uuid,
        /// Whose funds.
        user_id: Uuid,
    }
    /// Pay a hold out: the splits must not exceed the held amount (with what is in escrow, where that is named); what they
    /// leave goes back to the payer.
    struct CaptureFunds {
        /// Which hold.
        hold_id: Uuid,
        /// Whose funds.
        user_id: Uuid,
        /// Who gets what.
        splits: Vec<Split>,
        /// Also pays out, in the same ledger transaction, all that is in escrow under this reference.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escrow: Option<Uuid>,
    }
    /// Pay out all that is in escrow under a reference; what the splits leave goes back to the payer.
    struct ReleaseEscrow {
        /// Names the release for ever.
        release_id: Uuid,
        /// What the escrow is for (a booking's id).
        reference: Uuid,
        /// Who paid into it.
        user_id: Uuid,
        /// Who gets what.
        splits: Vec<Split>,
        /// Shown in the ledger.
        reason: String,
    }
    /// One part of captured funds.
    struct Split {
        /// Who receives it.
        to: Payee,
        /// How much; positive.
        amount: Amount,
    }
    /// Give captured funds back to the payer, taken from those who received them.
    struct RefundFunds {
        /// Names the refund for ever.
        refund_id: Uuid,
        /// The captured hold.
        hold_id: Uuid,
        /// The payer, who gets the money.
        user_id: Uuid,
        /// Who gives back what.
        splits: Vec<Split>,
        /// Shown in the ledger.
        reason: String,
    }
    /// A manager granted credit.
    struct CreditGranted {
        /// How much.
        amount: Amount,
        /// Why.
        reason: String,
        /// The manager.
        granted_by: Uuid,
    }
    /// A payment arrived.
    struct ToppedUp {
        /// How much.
        amount: Amount,
        /// The payment provider's id.
        payment_id: String,
    }
    /// The hold stands.
    struct FundsHeld {
        /// Which hold.
        hold_id: Uuid,
        /// How much.
        amount: Amount,
    }
    /// The command was refused; nothing moved.
    struct FundsRejected {
        /// Which hold; the refund's hold, or the release's id for an escrow.
        hold_id: Uuid,
        /// `INSUFFICIENT_FUNDS`, `USER_BANNED`, `UNKNOWN_USER`, `CURRENCY_MISMATCH`, `UNKNOWN_HOLD`, `HOLD_RESOLVED`,
        /// `SPLITS_INVALID`, `REFUND_EXCEEDS_PAYMENT`, `UNKNOWN_ESCROW` or `ESCROW_RESOLVED`.
        code: String,
    }
    /// The hold was given back.
    struct FundsReleased {
        /// Which hold.
        hold_id: Uuid,
        /// How much; zero when there was no such hold, which a release before its hold makes final.
        amount: Amount,
    }
    /// The hold was paid out.
    struct FundsCaptured {
        /// Which hold.
        hold_id: Uuid,
        /// How much in total.
        amount: Amount,
        /// Who got what.
        splits: Vec<Split>,
    }
    /// The escrow was paid out.
    struct EscrowReleased {
        /// Which release.
        release_id: Uuid,
        /// What the escrow was for.
        reference: Uuid,
        /// How much in total.
        amount: Amount,
        /// Who got what.
        splits: Vec<Split>,
    }
    /// The refund was made.
    struct FundsRefunded {
        /// Which refund.
        refund_id: Uuid,
        /// The captured hold.
        hold_id: Uuid,
        /// How much in total.
        amount: Amount,
    }
}

topic_messages! {
    /// A command of `wallet.commands.v1`.
    enum WalletCommand on WalletCommands {
        "wallet" => HoldFunds, ReleaseFunds, CaptureFunds, RefundFunds, ReleaseEscrow;
    }
}

topic_messages! {
    /// An event of `wallet.events.v1`.
    enum WalletEvent on WalletEvents {
        "wallet" => CreditGranted, ToppedUp, FundsHeld, FundsRejected, FundsReleased, FundsCaptured, FundsRefunded,
            EscrowReleased;
    }
}
