//! Random `@defer` and `@stream` in an operation, and the verdict on the payloads.
//!
//! Elsewhere: the operations (`operations.rs`), what holds of payloads (`../incremental.rs`).

use apollo_compiler::ast::{self, Definition, OperationType, Selection};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Name, Node, Schema, name};

use super::operations::RandomOperation;
use super::rng::Rng;

/// The operation with some fragments deferred, some fields put into deferred fragments and some lists streamed; nothing
/// for a subscription.
pub fn deferred(schema: &Schema, operation: &RandomOperation, seed: u64) -> Option<RandomOperation> {
    let mut document = ast::Document::parse(operation.query.clone(), "query.graphql").ok()?;
    let mut rng = Rng::new(seed);
    let often = *rng.pick(&[15, 40, 80]);
    let mut change = Change { schema, rng, often, streams: often / 4 };
    for definition in &mut document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                let kind = operation.operation_type;
                let root = schema.root_operation(kind)?.clone();
                if kind == OperationType::Subscription {
                    return None;
                }
                // Neither directive may stand on the root of a mutation.
                let is_root = kind == OperationType::Mutation;
                change.set(&mut operation.make_mut().selection_set, &root, is_root);
            }
            Definition::FragmentDefinition(fragment) => {
                let on = fragment.type_condition.clone();
                let is_root = schema.root_operation(OperationType::Mutation) == Some(&on);
                change.set(&mut fragment.make_mut().selection_set, &on, is_root);
            }
            _ => {}
        }
    }
    Some(RandomOperation { query: document.to_string(), variables: operation.variables.clone() })
}

struct Change<'s> {
    schema: &'s Schema,
    rng: Rng,
    often: usize,
    streams: usize,
}

impl Change<'_> {
    fn set(&mut self, set: &mut Vec<Selection>, ty: &Name, is_root: bool) {
        for selection in &mut *set {
            match selection {
                Selection::Field(field) => {
                    let Some((inner, is_list)) = self.field(ty, &field.name) else { continue };
                    let field = field.make_mut();
                    self.set(&mut field.selection_set, &inner, false);
                    if is_list && !is_root && self.rng.chance(self.streams) {
                        let count = self.rng.below(3).to_string();
                        let count = ast::Value::Int(ast::IntValue::new_parsed(&count));
                        field
                            .directives
                            .push(directive(name!("stream"), Some((name!("initialCount"), count))));
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = fragment.make_mut();
                    let on = fragment.type_condition.clone().unwrap_or_else(|| ty.clone());
                    self.set(&mut fragment.selection_set, &on, is_root);
                    if !is_root && self.rng.chance(self.often) {
                        fragment.directives.push(directive(name!("defer"), None));
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if !is_root && self.rng.chance(self.often) {
                        spread.make_mut().directives.push(directive(name!("defer"), None));
                    }
                }
            }
        }
        if !is_root && !set.is_empty() && self.rng.chance(self.often) {
            let start = self.rng.below(set.len());
            let end = start + 1 + self.rng.below(set.len() - start);
            let inner: Vec<Selection> = set[start..end].to_vec();
            // Some of it is asked outside as well.
            let keeps = self.rng.chance(25);
            let fragment = ast::InlineFragment {
                type_condition: None,
                directives: [directive(name!("defer"), None)].into_iter().collect(),
                selection_set: inner,
            };
            let fragment = Selection::InlineFragment(Node::new(fragment));
            if keeps {
                set.push(fragment);
            } else {
                set.splice(start..end, [fragment]);
            }
        }
    }

    /// A field's named type, and whether it is a list.
    fn field(&self, ty: &Name, field: &Name) -> Option<(Name, bool)> {
        let fields = match self.schema.types.get(ty)? {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            _ => return None,
        };
        let ty = &fields.get(field)?.ty;
        Some((ty.inner_named_type().clone(), ty.is_list()))
    }
}

fn directive(name: Name, argument: Option<(Name, ast::Value)>) -> Node<ast::Directive> {
    let arguments = argument
        .into_iter()
        .map(|(name, value)| Node::new(ast::Argument { name, value: Node::new(value) }))
        .collect();
    Node::new(ast::Directive { name, arguments })
}
