//! Lists and sums over orders: a buyer's orders, a seller's sales, everything for a manager, revenue.
//!
//! Lists are newest first and paged by time and id of the last order seen. Elsewhere: single orders (`orders`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::own_pages;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryTrait,
};
use uuid::Uuid;

use super::NewestFirst;
use super::entities::{invoice, order, order_line};
use super::orders::with_lines;
use crate::domain::lines::LineStatus;
use crate::domain::order::Order;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Which orders to list; `None` is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    /// One of these statuses.
    pub statuses: Option<Vec<&'static str>>,
    /// Bought by.
    pub buyer_id: Option<Uuid>,
    /// With at least one line sold by.
    pub seller_id: Option<Uuid>,
    /// Placed then or later, in milliseconds.
    pub from_ms: Option<i64>,
    /// Placed before, in milliseconds.
    pub to_ms: Option<i64>,
}

impl Filter {
    fn condition(&self) -> Condition {
        use order::Column as C;
        let sold_by = self.seller_id.map(|seller| {
            let lines = Query::select()
                .column(order_line::Column::OrderId)
                .from(order_line::Entity)
                .and_where(order_line::Column::SellerId.eq(seller))
                .to_owned();
            C::Id.in_subquery(lines)
        });
        Condition::all()
            .add_option(self.statuses.as_ref().map(|statuses| C::Status.is_in(statuses.iter().copied())))
            .add_option(self.buyer_id.map(|buyer| C::BuyerId.eq(buyer)))
            .add_option(sold_by)
            .add_option(self.from_ms.map(|from| C::PlacedAtMs.gte(from)))
            .add_option(self.to_ms.map(|to| C::PlacedAtMs.lt(to)))
    }
}

/// A page of the orders that each filter lets through, newest first, in the order of `pages`.
///
/// # Errors
/// When the database fails.
pub async fn lists<C: ConnectionTrait>(
    db: &C,
    pages: &[NewestFirst<Filter>],
) -> Result<Vec<Vec<Order>>, DbErr> {
    use order::Column as C;
    let select = |page: &NewestFirst<Filter>| {
        page.select(order::Entity::find().filter(page.of.condition()), C::PlacedAtMs, C::Id)
    };
    let found: Vec<Vec<order::Model>> = own_pages::rows(db, pages.iter().map(select).collect()).await?;
    // An order may be on several: somebody's bought and somebody's sold.
    let ids: Vec<Vec<Uuid>> = found.iter().map(|rows| rows.iter().map(|row| row.id).collect()).collect();
    let rows: BTreeMap<Uuid, order::Model> = found.into_iter().flatten().map(|row| (row.id, row)).collect();
    let orders = with_lines(db, rows.into_values().collect()).await?;
    let orders: BTreeMap<Uuid, Order> = orders.into_iter().map(|order| (order.id, order)).collect();
    Ok(ids.into_iter().map(|ids| ids.iter().filter_map(|id| orders.get(id).cloned()).collect()).collect())
}

/// How many orders each filter lets through, in the order of `filters`.
///
/// # Errors
/// When the database fails.
pub async fn counts<C: ConnectionTrait>(db: &C, filters: &[Filter]) -> Result<Vec<i64>, DbErr> {
    let select = |filter: &Filter| order::Entity::find().filter(filter.condition()).into_query();
    own_pages::counts(db, filters.iter().map(select).collect()).await
}

/// What was invoiced in a period, in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revenue {
    /// All invoices.
    pub gross_minor: i64,
    /// The platform's fees in what was not refunded.
    pub fees_minor: i64,
    /// What of them was refunded since.
    pub refunds_minor: i64,
    /// Number of invoices.
    pub order_count: i64,
    /// Invoices per day (UTC) that has any: days since the epoch, sum.
    pub by_day: Vec<(i64, i64)>,
}

#[derive(FromQueryResult)]
struct DaySum {
    day: i64,
    gross: i64,
    fees: i64,
    refunds: i64,
    orders: i64,
}

/// Sums the invoices issued from `from` until before `to` in one currency.
///
/// # Errors
/// When the database fails.
pub async fn revenue<C: ConnectionTrait>(
    db: &C,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    currency: &str,
) -> Result<Revenue, DbErr> {
    // Sums of BIGINT are NUMERIC on PostgreSQL; the cast makes both databases answer integers.
    let sum = |amount: &str| -> SimpleExpr { Expr::cust(format!("CAST(SUM({amount}) AS BIGINT)")) };
    let day = format!("invoice.issued_at_ms / {DAY_MS}");
    let refunded = |column: &str| {
        let status = LineStatus::Refunded.as_str();
        format!(
            "COALESCE((SELECT SUM(order_line.{column}) FROM order_line \
             WHERE order_line.order_id = orders.id AND order_line.status = '{status}'), 0)"
        )
    };
    let fees = format!("orders.fee_minor - {}", refunded("fee_minor"));
    let refunds = refunded("line_total_minor");
    let query = Query::select()
        .expr_as(Expr::cust(day.clone()), "day")
        .expr_as(sum("invoice.total_minor"), "gross")
        .expr_as(sum(&fees), "fees")
        .expr_as(sum(&refunds), "refunds")
        .expr_as(Expr::cust("COUNT(*)"), "orders")
        .from(invoice::Entity)
        .inner_join(
            order::Entity,
            Expr::col((order::Entity, order::Column::Id)).equals((invoice::Entity, invoice::Column::OrderId)),
        )
        .and_where(Expr::col((invoice::Entity, invoice::Column::Currency)).eq(currency))
        .and_where(Expr::col((invoice::Entity, invoice::Column::IssuedAtMs)).gte(from.timestamp_millis()))
        .and_where(Expr::col((invoice::Entity, invoice::Column::IssuedAtMs)).lt(to.timestamp_millis()))
        .add_group_by([Expr::cust(day.clone())])
        .order_by_expr(Expr::cust(day), sea_orm::Order::Asc)
        .to_owned();
    let days = DaySum::find_by_statement(db.get_database_backend().build(&query)).all(db).await?;
    let mut revenue = Revenue::default();
    for day in days {
        revenue.gross_minor += day.gross;
        revenue.fees_minor += day.fees;
        revenue.refunds_minor += day.refunds;
        revenue.order_count += day.orders;
        revenue.by_day.push((day.day, day.gross));
    }
    Ok(revenue)
}
