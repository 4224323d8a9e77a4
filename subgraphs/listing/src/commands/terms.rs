//! Changing a listing's terms, and calling it off.

use chrono::{DateTime, Utc};
use kopitiam_kit::auth::Identity;
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::graphql::Decimal;
use kopitiam_kit::{Money, SystemError, Tx, saga, time};
use uuid::Uuid;

use super::{Market, lost_race};
use crate::domain::listing::{Details, Listing, ListingStatus};
use crate::store;
use crate::store::listings::{self, Change};

/// Why a listing is called off, as its event says.
const BY_SELLER: &str = "BY_SELLER";
const BY_MANAGER: &str = "BY_MANAGER";
/// The seller may not act any more.
pub const SELLER_BANNED: &str = "SELLER_BANNED";

impl Market {
    /// Changes title or price of one's own listing, while nobody has bid on it or reserved it.
    ///
    /// # Errors
    /// Refusals: `LISTING_NOT_FOUND`, `NOT_YOUR_LISTING`, `VERSION_CONFLICT`, `LISTING_RESERVED`, `HAS_BIDS`,
    /// `LISTING_NOT_OPEN`, and those of the new terms.
    pub async fn update(
        &self,
        identity: &Identity,
        id: Option<Uuid>,
        title: Option<&str>,
        price: Option<&Decimal>,
        expected_version: i64,
    ) -> Result<Uuid, Failure> {
        let work = |tx: Tx| async move {
            let listing = owned(&tx, identity, false, id, expected_version).await?;
            let price = price.map(|price| parse(price, &listing)).transpose()?;
            let changed = listing.with_terms(title, price).map_err(Failure::Refused)?;
            if has_bids(&tx, &listing).await? {
                return Err(Failure::refused("HAS_BIDS", "Somebody has bid on it: its terms stand."));
            }
            if !listings::change(&tx, &listing, Change::Terms(&changed.title, changed.ask_price)).await? {
                return Err(conflict());
            }
            self.changes.updated(&tx, &changed, &identity.actor()).await?;
            Ok(listing.id)
        };
        self.db.transaction(work).await
    }

    /// Calls a listing off: one's own while nobody has bid on it or reserved it; with `any`, anybody's, bids or not.
    ///
    /// # Errors
    /// Refusals: `LISTING_NOT_FOUND`, `NOT_YOUR_LISTING`, `VERSION_CONFLICT`, `LISTING_RESERVED`, `HAS_BIDS`,
    /// `LISTING_NOT_OPEN`.
    pub async fn cancel(
        &self,
        identity: &Identity,
        any: bool,
        id: Option<Uuid>,
        expected_version: i64,
    ) -> Result<Uuid, Failure> {
        let work = |tx: Tx| async move {
            let listing = owned(&tx, identity, any, id, expected_version).await?;
            if !any && has_bids(&tx, &listing).await? {
                return Err(Failure::refused(
                    "HAS_BIDS",
                    "Somebody has bid on it: only a manager may call it off.",
                ));
            }
            let own = listing.seller_id == identity.user_id;
            self.call_off(&tx, &listing, if own { BY_SELLER } else { BY_MANAGER }, time::of(&tx).await?)
                .await?;
            Ok(listing.id)
        };
        self.db.transaction(work).await
    }

    /// A seller may not act any more: everything of theirs that is open is called off. What an order holds stays with it.
    ///
    /// # Errors
    /// [`SystemError`] when the database refuses, or another transaction is faster: to be tried again.
    pub async fn seller_banned(
        &self,
        tx: &Tx,
        seller_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        for id in listings::unfinished_of(tx, seller_id).await? {
            let found = listings::by_ids(tx, &[id]).await?.remove(&id);
            let Some(listing) = found.filter(Listing::is_open) else { continue };
            self.call_off(tx, &listing, SELLER_BANNED, now).await?;
        }
        Ok(())
    }

    /// Calls off a listing that is pending or open.
    async fn call_off(
        &self,
        tx: &Tx,
        listing: &Listing,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        if listing.status == ListingStatus::Pending {
            // Its saga calls it off, and frees an item that is locked late.
            let failure = saga::Failure::new(reason);
            if self.open.abort(tx, listing.id, failure, now).await?.is_ok() {
                return Ok(());
            }
        }
        match listings::lock(tx, listing.id).await? {
            Some(listing) if listing.status == ListingStatus::Active => {
                self.auctions.call_off(tx, &listing, reason, now).await
            }
            _ => Err(lost_race(listing.id)),
        }
    }
}

/// The listing, if this person may change it and has seen its newest version.
async fn owned(
    tx: &Tx,
    identity: &Identity,
    any: bool,
    id: Option<Uuid>,
    expected_version: i64,
) -> Result<Listing, Failure> {
    let unknown = || UserError::on(&["id"], "LISTING_NOT_FOUND", "There is no such listing.");
    let id = id.ok_or_else(unknown)?;
    let listing = listings::by_ids(tx, &[id]).await?.remove(&id).ok_or_else(unknown)?;
    if listing.seller_id != identity.user_id && !any {
        return Err(UserError::on(&["id"], "NOT_YOUR_LISTING", "This is somebody else's listing.").into());
    }
    if listing.version != expected_version {
        return Err(conflict());
    }
    match listing.status {
        ListingStatus::Pending | ListingStatus::Active => Ok(listing),
        ListingStatus::Reserved => {
            Err(Failure::refused("LISTING_RESERVED", "Somebody is buying it at this moment."))
        }
        _ => Err(Failure::refused("LISTING_NOT_OPEN", "This listing is over.")),
    }
}

async fn has_bids(tx: &Tx, listing: &Listing) -> Result<bool, SystemError> {
    match listing.details {
        Details::Auction { bid_count, .. } => {
            Ok(bid_count > 0 || !store::bids::waiting(tx, listing.id).await?.is_empty())
        }
        _ => Ok(false),
    }
}

fn parse(price: &Decimal, listing: &Listing) -> Result<Money, UserError> {
    Money::parse(&price.0, listing.ask_price.currency().code()).map_err(|error| {
        let refused = UserError::from(error);
        UserError::on(&["price"], refused.code, refused.message)
    })
}

fn conflict() -> Failure {
    let message = "The listing has changed since you opened it. Look at it again.";
    UserError::on(&["expectedVersion"], "VERSION_CONFLICT", message).into()
}
