//! Double-entry bookkeeping: accounts, balanced transactions, and the postings each wallet command stands for.
//!
//! Always: the postings of a [`Transaction`] sum to zero and there is no way to build one that does not.
//! Elsewhere: balances and the CHECKs that keep them at or above zero (`store/ledger.rs`, `migration/`).

use uuid::Uuid;

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// A user's money to spend; never below zero.
    Available,
    /// A user's money promised to an order or bid; never below zero.
    Held,
    /// A user's money waiting for both sides of a booking; never below zero.
    Escrow,
    /// What the platform earns.
    Fees,
    /// Where granted credit comes from; always at or below zero.
    Issuance,
    /// Where topped-up money comes from: what the payment provider holds for us; always at or below zero.
    Provider,
}

impl AccountKind {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            AccountKind::Available => "AVAILABLE",
            AccountKind::Held => "HELD",
            AccountKind::Escrow => "ESCROW",
            AccountKind::Fees => "FEES",
            AccountKind::Issuance => "ISSUANCE",
            AccountKind::Provider => "PROVIDER",
        }
    }
}

/// One account: its owner is `None` for the platform's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountRef {
    /// The user, or `None` for the platform.
    pub owner: Option<Uuid>,
    /// What it is for.
    pub kind: AccountKind,
}

impl AccountRef {
    /// A user's account.
    pub fn of(owner: Uuid, kind: AccountKind) -> AccountRef {
        AccountRef { owner: Some(owner), kind }
    }

    /// An account of the platform.
    pub fn platform(kind: AccountKind) -> AccountRef {
        AccountRef { owner: None, kind }
    }
}

/// What a transaction or a wallet entry is, for the reader of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerKind {
    /// Credit given by the shop (or taken back).
    Grant,
    /// Money promised.
    Hold,
    /// A promise ended without payment.
    Release,
    /// A promise paid.
    Capture,
    /// The platform's share.
    Fee,
    /// A seller's share.
    Payout,
    /// A payment given back.
    Refund,
    /// Money that a payment provider took in.
    TopUp,
}

impl LedgerKind {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            LedgerKind::Grant => "GRANT",
            LedgerKind::Hold => "HOLD",
            LedgerKind::Release => "RELEASE",
            LedgerKind::Capture => "CAPTURE",
            LedgerKind::Fee => "FEE",
            LedgerKind::Payout => "PAYOUT",
            LedgerKind::Refund => "REFUND",
            LedgerKind::TopUp => "TOP_UP",
        }
    }

    /// The kind of that stored name.
    pub fn parse(name: &str) -> Option<LedgerKind> {
        [
            LedgerKind::Grant,
            LedgerKind::Hold,
            LedgerKind::Release,
            LedgerKind::Capture,
            LedgerKind::Fee,
            LedgerKind::Payout,
            LedgerKind::Refund,
            LedgerKind::TopUp,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// One leg of a transaction, in minor units; positive amounts are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: AccountRef,
    /// How a statement names this leg.
    pub kind: LedgerKind,
    /// Minor units of the transaction's currency; never zero.
    pub amount: i64,
}

/// Why postings are not a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The legs do not sum to zero.
    #[error("postings sum to {0}, not to zero")]
    Unbalanced(i128),
    /// No legs, or a leg that moves nothing.
    #[error("a transaction needs at least two postings, none of them zero")]
    Empty,
    /// An amount of a command that must be above zero is not.
    #[error("amounts must be above zero")]
    NotPositive,
    /// Money that leaves escrow goes to somebody, not back into escrow.
    #[error("money from escrow cannot be a share for escrow")]
    EscrowToEscrow,
    /// The shares of a capture or refund are more than there is.
    #[error("shares of {shares} exceed the amount of {amount}")]
    SharesExceedAmount {
        /// What the shares add up to.
        shares: i128,
        /// What there is.
        amount: i64,
    },
}

/// A balanced set of postings in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    kind: LedgerKind,
    /// With `kind` it is unique in the ledger, so that no cause has its effect twice.
    cause: Uuid,
    reference: String,
    postings: Vec<Posting>,
}

/// Who gets a part of captured money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// The platform's share.
    Fees,
    /// A user's available money.
    User(Uuid),
    /// The payer's own escrow, for the booking of that id.
    Escrow(Uuid),
}

