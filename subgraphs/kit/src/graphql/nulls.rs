//! Null propagation as the specification has it, which async-graphql 7 does not do.
//!
//! That version leaves a failed field out of the answer, and turns an object whose fields all failed into null wherever it
//! stands. Here a failed field becomes null; where its type is non-null, its parent becomes null instead, and so on up.
//! Remove this with async-graphql 8, which does it by itself.
//!
//! # Source
//! GraphQL specification, section 6.4.4 "Handling Execution Errors".

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo,
};
use async_graphql::{
    PathSegment, QueryPathNode, QueryPathSegment, Response, ServerError, ServerResult, Value,
};

pub(super) struct NullPropagation;

impl ExtensionFactory for NullPropagation {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Failures::default())
    }
}

/// What failed in one request so far.
#[derive(Default)]
struct Failures {
    /// Whether anything did; spares the lock where nothing did, which is nearly always.
    any: AtomicBool,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    errors: Vec<ServerError>,
    /// Fields that are null against their type, whose parent is still to be nulled.
    bubbles: Vec<Vec<PathSegment>>,
}

#[async_trait::async_trait]
impl Extension for Failures {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(context, operation_name).await;
        if self.any.swap(false, Ordering::SeqCst) {
            let found = std::mem::take(&mut *self.lock());
            response.errors.extend(found.errors);
            if !found.bubbles.is_empty() {
                response.data = Value::Null;
            }
        }
        response
    }

    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let (field_type, node) = (info.return_type, info.path_node);
        match next.run(context, info).await {
            Ok(value) if !self.any.load(Ordering::SeqCst) => Ok(value),
            Ok(value) => Ok(value.map(|value| self.settle(value, field_type, &path(node)))),
            Err(error) => Ok(Some(self.failed(error, field_type, path(node)))),
        }
    }
}

impl Failures {
    fn lock(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().expect("no code panics while it holds this lock")
    }

    /// The field itself failed.
    fn failed(&self, mut error: ServerError, field_type: &str, path: Vec<PathSegment>) -> Value {
        if error.path.is_empty() {
            error.path.clone_from(&path);
        }
        let mut found = self.lock();
        found.errors.push(error);
        // What failed below is covered by this null.
        found.bubbles.retain(|bubble| !is_below(bubble, &path));
        if field_type.ends_with('!') {
            found.bubbles.push(path);
        }
        drop(found);
        self.any.store(true, Ordering::SeqCst);
        Value::Null
    }

    /// Nulls what must be null within a field's value because of failures below it.
    fn settle(&self, mut value: Value, field_type: &str, path: &[PathSegment]) -> Value {
        let mut found = self.lock();
        let (below, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut found.bubbles).into_iter().partition(|bubble| is_below(bubble, path));
        found.bubbles = others;
        let mut settled = true;
        for bubble in below {
            let indices = bubble[path.len()..].iter().map_while(|segment| match segment {
                PathSegment::Index(index) => Some(*index),
                PathSegment::Field(_) => None,
            });
            settled &= null_at(&mut value, field_type, &indices.collect::<Vec<_>>());
        }
        if !settled {
            value = Value::Null;
            found.bubbles.push(path.to_vec());
        }
        value
    }
}

/// Nulls the innermost nullable place on the way to the item; `false` when even the whole value may not be null.
fn null_at(value: &mut Value, value_type: &str, indices: &[usize]) -> bool {
    let (inner, non_null) = value_type.strip_suffix('!').map_or((value_type, false), |inner| (inner, true));
    if let Some((index, rest)) = indices.split_first()
        && let Some(item_type) = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'))
        && let Value::List(items) = &mut *value
        && items.get_mut(*index).is_some_and(|item| null_at(item, item_type, rest))
    {
        return true;
    }
    if !non_null {
        *value = Value::Null;
    }
    !non_null
}

fn is_below(path: &[PathSegment], ancestor: &[PathSegment]) -> bool {
    path.len() > ancestor.len() && path.iter().zip(ancestor).all(|(one, other)| same(one, other))
}

