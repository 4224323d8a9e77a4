//! Random wallet commands, each sent once, twice or late and in any order: after every step the books close and no account
//! is below zero. The seed is in the failure; run it again with `LEDGER_SEED=<seed>`.

use crate::common::Shop;
use chrono::{Duration, Utc};
use kopitiam_kit::testing::sqlite;
use kopitiam_kit::{SystemError, time};
use kopitiam_user::app::Migrator;
use kopitiam_user::domain::ledger::{AccountKind, Receiver, Share};
use kopitiam_user::store::escrows::{self, Release};
use kopitiam_user::store::holds::{self, Answer, Capture, NewHold, Refund};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

const SEEDS: u64 = 25;
const STEPS: usize = 60;
const WEALTH: i64 = 10_000;

#[derive(Debug, Clone)]
enum Command {
    Hold(NewHold),
    Release { id: Uuid, user: Uuid },
    Capture(Capture),
    Refund(Refund),
    Escrow(Release),
    Sweep,
}

/// Ids and people to choose from, so that commands meet.
struct World {
    random: StdRng,
    people: Vec<Uuid>,
    holds: Vec<Uuid>,
    bookings: Vec<Uuid>,
    sent: Vec<Command>,
}

impl World {
    fn one<T: Copy>(&mut self, of: fn(&World) -> &[T]) -> T {
        let at = self.random.random_range(0..of(self).len());
        of(self)[at]
    }

    fn person(&mut self) -> Uuid {
        self.one(|world| &world.people)
    }

    fn hold_id(&mut self) -> Uuid {
        if self.holds.is_empty() || self.random.random_bool(0.4) {
            let id = Uuid::from_u128(self.random.random());
            self.holds.push(id);
            return id;
        }
        self.one(|world| &world.holds)
    }

    fn shares(&mut self) -> Vec<Share> {
        (0..self.random.random_range(0..4))
            .map(|_| {
                let receiver = match self.random.random_range(0..3) {
                    0 => Receiver::Fees,
                    1 => Receiver::User(self.person()),
                    _ => Receiver::Escrow(self.one(|world| &world.bookings)),
                };
                Share { receiver, amount: self.random.random_range(-5..2_000) }
            })
            .collect()
    }

    /// A new command, or one that was sent before.
    fn next(&mut self) -> Command {
        if !self.sent.is_empty() && self.random.random_bool(0.3) {
            return self.sent.choose(&mut self.random).unwrap().clone();
        }
        let (id, user) = (self.hold_id(), self.person());
        let command = match self.random.random_range(0..10) {
            0..=3 => Command::Hold(NewHold {
                id,
                user_id: user,
                amount: self.random.random_range(-10..4_000),
                currency: "USD".to_owned(),
                reason: "random".to_owned(),
                expires_at: Utc::now() + Duration::minutes(self.random.random_range(-1..2)),
            }),
            4 => Command::Release { id, user },
            5 | 6 => {
                let escrow = self.random.random_bool(0.3).then(|| self.one(|world| &world.bookings));
                Command::Capture(Capture { hold_id: id, shares: self.shares(), escrow })
            }
            7 => {
                let refund_id = Uuid::from_u128(self.random.random());
                let shares = self.shares();
                Command::Refund(Refund { id: refund_id, hold_id: id, shares, reason: "random".to_owned() })
            }
            8 => {
                let (release, reference) =
                    (Uuid::from_u128(self.random.random()), self.one(|world| &world.bookings));
                let shares = self.shares();
                let reason = "random".to_owned();
                Command::Escrow(Release { id: release, reference, payer: user, shares, reason })
            }
            _ => Command::Sweep,
        };
        self.sent.push(command.clone());
        command
    }
}

async fn apply(shop: &Shop, command: &Command) -> Option<Answer> {
    let now = time::now();
    let apply = |tx| async move {
        Ok::<_, SystemError>(match command {
            Command::Hold(hold) => Some(holds::place(&tx, hold, "USD", now).await?),
            Command::Release { id, user } => Some(holds::release(&tx, *id, *user, "USD", now).await?),
            Command::Capture(capture) => Some(holds::capture(&tx, capture, now).await?),
            Command::Refund(refund) => Some(holds::refund(&tx, refund, now).await?),
            Command::Escrow(release) => Some(escrows::release(&tx, release, "USD", now).await?),
            Command::Sweep => {
                holds::release_expired(&tx, 10, now).await?;
                None
            }
        })
    };
    shop.db.transaction(apply).await.unwrap()
}

#[tokio::test]
async fn after_any_sequence_of_commands_the_books_close() {
    let seeds: Vec<u64> = match std::env::var("LEDGER_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).collect(),
    };
    let mut moved = 0;
    for seed in seeds {
        let shop = Shop::new(sqlite::<Migrator>().await).await;
        let mut people = Vec::new();
        for name in ["bob", "eve", "siti"] {
            people.push(shop.user_with(name, WEALTH).await);
        }
        let mut world = World {
            random: StdRng::seed_from_u64(seed),
            people,
            holds: Vec::new(),
            bookings: (1..4).map(Uuid::from_u128).collect(),
            sent: Vec::new(),
        };
        for step in 0..STEPS {
            let command = world.next();
            let answer = apply(&shop, &command).await;
            moved += usize::from(matches!(answer, Some(Answer::Captured(_) | Answer::Refunded(_))));
            let mut wealth = shop.fees().await;
            for person in &world.people {
                for kind in [AccountKind::Available, AccountKind::Held, AccountKind::Escrow] {
                    wealth += shop.balance(*person, kind).await;
                }
            }
            assert_eq!(wealth, 3 * WEALTH, "seed {seed}, step {step}: {command:?} gave {answer:?}");
        }
        shop.assert_books_close().await;
    }
    assert!(moved > 50, "the commands met: {moved}");
}
