//! `review.events.v1`: keeps each product's average rating, for sorting. The reviews themselves belong to `order`.

use kopitiam_kafka::messages::review::{ReviewEvent, ReviewPosted};
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::Tx;
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::rebuild::ReadModels;
use kopitiam_kit::{SystemError, inbox};

use crate::store::products;

/// Name of the projection's version rows.
const PROJECTION: &str = "product-ratings";

/// Applies review events.
#[derive(Clone, Copy)]
pub struct ReviewEvents;

#[async_trait::async_trait]
impl Handler for ReviewEvents {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        rate(tx, envelope).await
    }
}

/// The ratings are all that this service keeps of others' events.
#[async_trait::async_trait]
impl ReadModels for ReviewEvents {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::ReviewEvents]
    }

    fn projections(&self) -> &'static [&'static str] {
        &[PROJECTION]
    }

    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    async fn clear(&self, tx: &Tx) -> Result<(), SystemError> {
        Ok(products::clear_ratings(tx).await?)
    }

    async fn apply(&self, tx: &Tx, _topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
        rate(tx, envelope).await
    }
}

async fn rate(tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
    if !inbox::gate(tx, PROJECTION, envelope).await?.applies(envelope)? {
        return Ok(());
    }
    let event = ReviewEvent::decode(envelope).map_err(|error| HandleError::Poison(error.to_string()))?;
    let Some(ReviewEvent::ReviewPosted(ReviewPosted { subject, rating_sum, rating_count, .. })) = event
    else {
        return Ok(());
    };
    if subject == "PRODUCT" && rating_count > 0 {
        products::set_rating(tx, envelope.aggregate_id, rating_sum.saturating_mul(1000) / rating_count)
            .await?;
    }
    Ok(())
}
