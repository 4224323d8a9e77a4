//! What an invoice says, page by page.
//!
//! Elsewhere: its number and row (`store::orders`), the file's bytes (`pdf`), who may read it (`invoices`).

use chrono::{DateTime, Utc};
use kopitiam_kit::Money;

use super::lines::LineStatus;
use super::order::Order;
use crate::pdf::{Font, Text, ending_at};

const LEFT: u32 = 56;
const RIGHT: u32 = 539;
/// Right edges of the columns before the last.
const QUANTITY_RIGHT: u32 = 360;
const PRICE_RIGHT: u32 = 450;
const TOP: u32 = 780;
const LINE_HEIGHT: u32 = 18;
/// Lines of goods on one page; the first has a head, so all have room for this many.
const LINES_PER_PAGE: usize = 28;
/// Longest title, in characters, that does not run into the next column.
const TITLE_CHARACTERS_MAX: usize = 44;

/// What is printed about the invoice itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Who pays, as far as a name is known.
    pub buyer: Option<String>,
}

/// The pages of an order's invoice.
pub fn pages(head: &Head, order: &Order) -> Vec<Vec<Text>> {
    let chunks: Vec<_> = order.lines.chunks(LINES_PER_PAGE).collect();
    let count = chunks.len();
    let mut pages = Vec::with_capacity(count);
    for (index, lines) in chunks.into_iter().enumerate() {
        let mut page = head_of(head, order);
        let mut y = TOP - 130;
        page.extend(columns(y));
        for line in lines {
            y -= LINE_HEIGHT;
            page.push(text(LEFT, y, 10, Font::Regular, shortened(&line.title)));
            page.push(ending_at(QUANTITY_RIGHT, y, 10, line.quantity.to_string()));
            page.push(ending_at(PRICE_RIGHT, y, 10, amount(line.unit_price_minor, &order.currency)));
            page.push(ending_at(RIGHT, y, 10, amount(line.line_total_minor, &order.currency)));
            if matches!(line.status, LineStatus::Refunding | LineStatus::Refunded) {
                page.push(text(LEFT + 250, y, 8, Font::Regular, "refunded".to_owned()));
            }
        }
        if index + 1 == count {
            y -= 2 * LINE_HEIGHT;
            page.push(text(LEFT, y, 12, Font::Bold, format!("Total in {}", order.currency)));
            page.push(ending_at(RIGHT, y, 12, amount(order.total_minor, &order.currency)));
            page.push(text(LEFT, y - LINE_HEIGHT, 10, Font::Regular, "Paid from the wallet.".to_owned()));
        }
        page.push(text(LEFT, 40, 8, Font::Regular, format!("Page {} of {count}", index + 1)));
        pages.push(page);
    }
    pages
}

fn head_of(head: &Head, order: &Order) -> Vec<Text> {
    let issued = head.issued_at.format("%Y-%m-%d %H:%M UTC");
    let placed = order.placed_at.format("%Y-%m-%d");
    let buyer = head.buyer.as_deref().unwrap_or("the buyer");
    vec![
        text(LEFT, TOP, 22, Font::Bold, "Kopitiam".to_owned()),
        text(LEFT, TOP - 28, 14, Font::Bold, format!("Invoice {}", head.number)),
        text(LEFT, TOP - 50, 10, Font::Regular, format!("Issued {issued}")),
        text(LEFT, TOP - 66, 10, Font::Regular, format!("Order {} of {placed}", order.number)),
        text(LEFT, TOP - 82, 10, Font::Regular, format!("For {buyer}")),
    ]
}

fn columns(y: u32) -> Vec<Text> {
    vec![
        text(LEFT, y, 10, Font::Bold, "Item".to_owned()),
        ending_at(QUANTITY_RIGHT, y, 10, "Quantity"),
        ending_at(PRICE_RIGHT, y, 10, "Price"),
        ending_at(RIGHT, y, 10, "Amount"),
    ]
}

fn text(x: u32, y: u32, size: u32, font: Font, text: String) -> Text {
    Text { x, y, size, font, text }
}

/// An amount without its currency, which the total names.
fn amount(minor: i64, currency: &str) -> String {
    Money::stored(minor, currency).map_or_else(|_| minor.to_string(), Money::decimal)
}

fn shortened(title: &str) -> String {
    if title.chars().count() <= TITLE_CHARACTERS_MAX {
        return title.to_owned();
    }
    let kept: String = title.chars().take(TITLE_CHARACTERS_MAX - 3).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::order::{OrderKind, OrderLine, OrderStatus};
    use super::*;

    fn order(lines: usize) -> Order {
        let line = |index: usize| OrderLine {
            id: Uuid::from_u128(index as u128),
            title: format!("Thing {index} {}", "x".repeat(60)),
            product_id: None,
            listing_id: None,
            seller_id: None,
            quantity: 2,
            unit_price_minor: 1_250,
            line_total_minor: 2_500,
            fee_minor: 0,
            status: LineStatus::Open,
        };
        Order {
            id: Uuid::nil(),
            number: "K123".into(),
            kind: OrderKind::Cart,
            status: OrderStatus::Confirmed,
            status_reason: None,
            buyer_id: Uuid::nil(),
            currency: "USD".into(),
            subtotal_minor: 250_000,
            fee_minor: 0,
            total_minor: 250_000,
            placed_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            hold_id: None,
            settled_at: None,
            version: 1,
            lines: (0..lines).map(line).collect(),
        }
    }

    fn says(page: &[Text], wanted: &str) -> bool {
        page.iter().any(|text| text.text == wanted)
    }

    #[test]
    fn every_line_is_on_a_page_and_the_total_on_the_last() {
        let head = Head { number: "INV-2026-000007".into(), issued_at: DateTime::UNIX_EPOCH, buyer: None };
        let pages = pages(&head, &order(50));
        assert_eq!(pages.len(), 2);
        assert!(pages.iter().all(|page| says(page, "Invoice INV-2026-000007")));
        let quantities = pages.iter().flatten().filter(|text| text.text == "2").count();
        assert_eq!(quantities, 50);
        assert!(says(&pages[1], "2500.00") && !says(&pages[0], "2500.00"));
        assert!(pages.iter().flatten().all(|text| text.y >= 40), "nothing falls off the page");
    }

    #[test]
    fn long_titles_do_not_run_into_the_next_column() {
        let head = Head { number: String::new(), issued_at: DateTime::UNIX_EPOCH, buyer: Some("bob".into()) };
        let pages = pages(&head, &order(1));
        let title = pages[0].iter().find(|text| text.text.starts_with("Thing")).unwrap();
        assert_eq!(title.text.chars().count(), TITLE_CHARACTERS_MAX);
        assert!(says(&pages[0], "For bob"));
    }
}