/// One receiver's part of a captured hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Who gets it.
    pub receiver: Receiver,
    /// Minor units, above zero.
    pub amount: i64,
}

impl Share {
    fn account(self, payer: Uuid) -> AccountRef {
        match self.receiver {
            Receiver::User(user) => AccountRef::of(user, AccountKind::Available),
            Receiver::Fees => AccountRef::platform(AccountKind::Fees),
            Receiver::Escrow(_) => AccountRef::of(payer, AccountKind::Escrow),
        }
    }

    fn kind(self, payer: Uuid) -> LedgerKind {
        match self.receiver {
            Receiver::User(user) if user == payer => LedgerKind::Refund,
            Receiver::User(_) => LedgerKind::Payout,
            Receiver::Fees => LedgerKind::Fee,
            Receiver::Escrow(_) => LedgerKind::Hold,
        }
    }
}

impl Transaction {
    /// Checks that the legs balance and merges legs of the same account, so that no account is locked twice.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`], [`LedgerError::Empty`].
    pub fn new(
        kind: LedgerKind,
        cause: Uuid,
        reference: String,
        postings: Vec<Posting>,
    ) -> Result<Transaction, LedgerError> {
        let sum: i128 = postings.iter().map(|posting| i128::from(posting.amount)).sum();
        if sum != 0 {
            return Err(LedgerError::Unbalanced(sum));
        }
        if postings.len() < 2 || postings.iter().any(|posting| posting.amount == 0) {
            return Err(LedgerError::Empty);
        }
        Ok(Transaction { kind, cause, reference, postings })
    }

    /// Credit for `user`; a negative amount takes credit back.
    ///
    /// # Errors
    /// [`LedgerError::Empty`] for zero.
    pub fn grant(user: Uuid, amount: i64, cause: Uuid, reference: String) -> Result<Self, LedgerError> {
        let kind = LedgerKind::Grant;
        let postings = vec![
            Posting { account: AccountRef::platform(AccountKind::Issuance), kind, amount: -amount },
            Posting { account: AccountRef::of(user, AccountKind::Available), kind, amount },
        ];
        Transaction::new(kind, cause, reference, postings)
    }

    /// Money that a payment provider took in for `user`.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`].
    pub fn top_up(user: Uuid, amount: i64, cause: Uuid, reference: String) -> Result<Self, LedgerError> {
        if amount <= 0 {
            return Err(LedgerError::NotPositive);
        }
        let kind = LedgerKind::TopUp;
        let postings = vec![
            Posting { account: AccountRef::platform(AccountKind::Provider), kind, amount: -amount },
            Posting { account: AccountRef::of(user, AccountKind::Available), kind, amount },
        ];
        Transaction::new(kind, cause, reference, postings)
    }

    /// Promises `amount` of the user's available money.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`].
    pub fn hold(user: Uuid, amount: i64, hold: Uuid, reference: String) -> Result<Self, LedgerError> {
        Self::between_own(
            LedgerKind::Hold,
            user,
            [AccountKind::Available, AccountKind::Held],
            amount,
            hold,
            reference,
        )
    }

    /// Ends a promise: the money is available again.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`].
    pub fn release(user: Uuid, amount: i64, hold: Uuid, reference: String) -> Result<Self, LedgerError> {
        Self::between_own(
            LedgerKind::Release,
            user,
            [AccountKind::Held, AccountKind::Available],
            amount,
            hold,
            reference,
        )
    }

    fn between_own(
        kind: LedgerKind,
        user: Uuid,
        [from, to]: [AccountKind; 2],
        amount: i64,
        cause: Uuid,
        reference: String,
    ) -> Result<Self, LedgerError> {
        if amount <= 0 {
            return Err(LedgerError::NotPositive);
        }
        let postings = vec![
            Posting { account: AccountRef::of(user, from), kind, amount: -amount },
            Posting { account: AccountRef::of(user, to), kind, amount },
        ];
        Transaction::new(kind, cause, reference, postings)
    }

    /// Pays a promise of `held`, and the `escrowed` money of the same payer with it, out to its shares; what the shares
    /// leave goes back to the payer.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`], [`LedgerError::SharesExceedAmount`], [`LedgerError::EscrowToEscrow`].
    pub fn capture(
        payer: Uuid,
        held: i64,
        escrowed: i64,
        shares: &[Share],
        hold: Uuid,
        reference: String,
    ) -> Result<Self, LedgerError> {
        let from = [(AccountKind::Held, held), (AccountKind::Escrow, escrowed)];
        Self::pay_out(payer, &from, shares, hold, reference)
    }

