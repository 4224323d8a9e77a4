//! One batched read per kind of thing and request, however many places ask for it, and the clock that ends auctions. No
//! caching across requests.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::{Db, Money, SystemError, time};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::domain::bid::Bid;
use crate::domain::listing::Listing;
use crate::store;
use crate::store::pages::{Part, Rows};

/// The request's loaders, kept in its GraphQL context.
pub struct Loaders {
    /// Listings by id.
    pub listings: DataLoader<ById>,
    /// Bids by id.
    pub bids: DataLoader<BidById>,
    /// The open auction of an item.
    pub open_auctions: DataLoader<OpenByItem>,
    /// The lowest price asked for a product.
    pub lowest_prices: DataLoader<LowestPrice>,
    /// The replica of a seller's name.
    pub seller_names: DataLoader<SellerName>,
    /// The newest bid of a person on an auction.
    pub viewer_bids: DataLoader<NewestBid>,
    /// Pages of a product's or a seller's listings.
    pub listing_pages: DataLoader<ListingPages>,
    /// Pages of an auction's or a bidder's bids.
    pub bid_pages: DataLoader<BidPages>,
    /// The clock that ends auctions.
    pub clock: Clock,
}

impl Loaders {
    /// Loaders over a database, for one request.
    pub fn new(db: &Db) -> Self {
        Self {
            listings: DataLoader::new(ById(db.clone()), tokio::spawn),
            bids: DataLoader::new(BidById(db.clone()), tokio::spawn),
            open_auctions: DataLoader::new(OpenByItem(db.clone()), tokio::spawn),
            lowest_prices: DataLoader::new(LowestPrice(db.clone()), tokio::spawn),
            seller_names: DataLoader::new(SellerName(db.clone()), tokio::spawn),
            viewer_bids: DataLoader::new(NewestBid(db.clone()), tokio::spawn),
            listing_pages: DataLoader::new(ListingPages(db.clone()), tokio::spawn),
            bid_pages: DataLoader::new(BidPages(db.clone()), tokio::spawn),
            clock: Clock { db: db.clone(), ahead: OnceCell::new() },
        }
    }
}

/// The database's clock, asked once: a request may be a stream of hours.
pub struct Clock {
    db: Db,
    /// What it is ahead of this machine's.
    ahead: OnceCell<TimeDelta>,
}

impl Clock {
    /// Now, by it.
    ///
    /// # Errors
    /// [`SystemError::Database`].
    pub async fn now(&self) -> Result<DateTime<Utc>, SystemError> {
        let ask = || async { Ok::<_, SystemError>(time::of(self.db.read()).await? - time::now()) };
        Ok(time::now() + *self.ahead.get_or_try_init(ask).await?)
    }
}

/// A failed batch; shared by all that waited for it.
pub type LoadError = Arc<SystemError>;

/// See [`Loaders::listings`].
pub struct ById(Db);

impl Loader<Uuid> for ById {
    type Value = Arc<Listing>;
    type Error = LoadError;

    async fn load(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Arc<Listing>>, LoadError> {
        let found = store::listings::by_ids(self.0.read(), ids).await?;
        Ok(found.into_iter().map(|(id, listing)| (id, Arc::new(listing))).collect())
    }
}

/// See [`Loaders::bids`].
pub struct BidById(Db);

impl Loader<Uuid> for BidById {
    type Value = Bid;
    type Error = LoadError;

    async fn load(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Bid>, LoadError> {
        Ok(store::bids::by_ids(self.0.read(), ids).await?)
    }
}

/// See [`Loaders::open_auctions`].
pub struct OpenByItem(Db);

impl Loader<Uuid> for OpenByItem {
    type Value = Arc<Listing>;
    type Error = LoadError;

    async fn load(&self, items: &[Uuid]) -> Result<HashMap<Uuid, Arc<Listing>>, LoadError> {
        let found = store::listings::open_by_item(self.0.read(), items).await?;
        Ok(found.into_iter().map(|(item, listing)| (item, Arc::new(listing))).collect())
    }
}

/// See [`Loaders::lowest_prices`].
pub struct LowestPrice(Db);

impl Loader<Uuid> for LowestPrice {
    type Value = Money;
    type Error = LoadError;

