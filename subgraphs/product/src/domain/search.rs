//! What a search asks for, made safe: bounded words, an order with a total tie-break, and the cursor that follows it.

use uuid::Uuid;

/// More words than this make no shopper's query; the rest is ignored.
const WORDS_MAX: usize = 8;
const WORD_CHARS_MAX: usize = 40;

/// In which order products come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Best match first; without words, the best rated.
    Relevance,
    /// Cheapest first.
    PriceAsc,
    /// Dearest first.
    PriceDesc,
    /// Newest first.
    Newest,
    /// Best rated first.
    Rating,
}

impl Sort {
    /// The name inside a cursor.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Relevance => "relevance",
            Sort::PriceAsc => "price-asc",
            Sort::PriceDesc => "price-desc",
            Sort::Newest => "newest",
            Sort::Rating => "rating",
        }
    }

    /// Whether larger keys come first.
    pub fn descending(self) -> bool {
        self != Sort::PriceAsc
    }
}

/// Folded search words; each must occur.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Words(Vec<String>);

impl Words {
    /// Splits at white space and folds case.
    pub fn new(query: Option<&str>) -> Words {
        let mut words: Vec<String> = query
            .unwrap_or_default()
            .split_whitespace()
            .map(|word| word.to_lowercase().chars().take(WORD_CHARS_MAX).collect())
            .collect();
        words.truncate(WORDS_MAX);
        Words(words)
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing is searched for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A search, without its page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// Words of the query.
    pub words: Words,
    /// Slugs of categories; a product in any of them, or below, fits. Empty: every category.
    pub category_slugs: Vec<String>,
    /// Minor units, inclusive.
    pub price_min: Option<i64>,
    /// Minor units, inclusive.
    pub price_max: Option<i64>,
    /// `Some(true)`: only what can be ordered; `Some(false)`: only what is sold out.
    pub in_stock: Option<bool>,
    /// Only this seller's.
    pub seller_id: Option<Uuid>,
}

/// Where a page ends: the sort key and id of its last product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Value of the sort's key.
    pub key: i64,
    /// Breaks ties.
    pub id: Uuid,
}

impl Position {
    /// The cursor's text; the order is part of it, so that a cursor of another order is refused, not misread.
    pub fn cursor(self, sort: Sort) -> String {
        format!("{}:{}:{}", sort.name(), self.key, self.id)
    }

    /// Reads [`Position::cursor`]; `None` for anything else.
    pub fn parse(text: &str, sort: Sort) -> Option<Position> {
        let (key, id) = text.strip_prefix(sort.name())?.strip_prefix(':')?.split_once(':')?;
        Some(Position { key: key.parse().ok()?, id: id.parse().ok()? })
    }
}

/// A pattern for `LIKE … ESCAPE '\'` that finds `word` anywhere; wildcards in the word are taken literally.
pub fn like_anywhere(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_bounded() {
        let words = Words::new(Some("  Kopi  BEANS "));
        assert_eq!(words.iter().collect::<Vec<_>>(), ["kopi", "beans"]);
        assert_eq!(Words::new(Some(&"x ".repeat(100))).iter().count(), WORDS_MAX);
    }

    #[test]
    fn a_cursor_of_another_order_or_of_nonsense_is_refused() {
        let position = Position { key: -5, id: Uuid::from_u128(7) };
        let cursor = position.cursor(Sort::PriceAsc);
        assert_eq!(Position::parse(&cursor, Sort::PriceAsc), Some(position));
        assert_eq!(Position::parse(&cursor, Sort::Newest), None);
        assert_eq!(Position::parse("price-asc:1", Sort::PriceAsc), None);
    }

    #[test]
    fn wildcards_in_a_query_are_literal() {
        assert_eq!(like_anywhere("100%_a\\"), "%100\\%\\_a\\\\%");
    }
}
