//! Carts: what may be put in, what the lines cost, what is wrong with them.
//!
//! Prices and stock are this service's copies; the owners decide at checkout. Always: one line per product, each
//! quantity from 1 to `QUANTITY_MAX`. Elsewhere: rows (`store::carts`).

use std::collections::BTreeMap;

use uuid::Uuid;

/// Most units of one product in a cart.
pub const QUANTITY_MAX: i32 = 99;
/// Most lines in a cart.
pub const LINES_MAX: usize = 50;
/// Currency of an empty cart.
pub const DEFAULT_CURRENCY: &str = "USD";

/// A product as this service knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Identity.
    pub id: Uuid,
    /// Name, copied into order lines.
    pub name: String,
    /// Price of one unit, in minor units of `currency`.
    pub price_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Who sells it; `None`: the house.
    pub seller_id: Option<Uuid>,
    /// No longer for sale.
    pub archived: bool,
    /// Units free to buy when last heard; `None` when never heard.
    pub available: Option<i64>,
}

/// A line of a cart, with its product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartLine {
    /// Identity.
    pub id: Uuid,
    /// What.
    pub product: Product,
    /// How many.
    pub quantity: i32,
}

impl CartLine {
    /// Price of the line in minor units.
    pub fn total_minor(&self) -> i64 {
        self.product.price_minor.saturating_mul(i64::from(self.quantity))
    }
}

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    /// Identity; whoever knows the id of a guest's cart may use it.
    pub id: Uuid,
    /// Owner; `None` for a guest's.
    pub owner_id: Option<Uuid>,
    /// Lines in the order they were added.
    pub lines: Vec<CartLine>,
}

impl Cart {
    /// Sum of the lines in minor units.
    pub fn subtotal_minor(&self) -> i64 {
        self.lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.total_minor()))
    }

    /// Currency of the lines.
    pub fn currency(&self) -> &str {
        self.lines.first().map_or(DEFAULT_CURRENCY, |line| &line.product.currency)
    }

    /// True when `viewer` may see and change it.
    pub fn is_open_to(&self, viewer: Option<Uuid>) -> bool {
        self.owner_id.is_none() || self.owner_id == viewer
    }

    /// What would go wrong at checkout, as far as this service's copies tell.
    pub fn problems(&self) -> Vec<Problem> {
        self.lines.iter().filter_map(problem).collect()
    }
}

/// Something wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `UNAVAILABLE`, `OUT_OF_STOCK` or `NOT_ENOUGH_STOCK`.
    pub code: &'static str,
    /// The line.
    pub line_id: Uuid,
    /// Units free to buy, when known.
    pub available: Option<i64>,
    /// For people.
    pub message: String,
}

fn problem(line: &CartLine) -> Option<Problem> {
    let (code, message) = match line.product.available {
        _ if line.product.archived => ("UNAVAILABLE", format!("{} is no longer sold.", line.product.name)),
        Some(available) if available <= 0 => ("OUT_OF_STOCK", format!("{} is sold out.", line.product.name)),
        Some(available) if available < i64::from(line.quantity) => {
            ("NOT_ENOUGH_STOCK", format!("Only {available} of {} left.", line.product.name))
        }
        _ => return None,
    };
    let available = line.product.available.map(|available| available.max(0));
    Some(Problem { code, line_id: line.id, available, message })
}

/// Why lines cannot be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A quantity below 0 or above `QUANTITY_MAX`; index of the line in the request.
    Quantity(usize),
    /// No such product, or no longer for sale; index of the line in the request.
    Product(usize),
    /// Another currency than the rest of the cart; index of the line in the request.
    Currency(usize),
    /// More than `LINES_MAX` lines.
    TooManyLines,
}

/// What a request to set lines comes to: per product the new quantity (0: remove), in the order asked. The same
/// product twice in one request counts as the sum.
///
/// # Errors
/// The first line that cannot be set; nothing is to be changed then.
pub fn set_lines(
    cart: &Cart,
    requested: &[(Uuid, i32)],
    products: &BTreeMap<Uuid, Product>,
) -> Result<Vec<(Uuid, i32)>, Refusal> {
    let mut wanted = Vec::<(Uuid, i32)>::new();
    let mut currency = cart.lines.first().map(|line| line.product.currency.clone());
    for (index, (product_id, quantity)) in requested.iter().enumerate() {
        if !(0..=QUANTITY_MAX).contains(quantity) {
            return Err(Refusal::Quantity(index));
        }
        if *quantity > 0 {
            let product = products.get(product_id).filter(|product| !product.archived);
            let product = product.ok_or(Refusal::Product(index))?;
            if currency.get_or_insert_with(|| product.currency.clone()) != &product.currency {
                return Err(Refusal::Currency(index));
            }
        }
        match wanted.iter_mut().find(|(known, _)| known == product_id) {
            Some((_, sum)) if *sum + quantity > QUANTITY_MAX => return Err(Refusal::Quantity(index)),
            Some((_, sum)) => *sum += quantity,
            None => wanted.push((*product_id, *quantity)),
        }
    }
    let kept = cart.lines.iter().filter(|line| wanted.iter().all(|(id, _)| *id != line.product.id)).count();
    let set = wanted.iter().filter(|(_, quantity)| *quantity > 0).count();
    if kept + set > LINES_MAX { Err(Refusal::TooManyLines) } else { Ok(wanted) }
}

