//! Facets of a search: by category, price range and stock.

use async_graphql::SimpleObject;
use kopitiam_kit::Money;
use kopitiam_kit::money::Currency;
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::category::Category;
use crate::store::search::{self, PRICE_STEPS, Resolved};

/// One way to narrow a search.
#[derive(SimpleObject)]
pub struct Facet {
    /// `category`, `price` or `inStock`.
    key: String,
    /// For people.
    label: String,
    /// Its choices.
    values: Vec<FacetValue>,
}

/// One choice of a facet.
#[derive(SimpleObject)]
pub struct FacetValue {
    /// A category's slug; a price range such as `10.00..24.99`, open at the end for the last; `true` or `false`.
    value: String,
    /// For people.
    label: String,
    /// Products that the choice would find.
    count: i32,
    /// Whether the search is narrowed to it.
    selected: bool,
}

fn count(found: i64) -> i32 {
    i32::try_from(found).unwrap_or(i32::MAX)
}

pub(super) async fn read(
    db: &impl ConnectionTrait,
    search: &Resolved,
    categories: &[Category],
) -> Result<Vec<Facet>, DbErr> {
    Ok(vec![
        by_category(db, search, categories).await?,
        by_price(db, search).await?,
        by_stock(db, search).await?,
    ])
}

async fn by_category(
    db: &impl ConnectionTrait,
    search: &Resolved,
    categories: &[Category],
) -> Result<Facet, DbErr> {
    let counts = search::count_by_category(db, search, categories).await?;
    let values = categories
        .iter()
        .map(|category| FacetValue {
            value: category.slug.clone(),
            label: category.name.clone(),
            count: count(counts.get(&category.id).copied().unwrap_or(0)),
            selected: search.filter().category_slugs.contains(&category.slug),
        })
        .filter(|value| value.count > 0 || value.selected)
        .collect();
    Ok(Facet { key: "category".to_owned(), label: "Category".to_owned(), values })
}

async fn by_price(db: &impl ConnectionTrait, search: &Resolved) -> Result<Facet, DbErr> {
    let counts = search::count_by_price(db, search).await?;
    let (min, max) = (search.filter().price_min, search.filter().price_max);
    let decimal = |minor| Money::new(minor, Currency::USD).decimal();
    let values = counts
        .into_iter()
        .enumerate()
        .map(|(step, found)| {
            let from = PRICE_STEPS[step];
            let to = PRICE_STEPS.get(step + 1).map(|next| next - 1);
            let end = to.map(decimal).unwrap_or_default();
            let label = match to {
                Some(_) if step == 0 => format!("Up to {end}"),
                Some(_) => format!("{} to {end}", decimal(from)),
                None => format!("{} and more", decimal(from)),
            };
            let selected = min.unwrap_or(0) == from && max == to && (min.is_some() || max.is_some());
            FacetValue { value: format!("{}..{end}", decimal(from)), label, count: count(found), selected }
        })
        .collect();
    Ok(Facet { key: "price".to_owned(), label: "Price".to_owned(), values })
}

async fn by_stock(db: &impl ConnectionTrait, search: &Resolved) -> Result<Facet, DbErr> {
    let (stocked, sold_out) = search::count_by_stock(db, search).await?;
    let value = |value: bool, label: &str, found: u64| FacetValue {
        value: value.to_string(),
        label: label.to_owned(),
        count: i32::try_from(found).unwrap_or(i32::MAX),
        selected: search.filter().in_stock == Some(value),
    };
    let values = vec![value(true, "In stock", stocked), value(false, "Sold out", sold_out)];
    Ok(Facet { key: "inStock".to_owned(), label: "Availability".to_owned(), values })
}
