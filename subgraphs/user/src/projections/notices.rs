//! `order`, `booking`, `listing` and `review` events: who is told what.
//!
//! Always: a notice and its letter are written in the transaction of the consumer's inbox row, so each is written once
//! however many consumers there are and however often an event comes. Elsewhere: the texts (`domain/notice.rs`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::booking::BookingEvent;
use kopitiam_kafka::messages::listing::ListingEvent;
use kopitiam_kafka::messages::order::{OrderCreated, OrderEvent, OrderLinePayload, OrderStatusChanged};
use kopitiam_kafka::messages::review::ReviewEvent;
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::{Money, SystemError, Tx};
use uuid::Uuid;

use crate::domain::notice::Notice;
use crate::herald::Herald;
use crate::store::notifications::{Line, Subject, recall, remember};

/// What is consumed.
pub const TOPICS: [Topic; 4] =
    [Topic::OrderEvents, Topic::BookingEvents, Topic::ListingEvents, Topic::ReviewEvents];

/// Writes notices.
#[derive(Clone)]
pub struct Notices {
    /// Tells people.
    pub herald: Herald,
}

#[async_trait::async_trait]
impl Handler for Notices {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let poison = |error: kopitiam_kafka::KafkaError| HandleError::Poison(error.to_string());
        let news = News { herald: &self.herald, tx, envelope };
        // Type names are unique over all topics, so one decoder at most knows a message.
        if let Some(event) = OrderEvent::decode(envelope).map_err(poison)? {
            news.order(event).await?;
        } else if let Some(event) = BookingEvent::decode(envelope).map_err(poison)? {
            news.booking(event).await?;
        } else if let Some(event) = ListingEvent::decode(envelope).map_err(poison)? {
            news.listing(event).await?;
        } else if let Some(ReviewEvent::ReviewPosted(review)) =
            ReviewEvent::decode(envelope).map_err(poison)?
            && review.subject != "PRODUCT"
        {
            // The aggregate is who was reviewed.
            news.tell(envelope.aggregate_id, Notice::ReviewReceived { rating: review.rating }).await?;
        }
        Ok(())
    }
}

/// One event on its way to people.
struct News<'a> {
    herald: &'a Herald,
    tx: &'a Tx,
    envelope: &'a Envelope,
}

