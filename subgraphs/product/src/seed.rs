//! The catalogue every fresh installation starts with: shelves, products of twenty stalls, and collectible items.
//!
//! Always: running it again changes nothing that is there. Pictures are drawn by the storefront from the slugs.
//! - here: the first 28 products, which tests and other services' seeds know by number
//! - `more.rs`: the others, in families

mod more;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Db, Failure};
use uuid::Uuid;

use crate::app;
use crate::commands::Commands;
use crate::domain::category::CategoryDraft;
use crate::domain::product::{CURRENCY, ProductDraft, ProductForm, slug_of};
use crate::domain::refusal::Refusal;
use crate::events::{self, Cause, publish};
use crate::store::{categories, items, products};

/// Number, name, number of the parent.
type Shelf = (u16, &'static str, Option<u16>);
/// Number, name, price in cents, units, number of the seller, numbers of the shelves, who makes it, description.
type StoryWare = (u16, &'static str, i64, i64, u16, &'static [u16], &'static str, &'static str);
/// Number, title, picture, number of the owner.
type StoryThing = (u16, &'static str, &'static str, u16);

/// Products per transaction.
const WARES_PER_TRANSACTION: usize = 25;

const SHELVES: [Shelf; 8] = [
    (1, "Coffee", None),
    (2, "Tableware", None),
    (3, "Textiles", None),
    (4, "Electronics", None),
    (5, "Books", None),
    (6, "Home", None),
    (7, "Brewing Gear", Some(1)),
    (8, "Vintage", None),
];

#[rustfmt::skip]
const WARES: [StoryWare; 28] = [
    (1, "House Blend Beans", 1250, 200, 5, &[1], "Kopi House Roastery", "Robusta and arabica roasted dark with a little sugar and margarine, the old way. 250 g of whole beans for a cup that stands up to condensed milk."),
    (2, "Enamel Kopi Cup", 890, 30, 5, &[1, 2], "Jaya Enamelware", "The thick-rimmed cup of every old coffee shop, in white enamel with a green peony. Keeps its heat through a long conversation."),
    (3, "Hand-Drawn Batik Shawl", 14_900, 1, 6, &[3], "Wijaya Family", "Drawn by hand with hot wax over three weeks, dyed in indigo and soga brown. There is one of it, and there will not be another."),
    (4, "Restored Valve Radio", 42_000, 1, 7, &[4, 8], "Circuit Stall", "A 1958 table radio with a walnut case, new capacitors and its first loudspeaker. Medium wave, and a plug for your telephone at the back."),
    (5, "Single Origin Gayo", 1680, 80, 5, &[1], "Takengon Cooperative", "Wet-hulled arabica from the highlands of Aceh: cedar, dark chocolate, almost no acid. 250 g of whole beans."),
    (6, "Kopi Sock Filter", 640, 120, 5, &[1, 7], "Ah Seng Sewing", "Cotton flannel on a steel ring with a wooden handle. Rinse it, never soap it, and it serves for years."),
    (7, "Copper Long-Spout Kettle", 6800, 14, 5, &[7], "Malacca Coppersmiths", "Tin-lined copper with the long spout that pulls tea and pours coffee from a height. 1.8 litres."),
    (8, "Stoneware Saucer Set", 2400, 40, 5, &[2], "Dragon Kiln", "Four saucers fired with wood, each with its own ash glaze. Deep enough to cool a hot kopi the old way."),
    (9, "Pandan Green Tea", 1120, 60, 5, &[1], "Cameron Gardens", "Highland green tea with cut pandan leaf. Sweet without sugar; good cold. 100 g."),
    (10, "Condensed Milk Tin Planter", 1500, 25, 5, &[6], "Second Pour", "A tin that has given its milk, cleaned, enamelled and drilled for drainage. The label stays on."),
    (11, "Indigo Table Runner", 3800, 22, 6, &[3, 6], "Wijaya Family", "Natural indigo on hand-loomed cotton, 40 by 180 cm. Softens with every wash."),
    (12, "Batik Cushion Cover", 2750, 48, 6, &[3, 6], "Lasem Workshop", "Red of the north coast with phoenixes, stamped by hand on both sides. 45 by 45 cm, without the cushion."),
    (13, "Silk Sarong Parang", 9500, 9, 6, &[3], "Solo Silk House", "The broken-knife pattern once kept for courts, on heavy silk. 110 by 200 cm."),
    (14, "Hand-Stamped Tea Towel", 1200, 150, 6, &[2, 3], "Lasem Workshop", "Thick cotton, one copper stamp, one colour. Dries a kettle in one wipe."),
    (15, "Rattan Market Basket", 4400, 17, 6, &[6], "Sarawak Weavers", "Woven in one piece, with handles that do not cut. Carries a week of vegetables or one very comfortable cat."),
    (16, "Pocket Synth Kit", 5900, 35, 7, &[4], "Circuit Stall", "Solder an evening, play for years: sixteen keys, two oscillators, one filter. All parts and a printed guide."),
    (17, "Solar Night Market Lamp", 3200, 64, 7, &[4, 6], "Sunside", "Charges on a balcony and lights a stall until closing time. Warm light, hook and handle, replaceable cell."),
    (18, "USB-C Soldering Iron", 4650, 20, 7, &[4], "Sunside", "Hot in eight seconds from any laptop charger. Comes with three tips and a stand that folds flat."),
    (19, "Pixel Clock Kit", 3990, 2, 7, &[4], "Circuit Stall", "Two hundred and fifty-six lights that tell the time, the weather, or what you told them to. Needs soldering."),
    (20, "Field Recorder Mini", 12_900, 11, 7, &[4], "Halo Audio", "Two quiet microphones and one button. Records a hawker centre at noon without turning it to mush."),
    (21, "Hawker Cookbook", 3400, 70, 8, &[5], "Night Market Press", "Sixty dishes from sixty stalls, each told by the cook who makes it. Measures in bowls and handfuls, and in grams."),
    (22, "Street Food Atlas", 4200, 28, 8, &[5], "Night Market Press", "Maps of nine cities drawn by appetite: where the queue starts, when it ends, and what to order at the front."),
    (23, "Pocket Poems of the Strait", 1450, 90, 8, &[5], "Tide Books", "Ninety short poems in four languages, facing their translations. Fits a shirt pocket."),
    (24, "Old Town Sketchbook", 1900, 55, 8, &[5], "Tide Books", "Shophouses in pen and wash, with blank pages between for your own."),
    (25, "Letterpress Tile Print", 2600, 0, 8, &[5, 6], "Night Market Press", "A floor tile of 1931 printed in three colours from hand-cut blocks. The first edition is gone; ask for the second."),
    (26, "Radio Repair Manual 1962", 5500, 3, 8, &[5, 8], "Unknown", "Grease on the cover and every schematic inside. Belonged to the man who taught the man who repairs our radios."),
    (27, "Brass Opium Scale", 8800, 5, 7, &[8], "Unknown", "A hand scale in its fiddle-shaped case, used since for nothing stronger than saffron. Balanced and checked."),
    (28, "Peranakan Tile Coaster Set", 2200, 75, 5, &[2, 6], "Dragon Kiln", "Six ceramic coasters after the tiles of Joo Chiat, with cork below. Wet glasses welcome."),
];

const THINGS: [StoryThing; 6] = [
    (1, "Vintage Kopitiam Sign", "/images/items/vintage-kopitiam-sign.svg", 5),
    (2, "First Press Night Market LP", "/images/items/first-press-night-market-lp.svg", 7),
    (3, "Signed Hawker Cookbook", "/images/items/signed-hawker-cookbook.svg", 8),
    (4, "Antique Batik Stamp", "/images/items/antique-batik-stamp.svg", 6),
    (5, "Brass Coffee Grinder", "/images/items/brass-coffee-grinder.svg", 5),
    (6, "Collector Pixel Clock", "/images/items/collector-pixel-clock.svg", 7),
];

/// The fixed id of a seeded thing: kind 1 is a user, 2 a category, 3 a product, 4 an item.
fn seed_id(kind: u16, number: u16) -> Uuid {
    let base = 0x0190_0000_0000_7000_8000_0000_0000_0000_u128;
    Uuid::from_u128(base + (u128::from(kind) << 16) + u128::from(number))
}

/// Seeds what is missing of the whole shop, as of `now`: 200 products on 16 shelves, and 40 items.
///
/// # Errors
/// Database errors.
pub async fn seed(db: &Db, now: DateTime<Utc>) -> Result<(), Failure> {
    story(db, now).await?;
    let commands = &app::commands(db);
    seed_shelves(commands, &more::SHELVES).await?;
    seed_wares(commands, &family_wares()?, now).await?;
    let things = (7_u16..).zip(more::THINGS.lines()).map(|(number, title)| {
        let picture = slug_of(title).map(|slug| format!("/images/items/{slug}.svg")).unwrap_or_default();
        Thing { number, title, picture, owner: 5 + number % 20 }
    });
    seed_things(commands, &things.collect::<Vec<_>>(), now).await
}

/// Seeds what is missing of the small shop that the tests tell their stories in: the first 28 products and 6 items.
///
/// # Errors
/// Database errors.
pub async fn story(db: &Db, now: DateTime<Utc>) -> Result<(), Failure> {
    let commands = &app::commands(db);
    seed_shelves(commands, &SHELVES).await?;
    let wares =
        WARES.iter().map(|&(number, name, price_minor, stock, seller, shelves, supplier, description)| {
            let form = ProductForm {
                name: name.to_owned(),
                description: description.to_owned(),
                price_minor,
                currency: CURRENCY.to_owned(),
                supplier: Some(supplier.to_owned()),
                category_ids: shelves.iter().map(|shelf| seed_id(2, *shelf)).collect(),
                stock: Some(stock),
            };
            Ware::new(number, seller, form)
        });
    seed_wares(commands, &wares.collect::<Result<Vec<_>, _>>()?, now).await?;
    let things = THINGS.iter().map(|&(number, title, picture, owner)| Thing {
        number,
        title,
        picture: picture.to_owned(),
        owner,
    });
    seed_things(commands, &things.collect::<Vec<_>>(), now).await
}

/// A product to seed.
struct Ware {
    id: Uuid,
    seller_id: Uuid,
    draft: ProductDraft,
}

impl Ware {
    fn new(number: u16, seller: u16, form: ProductForm) -> Result<Self, Failure> {
        let draft = ProductDraft::new(form)
            .map_err(|refusals| Failure::from(refusals.first().copied().unwrap_or(Refusal::NameInvalid)))?;
        Ok(Self { id: seed_id(3, number), seller_id: seed_id(1, seller), draft })
    }
}

/// An item to seed.
struct Thing {
    number: u16,
    title: &'static str,
    picture: String,
    owner: u16,
}

/// The wares of the families, numbered after the story's.
fn family_wares() -> Result<Vec<Ware>, Failure> {
    let mut wares = Vec::new();
    for family in &more::FAMILIES {
        for (place, (name, note)) in (0_u16..).zip(family.wares) {
            let number = 29 + u16::try_from(wares.len()).unwrap_or(u16::MAX);
            let seller = family.sellers[usize::from(place) % family.sellers.len()];
            let form = ProductForm {
                name: (*name).to_owned(),
                description: format!("{note} {}", family.care),
                price_minor: family.from_minor + i64::from(place) * family.step_minor,
                currency: CURRENCY.to_owned(),
                supplier: Some(family.supplier.to_owned()),
                category_ids: family.shelves.iter().map(|shelf| seed_id(2, *shelf)).collect(),
                stock: Some(units(number)),
            };
            wares.push(Ware::new(number, seller, form)?);
        }
    }
    Ok(wares)
}

/// Some of most things, few of some, none of a few.
fn units(number: u16) -> i64 {
    match number % 13 {
        0 => 0,
        1 => 2,
        rest => i64::from(number) * 7 % 50 + i64::from(rest),
    }
}

async fn seed_shelves(commands: &Commands, shelves: &[Shelf]) -> Result<(), Failure> {
    commands
        .db
        .transaction(|tx| async move {
            for &(number, name, parent) in shelves {
                let id = seed_id(2, number);
                if categories::find_many(&tx, &[id]).await?.is_empty() {
                    let draft = CategoryDraft::new(name, parent.map(|parent| seed_id(2, parent)))?;
                    let category = categories::insert(&tx, id, &draft).await?;
                    publish(&tx, Cause::Service, id, &events::category_saved(&category)).await?;
                }
            }
            Ok(())
        })
        .await
}

async fn seed_wares(commands: &Commands, wares: &[Ware], now: DateTime<Utc>) -> Result<(), Failure> {
    let ids: Vec<Uuid> = wares.iter().map(|ware| ware.id).collect();
    let there = products::find_many(commands.db.read(), &ids).await?;
    let there: HashSet<Uuid> = there.into_iter().map(|product| product.id).collect();
    let missing: Vec<&Ware> = wares.iter().filter(|ware| !there.contains(&ware.id)).collect();
    // Each transaction waits for the disk once, and keeps other writers waiting only for a moment.
    for some in missing.chunks(WARES_PER_TRANSACTION) {
        commands
            .db
            .transaction(|tx| async move {
                for Ware { id, seller_id, draft } in some {
                    commands.insert_product(&tx, Cause::Service, *id, *seller_id, draft, now).await?;
                }
                Ok::<_, Failure>(())
            })
            .await?;
    }
    Ok(())
}

async fn seed_things(commands: &Commands, things: &[Thing], now: DateTime<Utc>) -> Result<(), Failure> {
    commands
        .db
        .transaction(|tx| async move {
            for thing in things {
                let id = seed_id(4, thing.number);
                if items::find_many(&tx, &[id]).await?.is_empty() {
                    let (title, picture) = (thing.title.to_owned(), Some(thing.picture.clone()));
                    items::insert(&tx, id, seed_id(1, thing.owner), title, picture, now).await?;
                }
            }
            Ok(())
        })
        .await
}
