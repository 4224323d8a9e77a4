//! Categories and their tree.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::product::{name, slug_of};
use super::refusal::Refusal;

/// A node of the category tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// UUIDv7.
    pub id: Uuid,
    /// Unique; made from the first name and kept when the name changes, so that links stay good.
    pub slug: String,
    /// What customers read; unique without regard to case.
    pub name: String,
    /// `None` for a root.
    pub parent_id: Option<Uuid>,
    /// Grows by one with every change; the version of its events.
    pub version: i32,
}

/// Checked input of `saveCategory`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryDraft {
    /// Trimmed.
    pub name: String,
    /// Made from the name.
    pub slug: String,
    /// `None` for a root.
    pub parent_id: Option<Uuid>,
}

impl CategoryDraft {
    /// # Errors
    /// [`Refusal::NameInvalid`].
    pub fn new(text: &str, parent_id: Option<Uuid>) -> Result<CategoryDraft, Refusal> {
        let name = name(text)?;
        let slug = slug_of(&name).ok_or(Refusal::NameInvalid)?;
        Ok(CategoryDraft { name, slug, parent_id })
    }
}

/// The whole tree; small, so it is read at once.
#[derive(Debug, Clone, Default)]
pub struct CategoryTree {
    parents: HashMap<Uuid, Option<Uuid>>,
}

impl CategoryTree {
    /// From every category of the shop.
    pub fn new<'a>(categories: impl IntoIterator<Item = &'a Category>) -> CategoryTree {
        CategoryTree {
            parents: categories.into_iter().map(|category| (category.id, category.parent_id)).collect(),
        }
    }

    /// Whether `id` may be put below `parent`.
    ///
    /// # Errors
    /// [`Refusal::CategoryNotFound`] for an unknown parent, [`Refusal::CategoryCycle`] when the parent is below `id`.
    pub fn check_move(&self, id: Option<Uuid>, parent: Option<Uuid>) -> Result<(), Refusal> {
        let Some(parent) = parent else { return Ok(()) };
        if !self.parents.contains_key(&parent) {
            return Err(Refusal::CategoryNotFound);
        }
        match id {
            Some(id) if self.with_descendants([id]).contains(&parent) => Err(Refusal::CategoryCycle),
            _ => Ok(()),
        }
    }

    /// The given categories and all below them.
    pub fn with_descendants(&self, ids: impl IntoIterator<Item = Uuid>) -> HashSet<Uuid> {
        let mut found: HashSet<Uuid> = ids.into_iter().collect();
        loop {
            let below: Vec<Uuid> = self
                .parents
                .iter()
                .filter(|(id, parent)| {
                    parent.is_some_and(|parent| found.contains(&parent)) && !found.contains(*id)
                })
                .map(|(id, _)| *id)
                .collect();
            if below.is_empty() {
                return found;
            }
            found.extend(below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(n: u128, parent: Option<u128>) -> Category {
        Category {
            id: Uuid::from_u128(n),
            slug: n.to_string(),
            name: n.to_string(),
            parent_id: parent.map(Uuid::from_u128),
            version: 1,
        }
    }

    #[test]
    fn a_category_cannot_be_moved_below_itself_or_its_descendants() {
        let categories = [category(1, None), category(2, Some(1)), category(3, Some(2))];
        let tree = CategoryTree::new(&categories);
        let id = Uuid::from_u128;
        assert_eq!(tree.check_move(Some(id(1)), Some(id(3))), Err(Refusal::CategoryCycle));
        assert_eq!(tree.check_move(Some(id(1)), Some(id(1))), Err(Refusal::CategoryCycle));
        assert_eq!(tree.check_move(Some(id(3)), Some(id(1))), Ok(()));
        assert_eq!(tree.check_move(Some(id(3)), Some(id(9))), Err(Refusal::CategoryNotFound));
    }
}
