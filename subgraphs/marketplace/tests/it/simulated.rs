//! Stock, wallets and listings as the sagas' participants: idempotent by the ids of what they keep, refusing for ever what
//! they refused once, making impossible what was released before it came. Maps in memory; the real ones are databases.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kafka::Message;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::{
    ListingLockRejected, ListingLocked, ListingSold, ListingUnlocked, LockListing, SellListing, UnlockListing,
};
use kopitiam_kafka::messages::stock::{
    CommitStock, ReleaseStock, ReserveStock, ReservedLine, StockCommitted, StockLine, StockRejected,
    StockReleased, StockReserved,
};
use kopitiam_kafka::messages::wallet::{
    CaptureFunds, FundsCaptured, FundsHeld, FundsRejected, FundsReleased, HoldFunds, Payee, ReleaseFunds,
};
use serde_json::Value;
use uuid::Uuid;

/// Price of everything, in minor units.
pub(crate) const PRICE: i64 = 10;

/// A reply: its type and payload.
pub(crate) type Reply = (&'static str, Value);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Held,
    Refused,
    Released,
    Used,
}

/// All participants.
#[derive(Default)]
pub(crate) struct Keepers {
    /// Units per product, the reserved ones too.
    pub(crate) on_hand: BTreeMap<Uuid, i64>,
    pub(crate) reservations: BTreeMap<Uuid, (Kept, Vec<StockLine>)>,
    /// Money per account.
    pub(crate) available: BTreeMap<Uuid, i64>,
    pub(crate) holds: BTreeMap<Uuid, (Kept, i64)>,
    pub(crate) fees: i64,
    /// Listing → order that holds it.
    pub(crate) locks: BTreeMap<Uuid, Uuid>,
    pub(crate) unlocked: Vec<Uuid>,
    pub(crate) sold: BTreeMap<Uuid, Uuid>,
}

fn reply<M: Message>(message: &M) -> Reply {
    (M::TYPE, serde_json::to_value(message).unwrap())
}

fn read<M: Message>(payload: &Value) -> M {
    serde_json::from_value(payload.clone()).unwrap()
}

fn dollars(minor: i64) -> Amount {
    Amount::new(minor, "USD")
}

impl Keepers {
    /// Does what the command says and answers it.
    pub(crate) fn take(&mut self, command: &str, payload: &Value) -> Reply {
        match command {
            ReserveStock::TYPE => self.reserve(read(payload)),
            ReleaseStock::TYPE => self.release(read::<ReleaseStock>(payload).reservation_id),
            CommitStock::TYPE => self.commit(read::<CommitStock>(payload).reservation_id),
            HoldFunds::TYPE => self.hold(&read(payload)),
            ReleaseFunds::TYPE => self.let_go(&read(payload)),
            CaptureFunds::TYPE => self.capture(read(payload)),
            LockListing::TYPE => self.lock(payload, &read(payload)),
            UnlockListing::TYPE => self.unlock(&read(payload)),
            SellListing::TYPE => self.sell(&read(payload)),
            other => panic!("nobody takes {other}"),
        }
    }

    pub(crate) fn reserved(&self, product: Uuid) -> i64 {
        let held = self.reservations.values().filter(|(kept, _)| *kept == Kept::Held);
        held.flat_map(|(_, lines)| lines)
            .filter(|line| line.product_id == product)
            .map(|line| line.quantity)
            .sum()
    }

    fn reserve(&mut self, command: ReserveStock) -> Reply {
        let ReserveStock { reservation_id, lines, expires_at } = command;
        let fits = |line: &StockLine| {
            self.on_hand[&line.product_id] - self.reserved(line.product_id) >= line.quantity
        };
        let fits = lines.iter().all(fits);
        let (kept, lines) = self
            .reservations
            .entry(reservation_id)
            .or_insert((if fits { Kept::Held } else { Kept::Refused }, lines));
        if matches!(kept, Kept::Refused | Kept::Released) {
            let code = "OUT_OF_STOCK".to_owned();
            return reply(&StockRejected { reservation_id, code, lines: Vec::new() });
        }
        let lines = lines.iter().map(|line| ReservedLine {
            product_id: line.product_id,
            quantity: line.quantity,
            unit_price: dollars(PRICE),
            seller_id: Uuid::nil(),
            title: String::new(),
        });
        reply(&StockReserved { reservation_id, lines: lines.collect(), expires_at })
    }

    fn release(&mut self, reservation_id: Uuid) -> Reply {
        let (kept, _) = self.reservations.entry(reservation_id).or_insert((Kept::Released, Vec::new()));
        assert_ne!(*kept, Kept::Used, "sold and then taken back");
        *kept = Kept::Released;
        reply(&StockReleased { reservation_id })
    }

