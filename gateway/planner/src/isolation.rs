//! What a field set needs, kept apart from what the client asks beside it.
//!
//! A `@requires` of `size { width }` and a client's `size { depth }` meet in one object of the subgraph's answer. Where
//! `depth` may not be null, its failure makes the whole object null, and with it an input that did arrive. One server
//! that holds everything would lose `size` in the response and nothing else. So the field set then gets a place of its
//! own: `size { depth } _0_size: size { width }`.
//!
//! Elsewhere: which place that is (`inputs.rs`).

use apollo_compiler::{Name, ast};
use kopitiam_operation::FieldNode;
use kopitiam_supergraph::{FieldView, SetField, SubgraphId, TypeId, TypeKind, TypeSet};

use crate::facts::Facts;

impl<'a> Facts<'a> {
    /// Whether a failure below the client's field could take away what the field set needs of it, and a place of its
    /// own would save that.
    pub(crate) fn needs_a_place_of_its_own(&mut self, client: &'a FieldNode, set: &'a SetField) -> bool {
        self.may_lose(client, set) && self.views(client).any(|(_, view)| !is_strict(&view.ty))
    }

    /// Whether a failure of something that the client asks below its field, and the field set does not, reaches that field.
    fn may_lose(&mut self, client: &'a FieldNode, set: &'a SetField) -> bool {
        if set.selection.is_empty() {
            return false;
        }
        let memo = (std::ptr::from_ref(client).addr(), std::ptr::from_ref(set).addr());
        if let Some(&known) = self.losses.get(&memo) {
            return known;
        }
        let mut found = false;
        for child in client.selection.fields.iter().filter(|child| child.is_asked()) {
            self.steps += 1;
            let needed = set.selection.fields.iter().find(|needed| {
                needed.name == child.name
                    && needed.arguments[..] == child.arguments[..]
                    && child.on.is_subset(&needed.on)
            });
            found = match needed {
                Some(needed) => {
                    self.views(child).any(|(_, view)| is_strict(&view.ty)) && self.may_lose(child, needed)
                }
                None => !self.is_key_leaf(child) && self.fails_with(child, client, set),
            };
            if found || self.exhausted() {
                break;
            }
        }
        self.losses.insert(memo, found);
        found
    }

    /// Whether some subgraph, asked for the client's field and for what is needed beside it, may not answer it with null.
    fn fails_with(&self, child: &FieldNode, client: &FieldNode, set: &SetField) -> bool {
        let beside = |subgraph: SubgraphId| {
            self.views(client).any(|(other, _)| other == subgraph)
                || set.selection.fields.iter().any(|needed| {
                    self.views_of(&needed.on, needed.parent, &needed.name).any(|(other, _)| other == subgraph)
                })
        };
        self.views(child).any(|(subgraph, view)| view.ty.is_non_null() && beside(subgraph))
    }

    /// Part of a key by itself: an object without it would not be there.
    fn is_key_leaf(&self, field: &FieldNode) -> bool {
        field.selection.fields.is_empty()
            && field.on.iter().all(|ty| {
                let views = self.supergraph.ty(ty).views.iter().flatten();
                let mut sets = views.flat_map(|view| &view.keys).flat_map(|key| &key.fields.fields);
                sets.any(|part| part.name == field.name)
            })
    }

    fn views<'s>(&'s self, field: &'s FieldNode) -> impl Iterator<Item = (SubgraphId, &'a FieldView)> + 's {
        self.views_of(&field.on, field.parent, &field.name)
    }

    /// The field as the subgraphs have it, on any of the types and their interfaces.
    fn views_of<'s>(
        &'s self,
        on: &'s TypeSet,
        parent: TypeId,
        name: &'s Name,
    ) -> impl Iterator<Item = (SubgraphId, &'a FieldView)> + 's {
        let supergraph = self.supergraph;
        let interfaces = supergraph.types().filter(move |(id, found)| {
            *id == parent || (found.kind == TypeKind::Interface && found.possible.meets(on))
        });
        let types = on.iter().chain(interfaces.map(|(id, _)| id));
        types.flat_map(move |ty| {
            supergraph
                .subgraph_ids()
                .filter_map(move |subgraph| Some((subgraph, supergraph.field_in(subgraph, ty, name)?)))
        })
    }
}

/// Whether null, also of an item, goes on to the object around.
fn is_strict(ty: &ast::Type) -> bool {
    match ty {
        ast::Type::NonNullNamed(_) => true,
        ast::Type::NonNullList(item) => is_strict(item),
        ast::Type::Named(_) | ast::Type::List(_) => false,
    }
}
