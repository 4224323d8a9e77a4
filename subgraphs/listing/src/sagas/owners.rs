//! What the sagas change in this service's own rows, in their transactions.
//!
//! Elsewhere: the steps (the files beside this one), the changes themselves (`commands::auctions`).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kopitiam_kit::saga::{Definition, Failure, Saga, SagaOwner, SagaState};
use kopitiam_kit::{SystemError, Tx};

use super::let_go::{LET_GO, LetGo};
use super::open::{OPEN_AUCTION, OpenAuction};
use super::place_bid::{PLACE_BID, PlaceBid};
use super::settle::{SETTLE_AUCTION, SettleAuction};
use crate::commands::auctions::Auctions;
use crate::commands::{Changes, bids, openings, settled};

/// The listing's part in opening its auction.
pub struct OpenOwner {
    /// Told what changed.
    pub changes: Changes,
}

impl SagaOwner for OpenOwner {
    type Context = OpenAuction;

    fn definition(&self) -> &'static Definition<OpenAuction> {
        &OPEN_AUCTION
    }

    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<OpenAuction>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        openings::open(tx, &self.changes, saga.subject_id, saga.id, now).await
    }

    async fn failed(
        &self,
        tx: &Tx,
        saga: &Saga<OpenAuction>,
        failure: &Failure,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        openings::call_off(tx, &self.changes, saga.subject_id, saga.id, failure).await
    }
}

/// The bid's part in being placed.
pub struct BidOwner {
    /// Lets it lead.
    pub auctions: Arc<Auctions>,
}

impl SagaOwner for BidOwner {
    type Context = PlaceBid;

    fn definition(&self) -> &'static Definition<PlaceBid> {
        &PLACE_BID
    }

    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<PlaceBid>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        self.auctions.lead(tx, saga.subject_id, saga.id, now).await
    }

    async fn failed(
        &self,
        tx: &Tx,
        saga: &Saga<PlaceBid>,
        failure: &Failure,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        bids::refused(tx, &self.auctions.changes, saga.subject_id, saga.id, &failure.code).await
    }
}

/// The listing's part in settling its auction. The listing and its winning bid were moved by the transaction that begins
/// the saga.
pub struct SettleOwner {
    /// Told what changed.
    pub changes: Changes,
}

impl SagaOwner for SettleOwner {
    type Context = SettleAuction;

    fn definition(&self) -> &'static Definition<SettleAuction> {
        &SETTLE_AUCTION
    }

    async fn ended(
        &self,
        tx: &Tx,
        saga: &Saga<SettleAuction>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        settled::sold(tx, &self.changes, saga).await
    }
}

/// Nothing of this service is left to change when something is given back.
pub struct LetGoOwner;

impl SagaOwner for LetGoOwner {
    type Context = LetGo;

    fn definition(&self) -> &'static Definition<LetGo> {
        &LET_GO
    }
}