    fn commit(&mut self, reservation_id: Uuid) -> Reply {
        let (kept, lines) =
            self.reservations.get_mut(&reservation_id).expect("committed before it was reserved");
        assert!(matches!(kept, Kept::Held | Kept::Used), "committed while {kept:?}");
        if *kept == Kept::Held {
            *kept = Kept::Used;
            for line in lines.iter() {
                *self.on_hand.get_mut(&line.product_id).unwrap() -= line.quantity;
            }
        }
        reply(&StockCommitted { reservation_id })
    }

    fn hold(&mut self, command: &HoldFunds) -> Reply {
        let hold_id = command.hold_id;
        let available = self.available.get_mut(&command.user_id).unwrap();
        let amount = command.amount.minor;
        let (kept, _) = *self.holds.entry(hold_id).or_insert_with(|| {
            if *available < amount {
                return (Kept::Refused, 0);
            }
            *available -= amount;
            (Kept::Held, amount)
        });
        match kept {
            Kept::Held => reply(&FundsHeld { hold_id, amount: dollars(amount) }),
            _ => reply(&FundsRejected { hold_id, code: "INSUFFICIENT_FUNDS".to_owned() }),
        }
    }

    fn let_go(&mut self, command: &ReleaseFunds) -> Reply {
        let (kept, amount) = self.holds.entry(command.hold_id).or_insert((Kept::Released, 0));
        assert_ne!(*kept, Kept::Used, "paid out and then released");
        if *kept == Kept::Held {
            *self.available.get_mut(&command.user_id).unwrap() += *amount;
        }
        *kept = Kept::Released;
        reply(&FundsReleased { hold_id: command.hold_id, amount: dollars(*amount) })
    }

    fn capture(&mut self, command: CaptureFunds) -> Reply {
        let CaptureFunds { hold_id, user_id, splits, .. } = command;
        let (kept, amount) = self.holds.get_mut(&hold_id).expect("captured before it was held");
        assert!(matches!(kept, Kept::Held | Kept::Used), "captured while {kept:?}");
        if *kept == Kept::Held {
            *kept = Kept::Used;
            let mut rest = *amount;
            for split in &splits {
                rest -= split.amount.minor;
                match split.to {
                    Payee::User { user_id } => {
                        *self.available.entry(user_id).or_default() += split.amount.minor;
                    }
                    _ => self.fees += split.amount.minor,
                }
            }
            *self.available.get_mut(&user_id).unwrap() += rest;
        }
        reply(&FundsCaptured { hold_id, amount: dollars(*amount), splits })
    }

    fn lock(&mut self, payload: &Value, command: &LockListing) -> Reply {
        let listing: Uuid = listing_of(payload);
        let order_id = command.order_id;
        let free = !self.sold.contains_key(&listing) && !self.unlocked.contains(&order_id);
        if free && *self.locks.entry(listing).or_insert(order_id) == order_id {
            let (price, seller_id, title) = (dollars(PRICE), Uuid::nil(), String::new());
            return reply(&ListingLocked { order_id, until: command.until, price, seller_id, title });
        }
        reply(&ListingLockRejected { order_id, code: "ALREADY_RESERVED".to_owned() })
    }

    fn unlock(&mut self, command: &UnlockListing) -> Reply {
        let order_id = command.order_id;
        assert!(!self.sold.values().any(|order| *order == order_id), "sold and then unlocked");
        self.locks.retain(|_, holder| *holder != order_id);
        self.unlocked.push(order_id);
        reply(&ListingUnlocked { order_id })
    }

    fn sell(&mut self, command: &SellListing) -> Reply {
        let SellListing { order_id, buyer_id } = *command;
        if let Some(listing) = self.locks.iter().find(|(_, holder)| **holder == order_id).map(|(id, _)| *id) {
            self.locks.remove(&listing);
            assert_eq!(self.sold.insert(listing, order_id), None, "sold twice");
        }
        assert!(self.sold.values().any(|order| *order == order_id), "sold without its lock");
        reply(&ListingSold {
            order_id: Some(order_id),
            buyer_id,
            price: dollars(PRICE),
            ..serde_json::from_value(serde_json::json!({ "buyerId": buyer_id, "price": dollars(PRICE) }))
                .unwrap()
        })
    }
}

/// Lock commands name their listing as their aggregate; the simulation puts it beside the payload.
fn listing_of(payload: &Value) -> Uuid {
    payload["aggregateId"].as_str().unwrap().parse().unwrap()
}

/// The start of all time.
pub(crate) fn epoch() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}
