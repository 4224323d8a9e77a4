//! Keys that this service makes for itself: the first process to ask makes one, all others read it.

use kopitiam_kit::{SystemError, Tx};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::entity::secret;

/// The key of this name; `fresh` if there is none yet.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn get_or_insert(tx: &Tx, name: &str, fresh: String) -> Result<String, SystemError> {
    let row = secret::ActiveModel { name: Set(name.to_owned()), value: Set(fresh) };
    let known = OnConflict::column(secret::Column::Name).do_nothing().to_owned();
    secret::Entity::insert(row).on_conflict(known).exec_without_returning(tx).await?;
    let row = secret::Entity::find_by_id(name.to_owned()).one(tx).await?;
    row.map(|row| row.value).ok_or_else(|| SystemError::Invariant(format!("secret {name} is gone")))
}
