//! Opening an auction: its item is locked for it, then it is open. Not to be had: it is called off.

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::stock::{LockItem, UnlockItem};
use kopitiam_kit::saga::{Command, Definition, Message, Outcome, ReplyRule, Step, Undo, learn_nothing};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::item_refusal;

/// What the saga remembers; its subject is the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAuction {
    /// The item.
    pub item_id: Uuid,
    /// Who has to own it.
    pub seller_id: Uuid,
    /// The item is free again by itself after this, should this service be lost.
    pub lock_until: DateTime<Utc>,
}

/// The steps. The product service may be away for a while; the seller sees the auction as pending until then.
pub static OPEN_AUCTION: Definition<OpenAuction> = Definition {
    kind: "open-auction",
    deadline_seconds: 300,
    steps: &[Step::Send { name: "lock-item", commands: &[LOCK_ITEM] }, Step::Pivot { name: "open" }],
};

const LOCK_ITEM: Command<OpenAuction> = Command {
    name: "lock-item",
    message: |saga| {
        let (item_id, owner_id) = (saga.context.item_id, saga.context.seller_id);
        let until = Some(saga.context.lock_until);
        Message::of(item_id, &LockItem { item_id, listing_id: saga.subject_id, owner_id, until })
    },
    replies: &[
        ReplyRule { event: "ItemLocked", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "ItemLockRejected", outcome: Outcome::Refused(item_refusal) },
    ],
    undo: Some(Undo {
        name: "unlock-item",
        message: |saga| {
            let item_id = saga.context.item_id;
            Message::of(item_id, &UnlockItem { item_id, listing_id: saga.subject_id })
        },
        confirmed_by: "ItemUnlocked",
    }),
    when: None,
};
