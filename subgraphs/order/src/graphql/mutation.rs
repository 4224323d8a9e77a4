//! The root mutations: parse, call, wrap.

use async_graphql::{Context, ID, Object};
use kopitiam_kit::auth::viewer;
use kopitiam_kit::errors::{Failure, payload};
use uuid::Uuid;

use super::order::OrderNode;
use super::types::{Cart, CartLineInput, CartPayload, CheckoutInput, OrderPayload, parse_id};
use super::{onlooker, shop};
use crate::commands::{self, CheckoutRequest};
use crate::domain::order::Order;

/// The root mutations.
pub struct Mutation;

#[Object]
impl Mutation {
    /// Sets how many of each listed product are in the cart; 0 removes it, products not listed stay. A visitor
    /// without `cartId` gets a new cart. Somebody logged in has one cart: a visitor's cart named here becomes part
    /// of it.
    async fn cart_lines_set(
        &self,
        context: &Context<'_>,
        cart_id: Option<ID>,
        lines: Vec<CartLineInput>,
    ) -> async_graphql::Result<CartPayload> {
        // An id that is none is one that nobody has: the nil UUID.
        let known = |id: &ID| parse_id(id).unwrap_or(Uuid::nil());
        let lines: Vec<(Uuid, i32)> =
            lines.iter().map(|line| (known(&line.product_id), line.quantity)).collect();
        let cart_id = cart_id.as_ref().map(known);
        let set = commands::set_cart_lines(shop(context), viewer(context).user_id(), cart_id, &lines).await;
        let (cart, user_errors) = payload(set)?;
        Ok(CartPayload { cart: cart.map(Cart), user_errors })
    }

    /// Places an order for what is in the cart. Answers at once with the order PENDING; `orderChanged` tells how it
    /// goes on.
    async fn checkout(
        &self,
        context: &Context<'_>,
        input: CheckoutInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let buyer = viewer(context).require()?;
        let request = CheckoutRequest {
            cart_id: input.cart_id.0,
            expected_total: input.expected_total.0,
            currency: input.currency,
        };
        let placed = commands::checkout(shop(context), buyer, &request, &idempotency_key).await;
        order_payload(context, placed)
    }

    /// Calls an order off: before it is confirmed at once; after, by refunding it, which is done when the order is
    /// REFUNDED.
    async fn cancel_order(
        &self,
        context: &Context<'_>,
        id: ID,
        reason: Option<String>,
        idempotency_key: ID,
    ) -> async_graphql::Result<OrderPayload> {
        let buyer = viewer(context).require()?;
        let shop = shop(context);
        let cancelled = commands::cancel_order(shop, buyer, &id, reason.as_deref(), &idempotency_key).await;
        order_payload(context, cancelled)
    }
}

fn order_payload(
    context: &Context<'_>,
    outcome: Result<Order, Failure>,
) -> async_graphql::Result<OrderPayload> {
    let (order, user_errors) = payload(outcome)?;
    let order = order.and_then(|order| OrderNode::seen_by(order, onlooker(context)));
    Ok(OrderPayload { order, user_errors })
}
