//! Selection sets as data, equal ones once; those that are said often enough become fragments of the document.
//!
//! In: selection sets, innermost first. Out: the document's text.
//! Always: a fragment is shorter than what it replaces. Its type condition is the type on which the subgraph is asked
//! anyway, so the subgraph knows it.
//! Elsewhere: what is asked (`document.rs`).

use ahash::RandomState;
use indexmap::IndexMap;

/// A selection set of [`Sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SetId(usize);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Text(String),
    /// `{…}`
    Set(SetId),
    /// `...on T{…}`
    Inline(SetId),
}

/// What stands between the braces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Body {
    /// The type it is asked on; `None` when it must stay where it is.
    pub(crate) on: Option<String>,
    pub(crate) pieces: Vec<Piece>,
}

impl Body {
    pub(crate) fn new(on: Option<String>) -> Self {
        Self { on, pieces: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => join(before, text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    pub(crate) fn set(&mut self, id: SetId) {
        self.pieces.push(Piece::Set(id));
    }

    pub(crate) fn inline(&mut self, id: SetId) {
        self.pieces.push(Piece::Inline(id));
    }
}

#[derive(Default)]
struct Uses {
    sets: usize,
    inlines: usize,
    /// The name of its fragment.
    fragment: Option<String>,
}

/// All selection sets of a document. A set is added after those in it.
#[derive(Default)]
pub(crate) struct Sets(IndexMap<Body, Uses, RandomState>);

impl Sets {
    pub(crate) fn add(&mut self, body: Body) -> SetId {
        if let Some(known) = self.0.get_index_of(&body) {
            return SetId(known);
        }
        for piece in &body.pieces {
            match piece {
                Piece::Text(_) => {}
                Piece::Set(id) => self.0[id.0].sets += 1,
                Piece::Inline(id) => self.0[id.0].inlines += 1,
            }
        }
        SetId(self.0.insert_full(body, Uses::default()).0)
    }

    /// A selection set as it stands in the document that was made of these sets.
    pub(crate) fn text(&self, id: SetId) -> String {
        let mut out = String::new();
        self.write(&Piece::Set(id), &mut out);
        out
    }

    fn at(&self, index: usize) -> (&Body, &Uses) {
        self.0.get_index(index).expect("an id is the index of a set that was added")
    }

    /// The operation that starts with `head` and consists of the given root set, with the fragments it needs.
    pub(crate) fn document(&mut self, head: &str, root: SetId) -> String {
        self.choose_fragments();
        let mut out = head.to_owned();
        self.write(&Piece::Set(root), &mut out);
        for (body, uses) in &self.0 {
            if let (Some(name), Some(on)) = (&uses.fragment, &body.on) {
                join(&mut out, "fragment ");
                out.extend([name.as_str(), " on ", on.as_str(), "{"]);
                self.write_body(body, &mut out);
                out.push('}');
            }
        }
        out
    }

    /// A set that saves bytes as a fragment becomes one.
    fn choose_fragments(&mut self) {
        let mut lengths: Vec<usize> = Vec::with_capacity(self.0.len());
        let mut fragments = 0;
        for index in 0..self.0.len() {
            let (body, uses) = self.at(index);
            let length: usize = body.pieces.iter().map(|piece| self.length(piece, &lengths)).sum();
            lengths.push(length);
            let Some(on) = &body.on else { continue };
            let name = name_of(fragments);
            let spread = "...".len() + name.len();
            let instead = uses.sets * (length + 2) + uses.inlines * (length + "...on {}".len() + on.len());
            let own = length + "fragment  on {}".len() + name.len() + on.len();
            let needed = uses.sets * (spread + 2) + uses.inlines * spread + own;
            if needed < instead {
                fragments += 1;
                self.0[index].fragment = Some(name);
            }
        }
    }

    fn length(&self, piece: &Piece, lengths: &[usize]) -> usize {
        match piece {
            Piece::Text(text) => text.len(),
            Piece::Set(id) | Piece::Inline(id) => {
                let (body, uses) = self.at(id.0);
                let around = match (&uses.fragment, piece) {
                    (Some(name), Piece::Set(_)) => return "{...}".len() + name.len(),
                    (Some(name), _) => return "...".len() + name.len(),
                    (None, Piece::Set(_)) => 2,
                    (None, _) => "...on {}".len() + body.on.as_ref().map_or(0, String::len),
                };
                around + lengths[id.0]
            }
        }
    }

    fn write(&self, piece: &Piece, out: &mut String) {
        match piece {
            Piece::Text(text) => join(out, text),
            Piece::Set(id) => {
                out.push('{');
                let (body, uses) = self.at(id.0);
                match &uses.fragment {
                    Some(name) => out.extend(["...", name]),
                    None => self.write_body(body, out),
                }
                out.push('}');
            }
            Piece::Inline(id) => {
                let (body, uses) = self.at(id.0);
                match (&uses.fragment, &body.on) {
                    (Some(name), _) => out.extend(["...", name]),
                    (None, on) => {
                        if let Some(on) = on {
                            out.extend(["...on ", on]);
                        } else {
                            out.push_str("...");
                        }
                        out.push('{');
                        self.write_body(body, out);
                        out.push('}');
                    }
                }
            }
        }
    }

    fn write_body(&self, body: &Body, out: &mut String) {
        for piece in &body.pieces {
            self.write(piece, out);
        }
    }
}

/// Two texts beside each other: two names need a space between them.
fn join(out: &mut String, text: &str) {
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if out.ends_with(is_name) && text.starts_with(is_name) {
        out.push(' ');
    }
    out.push_str(text);
}

/// `a`, `b`, … `z`, `aa`, …; never the word `on`.
fn name_of(mut index: usize) -> String {
    let mut name = Vec::new();
    loop {
        name.insert(0, b'a' + u8::try_from(index % 26).expect("less than 26"));
        index /= 26;
        if index == 0 {
            break;
        }
        index -= 1;
    }
    let name = String::from_utf8(name).expect("letters are UTF-8");
    if name == "on" { "on_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(on: &str, text: &str) -> Body {
        let mut body = Body::new(Some(on.to_owned()));
        text.split(' ').for_each(|word| body.text(word));
        body
    }

    #[test]
    fn what_is_said_often_becomes_a_fragment_when_that_is_shorter() {
        let mut sets = Sets::default();
        let product = sets.add(body("Product", "identifier description availability"));
        let small = sets.add(body("Product", "id"));
        let mut root = Body::new(None);
        for (name, set) in [("a", product), ("b", product), ("c", product), ("d", small), ("e", small)] {
            root.text(name);
            root.set(set);
        }
        root.inline(product);
        root.text("x");
        let root = sets.add(root);
        assert_eq!(
            sets.document("query", root),
            "query{a{...a}b{...a}c{...a}d{id}e{id}...a x}fragment a on Product{identifier description availability}"
        );
    }

    #[test]
    fn what_is_said_once_stays_where_it_is() {
        let mut sets = Sets::default();
        let long = sets.add(body("Product", "identifier description availability"));
        let mut root = Body::new(None);
        root.text("a");
        root.set(long);
        root.inline(sets.add(body("Book", "pages")));
        let root = sets.add(root);
        assert_eq!(sets.document("", root), "{a{identifier description availability}...on Book{pages}}");
    }

    #[test]
    fn fragment_names_are_names() {
        assert_eq!([0, 25, 26, 27, 52, 701, 702].map(name_of), ["a", "z", "aa", "ab", "ba", "zz", "aaa"]);
        assert_eq!(name_of(26 + 14 * 26 + 13), "on_");
    }
}
