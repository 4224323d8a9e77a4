//! Orders: from a cart, a listing or an auction to an order; statuses, and who may cancel when.
//!
//! Always: the total is the sum of the lines; a status only changes along `OrderStatus::may_become`. Elsewhere: the
//! steps from PENDING to CONFIRMED (`sagas::place_order`), rows (`store::orders`).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cart::Cart;
use super::fee::platform_fee;
use super::lines::LineStatus;
use super::listing::{Listing, ListingKind};

/// What brought an order about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// A cart was checked out.
    Cart,
    /// A fixed-price listing was reserved.
    Ticket,
    /// An auction was won.
    Auction,
}

impl OrderKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Cart, Self::Ticket, Self::Auction];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cart => "CART",
            Self::Ticket => "TICKET",
            Self::Auction => "AUCTION",
        }
    }

    /// The inverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// Stock and money are being reserved.
    Pending,
    /// Reserved; waits for the buyer to pay.
    AwaitingPayment,
    /// Paid and invoiced.
    Confirmed,
    /// Could not be fulfilled; the reason says why.
    Rejected,
    /// Not paid in time.
    Expired,
    /// Called off by the buyer before it was confirmed.
    Cancelled,
    /// Handed over.
    Fulfilled,
    /// Called off after it was confirmed; the money went back.
    Refunded,
}

impl OrderStatus {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::AwaitingPayment,
        Self::Confirmed,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Fulfilled,
        Self::Refunded,
    ];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::AwaitingPayment => "AWAITING_PAYMENT",
            Self::Confirmed => "CONFIRMED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::Fulfilled => "FULFILLED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The inverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// True when an order may go from this status to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Confirmed | Self::Rejected | Self::Cancelled),
            Self::AwaitingPayment => {
                matches!(next, Self::Confirmed | Self::Expired | Self::Cancelled | Self::Rejected)
            }
            Self::Confirmed => matches!(next, Self::Fulfilled | Self::Refunded),
            // What was handed over may come back.
            Self::Fulfilled => next == Self::Refunded,
            Self::Rejected | Self::Expired | Self::Cancelled | Self::Refunded => false,
        }
    }
}

/// A line of an order. Names and prices are those of the moment it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// Identity.
    pub id: Uuid,
    /// What the buyer saw.
    pub title: String,
    /// The product sold, if it is one.
    pub product_id: Option<Uuid>,
    /// The listing sold, if it is one.
    pub listing_id: Option<Uuid>,
    /// Who sells; `None`: the house.
    pub seller_id: Option<Uuid>,
    /// How many.
    pub quantity: i32,
    /// Price of one, in minor units of the order's currency.
    pub unit_price_minor: i64,
    /// Price of all, in minor units.
    pub line_total_minor: i64,
    /// The platform's fee in it, in minor units.
    pub fee_minor: i64,
    /// Where it stands once the order is paid.
    pub status: LineStatus,
}

/// An order without its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Identity.
    pub id: Uuid,
    /// Number, for people and URLs.
    pub number: String,
    /// What brought it about.
    pub kind: OrderKind,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it stands there, as a code.
    pub status_reason: Option<String>,
    /// Who buys.
    pub buyer_id: Uuid,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Sum of the lines, in minor units.
    pub subtotal_minor: i64,
    /// The platform's fee, contained in the subtotal, in minor units.
    pub fee_minor: i64,
    /// What the buyer pays, in minor units.
    pub total_minor: i64,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// Until when it can be confirmed; `None` once that is decided.
    pub expires_at: Option<DateTime<Utc>>,
    /// The hold that pays it, once it is confirmed.
    pub hold_id: Option<Uuid>,
    /// When the money reached its receivers.
    pub settled_at: Option<DateTime<Utc>>,
    /// Counts its changes, from 1.
    pub version: i64,
    /// What is bought.
    pub lines: Vec<OrderLine>,
}

