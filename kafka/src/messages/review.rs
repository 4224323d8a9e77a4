//! `review.events.v1`: reviews. The aggregate is what was reviewed.

use uuid::Uuid;

use super::{payloads, topic_messages};

payloads! {
    /// A verified buyer (or a seller, of a buyer) wrote a review.
    struct ReviewPosted {
        /// Names the review.
        review_id: Uuid,
        /// `PRODUCT`, `SELLER` or `BUYER`.
        subject: String,
        /// Stars, 1 to 5.
        rating: i32,
        /// Who wrote it.
        author_id: Uuid,
        /// Sum of all stars of the subject, this one included.
        rating_sum: i64,
        /// Number of its reviews, this one included.
        rating_count: i64,
    }
}

topic_messages! {
    /// An event of `review.events.v1`.
    enum ReviewEvent on ReviewEvents {
        "subject" => ReviewPosted;
    }
}
