//! Lines of an order after it is paid: handed over or refunded one by one, and what that makes of the order.
//!
//! Always: a line leaves `OPEN` once for `FULFILLED`, and from either of these it is claimed by at most one refund.
//! Elsewhere: rows (`store::lines`), moving the money back (`sagas::refund_order`).

use std::collections::BTreeMap;

use uuid::Uuid;

use super::order::{Order, OrderLine, OrderStatus};

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineStatus {
    /// Not handed over.
    Open,
    /// Handed over.
    Fulfilled,
    /// Its money is on the way back.
    Refunding,
    /// Its money is back.
    Refunded,
}

impl LineStatus {
    /// All statuses.
    pub const ALL: [Self; 4] = [Self::Open, Self::Fulfilled, Self::Refunding, Self::Refunded];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Fulfilled => "FULFILLED",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The inverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What is done with lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Hand them over.
    Fulfil,
    /// Give their money back.
    Refund,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doer {
    /// Who.
    pub user_id: Uuid,
    /// May do it with everybody's lines.
    pub is_manager: bool,
}

/// Why lines cannot be handed over or refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinesRefusal {
    /// No such line, or not one of theirs.
    #[error("there is no such line")]
    Unknown,
    /// None was named.
    #[error("name at least one line")]
    None,
    /// The order is not paid, or over.
    #[error("the order is not in a state for it")]
    Order,
    /// A line was handed over or refunded already.
    #[error("a line was handed over or refunded already")]
    Line,
}

/// The lines of these ids, if this person may do this with all of them now. A line named twice counts once.
///
/// # Errors
/// Why not; nothing is to be done then.
pub fn pick<'order>(
    order: &'order Order,
    ids: &[Uuid],
    deed: Deed,
    doer: Doer,
) -> Result<Vec<&'order OrderLine>, LinesRefusal> {
    if ids.is_empty() {
        return Err(LinesRefusal::None);
    }
    // A manager who is the seller of a line is its seller as well; one who bought it is not its seller.
    let may = |line: &OrderLine| doer.is_manager || line.seller_id == Some(doer.user_id);
    let known = |id: &Uuid| order.lines.iter().any(|line| line.id == *id && may(line));
    if !ids.iter().all(known) {
        return Err(LinesRefusal::Unknown);
    }
    let lines: Vec<&OrderLine> = order.lines.iter().filter(|line| ids.contains(&line.id)).collect();
    let (in_order, in_line): (&[OrderStatus], &[LineStatus]) = match deed {
        Deed::Fulfil => (&[OrderStatus::Confirmed], &[LineStatus::Open]),
        Deed::Refund => {
            (&[OrderStatus::Confirmed, OrderStatus::Fulfilled], &[LineStatus::Open, LineStatus::Fulfilled])
        }
    };
    if !in_order.contains(&order.status) {
        return Err(LinesRefusal::Order);
    }
    if lines.iter().all(|line| in_line.contains(&line.status)) { Ok(lines) } else { Err(LinesRefusal::Line) }
}

/// The status that the lines give a paid order.
pub fn status_of(lines: &[OrderLine]) -> OrderStatus {
    let all = |status: &[LineStatus]| lines.iter().all(|line| status.contains(&line.status));
    if all(&[LineStatus::Refunded]) {
        OrderStatus::Refunded
    } else if all(&[LineStatus::Fulfilled, LineStatus::Refunded]) {
        OrderStatus::Fulfilled
    } else {
        OrderStatus::Confirmed
    }
}

