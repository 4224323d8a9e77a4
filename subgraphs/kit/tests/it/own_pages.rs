//! Pages of many lists by one statement.

use kopitiam_kit::own_pages::{OwnPage, counts, rows};
use kopitiam_kit::testing::{each_database, queries};
use sea_orm::sea_query::{Expr, ExprTrait, Query, UnionType};
use sea_orm::{FromQueryResult, Order};

use crate::notes::Migrator;

#[derive(FromQueryResult)]
struct Number {
    number: i64,
}

/// Numbers from 1 to 7 below another, the greatest first.
fn below(bound: i64, limit: u64) -> OwnPage {
    let mut numbers = (1..8).map(|number| {
        Query::select().expr_as(Expr::cust(format!("CAST({number} AS BIGINT)")), "number").to_owned()
    });
    let mut all = numbers.next().unwrap();
    all.unions(numbers.map(|next| (UnionType::All, next)));
    let rows = Query::select()
        .column("number")
        .from_subquery(all, "numbers")
        .and_where(Expr::col("number").lt(bound))
        .order_by("number", Order::Desc)
        .limit(limit)
        .to_owned();
    OwnPage { rows, order: vec![("number", Order::Desc)] }
}

fn numbers(pages: Vec<Vec<Number>>) -> Vec<Vec<i64>> {
    pages.into_iter().map(|rows| rows.into_iter().map(|row| row.number).collect()).collect()
}

#[tokio::test]
async fn many_lists_are_one_statement_and_each_has_its_own_rows_and_count() {
    for db in each_database::<Migrator>().await {
        let pages = vec![below(4, 2), below(0, 2), below(8, 3), below(4, 2)];
        let (found, statements) = queries(rows::<Number>(db.db().read(), pages)).await;
        assert_eq!(numbers(found.unwrap()), [vec![3, 2], vec![], vec![7, 6, 5], vec![3, 2]]);
        assert_eq!(statements, 1);
        let lists = vec![below(4, 100).rows, below(0, 100).rows, below(8, 100).rows];
        let (found, statements) = queries(counts(db.db().read(), lists)).await;
        assert_eq!((found.unwrap(), statements), (vec![3, 0, 7], 1));
    }
}

#[tokio::test]
async fn more_lists_than_a_statement_takes_are_several() {
    for db in each_database::<Migrator>().await {
        let (found, statements) = queries(rows::<Number>(db.db().read(), vec![below(3, 5); 501])).await;
        let found = numbers(found.unwrap());
        assert!(found.len() == 501 && found.iter().all(|rows| *rows == [2, 1]));
        let counted = counts(db.db().read(), vec![below(3, 5).rows; 501]).await.unwrap();
        assert_eq!((statements, counted), (3, vec![2; 501]));
        assert!(rows::<Number>(db.db().read(), Vec::new()).await.unwrap().is_empty());
    }
}
