//! Checks leaves against their type and writes them (GraphQL specification, section 3.5, Result Coercion).
//!
//! In: a leaf's bytes. Out: the same bytes, but for `ID` as a number, which becomes a string, and `Int` as `1.0`.
//! Elsewhere: what happens when a leaf does not fit (`nulls.rs`).

use crate::json::LeafClass;
use crate::program::LeafCoercion;

/// The value does not fit the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit;

/// Writes a leaf to `out` if it fits; otherwise writes nothing.
#[inline]
pub(crate) fn write_leaf(
    coercion: &LeafCoercion,
    class: LeafClass,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    match (coercion, class) {
        (LeafCoercion::Custom, _)
        | (LeafCoercion::String | LeafCoercion::Id, LeafClass::String)
        | (LeafCoercion::Boolean, LeafClass::Boolean)
        | (LeafCoercion::Float, LeafClass::Integer | LeafClass::Float) => out.extend_from_slice(bytes),
        (LeafCoercion::Int, LeafClass::Integer) if is_int(bytes) => out.extend_from_slice(bytes),
        (LeafCoercion::Int, LeafClass::Float) => {
            let integer = whole_number(bytes).ok_or(Misfit)?;
            out.extend_from_slice(integer.to_string().as_bytes());
        }
        (LeafCoercion::Id, LeafClass::Integer) => {
            out.push(b'"');
            out.extend_from_slice(bytes);
            out.push(b'"');
        }
        (LeafCoercion::Enum(values), LeafClass::String) if values.iter().any(|value| **value == *bytes) => {
            out.extend_from_slice(bytes);
        }
        _ => return Err(Misfit),
    }
    Ok(())
}

/// Nine digits always fit into 32 bits; longer numbers are looked at.
fn is_int(bytes: &[u8]) -> bool {
    bytes.len() <= 9 || std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<i32>().is_ok())
}

/// A number with a fraction or exponent that is an `Int` all the same.
fn whole_number(bytes: &[u8]) -> Option<i32> {
    let number: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let fits = number.fract() == 0.0 && number >= f64::from(i32::MIN) && number <= f64::from(i32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number in range")]
    fits.then_some(number as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coerce(coercion: &LeafCoercion, class: LeafClass, text: &str) -> Option<String> {
        let mut out = Vec::new();
        write_leaf(coercion, class, text.as_bytes(), &mut out).ok()?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn int_takes_32_bits_and_nothing_else() {
        let int = |text| coerce(&LeafCoercion::Int, LeafClass::Integer, text);
        assert_eq!(int("2147483647").as_deref(), Some("2147483647"));
        assert_eq!(int("-2147483648").as_deref(), Some("-2147483648"));
        assert_eq!(int("2147483648"), None);
        assert_eq!(coerce(&LeafCoercion::Int, LeafClass::Float, "1.0").as_deref(), Some("1"));
        assert_eq!(coerce(&LeafCoercion::Int, LeafClass::Float, "1.5"), None);
        assert_eq!(coerce(&LeafCoercion::Int, LeafClass::Float, "1e99"), None);
        assert_eq!(coerce(&LeafCoercion::Int, LeafClass::String, "\"1\""), None);
    }

    #[test]
    fn an_id_is_written_as_a_string_whatever_its_length() {
        let id = |class, text| coerce(&LeafCoercion::Id, class, text);
        assert_eq!(
            id(LeafClass::Integer, "12345678901234567890123").as_deref(),
            Some("\"12345678901234567890123\"")
        );
        assert_eq!(id(LeafClass::String, "\"a\"").as_deref(), Some("\"a\""));
        assert_eq!(id(LeafClass::Float, "1.5"), None);
    }

    #[test]
    fn floats_and_custom_scalars_pass_byte_for_byte() {
        let text = "1.000000000000000000000000000001e0";
        assert_eq!(coerce(&LeafCoercion::Float, LeafClass::Float, text).as_deref(), Some(text));
        assert_eq!(
            coerce(&LeafCoercion::Custom, LeafClass::Composite, "{ \"a\": [1] }").as_deref(),
            Some("{ \"a\": [1] }")
        );
    }

    #[test]
    fn an_enum_admits_only_the_schemas_values() {
        let kind = LeafCoercion::Enum(vec![Box::from(&b"\"RED\""[..])]);
        assert_eq!(coerce(&kind, LeafClass::String, "\"RED\"").as_deref(), Some("\"RED\""));
        assert_eq!(coerce(&kind, LeafClass::String, "\"PINK\""), None);
    }
}