/// Who looks at orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Onlooker {
    /// Who is logged in.
    pub user_id: Option<Uuid>,
    /// May see everybody's orders.
    pub sees_all: bool,
}

impl Onlooker {
    /// True when this is that user.
    pub fn is(&self, user_id: Uuid) -> bool {
        self.user_id == Some(user_id)
    }

    /// True when this may see what belongs to that user.
    pub fn may_see_of(&self, user_id: Uuid) -> bool {
        self.sees_all || self.is(user_id)
    }
}

impl Order {
    /// True when its buyer can call it off: before it is confirmed; after, what came out of a cart, as far as it was
    /// not handed over, once the payment is settled and no refund is under way. A ticket is gone once it is paid.
    pub fn can_be_cancelled(&self) -> bool {
        let is = |status| self.lines.iter().any(|line| line.status == status);
        match self.status {
            OrderStatus::Pending | OrderStatus::AwaitingPayment => true,
            OrderStatus::Confirmed => {
                self.kind == OrderKind::Cart
                    && self.settled_at.is_some()
                    && self.hold_id.is_some()
                    && is(LineStatus::Open)
                    && !is(LineStatus::Refunding)
            }
            _ => false,
        }
    }

    /// The order as this person may see it: the buyer and managers all of it, a seller their own lines with the sums
    /// of those, everybody else nothing.
    pub fn seen_by(mut self, onlooker: Onlooker) -> Option<Self> {
        if onlooker.may_see_of(self.buyer_id) {
            return Some(self);
        }
        self.lines.retain(|line| line.seller_id.is_some_and(|seller| onlooker.is(seller)));
        if self.lines.is_empty() {
            return None;
        }
        self.subtotal_minor = self.lines.iter().map(|line| line.line_total_minor).sum();
        self.fee_minor = self.lines.iter().map(|line| line.fee_minor).sum();
        self.total_minor = self.subtotal_minor;
        Some(self)
    }
}

/// What the buyer asks for at checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Who buys.
    pub buyer_id: Uuid,
    /// The total that the buyer saw, in minor units.
    pub expected_total_minor: i64,
    /// Its currency.
    pub currency: String,
}

/// Why a cart cannot become an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutRefusal {
    /// Nothing in it.
    EmptyCart,
    /// A line is no longer sold.
    Unavailable(String),
    /// The buyer sells this.
    OwnProduct(String),
    /// Not the currency of the cart.
    Currency,
    /// The total is now another, in minor units.
    PriceChanged(i64),
}

/// Makes a pending order of a cart, at the prices known here. Whether there is stock and money is not asked here:
/// their owners decide.
///
/// # Errors
/// The first thing that makes the cart unfit.
pub fn place(
    id: Uuid,
    cart: &Cart,
    checkout: &Checkout,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Order, CheckoutRefusal> {
    if cart.lines.is_empty() {
        return Err(CheckoutRefusal::EmptyCart);
    }
    for line in &cart.lines {
        if line.product.archived {
            return Err(CheckoutRefusal::Unavailable(line.product.name.clone()));
        }
        if line.product.seller_id == Some(checkout.buyer_id) {
            return Err(CheckoutRefusal::OwnProduct(line.product.name.clone()));
        }
    }
    if cart.currency() != checkout.currency {
        return Err(CheckoutRefusal::Currency);
    }
    let total_minor = cart.subtotal_minor();
    if total_minor != checkout.expected_total_minor {
        return Err(CheckoutRefusal::PriceChanged(total_minor));
    }
    let lines: Vec<OrderLine> = cart.lines.iter().map(order_line).collect();
    Ok(Order {
        id,
        number: number(id),
        kind: OrderKind::Cart,
        status: OrderStatus::Pending,
        status_reason: None,
        buyer_id: checkout.buyer_id,
        currency: checkout.currency.clone(),
        subtotal_minor: total_minor,
        fee_minor: lines.iter().map(|line| line.fee_minor).sum(),
        total_minor,
        placed_at: now,
        expires_at: Some(expires_at),
        hold_id: None,
        settled_at: None,
        version: 1,
        lines,
    })
}

/// Why a listing cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReserveRefusal {
    /// Auctions are bid for and services are booked.
    Kind,
    /// The buyer sells it.
    OwnListing,
    /// Not open, as far as is known here.
    NotActive,
}

