//! Pages of the rows of several owners in one query: what a list of products shows of each one's listings, say.
//!
//! One window per owner numbers its rows behind the cursor and counts all of them. Elsewhere: what a row means
//! (`listings.rs`, `bids.rs`).

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use uuid::Uuid;

/// Which rows, whose, in which order.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// Table with an `id` column.
    pub(super) table: &'static str,
    /// Column that names the owner.
    pub(super) owner: &'static str,
    /// Column to sort by; the id decides among equals.
    pub(super) key: &'static str,
    /// Greatest first.
    pub(super) descending: bool,
    /// SQL condition on rows, of constants only.
    pub(super) only: String,
}

/// Rows of one owner: a page of them, and how many there are in all.
pub type Rows<T> = (Vec<T>, u64);

/// The first `limit` rows of each owner after a position (sort key and id). An owner without rows is missing.
pub(super) async fn of_owners<M: FromQueryResult>(
    connection: &impl ConnectionTrait,
    lists: &Lists,
    owners: &[Uuid],
    after: Option<[Value; 2]>,
    limit: u64,
) -> Result<HashMap<Uuid, Rows<M>>, DbErr> {
    let mut pages = HashMap::<Uuid, Rows<M>>::new();
    if owners.is_empty() {
        return Ok(pages);
    }
    let statement = statement(connection.get_database_backend(), lists, owners, after, limit);
    for row in connection.query_all_raw(statement).await? {
        let owner: Uuid = row.try_get("", lists.owner)?;
        let total: i64 = row.try_get("", "page_total")?;
        let is_behind_cursor: i32 = row.try_get("", "page_behind")?;
        let page =
            pages.entry(owner).or_insert_with(|| (Vec::new(), u64::try_from(total).unwrap_or_default()));
        // A row before the cursor is only there to bring the total along.
        if is_behind_cursor == 1 {
            page.0.push(M::from_query_result(&row, "")?);
        }
    }
    Ok(pages)
}

fn statement(
    backend: sea_orm::DbBackend,
    lists: &Lists,
    owners: &[Uuid],
    after: Option<[Value; 2]>,
    limit: u64,
) -> Statement {
    let Lists { table, owner, key, descending, only } = lists;
    let places: Vec<String> = (1..=owners.len()).map(|place| format!("${place}")).collect();
    let (places, next) = (places.join(", "), owners.len() + 1);
    let (direction, compared) = if *descending { ("DESC", "<") } else { ("ASC", ">") };
    let behind = match after {
        Some(_) => {
            format!("CASE WHEN (t.{key}, t.id) {compared} (${next}, ${}) THEN 1 ELSE 0 END", next + 1)
        }
        None => "1".to_owned(),
    };
    let sql = format!(
        "SELECT * FROM (SELECT t.*, COUNT(*) OVER (PARTITION BY t.{owner}) AS page_total, {behind} AS page_behind, \
         ROW_NUMBER() OVER (PARTITION BY t.{owner}, {behind} ORDER BY t.{key} {direction}, t.id {direction}) AS page_place \
         FROM {table} t WHERE t.{owner} IN ({places}) AND {only}) pages \
         WHERE (page_behind = 1 AND page_place <= {limit}) OR (page_behind = 0 AND page_place = 1) \
         ORDER BY {owner}, {key} {direction}, id {direction}"
    );
    let values = owners.iter().map(|owner| Value::from(*owner)).chain(after.into_iter().flatten());
    Statement::from_sql_and_values(backend, sql, values)
}
