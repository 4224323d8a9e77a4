//! What must hold across the services' databases (I11): every hold, reservation and lock has somebody alive who will end it.
//!
//! Reads the files as they are, also beside a running marketplace. What is kept is read before who keeps it, and what looks
//! forgotten is looked at once more, so that what ends in between is no find. Elsewhere: what holds in one database (each
//! service's `audit`).

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use kopitiam_kit::Db;
use kopitiam_order::sagas::place_order::{PLACE_ORDER, hold_id};
use kopitiam_order::sagas::reserve_listing::RESERVE_LISTING;
use sea_orm::{ConnectionTrait, Statement, TryGetableMany};
use serde_json::Value;
use uuid::Uuid;

use crate::services::database_url;

/// Longer than it takes a service to hear of what it waits for.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What is kept for nobody, in words.
///
/// # Errors
/// When a database cannot be read.
pub(crate) async fn forgotten(data: &Path) -> Result<BTreeSet<String>> {
    let databases = Databases::open(data).await?;
    let found = databases.look().await?;
    if found.is_empty() {
        return Ok(found);
    }
    tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    let still = databases.look().await?;
    Ok(found.intersection(&still).cloned().collect())
}

struct Databases {
    user: Db,
    product: Db,
    order: Db,
    listing: Db,
}

impl Databases {
    async fn open(data: &Path) -> Result<Self> {
        let open = async |name: &str| Db::connect(&database_url(data, name)).await;
        Ok(Self {
            user: open("user").await?,
            product: open("product").await?,
            order: open("order").await?,
            listing: open("listing").await?,
        })
    }

    async fn look(&self) -> Result<BTreeSet<String>> {
        let holds = ids(&self.user, "SELECT id FROM holds WHERE status = 'HELD'").await?;
        let reservations =
            ids(&self.product, "SELECT id FROM reservations WHERE status = 'RESERVED'").await?;
        let items = ids(&self.product, "SELECT locked_by FROM items WHERE locked_by IS NOT NULL").await?;
        let locks = ids(&self.listing, "SELECT order_id FROM listing_lock WHERE state = 'HELD'").await?;

        let bids = "SELECT id FROM bid WHERE status IN ('PENDING', 'ACCEPTED', 'WON')";
        let auctions = "SELECT id FROM listing WHERE status IN ('PENDING', 'ACTIVE', 'SETTLING')";
        let (mut keeping, mut auctions) =
            (ids(&self.listing, bids).await?, ids(&self.listing, auctions).await?);
        let (mut carts, mut tickets) = (BTreeSet::new(), BTreeSet::new());
        for Alive { kind, subject, context } in alive(&self.order).await? {
            match kind {
                kind if kind == PLACE_ORDER.kind => {
                    keeping.insert(hold_id(subject));
                    carts.insert(subject);
                }
                kind if kind == RESERVE_LISTING.kind => {
                    tickets.insert(subject);
                }
                _ => {}
            }
            keeping.extend(named(&context["holdId"]));
        }
        for Alive { subject, context, .. } in alive(&self.listing).await? {
            // The bid being placed, or the auction being opened, settled or wound up.
            keeping.insert(subject);
            auctions.insert(subject);
            keeping.extend(named(&context["hold"][0]));
        }
        let parts = [
            ("hold", holds, keeping),
            ("reservation", reservations, carts),
            ("lock of a listing by order", locks, tickets),
            ("lock of an item by listing", items, auctions),
        ];
        let forgotten = parts.iter().flat_map(|(what, kept, by)| {
            kept.difference(by).map(move |id| format!("{what} {id} is kept for nobody"))
        });
        Ok(forgotten.collect())
    }
}

/// A saga that is not over.
struct Alive {
    kind: String,
    subject: Uuid,
    context: Value,
}

async fn alive(db: &Db) -> Result<Vec<Alive>> {
    let select = "SELECT kind, subject_id, context FROM saga WHERE due_at_ms IS NOT NULL";
    let read = |(kind, subject, context): (String, Uuid, String)| {
        Ok(Alive { kind, subject, context: serde_json::from_str(&context)? })
    };
    rows(db, select).await?.into_iter().map(read).collect()
}

async fn ids(db: &Db, select: &str) -> Result<BTreeSet<Uuid>> {
    Ok(rows::<(Uuid,)>(db, select).await?.into_iter().map(|(id,)| id).collect())
}

async fn rows<T: TryGetableMany>(db: &Db, select: &str) -> Result<Vec<T>> {
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), select)).await?;
    Ok(rows
        .iter()
        .map(|row| T::try_get_many_by_index(row).map_err(sea_orm::DbErr::from))
        .collect::<Result<_, _>>()?)
}

fn named(id: &Value) -> Option<Uuid> {
    id.as_str()?.parse().ok()
}