/// What a guest's cart adds to its new owner's: per product the new quantity. Quantities add up as far as a line can hold
/// them, and new lines come in as far as the cart can; the rest is left out rather than all of it refused.
pub fn merged(guest: &Cart, owned: &Cart) -> Vec<(Uuid, i32)> {
    let mut room = LINES_MAX.saturating_sub(owned.lines.len());
    let mut lines = Vec::new();
    for line in &guest.lines {
        let already = owned.lines.iter().find(|known| known.product.id == line.product.id);
        if already.is_none() {
            if room == 0
                || owned.lines.first().is_some_and(|own| own.product.currency != line.product.currency)
            {
                continue;
            }
            room -= 1;
        }
        let sum = line.quantity.saturating_add(already.map_or(0, |known| known.quantity));
        lines.push((line.product.id, sum.min(QUANTITY_MAX)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: u128, available: Option<i64>) -> Product {
        Product {
            id: Uuid::from_u128(id),
            name: format!("Product {id}"),
            price_minor: 1_250,
            currency: "USD".into(),
            seller_id: None,
            archived: false,
            available,
        }
    }

    fn cart(lines: Vec<(Product, i32)>) -> Cart {
        let lines =
            lines.into_iter().map(|(product, quantity)| CartLine { id: product.id, product, quantity });
        Cart { id: Uuid::nil(), owner_id: None, lines: lines.collect() }
    }

    #[test]
    fn same_product_twice_is_one_line_with_the_sum() {
        let products = BTreeMap::from([(Uuid::from_u128(1), product(1, None))]);
        let asked = [(Uuid::from_u128(1), 2), (Uuid::from_u128(1), 3)];
        assert_eq!(set_lines(&cart(vec![]), &asked, &products), Ok(vec![(Uuid::from_u128(1), 5)]));
    }

    #[test]
    fn negative_and_excessive_quantities_are_refused() {
        let products = BTreeMap::from([(Uuid::from_u128(1), product(1, None))]);
        for quantity in [-1, i32::MIN, QUANTITY_MAX + 1, i32::MAX] {
            let asked = [(Uuid::from_u128(1), quantity)];
            assert_eq!(set_lines(&cart(vec![]), &asked, &products), Err(Refusal::Quantity(0)), "{quantity}");
        }
        let asked = [(Uuid::from_u128(1), QUANTITY_MAX), (Uuid::from_u128(1), 1)];
        assert_eq!(set_lines(&cart(vec![]), &asked, &products), Err(Refusal::Quantity(1)));
    }

    #[test]
    fn unknown_product_is_refused_but_can_be_removed() {
        let asked = [(Uuid::from_u128(9), 1)];
        assert_eq!(set_lines(&cart(vec![]), &asked, &BTreeMap::new()), Err(Refusal::Product(0)));
        let asked = [(Uuid::from_u128(9), 0)];
        assert_eq!(set_lines(&cart(vec![]), &asked, &BTreeMap::new()), Ok(vec![(Uuid::from_u128(9), 0)]));
    }

    #[test]
    fn merge_takes_what_fits_and_leaves_out_the_rest() {
        let full =
            cart((0..u128::try_from(LINES_MAX).unwrap() - 1).map(|id| (product(id, None), 98)).collect());
        let guest = cart(vec![(product(0, None), 5), (product(100, None), 1), (product(101, None), 1)]);
        let lines = merged(&guest, &full);
        assert_eq!(lines, [(Uuid::from_u128(0), QUANTITY_MAX), (Uuid::from_u128(100), 1)]);
        let euro = Product { currency: "EUR".into(), ..product(102, None) };
        assert!(merged(&cart(vec![(euro, 1)]), &full).is_empty(), "one cart, one currency");
    }

    #[test]
    fn problems_name_the_line_and_what_is_left() {
        let archived = Product { archived: true, ..product(4, Some(5)) };
        let lines =
            vec![(product(1, Some(0)), 1), (product(2, Some(1)), 2), (product(3, None), 9), (archived, 1)];
        let problems = cart(lines).problems();
        let short: Vec<_> = problems.iter().map(|problem| (problem.code, problem.available)).collect();
        assert_eq!(
            short,
            [("OUT_OF_STOCK", Some(0)), ("NOT_ENOUGH_STOCK", Some(1)), ("UNAVAILABLE", Some(5))]
        );
    }
}
