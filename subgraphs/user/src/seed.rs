//! The users every fresh installation starts with: two managers, twenty stalls and their buyers, each with credit.
//!
//! Always: running it again changes nothing that is there.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Db, Failure, Money, SystemError, Tx};
use uuid::Uuid;

use crate::domain::account::{Role, Roles, Seller};
use crate::domain::input::{Email, Password, Username};
use crate::domain::ledger::Transaction;
use crate::domain::notice::Notice;
use crate::events::{self, Cause, publish};
use crate::security::passwords::Passwords;
use crate::store::users::NewUser;
use crate::store::{ledger, notifications, sellers, users, wallets};

/// The password of every seeded account.
pub const PASSWORD: &str = "kopitiam-2026";

struct SeedUser {
    number: u16,
    email: &'static str,
    username: &'static str,
    full_name: &'static str,
    roles: &'static [Role],
    credit: i64,
    /// Handle, display name, bio.
    stall: Option<[&'static str; 3]>,
}

const MANAGER: &[Role] = &[Role::Manager, Role::Admin];

const fn person(
    number: u16,
    [email, username, full_name]: [&'static str; 3],
    roles: &'static [Role],
    credit: i64,
) -> SeedUser {
    SeedUser { number, email, username, full_name, roles, credit, stall: None }
}

const fn seller(number: u16, person: [&'static str; 3], stall: [&'static str; 3]) -> SeedUser {
    let [email, username, full_name] = person;
    let (roles, stall): (&[Role], _) = (&[Role::Seller], Some(stall));
    SeedUser { number, email, username, full_name, roles, credit: 25_000, stall }
}

/// Two managers, the buyers that other services' seeds name, and twenty stalls.
const USERS: [SeedUser; 24] = [
    person(1, ["admin@kopitiam.example", "ada", "Ada Lim"], MANAGER, 10_000),
    person(2, ["manager@kopitiam.example", "mei", "Mei Tan"], MANAGER, 10_000),
    person(3, ["buyer@kopitiam.example", "bob", "Bob Ng"], &[], 100_000),
    person(4, ["carol@kopitiam.example", "carol", "Carol Ong"], &[], 50_000),
    seller(
        5,
        ["seller@kopitiam.example", "siti", "Siti Rahman"],
        ["kopi-house", "Kopi House", "Beans, cups and everything between, roasted twice a week."],
    ),
    seller(
        6,
        ["batik@kopitiam.example", "batari", "Batari Wijaya"],
        ["batik-lane", "Batik Lane", "Hand-drawn and hand-stamped cloth from three families of makers."],
    ),
    seller(
        7,
        ["circuit@kopitiam.example", "chen", "Chen Wei"],
        ["circuit-stall", "Circuit Stall", "Kits, lamps and radios that we have repaired ourselves."],
    ),
    seller(
        8,
        ["books@kopitiam.example", "devi", "Devi Pillai"],
        ["night-market-books", "Night Market Books", "Cookbooks, city books and prints, new and old."],
    ),
    seller(
        9,
        ["spice@kopitiam.example", "farah", "Farah Aziz"],
        ["spice-row", "Spice Row", "Whole and ground spices, roasted in small batches."],
    ),
    seller(
        10,
        ["ceramics@kopitiam.example", "haruki", "Haruki Sato"],
        ["kiln-and-clay", "Kiln & Clay", "Stoneware from one kiln; no two pieces are the same."],
    ),
    seller(
        11,
        ["rattan@kopitiam.example", "lina", "Lina Goh"],
        ["rattan-corner", "Rattan Corner", "Baskets, chairs and trays, woven to last."],
    ),
    seller(
        12,
        ["tea@kopitiam.example", "wen", "Wen Liu"],
        ["leaf-and-kettle", "Leaf & Kettle", "Teas by the tin, and what to brew them in."],
    ),
    seller(
        13,
        ["records@kopitiam.example", "omar", "Omar Haddad"],
        ["b-side-records", "B-Side Records", "Second-hand vinyl, cleaned and graded."],
    ),
    seller(
        14,
        ["garden@kopitiam.example", "priya", "Priya Menon"],
        ["balcony-garden", "Balcony Garden", "Seeds, pots and small trees for high floors."],
    ),
    seller(
        15,
        ["bikes@kopitiam.example", "tomas", "Tomas Reyes"],
        ["two-wheel-works", "Two Wheel Works", "Parts, bells and bags for bicycles that are used every day."],
    ),
    seller(
        16,
        ["toys@kopitiam.example", "aisha", "Aisha Karim"],
        ["wooden-toy-box", "Wooden Toy Box", "Toys that need no battery."],
    ),
    seller(
        17,
        ["soap@kopitiam.example", "nadia", "Nadia Petrova"],
        ["lather-lab", "Lather Lab", "Soap and balm from plant oils."],
    ),
    seller(
        18,
        ["paper@kopitiam.example", "jun", "Jun Park"],
        ["paper-trail", "Paper Trail", "Notebooks, cards and inks."],
    ),
    seller(
        19,
        ["knives@kopitiam.example", "kenji", "Kenji Mori"],
        ["sharp-corner", "Sharp Corner", "Kitchen knives, and we sharpen yours."],
    ),
    seller(
        20,
        ["lamps@kopitiam.example", "greta", "Greta Lindholm"],
        ["warm-light", "Warm Light", "Lamps from brass, glass and paper."],
    ),
    seller(
        21,
        ["bakes@kopitiam.example", "mina", "Mina Choi"],
        ["kueh-counter", "Kueh Counter", "Cakes and biscuits that travel well."],
    ),
    seller(
        22,
        ["leather@kopitiam.example", "rafael", "Rafael Ortiz"],
        ["saddle-stitch", "Saddle Stitch", "Belts, bags and wallets, stitched by hand."],
    ),
    seller(
        23,
        ["cameras@kopitiam.example", "ines", "Ines Ferreira"],
        ["shutter-street", "Shutter Street", "Film cameras, serviced, with a roll to begin."],
    ),
    seller(
        24,
        ["games@kopitiam.example", "oskar", "Oskar Nowak"],
        ["table-of-games", "Table of Games", "Board games, new and played once."],
    ),
];

/// First names of further buyers; their numbers begin at 25.
const BUYERS: [&str; 20] = [
    "amir", "bella", "caleb", "dina", "elias", "fatin", "george", "hana", "idris", "joyce", "kamal", "luna",
    "marco", "noor", "olive", "pavel", "qistina", "rohan", "selma", "tariq",
];
const FIRST_BUYER: u16 = 25;
const BUYER_CREDIT: i64 = 200_000;

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
    let ids: Vec<Uuid> = (1..FIRST_BUYER).chain(buyers().map(|(number, _)| number)).map(user_id).collect();
    let there: HashSet<Uuid> =
        users::find_many(db.read(), &ids).await?.into_iter().map(|user| user.id).collect();
    if there.len() == ids.len() {
        return Ok(());
    }
    // One password for all, and known to everyone: one hash does for all.
    let password = Password::parse(PASSWORD.to_owned())?;
    let hash = Passwords::new().map_err(unavailable)?.hash(password).await.map_err(unavailable)?;
    let (hash, there) = (hash.as_str(), &there);
    db.transaction(|tx| async move {
        for user in USERS.iter().filter(|user| !there.contains(&user_id(user.number))) {
            let mut new = new_user(user.number, user.email, user.username, hash)?;
            new.full_name = Some(user.full_name.to_owned());
            new.roles = Roles::new(user.roles.iter().copied());
            seed_user(&tx, new, user.stall, user.credit, now).await?;
        }
        for (number, name) in buyers().filter(|(number, _)| !there.contains(&user_id(*number))) {
            let new = new_user(number, &format!("{name}@kopitiam.example"), name, hash)?;
            seed_user(&tx, new, None, BUYER_CREDIT, now).await?;
        }
        Ok(())
    })
    .await
}

fn user_id(number: u16) -> Uuid {
    seed_id(1, number)
}

fn buyers() -> impl Iterator<Item = (u16, &'static str)> {
    (FIRST_BUYER..).zip(BUYERS)
}

fn new_user(number: u16, email: &str, username: &str, hash: &str) -> Result<NewUser, Failure> {
    Ok(NewUser {
        id: user_id(number),
        email: Email::parse(email)?,
        username: Username::parse(username)?,
        full_name: None,
        password_hash: hash.to_owned(),
        roles: Roles::new([]),
        verified: true,
    })
}

async fn seed_user(
    tx: &Tx,
    new: NewUser,
    stall: Option<[&str; 3]>,
    credit: i64,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let id = new.id;
    if users::taken(tx, &new.email, &new.username).await? != (false, false) {
        tracing::warn!(
            username = new.username.as_str(),
            "somebody has the name of a seeded person: left out"
        );
        return Ok(());
    }
    let user = users::insert(tx, new, now).await?;
    publish(tx, Cause::Service, id, &events::registered(&user)).await?;
    if let Some([handle, display_name, bio]) = stall {
        let stall = Seller {
            verified: true,
            ..sellers::unverified(id, handle.to_owned(), display_name.to_owned(), Some(bio.to_owned()), now)
        };
        sellers::insert(tx, &stall).await?;
        publish(tx, Cause::Service, id, &events::seller_opened(&stall)).await?;
    }
    let usd = Currency::USD;
    let reason = "Opening credit";
    wallets::open(tx, id, usd.code()).await?;
    let grant = Transaction::grant(id, credit, id, reason.to_owned())
        .map_err(|error| SystemError::Invariant(error.to_string()))?;
    ledger::post(tx, &grant, usd.code(), now).await?;
    publish(tx, Cause::Service, id, &events::credit_granted(credit, usd.code(), reason, id)).await?;
    let notice =
        Notice::CreditGranted { amount: Money::new(credit, usd).to_string(), reason: reason.to_owned() };
    notifications::insert(tx, id, &notice, id, now).await?;
    Ok(())
}
