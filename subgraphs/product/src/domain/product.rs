//! Products and their checked input.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::refusal::Refusal;
use super::search::words_of;

const NAME_CHARS_MAX: usize = 120;
const DESCRIPTION_CHARS_MAX: usize = 5000;
const SUPPLIER_CHARS_MAX: usize = 120;
const SLUG_CHARS_MAX: usize = 80;
/// Most units of one product; an order of magnitude below what the GraphQL `Int` carries.
pub const STOCK_MAX: i64 = 1_000_000;
/// Highest price in minor units: orders add up many of them in 64 bits.
pub const PRICE_MINOR_MAX: i64 = 1_000_000_000;

/// The one currency of the shop: what the wallets are kept in.
pub const CURRENCY: &str = "USD";

/// A product as customers see it, without its stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// UUIDv7.
    pub id: Uuid,
    /// Unique; made from the first name and kept, so that links stay good.
    pub slug: String,
    /// Unique without regard to case.
    pub name: String,
    /// Plain text.
    pub description: String,
    /// Minor units of `currency`; zero or more.
    pub price_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Who makes it.
    pub supplier: Option<String>,
    /// Who sells it.
    pub seller_id: Uuid,
    /// No longer sold; readable for old orders.
    pub archived: bool,
    /// Grows by one with every change; the version of its events.
    pub version: i32,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A picture with its size, so that pages do not shift while it loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// A path of this shop.
    pub url: String,
    /// What it shows.
    pub alt: String,
    /// Pixels.
    pub width: i32,
    /// Pixels.
    pub height: i32,
}

/// Units of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// All units, the reserved ones too.
    pub on_hand: i64,
    /// Units promised to orders.
    pub reserved: i64,
    /// Grows by one with every change; the version of `StockUpdated`.
    pub version: i32,
}

impl Stock {
    /// What can still be ordered.
    pub fn available(self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// Raw input of `createProduct` and `updateProduct`; the price is parsed already.
#[derive(Debug, Clone)]
pub struct ProductForm {
    /// Any text.
    pub name: String,
    /// Any text.
    pub description: String,
    /// Minor units.
    pub price_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Any text.
    pub supplier: Option<String>,
    /// Any ids.
    pub category_ids: Vec<Uuid>,
    /// Any number; only for a new product. The stock of one that is sold already changes by adjustments: an absolute
    /// number from a form would bring back what was sold while the form was open.
    pub stock: Option<i64>,
}

/// Checked input of `createProduct` and `updateProduct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductDraft {
    /// Trimmed, not empty.
    pub name: String,
    /// Made from the name.
    pub slug: String,
    /// Trimmed, not empty.
    pub description: String,
    /// Zero or more.
    pub price_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Trimmed.
    pub supplier: Option<String>,
    /// Sorted, without duplicates, not empty.
    pub category_ids: Vec<Uuid>,
    /// Units on hand at the start, 0 to [`STOCK_MAX`]; nothing is zero.
    pub stock: i64,
}

impl ProductDraft {
    /// Checks every rule at once, so that a form shows all its mistakes.
    ///
    /// # Errors
    /// Each broken rule once, in field order.
    pub fn new(form: ProductForm) -> Result<ProductDraft, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut keep = |result: Result<String, Refusal>| {
            result.unwrap_or_else(|refusal| {
                refusals.push(refusal);
                String::new()
            })
        };
        let name = keep(name(&form.name));
        let slug = keep(slug_of(&form.name).ok_or(Refusal::NameInvalid));
        let description = keep(long_text(&form.description));
        let supplier =
            form.supplier.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        if supplier
            .as_ref()
            .is_some_and(|text| text.chars().count() > SUPPLIER_CHARS_MAX || has_control(text))
        {
            refusals.push(Refusal::SupplierInvalid);
        }
        // A wallet cannot hold nothing, so what is free could not be ordered.
        if !(1..=PRICE_MINOR_MAX).contains(&form.price_minor) {
            refusals.push(Refusal::PriceInvalid);
        }
        if form.currency != CURRENCY {
            refusals.push(Refusal::CurrencyUnsupported);
        }
        let stock = form.stock.unwrap_or(0);
        if !(0..=STOCK_MAX).contains(&stock) {
            refusals.push(Refusal::StockInvalid);
        }
        let mut category_ids = form.category_ids;
        category_ids.sort_unstable();
        category_ids.dedup();
        if category_ids.is_empty() {
            refusals.push(Refusal::CategoryMissing);
        }
        refusals.dedup();
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let (price_minor, currency) = (form.price_minor, form.currency);
        Ok(ProductDraft { name, slug, description, price_minor, currency, supplier, category_ids, stock })
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n')
}

fn long_text(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > DESCRIPTION_CHARS_MAX || has_control(text) {
        return Err(Refusal::DescriptionInvalid);
    }
    Ok(text.to_owned())
}

/// A checked name of a product or category.
///
/// # Errors
/// [`Refusal::NameInvalid`].
pub fn name(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::NameInvalid);
    }
    Ok(text.to_owned())
}