/// Reserves a fixed-price listing for a buyer until `expires_at`. Whether it is free is not asked here: its owner
/// decides.
///
/// # Errors
/// What makes it unfit.
pub fn reserve(
    id: Uuid,
    listing: &Listing,
    buyer_id: Uuid,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Order, ReserveRefusal> {
    if listing.kind != ListingKind::FixedPrice {
        return Err(ReserveRefusal::Kind);
    }
    if listing.seller_id == buyer_id {
        return Err(ReserveRefusal::OwnListing);
    }
    if !listing.is_active() {
        return Err(ReserveRefusal::NotActive);
    }
    let order = of_listing(id, listing, listing.price_minor, buyer_id, now);
    Ok(Order {
        kind: OrderKind::Ticket,
        status: OrderStatus::AwaitingPayment,
        expires_at: Some(expires_at),
        ..order
    })
}

/// The order of an auction that was won and paid: confirmed from its first moment.
pub fn won(id: Uuid, listing: &Listing, price_minor: i64, winner_id: Uuid, now: DateTime<Utc>) -> Order {
    let order = of_listing(id, listing, price_minor, winner_id, now);
    Order { kind: OrderKind::Auction, status: OrderStatus::Confirmed, settled_at: Some(now), ..order }
}

fn of_listing(id: Uuid, listing: &Listing, price_minor: i64, buyer_id: Uuid, now: DateTime<Utc>) -> Order {
    let fee_minor = platform_fee(price_minor);
    let line = OrderLine {
        id: Uuid::now_v7(),
        title: listing.title.clone(),
        product_id: None,
        listing_id: Some(listing.id),
        seller_id: Some(listing.seller_id),
        quantity: 1,
        unit_price_minor: price_minor,
        line_total_minor: price_minor,
        fee_minor,
        status: LineStatus::Open,
    };
    Order {
        id,
        number: number(id),
        kind: OrderKind::Ticket,
        status: OrderStatus::Pending,
        status_reason: None,
        buyer_id,
        currency: listing.currency.clone(),
        subtotal_minor: price_minor,
        fee_minor,
        total_minor: price_minor,
        placed_at: now,
        expires_at: None,
        hold_id: None,
        settled_at: None,
        version: 1,
        lines: vec![line],
    }
}

fn order_line(line: &super::cart::CartLine) -> OrderLine {
    let line_total_minor = line.total_minor();
    OrderLine {
        id: Uuid::now_v7(),
        title: line.product.name.clone(),
        product_id: Some(line.product.id),
        listing_id: None,
        seller_id: line.product.seller_id,
        quantity: line.quantity,
        unit_price_minor: line.product.price_minor,
        line_total_minor,
        fee_minor: if line.product.seller_id.is_some() { platform_fee(line_total_minor) } else { 0 },
        status: LineStatus::Open,
    }
}

/// The order's number: ten characters that are easy to read aloud, of the random part of its id.
pub fn number(id: Uuid) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let random = id.as_u128();
    let characters = (0..10).map(|place| {
        let index = usize::try_from((random >> (5 * place)) & 31).expect("five bits fit");
        char::from(ALPHABET[index])
    });
    format!("K{}", characters.collect::<String>())
}

/// Number of the `sequence`-th invoice of a year.
pub fn invoice_number(year: i32, sequence: i64) -> String {
    format!("INV-{year}-{sequence:06}")
}

#[cfg(test)]
mod tests {
    use super::super::cart::{CartLine, Product};
    use super::*;