    /// Pays what a payer has in escrow out to its shares; what the shares leave goes back to the payer.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`], [`LedgerError::SharesExceedAmount`], [`LedgerError::EscrowToEscrow`].
    pub fn release_escrow(
        payer: Uuid,
        escrowed: i64,
        shares: &[Share],
        cause: Uuid,
        reference: String,
    ) -> Result<Self, LedgerError> {
        Self::pay_out(payer, &[(AccountKind::Escrow, escrowed)], shares, cause, reference)
    }

    fn pay_out(
        payer: Uuid,
        from: &[(AccountKind, i64)],
        shares: &[Share],
        cause: Uuid,
        reference: String,
    ) -> Result<Self, LedgerError> {
        let sources = from.iter().filter(|(_, amount)| *amount != 0);
        if sources.clone().any(|(kind, _)| *kind == AccountKind::Escrow)
            && shares.iter().any(|share| matches!(share.receiver, Receiver::Escrow(_)))
        {
            return Err(LedgerError::EscrowToEscrow);
        }
        let there = from.iter().try_fold(0_i64, |sum, (_, amount)| sum.checked_add(*amount));
        let there = there.ok_or(LedgerError::NotPositive)?;
        let total = check_shares(shares, there)?;
        let mut postings: Vec<Posting> = sources
            .map(|(kind, amount)| Posting {
                account: AccountRef::of(payer, *kind),
                kind: LedgerKind::Capture,
                amount: -amount,
            })
            .collect();
        postings.extend(merged(shares).map(|share| Posting {
            account: share.account(payer),
            kind: share.kind(payer),
            amount: share.amount,
        }));
        if there > total {
            postings.push(Posting {
                account: AccountRef::of(payer, AccountKind::Available),
                kind: LedgerKind::Release,
                amount: there - total,
            });
        }
        Transaction::new(LedgerKind::Capture, cause, reference, postings)
    }

    /// Gives money back: each share returns what it got.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`], [`LedgerError::SharesExceedAmount`], [`LedgerError::Empty`] without shares.
    pub fn refund(
        payer: Uuid,
        shares: &[Share],
        cause: Uuid,
        reference: String,
    ) -> Result<Self, LedgerError> {
        let kind = LedgerKind::Refund;
        let total = check_shares(shares, i64::MAX)?;
        let mut postings: Vec<Posting> = merged(shares)
            .map(|share| Posting { account: share.account(payer), kind, amount: -share.amount })
            .collect();
        postings.push(Posting {
            account: AccountRef::of(payer, AccountKind::Available),
            kind,
            amount: total,
        });
        Transaction::new(kind, cause, reference, postings)
    }

    /// What it is.
    pub fn kind(&self) -> LedgerKind {
        self.kind
    }

    /// What caused it (a hold, a grant, a refund).
    pub fn cause(&self) -> Uuid {
        self.cause
    }

    /// What a statement shows (an order number, a reason).
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The legs, in account order: the order in which rows are locked.
    pub fn postings(&self) -> Vec<Posting> {
        let mut postings = self.postings.clone();
        postings.sort_by_key(|posting| posting.account);
        postings
    }
}

/// Shares of the same receiver become one: an account appears once in a transaction.
pub fn merged(shares: &[Share]) -> impl Iterator<Item = Share> {
    let mut sums: std::collections::BTreeMap<Receiver, i64> = std::collections::BTreeMap::new();
    for share in shares {
        *sums.entry(share.receiver).or_default() += share.amount;
    }
    sums.into_iter().map(|(receiver, amount)| Share { receiver, amount })
}

