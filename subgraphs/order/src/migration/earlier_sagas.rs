//! Sagas and orders of the release that refunded whole orders only, in the form of today.
//!
//! In: `refund-order` rows that carry the whole `place-order` context, orders that do not say which hold paid them, lines
//! without a status of their own. Out: the same as today's code writes them, so that running refunds go on under the same
//! names and paid orders can be refunded. Elsewhere: rows of today (`sagas::refund_order`, `store::lines`).

use kopitiam_kit::saga::command_id;
use sea_orm::{Statement, TryGetableMany, Value};
use sea_orm_migration::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use crate::sagas::place_order::{PlaceOrder, hold_id};
use crate::sagas::purchase::CANCELLED;
use crate::sagas::refund_order::RefundOrder;

/// Rewrites the rows of this file.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0007_earlier_sagas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        paid(db).await?;
        refunds(db).await
    }

    /// What was rewritten is read by every release that has lines with a status, so nothing is to be taken back.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

/// What a refund needed to know.
#[derive(Deserialize)]
struct Earlier {
    placed: PlaceOrder,
    reason: String,
    actor: String,
}

/// Orders that a `place-order` saga confirmed: the hold has the name that it always had, and once the saga went through
/// the money is where it belongs.
async fn paid(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let confirmed = "SELECT orders.id, saga.state, saga.started_at_ms FROM orders \
        JOIN saga ON saga.subject_id = orders.id AND saga.kind = 'place-order' \
        WHERE orders.hold_id IS NULL AND orders.status IN ('CONFIRMED', 'FULFILLED', 'REFUNDED')";
    for (order_id, state, started_at_ms) in select::<(Uuid, String, i64)>(db, confirmed).await? {
        let settled_at_ms = (state == "COMPLETED").then_some(started_at_ms);
        let update =
            "UPDATE orders SET hold_id = $1, settled_at_ms = COALESCE(settled_at_ms, $2) WHERE id = $3";
        execute(db, update, [hold_id(order_id).into(), settled_at_ms.into(), order_id.into()]).await?;
    }
    Ok(())
}

async fn refunds(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let select_all = "SELECT id, subject_id, state, step, context FROM saga WHERE kind = 'refund-order'";
    for (saga_id, order_id, state, step, context) in
        select::<(Uuid, Uuid, String, String, String)>(db, select_all).await?
    {
        // A row of today has no `placed` and stays as it is.
        let Ok(earlier) = serde_json::from_str::<Earlier>(&context) else { continue };
        let lines = Statement::from_sql_and_values(
            db.get_database_backend(),
            "SELECT id FROM order_line WHERE order_id = $1 ORDER BY id",
            [order_id.into()],
        );
        let line_ids: Vec<Uuid> = many::<(Uuid,)>(db, lines).await?.into_iter().map(|(id,)| id).collect();
        let refund_id = command_id(order_id, "refund-funds");
        let refund = of(earlier, order_id, refund_id, line_ids);
        let context = serde_json::to_string(&refund).map_err(|error| DbErr::Json(error.to_string()))?;
        execute(db, "UPDATE saga SET context = $1 WHERE id = $2", [context.into(), saga_id.into()]).await?;
        let claimed = match (state.as_str(), step.as_str()) {
            ("RUNNING", "refund-funds") => "REFUNDING",
            ("RUNNING" | "COMPLETED", _) => "REFUNDED",
            // Refused by the wallet: the order is as it was.
            _ => continue,
        };
        let claim = "UPDATE order_line SET status = $1, refund_id = $2 \
            WHERE order_id = $3 AND refund_id IS NULL AND status IN ('OPEN', 'FULFILLED')";
        execute(db, claim, [claimed.into(), refund_id.into(), order_id.into()]).await?;
    }
    Ok(())
}

/// The same refund in the form of today: of all lines, under the names that its commands have already.
fn of(earlier: Earlier, order_id: Uuid, refund_id: Uuid, line_ids: Vec<Uuid>) -> RefundOrder {
    let Earlier { placed, reason, actor } = earlier;
    RefundOrder {
        refund_id,
        hold_id: hold_id(order_id),
        shares: placed.shares(),
        units: placed.lines.iter().map(|line| (line.product_id, line.quantity)).collect(),
        number: placed.number,
        buyer_id: placed.buyer_id,
        line_ids,
        code: CANCELLED.to_owned(),
        reason,
        actor,
    }
}

async fn select<T: TryGetableMany>(db: &SchemaManagerConnection<'_>, sql: &str) -> Result<Vec<T>, DbErr> {
    many(db, Statement::from_string(db.get_database_backend(), sql)).await
}

async fn many<T: TryGetableMany>(
    db: &SchemaManagerConnection<'_>,
    statement: Statement,
) -> Result<Vec<T>, DbErr> {
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(T::try_get_many_by_index(row)?)).collect()
}

async fn execute(
    db: &SchemaManagerConnection<'_>,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<(), DbErr> {
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}
