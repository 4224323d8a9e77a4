//! Settling a won auction: the winner's hold is paid out and the item changes hands, then the order service writes the
//! order. Decided before it begins, so it only goes forward.

use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::AuctionSettled;
use kopitiam_kafka::messages::stock::TransferItem;
use kopitiam_kafka::messages::wallet::{CaptureFunds, Payee, Split};
use kopitiam_kit::saga::{Command, Definition, Message, Outcome, ReplyRule, Saga, Step, learn_nothing};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{funds_refusal, item_refusal};

/// What the saga remembers; its subject is the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleAuction {
    /// Title of the listing.
    pub title: String,
    /// The item.
    pub item_id: Uuid,
    /// Who sold it.
    pub seller_id: Uuid,
    /// Who won.
    pub winner_id: Uuid,
    /// The winning bid, and its hold.
    pub bid_id: Uuid,
    /// What the winner pays, in minor units.
    pub price_minor: i64,
    /// The platform's part of it.
    pub fee_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

impl SettleAuction {
    /// The parts of the payment; they add up to the price.
    pub fn splits(&self) -> Vec<Split> {
        let seller = (Payee::User { user_id: self.seller_id }, self.price_minor - self.fee_minor);
        [seller, (Payee::Fees, self.fee_minor)]
            .into_iter()
            .filter(|(_, minor)| *minor > 0)
            .map(|(to, minor)| Split { to, amount: self.amount(minor) })
            .collect()
    }

    fn amount(&self, minor: i64) -> Amount {
        Amount::new(minor, &self.currency)
    }
}

/// The steps.
pub static SETTLE_AUCTION: Definition<SettleAuction> = Definition {
    kind: "settle-auction",
    deadline_seconds: 60,
    steps: &[
        Step::Pivot { name: "won" },
        Step::Send { name: "exchange", commands: &[CAPTURE_FUNDS, TRANSFER_ITEM] },
        Step::Send { name: "write-order", commands: &[WRITE_ORDER] },
    ],
};

const CAPTURE_FUNDS: Command<SettleAuction> = Command {
    name: "capture-funds",
    message: |saga| {
        let context = &saga.context;
        let (hold_id, user_id, splits) = (context.bid_id, context.winner_id, context.splits());
        Message::of(user_id, &CaptureFunds { hold_id, user_id, splits, escrow: None })
    },
    replies: &[
        ReplyRule { event: "FundsCaptured", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(funds_refusal) },
    ],
    undo: None,
    when: None,
};

const TRANSFER_ITEM: Command<SettleAuction> = Command {
    name: "transfer-item",
    message: |saga| {
        let item_id = saga.context.item_id;
        let transfer = TransferItem { item_id, listing_id: saga.subject_id, to: saga.context.winner_id };
        Message::of(item_id, &transfer)
    },
    replies: &[
        ReplyRule { event: "ItemTransferred", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "ItemLockRejected", outcome: Outcome::Refused(item_refusal) },
    ],
    undo: None,
    when: None,
};

/// An event that has to be answered: the order service writes one order per listing, however often it hears of it.
const WRITE_ORDER: Command<SettleAuction> = Command {
    name: "write-order",
    message: settled,
    replies: &[ReplyRule { event: "OrderCreated", outcome: Outcome::Done(learn_nothing) }],
    undo: None,
    when: None,
};

fn settled(saga: &Saga<SettleAuction>) -> Message {
    let context = &saga.context;
    let settled = AuctionSettled {
        winner_id: context.winner_id,
        price: context.amount(context.price_minor),
        hold_id: Some(context.bid_id),
        item_id: Some(context.item_id),
        fee: Some(context.amount(context.fee_minor)),
        title: Some(context.title.clone()),
        seller_id: Some(context.seller_id),
    };
    Message::of(saga.subject_id, &settled)
}
