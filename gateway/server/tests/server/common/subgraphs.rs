//! Two subgraphs on async-graphql: products with their names, reviews with the same products' ratings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, ID, Object, Request, Schema, SimpleObject, Subscription,
};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use tokio::net::TcpListener;

/// Subscriptions that are open in a subgraph.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct OpenGuard(Open);

impl OpenGuard {
    fn new(open: &Open) -> Self {
        open.0.fetch_add(1, Ordering::SeqCst);
        Self(open.clone())
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(SimpleObject)]
struct Product {
    id: ID,
    name: Option<String>,
}

fn product(id: &ID) -> Option<Product> {
    let name = match id.as_str() {
        "1" => "kopi",
        "2" => "teh",
        _ => return None,
    };
    Some(Product { id: id.clone(), name: Some(name.to_owned()) })
}

struct ProductQuery;

#[Object(name = "Query")]
impl ProductQuery {
    async fn product(&self, id: ID) -> Option<Product> {
        product(&id)
    }

    async fn products(&self) -> Vec<Product> {
        ["1", "2"].iter().filter_map(|id| product(&ID::from(*id))).collect()
    }

    async fn header(&self, context: &Context<'_>, name: String) -> Option<String> {
        let headers = context.data_unchecked::<HeaderMap>();
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    async fn hang(&self) -> Option<String> {
        std::future::pending().await
    }

    #[graphql(entity)]
    async fn find_product(&self, id: ID) -> Option<Product> {
        product(&id)
    }
}

struct ProductMutation;

#[Object(name = "Mutation")]
impl ProductMutation {
    async fn rename(&self, id: ID, name: String) -> Option<Product> {
        product(&id).map(|product| Product { name: Some(name), ..product })
    }
}

struct ProductSubscription;

#[Subscription(name = "Subscription")]
impl ProductSubscription {
    async fn countdown(&self, from: i32) -> impl Stream<Item = Option<Product>> {
        stream::iter((1..=from).rev().map(|id| product(&ID::from(id))))
    }

    async fn forever(&self, context: &Context<'_>) -> impl Stream<Item = Option<Product>> {
        let guard = OpenGuard::new(context.data_unchecked::<Open>());
        let first = stream::iter([product(&ID::from("1"))]);
        first.chain(stream::pending()).map(move |item| {
            let _open = &guard;
            item
        })
    }
}

pub(crate) struct Products {
    pub(crate) router: Router,
    pub(crate) open: Open,
}

/// The subgraph that owns products.
pub(crate) fn products() -> Products {
    let open = Open::default();
    let schema = Schema::build(ProductQuery, ProductMutation, ProductSubscription)
        .enable_federation()
        .data(open.clone())
        .finish();
    let router =
        Router::new().route("/graphql", post(answer::<ProductQuery, ProductMutation, ProductSubscription>));
    Products { router: router.with_state(schema), open }
}

struct ReviewQuery;

#[derive(SimpleObject)]
#[graphql(name = "Product")]
struct Reviewed {
    id: ID,
    rating: Option<i32>,
}

#[Object(name = "Query")]
impl ReviewQuery {
    #[graphql(entity)]
    async fn find_product(&self, id: ID) -> Option<Reviewed> {
        let rating = id.parse().ok();
        Some(Reviewed { id, rating })
    }
}

/// The subgraph that rates products by their number.
pub(crate) fn reviews() -> Router {
    let schema = Schema::build(ReviewQuery, EmptyMutation, EmptySubscription).enable_federation().finish();
    Router::new()
        .route("/graphql", post(answer::<ReviewQuery, EmptyMutation, EmptySubscription>))
        .with_state(schema)
}

async fn answer<Q, M, S>(State(schema): State<Schema<Q, M, S>>, headers: HeaderMap, body: Bytes) -> Response
where
    Q: async_graphql::ObjectType + 'static,
    M: async_graphql::ObjectType + 'static,
    S: async_graphql::SubscriptionType + 'static,
{
    let request: Request = serde_json::from_slice(&body).unwrap();
    let wants_events = headers["accept"].to_str().unwrap().starts_with("text/event-stream");
    let request = request.data(headers);
    if !wants_events {
        return Json(schema.execute(request).await).into_response();
    }
    let next =
        schema.execute_stream(request).map(|response| Event::default().event("next").json_data(response));
    let complete = stream::iter([Ok(Event::default().event("complete").data(""))]);
    Sse::new(next.chain(complete)).into_response()
}

/// Serves a subgraph on a port of its own; gives its URL.
pub(crate) async fn listen(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
