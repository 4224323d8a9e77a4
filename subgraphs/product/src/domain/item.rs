//! Collectible items: one owner, at most one listing that holds them, and a history of owners.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::refusal::Refusal;

const TITLE_CHARS_MAX: usize = 120;
const IMAGE_URL_CHARS_MAX: usize = 500;

/// A single thing that people own and sell to one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// UUIDv7.
    pub id: Uuid,
    /// What it is.
    pub title: String,
    /// A path of this shop or an https address.
    pub image_url: Option<String>,
    /// Whose it is.
    pub owner_id: Uuid,
    /// The listing that holds it; only that one may unlock or transfer it.
    pub locked_by: Option<Uuid>,
    /// Grows by one with every change; the version of its events.
    pub version: i32,
}

/// One change of owner; `from` is `None` for the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemTransfer {
    /// When.
    pub at: DateTime<Utc>,
    /// The owner before.
    pub from: Option<Uuid>,
    /// The owner after.
    pub to: Uuid,
}

/// Why a listing does not get an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockRejection {
    /// No such item, or deleted.
    NotFound,
    /// The listing's seller is not the owner.
    NotOwner,
    /// Another listing holds it.
    Locked,
}

impl LockRejection {
    /// The code of the rejecting event.
    pub fn code(self) -> &'static str {
        match self {
            LockRejection::NotFound => "UNKNOWN_ITEM",
            LockRejection::NotOwner => "NOT_OWNER",
            LockRejection::Locked => "ITEM_LOCKED",
        }
    }
}

impl Item {
    /// Whether `listing` of `seller` may hold the item; the one that holds it already may.
    ///
    /// # Errors
    /// [`LockRejection`].
    pub fn check_lock(&self, listing: Uuid, seller: Option<Uuid>) -> Result<(), LockRejection> {
        if seller.is_some_and(|seller| seller != self.owner_id) {
            return Err(LockRejection::NotOwner);
        }
        match self.locked_by {
            Some(holder) if holder != listing => Err(LockRejection::Locked),
            _ => Ok(()),
        }
    }
}

/// A checked title.
///
/// # Errors
/// [`Refusal::TitleInvalid`].
pub fn title(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TITLE_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::TitleInvalid);
    }
    Ok(text.to_owned())
}

/// A checked image address: a path of this shop or https, so that a page never loads script or mixed content from it.
///
/// # Errors
/// [`Refusal::ImageInvalid`].
pub fn image_url(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let own_path = text.starts_with('/') && !text.starts_with("//");
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\');
    if text.chars().count() <= IMAGE_URL_CHARS_MAX && plain && (own_path || text.starts_with("https://")) {
        Ok(Some(text.to_owned()))
    } else {
        Err(Refusal::ImageInvalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_listing_gets_a_free_item() {
        let owner = Uuid::from_u128(1);
        let listing = Uuid::from_u128(2);
        let free = Item {
            id: Uuid::nil(),
            title: "Sign".into(),
            image_url: None,
            owner_id: owner,
            locked_by: None,
            version: 1,
        };
        assert_eq!(free.check_lock(listing, Some(owner)), Ok(()));
        assert_eq!(free.check_lock(listing, Some(listing)), Err(LockRejection::NotOwner));
        let held = Item { locked_by: Some(Uuid::from_u128(3)), ..free };
        assert_eq!(held.check_lock(listing, Some(owner)), Err(LockRejection::Locked));
        assert_eq!(held.check_lock(Uuid::from_u128(3), Some(owner)), Ok(()));
    }

    #[test]
    fn image_addresses_cannot_carry_script_or_another_host_by_stealth() {
        for bad in ["javascript:alert(1)", "//evil.example/a.png", "http://plain.example/a.png", "/a b"] {
            assert_eq!(image_url(Some(bad)), Err(Refusal::ImageInvalid), "{bad}");
        }
        assert!(image_url(Some("/images/items/sign.svg")).is_ok());
        assert_eq!(image_url(Some("  ")), Ok(None));
    }
}
