//! Keyset pages: `first` of 1 to 100, and an opaque cursor that carries the sort key of the last row seen.
//!
//! A page costs the same however deep it is, and a row inserted meanwhile neither repeats nor hides another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::errors::bad_input;
use crate::graphql::PageInfo;

/// Longest page.
pub const FIRST_MAX: i32 = 100;

/// What page a client wants.
#[derive(Clone, Debug)]
pub struct PageArgs {
    first: u32,
    after: Option<String>,
}

impl PageArgs {
    /// Checks the arguments of a connection field.
    ///
    /// # Errors
    /// A `BAD_USER_INPUT` GraphQL error when `first` is outside 1..=100.
    pub fn new(first: i32, after: Option<String>) -> async_graphql::Result<Self> {
        match u32::try_from(first) {
            Ok(first @ 1..=100) => Ok(Self { first, after }),
            _ => Err(bad_input(format!("`first` must be 1 to {FIRST_MAX}, not {first}"))),
        }
    }

    /// How many rows to show.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// How many rows to read: one more than shown, to know whether more follow.
    pub fn limit(&self) -> u64 {
        u64::from(self.first) + 1
    }

    /// The sort key to continue after, of the type the cursors of this list are made with.
    ///
    /// # Errors
    /// A `BAD_USER_INPUT` GraphQL error when the cursor is not one of this list's.
    pub fn after<K: DeserializeOwned>(&self) -> async_graphql::Result<Option<K>> {
        self.after.as_deref().map(decode_cursor).transpose()
    }
}

/// A page of rows, each with its cursor.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Cursor and row, in order.
    pub edges: Vec<(String, T)>,
    /// For the connection's `pageInfo`.
    pub info: PageInfo,
}

impl<T> Page<T> {
    /// Makes a page of at most `first` from `rows` read with [`PageArgs::limit`]; `key` gives a row's sort key.
    pub fn new<K: Serialize>(rows: Vec<T>, args: &PageArgs, key: impl Fn(&T) -> K) -> Self {
        let first = args.first as usize;
        let has_next_page = rows.len() > first;
        let edges: Vec<(String, T)> =
            rows.into_iter().take(first).map(|row| (encode_cursor(&key(&row)), row)).collect();
        let info = PageInfo {
            has_next_page,
            has_previous_page: args.after.is_some(),
            start_cursor: edges.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: edges.last().map(|(cursor, _)| cursor.clone()),
        };
        Self { edges, info }
    }

    /// A page without rows.
    pub fn empty() -> Self {
        Self { edges: Vec::new(), info: PageInfo::default() }
    }

    /// The same page with each row converted.
    pub fn map<U>(self, convert: impl Fn(T) -> U) -> Page<U> {
        let edges = self.edges.into_iter().map(|(cursor, row)| (cursor, convert(row))).collect();
        Page { edges, info: self.info }
    }
}

/// The cursor for a sort key.
pub fn encode_cursor<K: Serialize>(key: &K) -> String {
    let json = serde_json::to_vec(key).expect("a sort key is a tuple of plain values");
    URL_SAFE_NO_PAD.encode(json)
}

/// The sort key in a cursor.
///
/// # Errors
/// A `BAD_USER_INPUT` GraphQL error when it is none.
pub fn decode_cursor<K: DeserializeOwned>(cursor: &str) -> async_graphql::Result<K> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| bad_input("`after` is not a cursor of this list"))
}

/// Declares the connection and edge types of a list: `connection!(StallConnection, StallEdge, Stall);`, with
/// `, total` at the end for a `totalCount` field. `from_page` builds one from a [`Page`].
#[macro_export]
macro_rules! connection {
    (@edge $edge:ident, $node:ty) => {
        /// One row of the list with its cursor.
        #[derive(Clone, ::async_graphql::SimpleObject)]
        pub struct $edge {
            /// Continue after this row with it.
            pub cursor: String,
            /// The row.
            pub node: $node,
        }
    };
    ($connection:ident, $edge:ident, $node:ty, total) => {
        $crate::connection!(@edge $edge, $node);
        /// A page of the list.
        #[derive(Clone, ::async_graphql::SimpleObject)]
        pub struct $connection {
            /// The rows.
            pub edges: Vec<$edge>,
            /// Where the page stands.
            pub page_info: $crate::graphql::PageInfo,
            /// Rows of the whole list.
            pub total_count: i32,
        }
        impl $connection {
            /// The connection of a page; `total` counts the whole list.
            pub fn from_page(page: $crate::page::Page<$node>, total: u64) -> Self {
                let edges = page.edges.into_iter().map(|(cursor, node)| $edge { cursor, node }).collect();
                Self { edges, page_info: page.info, total_count: i32::try_from(total).unwrap_or(i32::MAX) }
            }
        }
    };
    ($connection:ident, $edge:ident, $node:ty) => {
        $crate::connection!(@edge $edge, $node);
        /// A page of the list.
        #[derive(Clone, ::async_graphql::SimpleObject)]
        pub struct $connection {
            /// The rows.
            pub edges: Vec<$edge>,
            /// Where the page stands.
            pub page_info: $crate::graphql::PageInfo,
        }
        impl $connection {
            /// The connection of a page.
            pub fn from_page(page: $crate::page::Page<$node>) -> Self {
                let edges = page.edges.into_iter().map(|(cursor, node)| $edge { cursor, node }).collect();
                Self { edges, page_info: page.info }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_one_to_a_hundred_rows() {
        for first in [i32::MIN, -1, 0, 101, i32::MAX] {
            assert!(PageArgs::new(first, None).is_err(), "{first}");
        }
        assert_eq!(PageArgs::new(100, None).unwrap().limit(), 101);
    }

    #[test]
    fn the_extra_row_only_tells_that_more_follow() {
        let args = PageArgs::new(2, None).unwrap();
        let page = Page::new(vec![1, 2, 3], &args, |row| *row);
        assert_eq!(page.edges.iter().map(|(_, row)| *row).collect::<Vec<_>>(), [1, 2]);
        assert!(page.info.has_next_page && !page.info.has_previous_page);
    }

    #[test]
    fn a_cursor_gives_its_key_back() {
        let cursor = encode_cursor(&("2026-01-01", 7));
        let args = PageArgs::new(1, Some(cursor)).unwrap();
        assert_eq!(args.after::<(String, i64)>().unwrap(), Some(("2026-01-01".to_owned(), 7)));
    }

    #[test]
    fn a_foreign_cursor_is_bad_input() {
        let args = PageArgs::new(1, Some("not-a-cursor".to_owned())).unwrap();
        let error = args.after::<(String, i64)>().unwrap_err();
        assert_eq!(error.message, "`after` is not a cursor of this list");
    }
}
