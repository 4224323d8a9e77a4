//! GraphQL parts that all services share: scalars, shared types, limits, and the federation SDL.
//!
//! - [`Decimal`], `chrono::DateTime<Utc>` (prints as `DateTime`), [`ID`]: scalars
//! - [`PageInfo`], [`crate::UserError`], [`crate::Money`]: types that every service defines alike (`@shareable`)
//! - [`schema`]: a schema builder with federation, limits and safe errors switched on
//! - [`sdl`]: the SDL that composition reads, equal to the running `_service.sdl`

mod limits;
mod nulls;
mod sdl;
mod service_sdl;

use async_graphql::{
    InputValueError, InputValueResult, ObjectType, Scalar, ScalarType, Schema, SchemaBuilder, SimpleObject,
    SubscriptionType, Value,
};

pub use async_graphql::ID;
pub use sdl::{check_schema_file, corrected};

/// Deepest selection.
const DEPTH_MAX: usize = 32;
/// Most fields of one operation, fragments expanded.
const COMPLEXITY_MAX: usize = 5_000;
const DIRECTIVES_MAX: usize = 10;

/// A decimal number as a string, such as `12.50`: exact, unlike a JSON number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Decimal(pub String);

/// Decimal number as a string, such as `"12.50"`.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            // A whole number is exact; a fraction in JSON has gone through a float already.
            Value::Number(number) if number.is_i64() => Ok(Self(number.to_string())),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Where a page stands in its list.
#[derive(Clone, Debug, Default, PartialEq, Eq, SimpleObject)]
#[graphql(shareable)]
pub struct PageInfo {
    /// More rows follow.
    pub has_next_page: bool,
    /// Rows were passed over to get here.
    pub has_previous_page: bool,
    /// Cursor of the first row.
    pub start_cursor: Option<String>,
    /// Cursor of the last row; continue after it.
    pub end_cursor: Option<String>,
}

/// A schema builder with what every service's schema has: federation, limits that hold against fragment bombs, no
/// suggestions, errors with codes.
pub fn schema<Q, M, S>(query: Q, mutation: M, subscription: S) -> SchemaBuilder<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    Schema::build(query, mutation, subscription)
        .enable_federation()
        .enable_subscription_in_federation()
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .disable_suggestions()
        .extension(limits::ExpandedSize)
        .extension(service_sdl::CorrectedServiceSdl)
        .extension(nulls::NullPropagation)
}

/// The federation SDL of a schema, as composition reads it and as `_service { sdl }` answers.
pub fn sdl<Q, M, S>(schema: &Schema<Q, M, S>) -> String
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    corrected(&schema.sdl_with_options(sdl::export_options()))
}
