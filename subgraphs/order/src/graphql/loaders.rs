//! Batched reads: fields that ask for the same kind of row in one request become one query.
//!
//! Always: built per request, never shared between requests, so nothing is stale and no viewer sees another's rows.

use std::collections::HashMap;
use std::hash::Hash;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use kopitiam_kit::Db;
use uuid::Uuid;

use super::system;
use crate::domain::booking::Booking;
use crate::domain::order::{Onlooker, Order};
use crate::domain::review::Subject;
use crate::store::bookings::Party;
use crate::store::orders::{HistoryEntry, Invoice};
use crate::store::reports::Filter;
use crate::store::reputation::{RatingSum, Review};
use crate::store::{NewestFirst, bookings, orders, reports, reputation};

/// Reads for one request.
pub struct Reads {
    db: Db,
}

/// A loader for one request.
pub fn loader(db: Db) -> DataLoader<Reads> {
    DataLoader::new(Reads { db }, tokio::spawn)
}

/// Each batch is one query; a test counts these.
fn batch(kind: &'static str, keys: usize) {
    tracing::trace!(kind, keys, "batch");
}

/// One row through the request's loader.
pub(super) async fn load<K>(
    context: &Context<'_>,
    key: K,
) -> async_graphql::Result<Option<<Reads as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Reads: Loader<K, Error = async_graphql::Error>,
{
    context.data::<DataLoader<Reads>>()?.load_one(key).await
}

/// An order by id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OrderById(pub Uuid);

/// An order by number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct OrderByNumber(pub String);

/// The history of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct HistoryOf(pub Uuid);

/// The invoice of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct InvoiceOf(pub Uuid);

/// An invoice by id, for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct InvoiceById(pub Uuid, pub Onlooker);

/// A booking by id, for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BookingById(pub Uuid, pub Onlooker);

/// A review by id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ReviewById(pub Uuid);

/// The ratings of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RatingsOf(pub Subject, pub Uuid);

/// Somebody's newest order of a listing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OrderOfListing {
    /// Who bought.
    pub buyer_id: Uuid,
    /// What.
    pub listing_id: Uuid,
}

/// How many orders a filter lets through.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct OrderCount(pub Filter);

/// A page of the orders that a filter lets through.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct OrderPage(pub NewestFirst<Filter>);

/// A page of somebody's bookings.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct BookingPage(pub NewestFirst<Party>);

/// A page of a subject's reviews.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ReviewPage(pub NewestFirst<(Subject, Uuid)>);

/// The history of a booking.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BookingHistoryOf(pub Uuid);

impl Loader<BookingHistoryOf> for Reads {
    type Value = Vec<bookings::HistoryEntry>;
    type Error = async_graphql::Error;

    async fn load(
        &self,
        keys: &[BookingHistoryOf],
    ) -> async_graphql::Result<HashMap<BookingHistoryOf, Vec<bookings::HistoryEntry>>> {
        batch("BookingHistoryOf", keys.len());
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = bookings::histories(self.db.read(), &ids).await.map_err(system)?;
        Ok(found.into_iter().map(|(id, history)| (BookingHistoryOf(id), history)).collect())
    }
}

impl Loader<OrderById> for Reads {
    type Value = Order;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[OrderById]) -> async_graphql::Result<HashMap<OrderById, Order>> {
        batch("OrderById", keys.len());
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = orders::by_ids(self.db.read(), &ids).await.map_err(system)?;
        Ok(found.into_iter().map(|(id, order)| (OrderById(id), order)).collect())
    }
}

impl Loader<OrderByNumber> for Reads {
    type Value = Order;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[OrderByNumber]) -> async_graphql::Result<HashMap<OrderByNumber, Order>> {
        batch("OrderByNumber", keys.len());
        let numbers: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let found = orders::by_numbers(self.db.read(), &numbers).await.map_err(system)?;
        Ok(found.into_iter().map(|(number, order)| (OrderByNumber(number), order)).collect())
    }
}

impl Loader<HistoryOf> for Reads {
    type Value = Vec<HistoryEntry>;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[HistoryOf]) -> async_graphql::Result<HashMap<HistoryOf, Vec<HistoryEntry>>> {
        batch("HistoryOf", keys.len());
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = orders::histories(self.db.read(), &ids).await.map_err(system)?;
        Ok(found.into_iter().map(|(id, history)| (HistoryOf(id), history)).collect())
    }
}

impl Loader<InvoiceOf> for Reads {
    type Value = Invoice;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[InvoiceOf]) -> async_graphql::Result<HashMap<InvoiceOf, Invoice>> {
        batch("InvoiceOf", keys.len());
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = orders::invoices(self.db.read(), &ids).await.map_err(system)?;
        Ok(found.into_iter().map(|(id, invoice)| (InvoiceOf(id), invoice)).collect())
    }
}

