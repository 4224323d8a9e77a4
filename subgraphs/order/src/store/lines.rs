//! Lines of paid orders: handed over, claimed for a refund, refunded.
//!
//! Always: a line changes by compare-and-set on its status, so of two deciders one loses; the caller holds the order's
//! row (`orders::find_for_change`), so the order's status follows its lines.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::entities::order_line;
use crate::domain::lines::LineStatus;

/// Marks open lines as handed over. `false`: not all of them were open, and the transaction must not go on.
///
/// # Errors
/// When the database fails.
pub async fn fulfil<C: ConnectionTrait>(db: &C, order_id: Uuid, ids: &[Uuid]) -> Result<bool, DbErr> {
    use order_line::Column as C;
    let changed = order_line::Entity::update_many()
        .col_expr(C::Status, Expr::value(LineStatus::Fulfilled.as_str()))
        .filter(C::OrderId.eq(order_id))
        .filter(C::Id.is_in(ids.iter().copied()))
        .filter(C::Status.eq(LineStatus::Open.as_str()))
        .exec(db)
        .await?;
    Ok(usize::try_from(changed.rows_affected) == Ok(ids.len()))
}

/// Claims lines for a refund. `false`: not all of them were free, and the transaction must not go on.
///
/// # Errors
/// When the database fails.
pub async fn claim<C: ConnectionTrait>(
    db: &C,
    order_id: Uuid,
    ids: &[Uuid],
    refund_id: Uuid,
) -> Result<bool, DbErr> {
    use order_line::Column as C;
    let free = [LineStatus::Open, LineStatus::Fulfilled].map(LineStatus::as_str);
    let changed = order_line::Entity::update_many()
        .col_expr(C::Status, Expr::value(LineStatus::Refunding.as_str()))
        .col_expr(C::RefundId, Expr::value(refund_id))
        .filter(C::OrderId.eq(order_id))
        .filter(C::Id.is_in(ids.iter().copied()))
        .filter(C::Status.is_in(free))
        .filter(C::RefundId.is_null())
        .exec(db)
        .await?;
    Ok(usize::try_from(changed.rows_affected) == Ok(ids.len()))
}

/// The money of the lines that a refund claimed is back.
///
/// # Errors
/// When the database fails.
pub async fn refunded<C: ConnectionTrait>(db: &C, refund_id: Uuid) -> Result<(), DbErr> {
    use order_line::Column as C;
    order_line::Entity::update_many()
        .col_expr(C::Status, Expr::value(LineStatus::Refunded.as_str()))
        .filter(C::RefundId.eq(refund_id))
        .filter(C::Status.eq(LineStatus::Refunding.as_str()))
        .exec(db)
        .await?;
    Ok(())
}