/// Quantity per product of these lines, in the order of ids.
pub fn quantities<'line>(lines: impl IntoIterator<Item = &'line OrderLine>) -> Vec<(Uuid, i64)> {
    let mut sums = BTreeMap::<Uuid, i64>::new();
    for line in lines {
        if let Some(product_id) = line.product_id {
            *sums.entry(product_id).or_default() += i64::from(line.quantity);
        }
    }
    sums.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::order::OrderKind;
    use super::*;

    fn line(id: u128, seller: u128, status: LineStatus) -> OrderLine {
        OrderLine {
            id: Uuid::from_u128(id),
            title: String::new(),
            product_id: Some(Uuid::from_u128(9)),
            listing_id: None,
            seller_id: Some(Uuid::from_u128(seller)),
            quantity: 2,
            unit_price_minor: 100,
            line_total_minor: 200,
            fee_minor: 10,
            status,
        }
    }

    fn order(status: OrderStatus, lines: Vec<OrderLine>) -> Order {
        Order {
            id: Uuid::nil(),
            number: String::new(),
            kind: OrderKind::Cart,
            status,
            status_reason: None,
            buyer_id: Uuid::from_u128(7),
            currency: "USD".into(),
            subtotal_minor: 400,
            fee_minor: 20,
            total_minor: 400,
            placed_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            hold_id: None,
            settled_at: None,
            version: 1,
            lines,
        }
    }

    fn ids(ids: &[u128]) -> Vec<Uuid> {
        ids.iter().copied().map(Uuid::from_u128).collect()
    }

    #[test]
    fn sellers_pick_their_own_open_lines_and_managers_any() {
        let lines = vec![line(1, 5, LineStatus::Open), line(2, 6, LineStatus::Open)];
        let order = order(OrderStatus::Confirmed, lines);
        let five = Doer { user_id: Uuid::from_u128(5), is_manager: false };
        let picked = pick(&order, &ids(&[1, 1]), Deed::Fulfil, five).unwrap();
        assert_eq!(picked.len(), 1);
        assert_eq!(pick(&order, &ids(&[1, 2]), Deed::Fulfil, five), Err(LinesRefusal::Unknown));
        assert_eq!(pick(&order, &ids(&[3]), Deed::Refund, five), Err(LinesRefusal::Unknown));
        assert_eq!(pick(&order, &[], Deed::Refund, five), Err(LinesRefusal::None));
        let buyer = Doer { user_id: order.buyer_id, is_manager: false };
        assert_eq!(pick(&order, &ids(&[1]), Deed::Fulfil, buyer), Err(LinesRefusal::Unknown));
        let manager = Doer { user_id: Uuid::from_u128(8), is_manager: true };
        assert_eq!(pick(&order, &ids(&[1, 2]), Deed::Refund, manager).unwrap().len(), 2);
    }

    #[test]
    fn a_line_is_handed_over_once_and_refunded_once_and_only_when_paid() {
        use {
            Deed::{Fulfil, Refund},
            LineStatus as L, OrderStatus as O,
        };
        let seller = Doer { user_id: Uuid::from_u128(5), is_manager: false };
        let pick_in = |order_status, line_status, deed| {
            let order = order(order_status, vec![line(1, 5, line_status)]);
            pick(&order, &ids(&[1]), deed, seller).map(|_| ())
        };
        assert_eq!(pick_in(O::Confirmed, L::Fulfilled, Fulfil), Err(LinesRefusal::Line));
        assert_eq!(pick_in(O::Confirmed, L::Refunding, Fulfil), Err(LinesRefusal::Line));
        assert_eq!(pick_in(O::Fulfilled, L::Fulfilled, Refund), Ok(()));
        assert_eq!(pick_in(O::Confirmed, L::Refunding, Refund), Err(LinesRefusal::Line));
        for unpaid in [O::Pending, O::AwaitingPayment, O::Rejected, O::Expired, O::Cancelled] {
            for deed in [Fulfil, Refund] {
                assert_eq!(pick_in(unpaid, L::Open, deed), Err(LinesRefusal::Order), "{unpaid:?} {deed:?}");
            }
        }
        for over in [O::Fulfilled, O::Refunded] {
            assert_eq!(pick_in(over, L::Open, Fulfil), Err(LinesRefusal::Order), "{over:?}");
        }
    }

    #[test]
    fn order_follows_its_lines() {
        use LineStatus as L;
        let of = |statuses: &[LineStatus]| {
            status_of(&statuses.iter().map(|status| line(1, 5, *status)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[L::Open, L::Refunded]), OrderStatus::Confirmed);
        assert_eq!(of(&[L::Fulfilled, L::Refunding]), OrderStatus::Confirmed);
        assert_eq!(of(&[L::Fulfilled, L::Refunded]), OrderStatus::Fulfilled);
        assert_eq!(of(&[L::Refunded, L::Refunded]), OrderStatus::Refunded);
    }
}
