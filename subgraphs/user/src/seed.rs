//! The users every fresh installation starts with: two managers, two buyers, four stalls, each with credit.
//!
//! Always: running it again changes nothing that is there.

use chrono::{DateTime, Utc};
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Db, Failure, SystemError, Tx};
use uuid::Uuid;

use crate::domain::account::{Role, Roles, Seller};
use crate::domain::input::{Email, Password, Username};
use crate::domain::ledger::Transaction;
use crate::events::{self, Cause, publish};
use crate::security::passwords::Passwords;
use crate::store::users::NewUser;
use crate::store::{ledger, sellers, users, wallets};

/// The password of every seeded account.
pub const PASSWORD: &str = "kopitiam-2026";

struct SeedUser {
    number: u16,
    email: &'static str,
    username: &'static str,
    full_name: &'static str,
    roles: &'static [Role],
    credit: i64,
    stall: Option<(&'static str, &'static str, &'static str)>,
}

const MANAGER: &[Role] = &[Role::Manager, Role::Admin];

const USERS: [SeedUser; 8] = [
    SeedUser {
        number: 1,
        email: "admin@kopitiam.example",
        username: "ada",
        full_name: "Ada Lim",
        roles: MANAGER,
        credit: 10_000,
        stall: None,
    },
    SeedUser {
        number: 2,
        email: "manager@kopitiam.example",
        username: "mei",
        full_name: "Mei Tan",
        roles: MANAGER,
        credit: 10_000,
        stall: None,
    },
    SeedUser {
        number: 3,
        email: "buyer@kopitiam.example",
        username: "bob",
        full_name: "Bob Ng",
        roles: &[],
        credit: 100_000,
        stall: None,
    },
    SeedUser {
        number: 4,
        email: "carol@kopitiam.example",
        username: "carol",
        full_name: "Carol Ong",
        roles: &[],
        credit: 50_000,
        stall: None,
    },
    SeedUser {
        number: 5,
        email: "seller@kopitiam.example",
        username: "siti",
        full_name: "Siti Rahman",
        roles: &[Role::Seller],
        credit: 25_000,
        stall: Some((
            "kopi-house",
            "Kopi House",
            "Beans, cups and everything between, roasted twice a week.",
        )),
    },
    SeedUser {
        number: 6,
        email: "batik@kopitiam.example",
        username: "batari",
        full_name: "Batari Wijaya",
        roles: &[Role::Seller],
        credit: 25_000,
        stall: Some((
            "batik-lane",
            "Batik Lane",
            "Hand-drawn and hand-stamped cloth from three families of makers.",
        )),
    },
    SeedUser {
        number: 7,
        email: "circuit@kopitiam.example",
        username: "chen",
        full_name: "Chen Wei",
        roles: &[Role::Seller],
        credit: 25_000,
        stall: Some((
            "circuit-stall",
            "Circuit Stall",
            "Kits, lamps and radios that we have repaired ourselves.",
        )),
    },
    SeedUser {
        number: 8,
        email: "books@kopitiam.example",
        username: "devi",
        full_name: "Devi Pillai",
        roles: &[Role::Seller],
        credit: 25_000,
        stall: Some((
            "night-market-books",
            "Night Market Books",
            "Cookbooks, city books and prints, new and old.",
        )),
    },
];

/// The fixed id of a seeded thing: kind 1 is a user, 2 a category, 3 a product, 4 an item.
fn seed_id(kind: u16, number: u16) -> Uuid {
    let base = 0x0190_0000_0000_7000_8000_0000_0000_0000_u128;
    Uuid::from_u128(base + (u128::from(kind) << 16) + u128::from(number))
}

/// Seeds the users that are missing, as of `now`.
///
/// # Errors
/// Database errors.
pub async fn seed(db: &Db, now: DateTime<Utc>) -> Result<(), Failure> {
    let unavailable = |error| Failure::from(SystemError::Invariant(format!("{error}")));
    let passwords = Passwords::new().map_err(unavailable)?;
    for user in &USERS {
        if users::find(db.read(), seed_id(1, user.number)).await?.is_none() {
            let password = Password::parse(PASSWORD.to_owned())?;
            let hash = passwords.hash(password).await.map_err(unavailable)?;
            let hash = hash.as_str();
            db.transaction(|tx| seed_user(tx, user, hash, now)).await?;
        }
    }
    Ok(())
}

async fn seed_user(tx: Tx, seed: &SeedUser, hash: &str, now: DateTime<Utc>) -> Result<(), Failure> {
    let id = seed_id(1, seed.number);
    let new = NewUser {
        id,
        email: Email::parse(seed.email)?,
        username: Username::parse(seed.username)?,
        full_name: Some(seed.full_name.to_owned()),
        password_hash: hash.to_owned(),
        roles: Roles::new(seed.roles.iter().copied()),
        verified: true,
    };
    let user = users::insert(&tx, new, now).await?;
    publish(&tx, Cause::Service, id, &events::registered(&user)).await?;
    if let Some((handle, display_name, bio)) = seed.stall {
        let stall = Seller {
            verified: true,
            ..sellers::unverified(id, handle.to_owned(), display_name.to_owned(), Some(bio.to_owned()), now)
        };
        sellers::insert(&tx, &stall).await?;
        publish(&tx, Cause::Service, id, &events::seller_opened(&stall)).await?;
    }
    let usd = Currency::USD;
    let currency = usd.code();
    let reason = "Opening credit";
    wallets::open(&tx, id, currency).await?;
    let grant = Transaction::grant(id, seed.credit, id, reason.to_owned())
        .map_err(|error| SystemError::Invariant(error.to_string()))?;
    ledger::post(&tx, &grant, currency, now).await?;
    publish(&tx, Cause::Service, id, &events::credit_granted(seed.credit, currency, reason, id)).await?;
    Ok(())
}
