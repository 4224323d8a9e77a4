//! What this service tells the others: a listing's events, and the commands of its sagas.

use kopitiam_kafka::messages::listing::ListingCreated;

use crate::domain::listing::{Details, Listing};

/// The event of a new listing.
pub fn created(listing: &Listing) -> ListingCreated {
    let (item_id, product_id, ends_at) = match listing.details {
        Details::Auction { item_id, ends_at, .. } => (Some(item_id), None, Some(ends_at)),
        Details::FixedPrice { product_id, .. } => (None, product_id, None),
        Details::Service { .. } => (None, None, None),
    };
    ListingCreated {
        kind: listing.kind(),
        title: listing.title.clone(),
        seller_id: listing.seller_id,
        status: listing.status.name().to_owned(),
        ask_price: listing.ask_price.into(),
        product_id,
        item_id,
        ends_at,
        deposit_percent: match listing.details {
            Details::Service { deposit_percent, .. } => Some(deposit_percent),
            _ => None,
        },
    }
}
