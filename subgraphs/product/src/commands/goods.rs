//! Stock by hand, and items.

use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Failure, time};
use uuid::Uuid;

use super::catalogue::on_sale;
use super::{Commands, Editor};
use crate::domain::item;
use crate::domain::product::STOCK_MAX;
use crate::domain::refusal::Refusal;
use crate::events::{Cause, stock_updated};
use crate::store::stock::Change;
use crate::store::{items, stock};

const REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=500;

impl Commands {
    /// Adds or removes units, once per key, and writes down why.
    ///
    /// # Errors
    /// [`Refusal::DeltaInvalid`], [`Refusal::ReasonInvalid`], [`Refusal::NotYourProduct`], [`Refusal::ProductNotFound`];
    /// `IDEMPOTENCY_MISMATCH`, `IN_PROGRESS`.
    pub async fn adjust_stock(
        &self,
        editor: Editor,
        id: Uuid,
        delta: i64,
        reason: &str,
        client_key: &str,
    ) -> Result<Uuid, Failure> {
        let key = Key::new(editor.actor(), "adjustStock", client_key)?;
        let reason = reason.trim();
        idempotency::once(&self.db, &key, &(id, delta, reason), |tx| async move {
            if !REASON_CHARS.contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
                return Err(Refusal::ReasonInvalid.into());
            }
            if delta == 0 || delta.unsigned_abs() > STOCK_MAX.unsigned_abs() {
                return Err(Refusal::DeltaInvalid.into());
            }
            let product = on_sale(&tx, id).await?;
            editor.check(product.seller_id)?;
            let level = stock::change(&tx, id, Change::Adjust(delta)).await?.ok_or(Refusal::DeltaInvalid)?;
            let actor = Some(editor.user_id);
            stock::note_adjustment(&tx, id, delta, reason.to_owned(), actor, time::now()).await?;
            stock_updated(&tx, Cause::User(editor.user_id), &self.stock, id, level).await?;
            Ok(id)
        })
        .await
    }

    /// Makes an item of the caller, once per key.
    ///
    /// # Errors
    /// [`Refusal::TitleInvalid`], [`Refusal::ImageInvalid`]; `IDEMPOTENCY_MISMATCH`, `IN_PROGRESS`.
    pub async fn create_item(
        &self,
        owner_id: Uuid,
        title: &str,
        image_url: Option<&str>,
        client_key: &str,
    ) -> Result<Uuid, Failure> {
        let key = Key::new(format!("user:{owner_id}"), "createItem", client_key)?;
        idempotency::once(&self.db, &key, &(title, image_url), |tx| async move {
            let title = item::title(title)?;
            let image_url = item::image_url(image_url)?;
            let item = items::insert(&tx, Uuid::now_v7(), owner_id, title, image_url, time::now()).await?;
            Ok(item.id)
        })
        .await
    }

    /// Deletes a free item of the caller and gives it as it was.
    ///
    /// # Errors
    /// [`Refusal::ItemNotFound`] also for someone else's, [`Refusal::ItemLocked`].
    pub async fn delete_item(&self, owner_id: Uuid, id: Uuid) -> Result<item::Item, Failure> {
        self.db
            .transaction(|tx| async move {
                let found = items::find(&tx, id).await?.filter(|item| item.owner_id == owner_id);
                let item = found.ok_or(Refusal::ItemNotFound)?;
                if !items::delete(&tx, id, owner_id, time::now()).await? {
                    return Err(Refusal::ItemLocked.into());
                }
                Ok(item)
            })
            .await
    }
}
