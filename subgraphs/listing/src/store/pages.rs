//! Pages of the rows of several owners at once: what a list of products shows of each one's listings, say.
//!
//! Elsewhere: how they become one statement ([`kopitiam_kit::own_pages`]); what a row means (`listings.rs`, `bids.rs`).

use std::collections::HashMap;

use kopitiam_kit::own_pages::{self, OwnPage};
use sea_orm::sea_query::{Alias, Asterisk, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Order, Value};
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

/// Which part of each list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part<P> {
    /// Continue after this position.
    pub after: Option<P>,
    /// How many rows, at most; of none nothing is read.
    pub limit: u64,
    /// Whether it matters how many there are in all: counting reads the whole list.
    pub with_total: bool,
}

/// Rows of one owner: a page of them, and how many there are in all; 0 when nobody asked.
pub type Rows<T> = (Vec<T>, u64);

impl<P> Part<P> {
    /// The same part, its position given as the values of the sort key and the id.
    pub(super) fn at(&self, values: impl Fn(&P) -> [Value; 2]) -> Part<[Value; 2]> {
        let Self { after, limit, with_total } = self;
        Part { after: after.as_ref().map(values), limit: *limit, with_total: *with_total }
    }
}

/// That part of each owner's list.
pub(super) async fn of_owners<M: FromQueryResult>(
    connection: &impl ConnectionTrait,
    lists: &Lists,
    owners: &[Uuid],
    part: &Part<[Value; 2]>,
) -> Result<HashMap<Uuid, Rows<M>>, DbErr> {
    let rows = if part.limit > 0 {
        let pages = owners.iter().map(|owner| lists.page(*owner, part)).collect();
        own_pages::rows(connection, pages).await?
    } else {
        owners.iter().map(|_| Vec::new()).collect()
    };
    let totals = if part.with_total {
        own_pages::counts(connection, owners.iter().map(|owner| lists.all(*owner)).collect()).await?
    } else {
        vec![0; owners.len()]
    };
    let totals = totals.into_iter().map(|total| u64::try_from(total).unwrap_or_default());
    Ok(owners.iter().copied().zip(rows.into_iter().zip(totals)).collect())
}

impl Lists {
    fn all(&self, owner: Uuid) -> SelectStatement {
        Query::select()
            .column(Asterisk)
            .from_as(Alias::new(self.table), Alias::new("t"))
            .and_where(Expr::col(Alias::new(self.owner)).eq(owner))
            .and_where(Expr::cust(self.only.clone()))
            .to_owned()
    }

    fn page(&self, owner: Uuid, part: &Part<[Value; 2]>) -> OwnPage {
        let direction = if self.descending { Order::Desc } else { Order::Asc };
        let mut rows = self.all(owner);
        if let Some([key, id]) = &part.after {
            let here = Expr::tuple([Expr::col(Alias::new(self.key)), Expr::col(Alias::new("id"))]);
            let last = Expr::tuple([Expr::val(key.clone()), Expr::val(id.clone())]);
            rows.and_where(if self.descending { here.lt(last) } else { here.gt(last) });
        }
        rows.order_by(Alias::new(self.key), direction.clone())
            .order_by(Alias::new("id"), direction.clone())
            .limit(part.limit);
        OwnPage { rows, order: vec![(self.key, direction.clone()), ("id", direction)] }
    }
}
