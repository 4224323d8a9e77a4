//! Business refusals of the product service: what a client may read as `userErrors`. System failures live in the store.

/// Why a command was not carried out; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One to 120 characters.
    #[error("a name has 1 to 120 characters")]
    NameInvalid,
    /// Names are unique without regard to case.
    #[error("this name is taken")]
    NameTaken,
    /// At most 5000 characters.
    #[error("a description has 1 to 5000 characters")]
    DescriptionInvalid,
    /// Prices are above zero and at most ten million, with no more decimals than the currency has.
    #[error("a price is 0.01 to 10000000.00 and has no more decimals than its currency")]
    PriceInvalid,
    /// Only currencies the shop sells in.
    #[error("this currency is not supported")]
    CurrencyUnsupported,
    /// At most 120 characters.
    #[error("a supplier has at most 120 characters")]
    SupplierInvalid,
    /// Zero or more, at most one million.
    #[error("stock is between 0 and 1000000")]
    StockInvalid,
    /// A product is in at least one category.
    #[error("at least one category is needed")]
    CategoryMissing,
    /// No such category.
    #[error("no such category")]
    CategoryNotFound,
    /// A category cannot be its own ancestor.
    #[error("a category cannot be below itself")]
    CategoryCycle,
    /// Products or subcategories still refer to it.
    #[error("the category still has products or subcategories")]
    CategoryInUse,
    /// No such product, or archived.
    #[error("no such product")]
    ProductNotFound,
    /// The record changed since the caller read it.
    #[error("someone changed this in the meantime; reload and try again")]
    VersionConflict,
    /// A seller writes own products only.
    #[error("this product belongs to someone else")]
    NotYourProduct,
    /// The adjustment is zero, too large, or would leave fewer than are reserved.
    #[error("the stock cannot change by that much")]
    DeltaInvalid,
    /// Every adjustment says why.
    #[error("a reason of 3 to 500 characters is needed")]
    ReasonInvalid,
    /// One to 120 characters.
    #[error("a title has 1 to 120 characters")]
    TitleInvalid,
    /// A path of this shop or an https address, at most 500 characters.
    #[error("an image address is a path of this shop or starts with https://")]
    ImageInvalid,
    /// No such item, or not the caller's.
    #[error("no such item")]
    ItemNotFound,
    /// A listing holds the item.
    #[error("the item is locked by a listing")]
    ItemLocked,
}

impl Refusal {
    /// The stable code of `userErrors.code`.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NameInvalid => "NAME_INVALID",
            Refusal::NameTaken => "NAME_TAKEN",
            Refusal::DescriptionInvalid => "DESCRIPTION_INVALID",
            Refusal::PriceInvalid => "PRICE_INVALID",
            Refusal::CurrencyUnsupported => "CURRENCY_UNSUPPORTED",
            Refusal::SupplierInvalid => "SUPPLIER_INVALID",
            Refusal::StockInvalid => "STOCK_INVALID",
            Refusal::CategoryMissing => "CATEGORY_MISSING",
            Refusal::CategoryNotFound => "CATEGORY_NOT_FOUND",
            Refusal::CategoryCycle => "CATEGORY_CYCLE",
            Refusal::CategoryInUse => "CATEGORY_IN_USE",
            Refusal::ProductNotFound => "PRODUCT_NOT_FOUND",
            Refusal::VersionConflict => "VERSION_CONFLICT",
            Refusal::NotYourProduct => "NOT_YOUR_PRODUCT",
            Refusal::DeltaInvalid => "DELTA_INVALID",
            Refusal::ReasonInvalid => "REASON_INVALID",
            Refusal::TitleInvalid => "TITLE_INVALID",
            Refusal::ImageInvalid => "IMAGE_INVALID",
            Refusal::ItemNotFound => "ITEM_NOT_FOUND",
            Refusal::ItemLocked => "ITEM_LOCKED",
        }
    }

    /// The input field that the refusal speaks of, where there is one.
    pub fn field(self) -> Option<&'static str> {
        match self {
            Refusal::NameInvalid | Refusal::NameTaken => Some("name"),
            Refusal::DescriptionInvalid => Some("description"),
            Refusal::PriceInvalid => Some("price"),
            Refusal::CurrencyUnsupported => Some("currency"),
            Refusal::SupplierInvalid => Some("supplier"),
            Refusal::StockInvalid => Some("stock"),
            Refusal::CategoryMissing | Refusal::CategoryNotFound => Some("categoryIds"),
            Refusal::CategoryCycle => Some("parentId"),
            Refusal::VersionConflict => Some("expectedVersion"),
            Refusal::DeltaInvalid => Some("delta"),
            Refusal::ReasonInvalid => Some("reason"),
            Refusal::TitleInvalid => Some("title"),
            Refusal::ImageInvalid => Some("imageUrl"),
            Refusal::CategoryInUse
            | Refusal::ProductNotFound
            | Refusal::NotYourProduct
            | Refusal::ItemNotFound
            | Refusal::ItemLocked => None,
        }
    }
}

impl From<Refusal> for kopitiam_kit::UserError {
    fn from(refusal: Refusal) -> Self {
        match refusal.field() {
            Some(field) => Self::on(&[field], refusal.code(), refusal.to_string()),
            None => Self::new(refusal.code(), refusal.to_string()),
        }
    }
}

impl From<Refusal> for kopitiam_kit::Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal.into()])
    }
}
