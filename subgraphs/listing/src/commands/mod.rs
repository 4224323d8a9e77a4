//! Changes of listings and bids: the rows, their events and their sagas in one transaction.
//!
//! - `openings.rs`: making listings; an auction opens, or is called off, when its item's lock is answered
//! - `terms.rs`: changing a listing's terms, and calling it off
//! - `bids.rs`: placing bids; `auctions.rs`: which bid leads, how an auction ends
//! - `settled.rs`: a won auction is sold
//! - `locks.rs`: commands of orders on fixed-price listings
//!
//! Always: rows are locked in the order saga, listing, bid, so that two transactions never wait for each other.
//! Elsewhere: the rules (`domain`), the steps over several services (`sagas`), rows (`store`).

pub mod auctions;
pub mod bids;
pub mod locks;
pub mod openings;
pub mod settled;
pub mod terms;

use std::sync::Arc;

use kopitiam_kafka::Message;
use kopitiam_kafka::messages::listing::ListingUpdated;
use kopitiam_kit::live::Hub;
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::saga::Sagas;
use kopitiam_kit::{Db, SystemError, Tx};
use tokio::sync::OnceCell;
use uuid::Uuid;

use self::auctions::Auctions;
use crate::domain::auction::Rules;
use crate::domain::listing::{Details, Listing};
use crate::sagas::owners::{BidOwner, OpenOwner};
use crate::store::secrets;

/// How this service signs what it does by itself.
pub const ACTOR: &str = "service:listing";

/// The timer that ends an auction; its subject is the listing.
pub const END_AUCTION: &str = "end-auction";
/// The timer that frees a listing whose order never said so; its subject is the order.
pub const FREE_LISTING: &str = "free-listing";
/// Name of the key that labels of bidders are made with.
const LABELS: &str = "bidder-labels";

/// What every operation of this service works with.
pub struct Market {
    /// Its database.
    pub db: Db,
    /// Tells what changed.
    pub changes: Changes,
    /// Auctions being opened.
    pub open: Sagas<OpenOwner>,
    /// Bids being placed.
    pub bids: Sagas<BidOwner>,
    /// Bids that lead, auctions that end.
    pub auctions: Arc<Auctions>,
    /// Makes labels of bidders.
    pub labels: Labels,
}

impl Market {
    /// Over a migrated database; `hub` is woken with the ids of listings that changed.
    pub fn new(db: Db, hub: Hub<Uuid>, rules: Rules) -> Self {
        let changes = Changes { hub };
        let auctions = Arc::new(Auctions::new(changes.clone(), rules));
        let open = Sagas::new(OpenOwner { changes: changes.clone() }, ACTOR);
        let bids = Sagas::new(BidOwner { auctions: Arc::clone(&auctions) }, ACTOR);
        Self { db, changes, open, bids, auctions, labels: Labels::default() }
    }
}

/// The key with which labels of bidders are made, of this service's own and in its database.
#[derive(Default)]
pub struct Labels {
    key: OnceCell<String>,
}

impl Labels {
    /// The key.
    ///
    /// # Errors
    /// [`SystemError::Database`].
    pub async fn key(&self, db: &Db) -> Result<&str, SystemError> {
        let load = || async {
            let fresh = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            db.transaction(|tx| async move { secrets::get_or_insert(&tx, LABELS, fresh()).await }).await
        };
        Ok(self.key.get_or_try_init(load).await?)
    }
}

/// Publishes what changed, and wakes who watches. Cheap to clone.
#[derive(Clone)]
pub struct Changes {
    /// Woken with a listing's id.
    pub hub: Hub<Uuid>,
}

impl Changes {
    /// Publishes an event of a listing as part of `correlation`: a saga, or the message that asked for it.
    ///
    /// # Errors
    /// [`SystemError`] of the outbox.
    pub async fn tell<M: Message>(
        &self,
        tx: &Tx,
        listing_id: Uuid,
        correlation: Uuid,
        event: &M,
    ) -> Result<(), SystemError> {
        let message = NewMessage::new(listing_id, ACTOR, event).correlation(correlation);
        outbox::append(tx, message).await?;
        self.hub.changed_by(tx, listing_id);
        Ok(())
    }

    /// Publishes a listing's new state, changed by a person.
    ///
    /// # Errors
    /// [`SystemError`] of the outbox.
    pub async fn updated(&self, tx: &Tx, listing: &Listing, actor: &str) -> Result<(), SystemError> {
        outbox::append(tx, NewMessage::new(listing.id, actor, &updated(listing))).await?;
        self.hub.changed_by(tx, listing.id);
        Ok(())
    }
}

/// The event of a listing's new state.
fn updated(listing: &Listing) -> ListingUpdated {
    ListingUpdated {
        title: listing.title.clone(),
        status: listing.status.name().to_owned(),
        ask_price: listing.ask_price.into(),
        deposit_percent: match listing.details {
            Details::Service { deposit_percent, .. } => Some(deposit_percent),
            _ => None,
        },
    }
}

/// Another transaction changed the row since this one read it: the whole transaction is to be tried again.
fn lost_race(listing_id: Uuid) -> SystemError {
    SystemError::Unavailable(format!("listing {listing_id} was changed by another transaction"))
}
