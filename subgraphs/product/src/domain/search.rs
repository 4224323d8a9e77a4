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

/// The words of a text: letters and digits in lower case; everything else only parts them. What is searched and what is
/// searched for go through this, so both databases index and find the same words.
pub fn words_of(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words of a query; with each of them a word of the product must begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Words {
    words: Vec<String>,
    unfindable: bool,
}

impl Words {
    /// Reads a query. One of signs alone finds nothing, an empty one everything.
    pub fn new(query: Option<&str>) -> Words {
        let query = query.unwrap_or_default();
        let cut = |word: String| word.chars().take(WORD_CHARS_MAX).collect();
        let words: Vec<String> = words_of(query).into_iter().take(WORDS_MAX).map(cut).collect();
        Words { unfindable: words.is_empty() && !query.trim().is_empty(), words }
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// Whether no product can have them.
    pub fn are_unfindable(&self) -> bool {
        self.unfindable
    }

    /// The query for SQLite's FTS5: every word, as the beginning of one; `None` without words.
    pub fn fts5(&self) -> Option<String> {
        self.joined(|word| format!("\"{word}\"*"), " ")
    }

    /// The same for PostgreSQL's `to_tsquery`.
    pub fn tsquery(&self) -> Option<String> {
        self.joined(|word| format!("'{word}':*"), " & ")
    }

    /// A word is letters and digits: it cannot end its quotes.
    fn joined(&self, term: impl Fn(&str) -> String, and: &str) -> Option<String> {
        let terms: Vec<String> = self.iter().map(term).collect();
        (!terms.is_empty()).then(|| terms.join(and))
    }
}

/// A search, without its page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    fn signs_part_words_and_are_never_searched_for() {
        let words = Words::new(Some("Pour-over 'OR' 100% \"x\"* :* Caf\u{e9}"));
        assert_eq!(words.iter().collect::<Vec<_>>(), ["pour", "over", "or", "100", "x", "caf\u{e9}"]);
        assert_eq!(Words::new(Some("radio 19")).fts5().unwrap(), r#""radio"* "19"*"#);
        assert_eq!(Words::new(Some("radio 19")).tsquery().unwrap(), "'radio':* & '19':*");
        for (query, unfindable) in
            [(None, false), (Some("  "), false), (Some("%"), true), (Some("' --"), true)]
        {
            let words = Words::new(query);
            assert_eq!((words.are_unfindable(), words.fts5()), (unfindable, None), "{query:?}");
        }
    }
}
