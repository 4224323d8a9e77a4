//! `order.events.v1`: orders and invoices. The aggregate is the order.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Amount, payloads, topic_messages};

payloads! {
    /// One line of an order.
    struct OrderLinePayload {
        /// Names the line.
        line_id: Uuid,
        /// What was ordered, if a product.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product_id: Option<Uuid>,
        /// What was ordered, if a listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listing_id: Option<Uuid>,
        /// Who sells; not known before the stock answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
        /// Its name when ordered.
        title: String,
        /// How many.
        quantity: i64,
        /// Price of one.
        unit_price: Amount,
    }
    /// An order was placed and waits for stock and funds.
    struct OrderCreated {
        /// Shown number.
        number: String,
        /// Who buys.
        buyer_id: Uuid,
        /// `CART`, `TICKET` or `AUCTION`.
        kind: String,
        /// What.
        lines: Vec<OrderLinePayload>,
        /// What the buyer pays.
        total: Amount,
    }
    /// The order moved on.
    struct OrderStatusChanged {
        /// Shown number.
        number: String,
        /// Who buys.
        buyer_id: Uuid,
        /// Status before.
        from: String,
        /// Status now.
        to: String,
        /// Why, such as `OUT_OF_STOCK`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What was sold, when the order is `CONFIRMED`: each line with its seller. Empty otherwise, and in what
        /// earlier releases wrote.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<OrderLinePayload>,
    }
    /// The order has its invoice.
    struct InvoiceIssued {
        /// Names the invoice.
        invoice_id: Uuid,
        /// Shown number, gapless per year.
        number: String,
        /// Who pays.
        buyer_id: Uuid,
        /// How much.
        total: Amount,
        /// When.
        issued_at: DateTime<Utc>,
    }
}

topic_messages! {
    /// An event of `order.events.v1`.
    enum OrderEvent on OrderEvents {
        "order" => OrderCreated, OrderStatusChanged, InvoiceIssued;
    }
}