impl Loader<InvoiceById> for Reads {
    type Value = Invoice;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[InvoiceById]) -> async_graphql::Result<HashMap<InvoiceById, Invoice>> {
        batch("InvoiceById", keys.len());
        let mut loaded = HashMap::new();
        for (onlooker, ids) in by_onlooker(keys.iter().map(|key| (key.1, key.0))) {
            let found = orders::invoices_by_id(self.db.read(), &ids, onlooker).await.map_err(system)?;
            loaded.extend(found.into_iter().map(|(id, invoice)| (InvoiceById(id, onlooker), invoice)));
        }
        Ok(loaded)
    }
}

impl Loader<BookingById> for Reads {
    type Value = Booking;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[BookingById]) -> async_graphql::Result<HashMap<BookingById, Booking>> {
        batch("BookingById", keys.len());
        let mut loaded = HashMap::new();
        for (onlooker, ids) in by_onlooker(keys.iter().map(|key| (key.1, key.0))) {
            let found = bookings::by_ids(self.db.read(), &ids, onlooker).await.map_err(system)?;
            loaded.extend(found.into_iter().map(|(id, booking)| (BookingById(id, onlooker), booking)));
        }
        Ok(loaded)
    }
}

impl Loader<ReviewById> for Reads {
    type Value = Review;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[ReviewById]) -> async_graphql::Result<HashMap<ReviewById, Review>> {
        batch("ReviewById", keys.len());
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = reputation::reviews_by_id(self.db.read(), &ids).await.map_err(system)?;
        Ok(found.into_iter().map(|(id, review)| (ReviewById(id), review)).collect())
    }
}

impl Loader<RatingsOf> for Reads {
    type Value = RatingSum;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[RatingsOf]) -> async_graphql::Result<HashMap<RatingsOf, RatingSum>> {
        batch("RatingsOf", keys.len());
        let mut loaded = HashMap::new();
        for subject in [Subject::Product, Subject::Seller] {
            let ids: Vec<Uuid> = keys.iter().filter(|key| key.0 == subject).map(|key| key.1).collect();
            if !ids.is_empty() {
                let found = reputation::ratings(self.db.read(), subject, &ids).await.map_err(system)?;
                loaded.extend(found.into_iter().map(|(id, rating)| (RatingsOf(subject, id), rating)));
            }
        }
        Ok(loaded)
    }
}

impl Loader<OrderOfListing> for Reads {
    type Value = Order;
    type Error = async_graphql::Error;

    async fn load(&self, keys: &[OrderOfListing]) -> async_graphql::Result<HashMap<OrderOfListing, Order>> {
        batch("OrderOfListing", keys.len());
        let mut of_buyer = HashMap::<Uuid, Vec<Uuid>>::new();
        for key in keys {
            of_buyer.entry(key.buyer_id).or_default().push(key.listing_id);
        }
        let mut loaded = HashMap::new();
        for (buyer_id, listing_ids) in of_buyer {
            let found =
                orders::of_buyer_by_listing(self.db.read(), buyer_id, &listing_ids).await.map_err(system)?;
            let found = found.into_iter();
            loaded.extend(found.map(|(listing_id, order)| (OrderOfListing { buyer_id, listing_id }, order)));
        }
        Ok(loaded)
    }
}

/// A loader of what is read for all keys at once, in their order.
macro_rules! list_loader {
    ($key:ident => $value:ty, $read:expr) => {
        impl Loader<$key> for Reads {
            type Value = $value;
            type Error = async_graphql::Error;

            async fn load(&self, keys: &[$key]) -> async_graphql::Result<HashMap<$key, $value>> {
                batch(stringify!($key), keys.len());
                let of: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
                let found = $read(self.db.read(), &of).await.map_err(system)?;
                Ok(keys.iter().cloned().zip(found).collect())
            }
        }
    };
}

list_loader!(OrderCount => i64, reports::counts);
list_loader!(OrderPage => Vec<Order>, reports::lists);
list_loader!(BookingPage => Vec<Booking>, bookings::lists);
list_loader!(ReviewPage => Vec<Review>, reputation::reviews);

/// In practice one group: a request has one viewer.
fn by_onlooker(keys: impl Iterator<Item = (Onlooker, Uuid)>) -> HashMap<Onlooker, Vec<Uuid>> {
    let mut groups = HashMap::<Onlooker, Vec<Uuid>>::new();
    for (onlooker, id) in keys {
        groups.entry(onlooker).or_default().push(id);
    }
    groups
}