impl News<'_> {
    fn subject_id(&self) -> Uuid {
        self.envelope.aggregate_id
    }

    fn at(&self) -> DateTime<Utc> {
        self.envelope.occurred_at
    }

    async fn tell(&self, user_id: Uuid, notice: Notice) -> Result<(), SystemError> {
        self.herald.tell(self.tx, user_id, notice, self.envelope.id, self.at()).await
    }

    async fn tell_maybe(&self, user_id: Option<Uuid>, notice: Notice) -> Result<(), SystemError> {
        match user_id {
            Some(user_id) => self.tell(user_id, notice).await,
            None => Ok(()),
        }
    }

    async fn order(&self, event: OrderEvent) -> Result<(), SystemError> {
        match event {
            OrderEvent::OrderCreated(OrderCreated { number, buyer_id, kind, lines, .. }) => {
                // Tickets and auctions are told of as listings.
                let lines = if kind == "CART" { lines } else { Vec::new() };
                let lines = lines
                    .into_iter()
                    .filter_map(|line| line.seller_id.map(|seller_id| Line { seller_id, title: line.title }));
                let subject = Subject {
                    title: number,
                    seller_id: None,
                    buyer_id: Some(buyer_id),
                    lines: lines.collect(),
                };
                remember(self.tx, self.subject_id(), &subject).await
            }
            OrderEvent::OrderStatusChanged(change) => self.order_status(change).await,
            OrderEvent::InvoiceIssued(_) => Ok(()),
        }
    }

    async fn order_status(&self, change: OrderStatusChanged) -> Result<(), SystemError> {
        let OrderStatusChanged { number, buyer_id, to, reason, lines, .. } = change;
        let notice = match to.as_str() {
            "CONFIRMED" => Notice::OrderConfirmed { number: number.clone() },
            "REJECTED" => Notice::OrderRejected { number: number.clone(), reason },
            "CANCELLED" => Notice::OrderCancelled { number: number.clone(), reason },
            "EXPIRED" => Notice::OrderExpired { number: number.clone() },
            "REFUNDED" => Notice::OrderRefunded { number: number.clone() },
            _ => return Ok(()),
        };
        self.tell(buyer_id, notice).await?;
        if to != "CONFIRMED" {
            return Ok(());
        }
        for (seller, titles) in self.sold(lines).await? {
            self.tell(seller, Notice::Sold { number: number.clone(), titles }).await?;
        }
        Ok(())
    }

    /// What each seller sold in an order that was paid. Tickets and auctions are told of as listings.
    async fn sold(&self, lines: Vec<OrderLinePayload>) -> Result<BTreeMap<Uuid, Vec<String>>, SystemError> {
        let mut sold = BTreeMap::<Uuid, Vec<String>>::new();
        if lines.is_empty() {
            // Written by an earlier release: its lines came with the order's creation.
            for line in recall(self.tx, self.subject_id()).await?.unwrap_or_default().lines {
                sold.entry(line.seller_id).or_default().push(line.title);
            }
        }
        for line in lines.into_iter().filter(|line| line.listing_id.is_none()) {
            if let Some(seller) = line.seller_id {
                sold.entry(seller).or_default().push(line.title);
            }
        }
        Ok(sold)
    }

    async fn listing(&self, event: ListingEvent) -> Result<(), SystemError> {
        let listing_id = self.subject_id();
        match event {
            ListingEvent::ListingCreated(created) => {
                let (title, seller_id) = (created.title, Some(created.seller_id));
                return remember(self.tx, listing_id, &Subject { title, seller_id, ..Subject::default() })
                    .await;
            }
            ListingEvent::ListingUpdated(updated) => {
                let known = recall(self.tx, listing_id).await?.unwrap_or_default();
                return remember(self.tx, listing_id, &Subject { title: updated.title, ..known }).await;
            }
            _ => {}
        }
        let Some(Subject { title, seller_id, .. }) = recall(self.tx, listing_id).await? else {
            return Ok(());
        };
        match event {
            ListingEvent::BidAccepted(bid) => {
                let amount = amount(&bid.amount);
                self.tell_maybe(seller_id, Notice::BidReceived { listing_id, title, amount }).await
            }
            ListingEvent::BidOutbid(bid) => {
                self.tell(bid.bidder_id, Notice::Outbid { listing_id, title }).await
            }
            ListingEvent::BidRejected(bid) => {
                let reason = bid.code;
                self.tell(bid.bidder_id, Notice::BidRejected { listing_id, title, reason }).await
            }
            ListingEvent::AuctionEnded(ended) => match (ended.winner_id, ended.price) {
                (Some(winner), Some(price)) => {
                    let price = amount(&price);
                    self.tell(winner, Notice::AuctionWon { listing_id, title, price }).await
                }
                _ => self.tell_maybe(seller_id, Notice::AuctionUnsold { listing_id, title }).await,
            },
            ListingEvent::ListingSold(sold) => {
                let (price, Some(seller_id)) = (amount(&sold.price), seller_id) else { return Ok(()) };
                // The listing answers its order with this event as often as it is asked: one sale is one notice.
                let sale = sold.order_id.unwrap_or(self.envelope.id);
                let notice = Notice::ListingSold { listing_id, title, price };
                self.herald.tell(self.tx, seller_id, notice, sale, self.at()).await
            }
            _ => Ok(()),
        }
    }

    async fn booking(&self, event: BookingEvent) -> Result<(), SystemError> {
        let booking_id = self.subject_id();
        if let BookingEvent::BookingRequested(request) = event {
            let listing = recall(self.tx, request.listing_id).await?;
            let title = listing.map_or_else(|| "your service".to_owned(), |listing| listing.title);
            let (seller_id, buyer_id) = (Some(request.seller_id), Some(request.buyer_id));
            let subject = Subject { title: title.clone(), seller_id, buyer_id, lines: Vec::new() };
            remember(self.tx, booking_id, &subject).await?;
            let price = amount(&request.price);
            let notice = Notice::BookingRequested { booking_id, title, price };
            return self.tell(request.seller_id, notice).await;
        }
        let Some(known) = recall(self.tx, booking_id).await? else { return Ok(()) };
        let Subject { title, seller_id, buyer_id, .. } = known;
        let both = [buyer_id, seller_id];
        let (to, notice): (Vec<Option<Uuid>>, Notice) = match event {
            BookingEvent::BookingRequested(_) => return Ok(()),
            BookingEvent::BookingAccepted(_) => {
                (vec![buyer_id], Notice::BookingAccepted { booking_id, title })
            }
            BookingEvent::BookingDeclined(declined) => {
                (vec![buyer_id], Notice::BookingDeclined { booking_id, title, note: declined.note })
            }
            BookingEvent::BookingExpired(_) => (both.to_vec(), Notice::BookingExpired { booking_id, title }),
            BookingEvent::BookingDepositHeld(held) => {
                let deposit = amount(&held.deposit);
                (vec![seller_id], Notice::BookingDepositHeld { booking_id, title, deposit })
            }
            BookingEvent::BookingDelivered(_) => {
                (vec![buyer_id], Notice::BookingDelivered { booking_id, title })
            }
            BookingEvent::BookingBalanceDue(due) => {
                let balance = amount(&due.balance);
                (vec![buyer_id], Notice::BookingBalanceDue { booking_id, title, balance })
            }
            BookingEvent::BookingClosed(_) => (both.to_vec(), Notice::BookingClosed { booking_id, title }),
            BookingEvent::BookingCancelled(cancelled) => {
                let others = both.into_iter().filter(|side| *side != Some(cancelled.by)).collect();
                (others, Notice::BookingCancelled { booking_id, title })
            }
            BookingEvent::BookingDisputed(disputed) => {
                (vec![seller_id], Notice::BookingDisputed { booking_id, title, note: disputed.note })
            }
            BookingEvent::BookingResolved(resolved) => {
                let (refunded, released) = (amount(&resolved.refunded), amount(&resolved.released));
                (both.to_vec(), Notice::BookingResolved { booking_id, title, refunded, released })
            }
        };
        for side in to.into_iter().flatten() {
            self.tell(side, notice.clone()).await?;
        }
        Ok(())
    }
}

/// An amount for people.
fn amount(amount: &Amount) -> String {
    Money::try_from(amount)
        .map_or_else(|_| format!("{} {}", amount.minor, amount.currency), |money| money.to_string())
}
