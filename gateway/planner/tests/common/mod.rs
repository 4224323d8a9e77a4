//! Random valid operations over any API schema: the same seed gives the same operations.

use apollo_compiler::{
    Node, Schema, ast,
    schema::{ExtendedType, FieldDefinition},
};
use std::fmt::Write;

/// A small deterministic generator (xorshift), so that a failing seed can be run again.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A random query; it may be invalid (two fields of one name that do not merge), which the caller skips.
pub fn operation(schema: &Schema, random: &mut Random) -> String {
    let query = schema.schema_definition.query.as_ref().unwrap();
    let mut body = String::new();
    selection(schema, query, 4, random, &mut body);
    let mut declared = Vec::new();
    for (mark, definition) in [("$a)", "$a: Boolean! = true"), ("$b)", "$b: Boolean! = false")] {
        if body.contains(mark) {
            declared.push(definition);
        }
    }
    if declared.is_empty() { body } else { format!("query({}) {body}", declared.join(", ")) }
}

fn selection(schema: &Schema, ty: &str, depth: usize, random: &mut Random, out: &mut String) {
    out.push('{');
    let start = out.len();
    for field in fields_of(schema, ty) {
        if random.chance(45) {
            field_text(schema, field, depth, random, out);
        }
    }
    if random.chance(20) {
        out.push_str(" __typename");
    }
    let abstract_type = !matches!(schema.types.get(ty), Some(ExtendedType::Object(_)));
    let mut fragments = if abstract_type { 1 + random.below(3) } else { usize::from(random.chance(8)) };
    let candidates: Vec<&str> = overlapping(schema, ty);
    while fragments > 0 && depth > 0 && !candidates.is_empty() {
        fragments -= 1;
        let condition = candidates[random.below(candidates.len())];
        let _ = write!(out, " ... on {condition}{}", directive(random));
        selection(schema, condition, depth - 1, random, out);
    }
    if out.len() == start {
        out.push_str(" __typename");
    }
    out.push('}');
}

fn field_text(schema: &Schema, field: &FieldDefinition, depth: usize, random: &mut Random, out: &mut String) {
    let base = field.ty.inner_named_type();
    let composite = matches!(
        schema.types.get(base),
        Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_))
    );
    if composite && depth == 0 {
        return;
    }
    out.push(' ');
    if random.chance(12) {
        let _ = write!(out, "{}{}: ", ["x", "id", "name", "y"][random.below(4)], random.below(3));
    }
    out.push_str(&field.name);
    let required: Vec<String> = field
        .arguments
        .iter()
        .filter(|argument| argument.is_required() || random.chance(50))
        .map(|argument| format!("{}: {}", argument.name, value(schema, &argument.ty)))
        .collect();
    if !required.is_empty() {
        let _ = write!(out, "({})", required.join(", "));
    }
    out.push_str(&directive(random));
    if composite {
        selection(schema, base, depth - 1, random, out);
    }
}

fn directive(random: &mut Random) -> String {
    match random.below(24) {
        0 => " @include(if: $a)".to_owned(),
        1 => " @skip(if: $a)".to_owned(),
        2 => " @include(if: $b)".to_owned(),
        _ => String::new(),
    }
}

fn value(schema: &Schema, ty: &ast::Type) -> String {
    if ty.is_list() {
        return format!("[{}]", value(schema, ty.item_type()));
    }
    let name = ty.inner_named_type();
    match name.as_str() {
        "Int" => "1".to_owned(),
        "Float" => "1.5".to_owned(),
        "Boolean" => "true".to_owned(),
        "String" | "ID" => "\"1\"".to_owned(),
        _ => match schema.types.get(name) {
            Some(ExtendedType::Enum(found)) => found.values.keys().next().unwrap().to_string(),
            Some(ExtendedType::InputObject(found)) => {
                let fields: Vec<String> = found
                    .fields
                    .values()
                    .filter(|field| field.is_required())
                    .map(|field| format!("{}: {}", field.name, value(schema, &field.ty)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            _ => "\"1\"".to_owned(),
        },
    }
}

fn fields_of<'s>(schema: &'s Schema, ty: &str) -> Vec<&'s Node<FieldDefinition>> {
    match schema.types.get(ty) {
        Some(ExtendedType::Object(found)) => found.fields.values().map(|field| &field.node).collect(),
        Some(ExtendedType::Interface(found)) => found.fields.values().map(|field| &field.node).collect(),
        _ => Vec::new(),
    }
}

/// Types that a fragment inside `ty` may name.
fn overlapping<'s>(schema: &'s Schema, ty: &str) -> Vec<&'s str> {
    let objects = |name: &str| -> Vec<&'s str> {
        let all = schema.types.iter().filter(|(_, found)| found.is_object());
        let within = all.filter(|(object, _)| object.as_str() == name || schema.is_subtype(name, object));
        within.map(|(object, _)| object.as_str()).collect()
    };
    let here = objects(ty);
    let all = schema.types.iter().filter(|(name, found)| {
        !name.starts_with("__")
            && (found.is_object() || found.is_interface() || found.is_union())
            && objects(name).iter().any(|object| here.contains(object))
    });
    all.map(|(name, _)| name.as_str()).collect()
}
