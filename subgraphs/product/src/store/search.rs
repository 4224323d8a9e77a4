//! Pages, counts and facets of a search. One page is one query whatever its depth; a facet counts what would be found
//! if its own filter were not set.
//!
//! Words are found by the database's index of words (FTS5, a text search vector); how well they fit is counted here, in
//! whole numbers that no other product changes, because a cursor carries them.

use std::collections::{BTreeSet, HashMap};

use kopitiam_kit::own_pages::{self, OwnPage};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{
    Condition, ConnectionTrait, DbBackend, FromQueryResult, Order, QueryOrder, QuerySelect, QueryTrait,
};

use super::entity::{product, product_category, stock};
use super::{categories, products};
use crate::domain::category::{Category, CategoryTree};
use crate::domain::product::Product;
use crate::domain::search::{Position, SearchFilter, Sort, Words};

/// Lower ends of the price facet's ranges, in minor units.
pub const PRICE_STEPS: [i64; 5] = [0, 1000, 2500, 5000, 10_000];
/// Weights of a word found: as beginning of the name, as a whole word of it, as beginning of a word of it, elsewhere in the
/// text. Above any rating.
const SCORES: [i64; 4] = [80_000, 60_000, 40_000, 10_000];

/// A filter whose categories were looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolved {
    filter: SearchFilter,
    /// `None`: every category.
    categories: Option<Vec<Uuid>>,
}

/// Which part of a filter a facet leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    Categories,
    Price,
    Stock,
}

/// A product found, and its place in the order.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The product.
    pub product: Product,
    /// Where it stands.
    pub position: Position,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    sort_key: i64,
}

#[derive(FromQueryResult)]
struct Count {
    id: Uuid,
    found: i64,
}

#[derive(FromQueryResult)]
struct StepCount {
    step: i64,
    found: i64,
}

impl Resolved {
    /// Looks up the filter's categories and all below them; an unknown slug finds nothing.
    pub fn new(filter: SearchFilter, all: &[Category]) -> Resolved {
        let categories = (!filter.category_slugs.is_empty()).then(|| {
            let wanted = all.iter().filter(|category| filter.category_slugs.contains(&category.slug));
            CategoryTree::new(all).with_descendants(wanted.map(|category| category.id)).into_iter().collect()
        });
        Resolved { filter, categories }
    }

    /// The filter as asked for.
    pub fn filter(&self) -> &SearchFilter {
        &self.filter
    }

    fn condition(&self, backend: DbBackend, without: Without) -> Condition {
        let filter = &self.filter;
        let mut condition = Condition::all()
            .add(product::Column::Status.eq("ACTIVE"))
            .add_option(has_words(&filter.words, backend));
        if without != Without::Price {
            condition = condition
                .add_option(filter.price_min.map(|min| product::Column::PriceMinor.gte(min)))
                .add_option(filter.price_max.map(|max| product::Column::PriceMinor.lte(max)));
        }
        condition = condition.add_option(filter.seller_id.map(|seller| product::Column::SellerId.eq(seller)));
        if let Some(categories) = self.categories.as_ref().filter(|_| without != Without::Categories) {
            condition = condition.add(
                product::Column::Id.in_subquery(
                    Query::select()
                        .column(product_category::Column::ProductId)
                        .from(product_category::Entity)
                        .and_where(product_category::Column::CategoryId.is_in(categories.iter().copied()))
                        .to_owned(),
                ),
            );
        }
        if let Some(in_stock) = filter.in_stock.filter(|_| without != Without::Stock) {
            condition = condition.add(stocked(in_stock));
        }
        condition
    }

    fn select(&self, db: &impl ConnectionTrait, without: Without) -> Select<product::Entity> {
        product::Entity::find().filter(self.condition(db.get_database_backend(), without))
    }
}