/// What decides whether two names are the same.
pub fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The words that `search` looks into.
pub fn search_text(name: &str, supplier: Option<&str>, description: &str) -> String {
    words_of(&format!("{name}\n{}\n{description}", supplier.unwrap_or_default())).join(" ")
}

/// The words of a name with a space around each, so that a pattern can tell where a word begins and ends.
pub fn name_words(name: &str) -> String {
    format!(" {} ", words_of(name).join(" "))
}

/// The address part for a name: ASCII letters and digits with single dashes; `None` when nothing is left of it.
pub fn slug_of(name: &str) -> Option<String> {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') && c != '\'' {
            slug.push('-');
        }
        if slug.len() >= SLUG_CHARS_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { None } else { Some(slug.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ProductForm {
        ProductForm {
            name: " House Blend ".into(),
            description: "Dark.".into(),
            price_minor: 1250,
            currency: "USD".into(),
            supplier: Some(" ".into()),
            category_ids: vec![Uuid::from_u128(2), Uuid::from_u128(1), Uuid::from_u128(2)],
            stock: Some(3),
        }
    }

    #[test]
    fn a_good_form_is_trimmed_and_its_categories_are_a_set() {
        let draft = ProductDraft::new(form()).unwrap();
        assert_eq!((draft.name.as_str(), draft.slug.as_str()), ("House Blend", "house-blend"));
        assert_eq!(draft.supplier, None);
        assert_eq!(draft.category_ids, [Uuid::from_u128(1), Uuid::from_u128(2)]);
    }

    #[test]
    fn every_broken_rule_is_named_at_once() {
        let bad = ProductForm {
            name: String::new(),
            price_minor: -1,
            stock: Some(-1),
            category_ids: Vec::new(),
            ..form()
        };
        assert_eq!(
            ProductDraft::new(bad),
            Err(vec![
                Refusal::NameInvalid,
                Refusal::PriceInvalid,
                Refusal::StockInvalid,
                Refusal::CategoryMissing
            ])
        );
    }

    #[test]
    fn a_price_can_be_paid_and_summed_up() {
        for price_minor in [0, 1_000_000_001, i64::MAX] {
            let refused = ProductDraft::new(ProductForm { price_minor, ..form() });
            assert_eq!(refused, Err(vec![Refusal::PriceInvalid]), "{price_minor}");
        }
        for price_minor in [1, 1_000_000_000] {
            assert!(ProductDraft::new(ProductForm { price_minor, ..form() }).is_ok(), "{price_minor}");
        }
    }

    #[test]
    fn slugs_are_ascii_with_single_dashes() {
        assert_eq!(slug_of("Baker's  Kopi — No. 1!").as_deref(), Some("bakers-kopi-no-1"));
        assert_eq!(slug_of("咖啡"), None);
    }
}
