//! Keys that this service makes for itself: the first process to ask makes one, all others read it.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};

use super::entities::secret;

/// The key of this name; `fresh` if there is none yet.
///
/// # Errors
/// When the database fails.
pub async fn get_or_insert<C: ConnectionTrait>(db: &C, name: &str, fresh: String) -> Result<String, DbErr> {
    let row = secret::ActiveModel { name: Set(name.to_owned()), value: Set(fresh) };
    let known = OnConflict::column(secret::Column::Name).do_nothing().to_owned();
    secret::Entity::insert(row).on_conflict(known).exec_without_returning(db).await?;
    let row = secret::Entity::find_by_id(name.to_owned()).one(db).await?;
    row.map(|row| row.value).ok_or_else(|| DbErr::RecordNotFound(format!("secret {name}")))
}