/// Looks into the database's own index of words; `None` when there are none to look for.
fn has_words(words: &Words, backend: DbBackend) -> Option<SimpleExpr> {
    if words.are_unfindable() {
        return Some(Expr::cust("1 = 0"));
    }
    match backend {
        DbBackend::Sqlite => words.fts5().map(|query| {
            Expr::cust_with_values(
                "products.id IN (SELECT product_id FROM product_word_rows WHERE seq IN \
                 (SELECT rowid FROM product_words WHERE product_words MATCH ?))",
                [query],
            )
        }),
        _ => words.tsquery().map(|query| {
            Expr::cust_with_values("products.search_vector @@ to_tsquery('simple', $1)", [query])
        }),
    }
}

fn stocked(in_stock: bool) -> SimpleExpr {
    let stocked = Query::select()
        .column(stock::Column::ProductId)
        .from(stock::Entity)
        .and_where(Expr::col("on_hand").gt(Expr::col("reserved")))
        .to_owned();
    if in_stock {
        product::Column::Id.in_subquery(stocked)
    } else {
        product::Column::Id.not_in_subquery(stocked)
    }
}

fn sort_key(words: &Words, sort: Sort) -> SimpleExpr {
    match sort {
        Sort::PriceAsc | Sort::PriceDesc => Expr::col(product::Column::PriceMinor),
        Sort::Newest => Expr::col(product::Column::CreatedMs),
        Sort::Rating => Expr::col(product::Column::RatingMilli),
        Sort::Relevance => words.iter().fold(Expr::col(product::Column::RatingMilli), |key, word| {
            let [first, whole, within, elsewhere] = SCORES.map(|score| Expr::cust(score.to_string()));
            let like = |pattern: String| Expr::col(product::Column::NameWords).like(pattern);
            let score: SimpleExpr = CaseStatement::new()
                .case(like(format!(" {word}%")), first)
                .case(like(format!("% {word} %")), whole)
                .case(like(format!("% {word}%")), within)
                .finally(elsewhere)
                .into();
            ExprTrait::add(key, score)
        }),
    }
}

/// A page of what a search finds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchPage {
    /// What is looked for.
    pub search: Resolved,
    /// In which order.
    pub sort: Sort,
    /// What came before is not on it.
    pub after: Option<Position>,
    /// How many products, at most.
    pub limit: u64,
}

impl SearchPage {
    fn select(&self, db: &impl ConnectionTrait) -> OwnPage {
        let Self { search, sort, after, limit } = self;
        let key = sort_key(&search.filter.words, *sort);
        let order = if sort.descending() { Order::Desc } else { Order::Asc };
        let mut select = search
            .select(db, Without::Nothing)
            .select_only()
            .column(product::Column::Id)
            .expr_as(key.clone(), "sort_key")
            .order_by(key.clone(), order.clone())
            .order_by_asc(product::Column::Id)
            .limit(*limit);
        if let Some(after) = after {
            let beyond =
                if sort.descending() { key.clone().lt(after.key) } else { key.clone().gt(after.key) };
            let tie = Condition::all().add(key.eq(after.key)).add(product::Column::Id.gt(after.id));
            select = select.filter(Condition::any().add(beyond).add(tie));
        }
        OwnPage { rows: select.into_query(), order: vec![("sort_key", order), ("id", Order::Asc)] }
    }
}

