//! Giving back what an auction no longer needs: the hold of a bid that was passed, the item of an auction without a sale.
//! Decided before it begins, so it only goes forward, and does not end before both services have said so.

use kopitiam_kafka::messages::stock::UnlockItem;
use kopitiam_kafka::messages::wallet::ReleaseFunds;
use kopitiam_kit::saga::{Command, Definition, Message, Outcome, ReplyRule, Step, learn_nothing};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{funds_refusal, item_refusal};

/// What is given back; the saga's subject is the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LetGo {
    /// The hold (the bid's id), and whose.
    pub hold: Option<(Uuid, Uuid)>,
    /// The item.
    pub item_id: Option<Uuid>,
}

/// The steps.
pub static LET_GO: Definition<LetGo> = Definition {
    kind: "let-go",
    deadline_seconds: 60,
    steps: &[
        Step::Pivot { name: "decided" },
        Step::Send { name: "give-back", commands: &[RELEASE_FUNDS, UNLOCK_ITEM] },
    ],
};

const RELEASE_FUNDS: Command<LetGo> = Command {
    name: "release-funds",
    message: |saga| {
        let (hold_id, user_id) = saga.context.hold.expect("sent only when there is a hold");
        Message::of(user_id, &ReleaseFunds { hold_id, user_id })
    },
    replies: &[
        ReplyRule { event: "FundsReleased", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(funds_refusal) },
    ],
    undo: None,
    when: Some(|context| context.hold.is_some()),
};

const UNLOCK_ITEM: Command<LetGo> = Command {
    name: "unlock-item",
    message: |saga| {
        let item_id = saga.context.item_id.expect("sent only when there is an item");
        Message::of(item_id, &UnlockItem { item_id, listing_id: saga.subject_id })
    },
    replies: &[
        ReplyRule { event: "ItemUnlocked", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "ItemLockRejected", outcome: Outcome::Refused(item_refusal) },
    ],
    undo: None,
    when: Some(|context| context.item_id.is_some()),
};