    fn product(seller: Option<u128>) -> Product {
        Product {
            id: Uuid::from_u128(1),
            name: "House blend".into(),
            price_minor: 1_250,
            currency: "USD".into(),
            seller_id: seller.map(Uuid::from_u128),
            archived: false,
            available: Some(0),
        }
    }

    fn cart(product: Product) -> Cart {
        let line = CartLine { id: Uuid::nil(), product, quantity: 2 };
        Cart { id: Uuid::nil(), owner_id: None, lines: vec![line] }
    }

    fn checkout(expected_total_minor: i64) -> Checkout {
        Checkout { buyer_id: Uuid::from_u128(7), expected_total_minor, currency: "USD".into() }
    }

    fn placed(cart: &Cart, checkout: &Checkout) -> Result<Order, CheckoutRefusal> {
        place(Uuid::from_u128(5), cart, checkout, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn order_takes_price_and_seller_from_the_replica_and_the_fee_from_the_price() {
        let order = placed(&cart(product(Some(3))), &checkout(2_500)).unwrap();
        assert_eq!((order.subtotal_minor, order.fee_minor, order.total_minor), (2_500, 125, 2_500));
        assert_eq!(order.lines[0].seller_id, Some(Uuid::from_u128(3)));
        assert_eq!(order.status, OrderStatus::Pending);
    }

    #[test]
    fn another_total_than_the_buyer_saw_is_refused_with_the_new_one() {
        let refused = placed(&cart(product(None)), &checkout(2_499)).unwrap_err();
        assert_eq!(refused, CheckoutRefusal::PriceChanged(2_500));
    }

    #[test]
    fn empty_cart_own_product_and_foreign_currency_are_refused() {
        let empty = Cart { id: Uuid::nil(), owner_id: None, lines: vec![] };
        assert_eq!(placed(&empty, &checkout(0)), Err(CheckoutRefusal::EmptyCart));
        let own = placed(&cart(product(Some(7))), &checkout(2_500));
        assert_eq!(own, Err(CheckoutRefusal::OwnProduct("House blend".into())));
        let foreign = Checkout { currency: "EUR".into(), ..checkout(2_500) };
        assert_eq!(placed(&cart(product(None)), &foreign), Err(CheckoutRefusal::Currency));
    }

    #[test]
    fn seller_sees_own_lines_and_their_sums_and_a_stranger_sees_nothing() {
        let sees = |user: u128, sees_all| Onlooker { user_id: Some(Uuid::from_u128(user)), sees_all };
        let mut order = placed(&cart(product(Some(3))), &checkout(2_500)).unwrap();
        let foreign = OrderLine { seller_id: Some(Uuid::from_u128(4)), ..order.lines[0].clone() };
        order.lines.push(OrderLine { line_total_minor: 700, fee_minor: 35, ..foreign });
        let whole = order.clone();
        assert_eq!(order.clone().seen_by(sees(7, false)), Some(whole.clone()));
        assert_eq!(order.clone().seen_by(sees(9, true)), Some(whole));
        let sale = order.clone().seen_by(sees(4, false)).unwrap();
        assert_eq!((sale.lines.len(), sale.total_minor, sale.fee_minor), (1, 700, 35));
        assert_eq!(order.clone().seen_by(sees(9, false)), None);
        assert_eq!(order.seen_by(Onlooker { user_id: None, sees_all: false }), None);
    }

    #[test]
    fn final_statuses_are_final() {
        for status in
            [OrderStatus::Rejected, OrderStatus::Expired, OrderStatus::Cancelled, OrderStatus::Refunded]
        {
            assert!(OrderStatus::ALL.into_iter().all(|next| !status.may_become(next)), "{status:?}");
        }
    }

    #[test]
    fn numbers_of_different_orders_differ() {
        let numbers: std::collections::HashSet<_> = (0..1_000).map(|_| number(Uuid::now_v7())).collect();
        assert_eq!(numbers.len(), 1_000);
        assert!(numbers.iter().all(|number| number.len() == 11));
    }
}