    async fn load(&self, products: &[Uuid]) -> Result<HashMap<Uuid, Money>, LoadError> {
        Ok(store::listings::lowest_price(self.0.read(), products).await?)
    }
}

/// See [`Loaders::seller_names`].
pub struct SellerName(Db);

impl Loader<Uuid> for SellerName {
    type Value = String;
    type Error = LoadError;

    async fn load(&self, sellers: &[Uuid]) -> Result<HashMap<Uuid, String>, LoadError> {
        Ok(store::sellers::names(self.0.read(), sellers).await?)
    }
}

/// See [`Loaders::viewer_bids`]; the key is bidder and listing.
pub struct NewestBid(Db);

impl Loader<(Uuid, Uuid)> for NewestBid {
    type Value = Bid;
    type Error = LoadError;

    async fn load(&self, keys: &[(Uuid, Uuid)]) -> Result<HashMap<(Uuid, Uuid), Bid>, LoadError> {
        let mut by_bidder: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for (bidder, listing) in keys {
            by_bidder.entry(*bidder).or_default().push(*listing);
        }
        let mut found = HashMap::new();
        // One viewer per request, so this is one query.
        for (bidder, listings) in by_bidder {
            let bids = store::bids::newest_of(self.0.read(), bidder, &listings).await?;
            found.extend(bids.into_iter().map(|(listing, bid)| ((bidder, listing), bid)));
        }
        Ok(found)
    }
}

/// A page of a list that somebody owns; pages that differ in nothing but the owner are one query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageOf<O, P> {
    /// Which list.
    pub of: O,
    /// Whose.
    pub owner: Uuid,
    /// Which part of it.
    pub part: Part<P>,
}

/// The owners of each list's part.
fn by_page<O: Copy + Eq + Hash, P: Clone + Eq + Hash>(
    keys: &[PageOf<O, P>],
) -> HashMap<(O, Part<P>), Vec<Uuid>> {
    let mut owners: HashMap<(O, Part<P>), Vec<Uuid>> = HashMap::new();
    for PageOf { of, owner, part } in keys {
        owners.entry((*of, part.clone())).or_default().push(*owner);
    }
    owners
}

/// See [`Loaders::listing_pages`].
pub struct ListingPages(Db);

/// A page of a product's or a seller's listings.
pub type ListingPage = PageOf<store::listings::Of, store::listings::Position>;

impl Loader<ListingPage> for ListingPages {
    type Value = Rows<Listing>;
    type Error = LoadError;

    async fn load(&self, keys: &[ListingPage]) -> Result<HashMap<ListingPage, Rows<Listing>>, LoadError> {
        let mut found = HashMap::new();
        for ((of, part), owners) in by_page(keys) {
            let pages = store::listings::pages(self.0.read(), of, &owners, &part).await?;
            let key = |owner| PageOf { of, owner, part: part.clone() };
            found.extend(pages.into_iter().map(|(owner, rows)| (key(owner), rows)));
        }
        Ok(found)
    }
}

/// See [`Loaders::bid_pages`].
pub struct BidPages(Db);

/// A page of an auction's or a bidder's bids.
pub type BidPage = PageOf<store::bids::Of, store::bids::Position>;

impl Loader<BidPage> for BidPages {
    type Value = Rows<Bid>;
    type Error = LoadError;

    async fn load(&self, keys: &[BidPage]) -> Result<HashMap<BidPage, Rows<Bid>>, LoadError> {
        let mut found = HashMap::new();
        for ((of, part), owners) in by_page(keys) {
            let pages = store::bids::pages(self.0.read(), of, &owners, &part).await?;
            let key = |owner| PageOf { of, owner, part: part.clone() };
            found.extend(pages.into_iter().map(|(owner, rows)| (key(owner), rows)));
        }
        Ok(found)
    }
}