fn check_shares(shares: &[Share], amount: i64) -> Result<i64, LedgerError> {
    if amount <= 0 || shares.iter().any(|share| share.amount <= 0) {
        return Err(LedgerError::NotPositive);
    }
    let total: i128 = shares.iter().map(|share| i128::from(share.amount)).sum();
    i64::try_from(total)
        .ok()
        .filter(|total| *total <= amount)
        .ok_or(LedgerError::SharesExceedAmount { shares: total, amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(transaction: &Transaction) -> i64 {
        transaction.postings().iter().map(|posting| posting.amount).sum()
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn unbalanced_postings_are_no_transaction() {
        let leg =
            Posting { account: AccountRef::platform(AccountKind::Fees), kind: LedgerKind::Fee, amount: 5 };
        let refused = Transaction::new(LedgerKind::Fee, id(1), String::new(), vec![leg, leg]);
        assert_eq!(refused, Err(LedgerError::Unbalanced(10)));
    }

    #[test]
    fn a_capture_pays_every_share_and_returns_the_rest() {
        let shares = [
            Share { receiver: Receiver::User(id(7)), amount: 60 },
            Share { receiver: Receiver::Fees, amount: 10 },
            Share { receiver: Receiver::User(id(7)), amount: 20 },
        ];
        let capture = Transaction::capture(id(1), 100, 0, &shares, id(9), "K-1".into()).unwrap();
        let mut legs: Vec<(AccountRef, i64)> =
            capture.postings().iter().map(|posting| (posting.account, posting.amount)).collect();
        legs.sort();
        assert_eq!(
            legs,
            [
                (AccountRef::platform(AccountKind::Fees), 10),
                (AccountRef::of(id(1), AccountKind::Available), 10),
                (AccountRef::of(id(1), AccountKind::Held), -100),
                (AccountRef::of(id(7), AccountKind::Available), 80),
            ]
        );
        assert_eq!(sum(&capture), 0);
    }

    #[test]
    fn shares_above_the_hold_are_refused_even_when_they_overflow() {
        let shares = [
            Share { receiver: Receiver::Fees, amount: i64::MAX },
            Share { receiver: Receiver::User(id(2)), amount: i64::MAX },
        ];
        let refused = Transaction::capture(id(1), 100, 0, &shares, id(9), String::new());
        assert!(matches!(refused, Err(LedgerError::SharesExceedAmount { amount: 100, .. })));
    }

    #[test]
    fn a_balance_paid_releases_the_deposit_in_the_same_transaction() {
        let shares = [
            Share { receiver: Receiver::User(id(7)), amount: 135 },
            Share { receiver: Receiver::Fees, amount: 15 },
        ];
        let closing = Transaction::capture(id(1), 100, 50, &shares, id(9), "B-1".into()).unwrap();
        let mut legs: Vec<(AccountRef, i64)> =
            closing.postings().iter().map(|posting| (posting.account, posting.amount)).collect();
        legs.sort();
        assert_eq!(
            legs,
            [
                (AccountRef::platform(AccountKind::Fees), 15),
                (AccountRef::of(id(1), AccountKind::Held), -100),
                (AccountRef::of(id(1), AccountKind::Escrow), -50),
                (AccountRef::of(id(7), AccountKind::Available), 135),
            ]
        );
    }

    #[test]
    fn a_disputed_deposit_can_be_split_and_its_rest_goes_back_to_the_payer() {
        let shares = [Share { receiver: Receiver::User(id(7)), amount: 20 }];
        let split = Transaction::release_escrow(id(1), 50, &shares, id(9), "B-1".into()).unwrap();
        assert_eq!(sum(&split), 0);
        let back = split.postings().into_iter().find(|leg| leg.account.kind == AccountKind::Available);
        assert_eq!(back.map(|leg| (leg.account.owner, leg.amount)), Some((Some(id(1)), 30)));
        let again = [Share { receiver: Receiver::Escrow(id(3)), amount: 20 }];
        let refused = Transaction::release_escrow(id(1), 50, &again, id(9), String::new());
        assert_eq!(refused, Err(LedgerError::EscrowToEscrow));
    }

    #[test]
    fn a_hold_of_nothing_or_less_is_refused() {
        for amount in [0, -1, i64::MIN] {
            assert_eq!(Transaction::hold(id(1), amount, id(2), String::new()), Err(LedgerError::NotPositive));
        }
    }

    #[test]
    fn a_refund_takes_from_each_share_what_the_payer_gets() {
        let shares = [
            Share { receiver: Receiver::User(id(7)), amount: 90 },
            Share { receiver: Receiver::Fees, amount: 10 },
        ];
        let refund = Transaction::refund(id(1), &shares, id(9), String::new()).unwrap();
        assert_eq!(sum(&refund), 0);
        let back = refund.postings().into_iter().find(|leg| leg.account.owner == Some(id(1))).unwrap();
        assert_eq!(back.amount, 100);
    }
}