/// What is on each page, in the order of `pages`.
///
/// # Errors
/// Database errors.
pub async fn pages(db: &impl ConnectionTrait, pages: &[SearchPage]) -> Result<Vec<Vec<Hit>>, DbErr> {
    let selects = pages.iter().map(|page| page.select(db)).collect();
    let found: Vec<Vec<Row>> = own_pages::rows(db, selects).await?;
    let ids: BTreeSet<Uuid> = found.iter().flatten().map(|row| row.id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let products: HashMap<Uuid, Product> =
        products::find_many(db, &ids).await?.into_iter().map(|product| (product.id, product)).collect();
    let hit = |row: Row| {
        let position = Position { key: row.sort_key, id: row.id };
        Some(Hit { product: products.get(&row.id)?.clone(), position })
    };
    Ok(found.into_iter().map(|rows| rows.into_iter().filter_map(hit).collect()).collect())
}

/// How many products a search finds.
///
/// # Errors
/// Database errors.
pub async fn count(db: &impl ConnectionTrait, search: &Resolved) -> Result<u64, DbErr> {
    search.select(db, Without::Nothing).count(db).await
}

/// Products per category, those below it included.
///
/// # Errors
/// Database errors.
pub async fn count_by_category(
    db: &impl ConnectionTrait,
    search: &Resolved,
    all: &[Category],
) -> Result<HashMap<Uuid, i64>, DbErr> {
    let found =
        || search.select(db, Without::Categories).select_only().column(product::Column::Id).into_query();
    let mut counts: HashMap<Uuid, i64> = product_category::Entity::find()
        .select_only()
        .column_as(product_category::Column::CategoryId, "id")
        .column_as(Expr::cust("COUNT(DISTINCT product_id)"), "found")
        .filter(product_category::Column::ProductId.in_subquery(found()))
        .group_by(product_category::Column::CategoryId)
        .into_model::<Count>()
        .all(db)
        .await?
        .into_iter()
        .map(|count| (count.id, count.found))
        .collect();
    // A product may be in a category and in one below it: parents are counted, not summed.
    let is_parent = |category: &&Category| all.iter().any(|child| child.parent_id == Some(category.id));
    let parents: Vec<Uuid> = all.iter().filter(is_parent).map(|parent| parent.id).collect();
    counts.extend(count_below(db, search, all, &parents).await?);
    Ok(counts)
}

/// Products on sale in each of these categories, those below it included.
///
/// # Errors
/// Database errors.
pub async fn count_in(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, i64>, DbErr> {
    let all = categories::all(db).await?;
    count_below(db, &Resolved::new(SearchFilter::default(), &all), &all, ids).await
}

/// The same of what a search finds without its categories, in one statement.
async fn count_below(
    db: &impl ConnectionTrait,
    search: &Resolved,
    all: &[Category],
    ids: &[Uuid],
) -> Result<HashMap<Uuid, i64>, DbErr> {
    let tree = CategoryTree::new(all);
    let below = |id: &Uuid| {
        let within = Query::select()
            .column(product_category::Column::ProductId)
            .from(product_category::Entity)
            .and_where(product_category::Column::CategoryId.is_in(tree.with_descendants([*id])))
            .to_owned();
        search.select(db, Without::Categories).filter(product::Column::Id.in_subquery(within)).into_query()
    };
    let counts = own_pages::counts(db, ids.iter().map(below).collect()).await?;
    Ok(ids.iter().copied().zip(counts).collect())
}

/// Products per price range of [`PRICE_STEPS`].
///
/// # Errors
/// Database errors.
pub async fn count_by_price(
    db: &impl ConnectionTrait,
    search: &Resolved,
) -> Result<[i64; PRICE_STEPS.len()], DbErr> {
    // Constants, not parameters: PostgreSQL takes two parameters of one value for two expressions and refuses the
    // grouping.
    let cases: Vec<String> = PRICE_STEPS
        .iter()
        .enumerate()
        .skip(1)
        .rev()
        .map(|(step, from)| format!("WHEN price_minor >= {from} THEN CAST({step} AS BIGINT)"))
        .collect();
    let step = Expr::cust(format!("CASE {} ELSE CAST(0 AS BIGINT) END", cases.join(" ")));
    let rows = search
        .select(db, Without::Price)
        .select_only()
        .expr_as(step.clone(), "step")
        .column_as(Expr::cust("COUNT(*)"), "found")
        .group_by(step)
        .into_model::<StepCount>()
        .all(db)
        .await?;
    let mut counts = [0; PRICE_STEPS.len()];
    for row in rows {
        if let Some(count) = usize::try_from(row.step).ok().and_then(|step| counts.get_mut(step)) {
            *count = row.found;
        }
    }
    Ok(counts)
}

/// Products that can be ordered, and those that are sold out.
///
/// # Errors
/// Database errors.
pub async fn count_by_stock(db: &impl ConnectionTrait, search: &Resolved) -> Result<(u64, u64), DbErr> {
    let all = search.select(db, Without::Stock).count(db).await?;
    let stocked = search.select(db, Without::Stock).filter(stocked(true)).count(db).await?;
    Ok((stocked, all.saturating_sub(stocked)))
}
