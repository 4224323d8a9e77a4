//! `wallet.commands.v1`: each command becomes one change of the ledger and one answer on `wallet.events.v1`, in one
//! transaction with the consumer's inbox row. A command that makes no sense is answered with a rejection, so that no
//! saga waits for ever.

use chrono::{DateTime, Utc};
use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::wallet::{
    CaptureFunds, EscrowReleased, FundsCaptured, FundsHeld, FundsRefunded, FundsRejected, FundsReleased,
    HoldFunds, Payee, RefundFunds, ReleaseEscrow, ReleaseFunds, Split, WalletCommand,
};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::live::Hub;
use kopitiam_kit::{SystemError, Tx, time};
use uuid::Uuid;

use crate::domain::ledger::{Receiver, Share};
use crate::events::{Cause, publish};
use crate::store::escrows::{self, Release};
use crate::store::holds::{self, Answer, Capture, NewHold, Refund};

/// Applies wallet commands.
#[derive(Clone)]
pub struct WalletCommands {
    /// ISO 4217 code of every wallet.
    pub currency: String,
    /// Wakes `walletChanged`.
    pub wallets: Hub<Uuid>,
}

#[async_trait::async_trait]
impl Handler for WalletCommands {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let command =
            WalletCommand::decode(envelope).map_err(|error| HandleError::Poison(error.to_string()))?;
        let Some(command) = command else { return Ok(()) };
        Ok(self.apply(tx, envelope, command, time::of(tx).await?).await?)
    }
}

impl WalletCommands {
    /// Applies one command and answers it.
    ///
    /// # Errors
    /// [`SystemError`]; a business refusal is an answer, not an error.
    pub async fn apply(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        command: WalletCommand,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let currency = self.currency.as_str();
        match command {
            WalletCommand::HoldFunds(HoldFunds { hold_id, user_id, amount, reason, expires_at }) => {
                let Amount { minor, currency: asked } = amount;
                let hold =
                    NewHold { id: hold_id, user_id, amount: minor, currency: asked, reason, expires_at };
                let answer = holds::place(tx, &hold, currency, now).await?;
                self.answer(tx, envelope, user_id, hold_id, answer).await
            }
            WalletCommand::ReleaseFunds(ReleaseFunds { hold_id, user_id }) => {
                let answer = holds::release(tx, hold_id, user_id, currency, now).await?;
                self.answer(tx, envelope, user_id, hold_id, answer).await
            }
            WalletCommand::CaptureFunds(command) => self.capture(tx, envelope, command, now).await,
            WalletCommand::RefundFunds(command) => self.refund(tx, envelope, command, now).await,
            WalletCommand::ReleaseEscrow(command) => self.release_escrow(tx, envelope, command, now).await,
        }
    }

    async fn capture(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        command: CaptureFunds,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let CaptureFunds { hold_id, user_id, splits, escrow } = command;
        let Some(shares) = self.shares(&splits) else {
            return self.reject(tx, envelope, user_id, hold_id, "CURRENCY_MISMATCH").await;
        };
        let wanted = Capture { hold_id, shares, escrow };
        let answer = holds::capture(tx, &wanted, now).await?;
        let Answer::Captured(minor) = answer else {
            return self.answer(tx, envelope, user_id, hold_id, answer).await;
        };
        self.wake_receivers(tx, &wanted.shares);
        let event = FundsCaptured { hold_id, amount: Amount::new(minor, &*self.currency), splits };
        self.wallets.changed_by(tx, user_id);
        publish(tx, Cause::Message(envelope), user_id, &event).await
    }

    async fn refund(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        command: RefundFunds,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let RefundFunds { refund_id, hold_id, user_id, splits, reason } = command;
        let Some(shares) = self.shares(&splits) else {
            return self.reject(tx, envelope, user_id, hold_id, "CURRENCY_MISMATCH").await;
        };
        let wanted = Refund { id: refund_id, hold_id, shares, reason };
        let answer = holds::refund(tx, &wanted, now).await?;
        let Answer::Refunded(minor) = answer else {
            return self.answer(tx, envelope, user_id, hold_id, answer).await;
        };
        self.wake_receivers(tx, &wanted.shares);
        let event = FundsRefunded { refund_id, hold_id, amount: Amount::new(minor, &*self.currency) };
        self.wallets.changed_by(tx, user_id);
        publish(tx, Cause::Message(envelope), user_id, &event).await
    }

    async fn release_escrow(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        command: ReleaseEscrow,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let ReleaseEscrow { release_id, reference, user_id, splits, reason } = command;
        let Some(shares) = self.shares(&splits) else {
            return self.reject(tx, envelope, user_id, release_id, "CURRENCY_MISMATCH").await;
        };
        let wanted = Release { id: release_id, reference, payer: user_id, shares, reason };
        let answer = escrows::release(tx, &wanted, &self.currency, now).await?;
        let Answer::EscrowReleased(minor) = answer else {
            return self.answer(tx, envelope, user_id, release_id, answer).await;
        };
        self.wake_receivers(tx, &wanted.shares);
        self.wallets.changed_by(tx, user_id);
        let amount = Amount::new(minor, &*self.currency);
        let event = EscrowReleased { release_id, reference, amount, splits };
        publish(tx, Cause::Message(envelope), user_id, &event).await
    }

    fn wake_receivers(&self, tx: &Tx, shares: &[Share]) {
        for share in shares {
            if let Receiver::User(receiver) = share.receiver {
                self.wallets.changed_by(tx, receiver);
            }
        }
    }

    /// `None` when a split is in another currency than the wallets.
    fn shares(&self, splits: &[Split]) -> Option<Vec<Share>> {
        splits
            .iter()
            .map(|split| {
                let receiver = match &split.to {
                    Payee::User { user_id } => Receiver::User(*user_id),
                    Payee::Fees => Receiver::Fees,
                    Payee::Escrow { reference } => Receiver::Escrow(*reference),
                };
                (split.amount.currency == self.currency)
                    .then_some(Share { receiver, amount: split.amount.minor })
            })
            .collect()
    }

    async fn reject(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        user_id: Uuid,
        hold_id: Uuid,
        code: &str,
    ) -> Result<(), SystemError> {
        self.answer(tx, envelope, user_id, hold_id, Answer::Rejected(code.to_owned())).await
    }

    async fn answer(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        user_id: Uuid,
        hold_id: Uuid,
        answer: Answer,
    ) -> Result<(), SystemError> {
        let cause = Cause::Message(envelope);
        let amount = |minor| Amount::new(minor, &*self.currency);
        self.wallets.changed_by(tx, user_id);
        match answer {
            Answer::Held(minor) => {
                publish(tx, cause, user_id, &FundsHeld { hold_id, amount: amount(minor) }).await
            }
            Answer::Released(minor) => {
                publish(tx, cause, user_id, &FundsReleased { hold_id, amount: amount(minor) }).await
            }
            Answer::Rejected(code) => publish(tx, cause, user_id, &FundsRejected { hold_id, code }).await,
            Answer::Captured(_) | Answer::Refunded(_) | Answer::EscrowReleased(_) => {
                Err(SystemError::Invariant("payments are answered with their splits".to_owned()))
            }
        }
    }
}
