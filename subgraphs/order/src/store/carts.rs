//! Carts and their lines.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::entities::{cart, cart_line};
use super::replicas;
use crate::domain::cart::{Cart, CartLine, merged};

/// The cart with this id, if `viewer` may use it: a guest's, or the viewer's own.
///
/// # Errors
/// When the database fails.
pub async fn find<C: ConnectionTrait>(db: &C, id: Uuid, viewer: Option<Uuid>) -> Result<Option<Cart>, DbErr> {
    let row = cart::Entity::find_by_id(id).one(db).await?;
    let Some(row) = row else { return Ok(None) };
    let cart = load(db, row).await?;
    Ok(Some(cart).filter(|cart| cart.is_open_to(viewer)))
}

/// The cart that belongs to `owner`.
///
/// # Errors
/// When the database fails.
pub async fn of_owner<C: ConnectionTrait>(db: &C, owner: Uuid) -> Result<Option<Cart>, DbErr> {
    match cart::Entity::find().filter(cart::Column::OwnerId.eq(owner)).one(db).await? {
        Some(row) => Ok(Some(load(db, row).await?)),
        None => Ok(None),
    }
}

/// The lines whose product is known; the price of an unknown one could not be shown.
async fn load<C: ConnectionTrait>(db: &C, row: cart::Model) -> Result<Cart, DbErr> {
    let lines = cart_line::Entity::find()
        .filter(cart_line::Column::CartId.eq(row.id))
        .order_by_asc(cart_line::Column::Position)
        .order_by_asc(cart_line::Column::Id)
        .all(db)
        .await?;
    let ids: Vec<Uuid> = lines.iter().map(|line| line.product_id).collect();
    let mut products = replicas::products(db, &ids).await?;
    let lines = lines.into_iter().filter_map(|line| {
        let product = products.remove(&line.product_id)?;
        Some(CartLine { id: line.id, product, quantity: line.quantity })
    });
    Ok(Cart { id: row.id, owner_id: row.owner_id, lines: lines.collect() })
}

/// Makes an empty cart.
///
/// # Errors
/// When the database fails, or the owner has a cart already.
pub async fn create<C: ConnectionTrait>(db: &C, owner_id: Option<Uuid>, now_ms: i64) -> Result<Cart, DbErr> {
    let id = Uuid::now_v7();
    let row = cart::ActiveModel { id: Set(id), owner_id: Set(owner_id), updated_at_ms: Set(now_ms) };
    cart::Entity::insert(row).exec_without_returning(db).await?;
    Ok(Cart { id, owner_id, lines: Vec::new() })
}

/// Sets the quantities of products; 0 removes the line.
///
/// # Errors
/// When the database fails.
pub async fn set_lines<C: ConnectionTrait>(
    db: &C,
    cart_id: Uuid,
    lines: &[(Uuid, i32)],
    now_ms: i64,
) -> Result<(), DbErr> {
    use cart_line::Column as C;
    let last =
        cart_line::Entity::find().filter(C::CartId.eq(cart_id)).order_by_desc(C::Position).one(db).await?;
    let mut position = last.map_or(0, |line| line.position);
    for (product_id, quantity) in lines {
        if *quantity == 0 {
            let line = cart_line::Entity::delete_many().filter(C::CartId.eq(cart_id));
            line.filter(C::ProductId.eq(*product_id)).exec(db).await?;
            continue;
        }
        position += 1;
        let row = cart_line::ActiveModel {
            id: Set(Uuid::now_v7()),
            cart_id: Set(cart_id),
            product_id: Set(*product_id),
            position: Set(position),
            quantity: Set(*quantity),
        };
        let known = OnConflict::columns([C::CartId, C::ProductId]).update_column(C::Quantity).to_owned();
        cart_line::Entity::insert(row).on_conflict(known).exec_without_returning(db).await?;
    }
    touch(db, cart_id, now_ms).await
}

/// Moves a guest's cart into its new owner's, as far as that can hold it.
///
/// # Errors
/// When the database fails.
pub async fn merge<C: ConnectionTrait>(db: &C, guest: &Cart, owned: &Cart, now_ms: i64) -> Result<(), DbErr> {
    set_lines(db, owned.id, &merged(guest, owned), now_ms).await?;
    cart::Entity::delete_by_id(guest.id).exec(db).await?;
    Ok(())
}

/// Gives a guest's cart its owner.
///
/// # Errors
/// When the database fails.
pub async fn adopt<C: ConnectionTrait>(db: &C, cart_id: Uuid, owner: Uuid) -> Result<(), DbErr> {
    cart::Entity::update_many()
        .col_expr(cart::Column::OwnerId, Expr::value(owner))
        .filter(cart::Column::Id.eq(cart_id))
        .filter(cart::Column::OwnerId.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Takes what was bought out of the cart; what was added since stays.
///
/// # Errors
/// When the database fails.
pub async fn take_out<C: ConnectionTrait>(
    db: &C,
    cart_id: Uuid,
    bought: &[(Uuid, i64)],
    now_ms: i64,
) -> Result<(), DbErr> {
    use cart_line::Column as C;
    for (product_id, quantity) in bought {
        let quantity = i32::try_from(*quantity).unwrap_or(i32::MAX);
        let of_product = C::CartId.eq(cart_id).and(C::ProductId.eq(*product_id));
        let all =
            cart_line::Entity::delete_many().filter(of_product.clone()).filter(C::Quantity.lte(quantity));
        if all.exec(db).await?.rows_affected == 0 {
            cart_line::Entity::update_many()
                .col_expr(C::Quantity, Expr::col(C::Quantity).sub(quantity))
                .filter(of_product)
                .exec(db)
                .await?;
        }
    }
    touch(db, cart_id, now_ms).await
}

async fn touch<C: ConnectionTrait>(db: &C, cart_id: Uuid, now_ms: i64) -> Result<(), DbErr> {
    cart::Entity::update_many()
        .col_expr(cart::Column::UpdatedAtMs, Expr::value(now_ms))
        .filter(cart::Column::Id.eq(cart_id))
        .exec(db)
        .await?;
    Ok(())
}
