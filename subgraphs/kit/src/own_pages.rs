//! Pages of many lists by one statement: the reviews of each product on a page of products, say.
//!
//! Always: each list costs what it costs alone, as its part of the statement ends at its own limit. Elsewhere: what a page is
//! for clients ([`crate::page`]), who collects the lists of one request (a service's loaders).

use std::fmt::Write;

use sea_orm::sea_query::{Alias, Asterisk, Expr, Query, SelectStatement, UnionType};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Order};

/// Lists in one statement; SQLite takes 500 parts at most.
const LISTS_MAX: usize = 200;
/// Names of what is added to each row: the number of its list, and its place there.
const LIST: &str = "own_list";
const PLACE: &str = "own_place";

/// The page of one list.
#[derive(Debug, Clone)]
pub struct OwnPage {
    /// Its rows: ordered, and with a limit.
    pub rows: SelectStatement,
    /// Columns of `rows` in whose order they come, the first one first.
    pub order: Vec<(&'static str, Order)>,
}

#[derive(FromQueryResult)]
struct Counted {
    own_list: i64,
    own_count: i64,
}

/// The rows of each page, in the order of `pages`.
///
/// # Errors
/// Database errors.
pub async fn rows<M: FromQueryResult>(
    db: &impl ConnectionTrait,
    pages: Vec<OwnPage>,
) -> Result<Vec<Vec<M>>, DbErr> {
    let mut found: Vec<Vec<M>> = pages.iter().map(|_| Vec::new()).collect();
    for (found, pages) in found.chunks_mut(LISTS_MAX).zip(pages.chunks(LISTS_MAX)) {
        let parts = pages.iter().enumerate().map(|(list, page)| {
            let mut order = String::new();
            for (column, direction) in &page.order {
                let direction = if *direction == Order::Desc { "DESC" } else { "ASC" };
                let separator = if order.is_empty() { "" } else { ", " };
                write!(order, "{separator}{column} {direction}").expect("a text takes everything");
            }
            // By SQL, rows of parts come in no order.
            Query::select()
                .expr_as(number(list), LIST)
                .expr_as(Expr::cust(format!("ROW_NUMBER() OVER (ORDER BY {order})")), PLACE)
                .column((Alias::new("own"), Asterisk))
                .from_subquery(page.rows.clone(), Alias::new("own"))
                .to_owned()
        });
        let Some(mut all) = union(parts) else { continue };
        all.order_by(Alias::new(LIST), Order::Asc).order_by(Alias::new(PLACE), Order::Asc);
        for row in db.query_all_raw(db.get_database_backend().build(&all)).await? {
            let list: i64 = row.try_get("", LIST)?;
            let list = usize::try_from(list).ok().and_then(|list| found.get_mut(list));
            list.expect("no other number was given").push(M::from_query_result(&row, "")?);
        }
    }
    Ok(found)
}

/// How many rows each select has, in the order of `lists`; what they select, in which order and up to which limit does not
/// matter.
///
/// # Errors
/// Database errors.
pub async fn counts(db: &impl ConnectionTrait, lists: Vec<SelectStatement>) -> Result<Vec<i64>, DbErr> {
    let mut found = vec![0; lists.len()];
    for (found, lists) in found.chunks_mut(LISTS_MAX).zip(lists.chunks(LISTS_MAX)) {
        let parts = lists.iter().enumerate().map(|(list, rows)| {
            let mut count = rows.clone();
            count.clear_selects().clear_order_by().reset_limit();
            count.expr_as(number(list), LIST).expr_as(Expr::cust("COUNT(*)"), "own_count").to_owned()
        });
        let Some(all) = union(parts) else { continue };
        let rows = Counted::find_by_statement(db.get_database_backend().build(&all)).all(db).await?;
        for Counted { own_list, own_count } in rows {
            let list = usize::try_from(own_list).ok().and_then(|list| found.get_mut(list));
            *list.expect("no other number was given") = own_count;
        }
    }
    Ok(found)
}

fn number(list: usize) -> Expr {
    Expr::cust(format!("CAST({list} AS BIGINT)"))
}

fn union(mut parts: impl Iterator<Item = SelectStatement>) -> Option<SelectStatement> {
    let mut all = parts.next()?;
    all.unions(parts.map(|part| (UnionType::All, part)));
    Some(all)
}