fn same(one: &PathSegment, other: &PathSegment) -> bool {
    match (one, other) {
        (PathSegment::Field(one), PathSegment::Field(other)) => one == other,
        (PathSegment::Index(one), PathSegment::Index(other)) => one == other,
        _ => false,
    }
}

fn path(node: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut segments: Vec<PathSegment> = std::iter::successors(Some(node), |node| node.parent)
        .map(|node| match node.segment {
            QueryPathSegment::Index(index) => PathSegment::Index(index),
            QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
        })
        .collect();
    segments.reverse();
    segments
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, SimpleObject};
    use serde_json::{Value as Json, json};

    struct Query;

    #[derive(SimpleObject)]
    #[graphql(complex)]
    struct Cup {
        size: i32,
    }

    #[async_graphql::ComplexObject]
    #[expect(clippy::unused_async, reason = "resolvers are asynchronous")]
    impl Cup {
        async fn label(&self) -> async_graphql::Result<Option<String>> {
            Err(async_graphql::Error::new("no label"))
        }

        async fn weight(&self) -> async_graphql::Result<i32> {
            if self.size == 2 { Err(async_graphql::Error::new("no scale")) } else { Ok(10) }
        }

        async fn saucer(&self) -> Cup {
            Cup { size: self.size }
        }
    }

    #[Object]
    impl Query {
        async fn cup(&self) -> Option<Cup> {
            Some(Cup { size: 2 })
        }

        async fn cup_always(&self) -> Cup {
            Cup { size: 2 }
        }

        async fn nullable_items(&self) -> Vec<Option<Cup>> {
            (1..=3).map(|size| Some(Cup { size })).collect()
        }

        async fn items(&self) -> Option<Vec<Cup>> {
            Some((1..=3).map(|size| Cup { size }).collect())
        }
    }

    async fn answer(query: &str) -> Json {
        let schema = crate::graphql::schema(Query, EmptyMutation, EmptySubscription).finish();
        let mut answer = serde_json::to_value(schema.execute(query).await).unwrap();
        for error in answer["errors"].as_array_mut().into_iter().flatten() {
            error.as_object_mut().unwrap().retain(|key, _| key == "path");
        }
        answer
    }

    #[tokio::test]
    async fn a_failed_nullable_field_is_null_and_its_siblings_stay() {
        assert_eq!(
            answer("{ cup { size label } }").await,
            json!({ "data": { "cup": { "size": 2, "label": null } }, "errors": [{ "path": ["cup", "label"] }] })
        );
        assert_eq!(
            answer("{ cup { label } }").await,
            json!({ "data": { "cup": { "label": null } }, "errors": [{ "path": ["cup", "label"] }] })
        );
    }

    #[tokio::test]
    async fn a_failed_non_null_field_nulls_its_nearest_nullable_parent() {
        assert_eq!(
            answer("{ cup { size saucer { weight } } }").await,
            json!({ "data": { "cup": null }, "errors": [{ "path": ["cup", "saucer", "weight"] }] })
        );
    }

    #[tokio::test]
    async fn without_a_nullable_parent_there_is_no_data() {
        assert_eq!(
            answer("{ cupAlways { weight } cup { size } }").await,
            json!({ "data": null, "errors": [{ "path": ["cupAlways", "weight"] }] })
        );
    }

    #[tokio::test]
    async fn in_a_list_only_a_nullable_item_is_nulled() {
        assert_eq!(
            answer("{ nullableItems { size weight } }").await,
            json!({
                "data": { "nullableItems": [{ "size": 1, "weight": 10 }, null, { "size": 3, "weight": 10 }] },
                "errors": [{ "path": ["nullableItems", 1, "weight"] }]
            })
        );
        assert_eq!(
            answer("{ items { weight } cup { size } }").await,
            json!({ "data": { "items": null, "cup": { "size": 2 } }, "errors": [{ "path": ["items", 1, "weight"] }] })
        );
    }
}
