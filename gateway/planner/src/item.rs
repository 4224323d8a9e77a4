//! What is wanted at a place: a field of the client's operation or of a field set, seen alike.

use apollo_compiler::{Name, Node, ast};
use kopitiam_operation::FieldNode;
use kopitiam_plan::Key;
use kopitiam_supergraph::{SetField, TypeId, TypeSet};

use crate::conditions::Cond;

/// A selected field, of the client or of a `@key`/`@requires` field set.
#[derive(Clone, Copy)]
pub(crate) enum Item<'a> {
    Client(&'a FieldNode),
    Set(&'a SetField),
}

impl<'a> Item<'a> {
    pub(crate) fn name(self) -> &'a Name {
        match self {
            Self::Client(field) => &field.name,
            Self::Set(field) => &field.name,
        }
    }

    /// Whether subgraphs are asked for it by name.
    pub(crate) fn is_asked(self) -> bool {
        match self {
            Self::Client(field) => field.is_asked(),
            Self::Set(field) => !field.name.starts_with("__"),
        }
    }

    pub(crate) fn arguments(self) -> &'a [Node<ast::Argument>] {
        match self {
            Self::Client(field) => &field.arguments,
            Self::Set(field) => &field.arguments,
        }
    }

    pub(crate) fn parent(self) -> TypeId {
        match self {
            Self::Client(field) => field.parent,
            Self::Set(field) => field.parent,
        }
    }

    pub(crate) fn on(self) -> &'a TypeSet {
        match self {
            Self::Client(field) => &field.on,
            Self::Set(field) => &field.on,
        }
    }

    pub(crate) fn children(self) -> Vec<Item<'a>> {
        match self {
            Self::Client(field) => field.selection.fields.iter().map(Item::Client).collect(),
            Self::Set(field) => field.selection.fields.iter().map(Item::Set).collect(),
        }
    }

    /// How many fields it is, with those below it; big selections need not be counted to the end.
    pub(crate) fn size(self) -> u32 {
        if self.is_leaf() {
            return 1;
        }
        let below = self.children().into_iter().take(64).map(|child| if child.is_leaf() { 1 } else { 4 });
        1 + below.sum::<u32>()
    }

    pub(crate) fn is_leaf(self) -> bool {
        match self {
            Self::Client(field) => field.selection.fields.is_empty(),
            Self::Set(field) => field.selection.fields.is_empty(),
        }
    }

    /// Distinguishes items for memoisation: both kinds are borrowed for the whole of planning.
    pub(crate) fn address(self) -> usize {
        match self {
            Self::Client(field) => std::ptr::from_ref(field).addr(),
            Self::Set(field) => std::ptr::from_ref(field).addr(),
        }
    }
}

/// An item at a position of the response tree.
#[derive(Clone)]
pub(crate) struct Want<'a> {
    pub(crate) item: Item<'a>,
    /// The runtime types it is wanted for.
    pub(crate) on: TypeSet,
    /// From the operation's root down to here.
    pub(crate) conditions: Cond,
    /// Where the response tree keeps it.
    pub(crate) key: Key,
}
