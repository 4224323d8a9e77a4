//! A JSON scanner: finds where values end and what kind they are, without building them.
//!
//! In: UTF-8 bytes. Out: positions. Always: what is passed over is complete, valid JSON (RFC 8259), so a byte range
//! can be copied into another JSON text as it is; nesting is bounded by the caller.
//! Elsewhere: which values are kept (`parse.rs`).

/// What a scalar's JSON looks like; decides how it is coerced later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeafClass {
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Float,
    /// A string.
    String,
    /// `true` or `false`.
    Boolean,
    /// An object or an array kept whole.
    Composite,
}

/// What [`Scanner::skip_value`] passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// `null`.
    Null,
    /// Anything else.
    Leaf(LeafClass),
}

/// Why scanning stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanError {
    /// Not JSON.
    Syntax,
    /// Nested deeper than allowed.
    TooDeep,
}

/// A position in a JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    input: &'a [u8],
    position: usize,
}

const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Whether one of the eight bytes ends the plain part of a string: a quote, a backslash or a control character.
/// May be true for a word without one (a borrow from a lower byte): then the bytes are looked at one by one.
const fn may_end_plain_text(word: u64) -> bool {
    let quote = word ^ repeat(b'"');
    let backslash = word ^ repeat(b'\\');
    let low = word.wrapping_sub(repeat(0x20)) & !word;
    let zero = (quote.wrapping_sub(repeat(1)) & !quote) | (backslash.wrapping_sub(repeat(1)) & !backslash);
    (low | zero) & repeat(0x80) != 0
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The next byte, not consumed; 0 at the end, which begins no JSON value.
    #[inline]
    pub(crate) fn peek(&self) -> u8 {
        self.input.get(self.position).copied().unwrap_or(0)
    }

    /// Consumes the byte that [`Scanner::peek`] showed.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.position += 1;
    }

    /// Passes over `count` bytes that are known to be a value.
    #[inline]
    pub(crate) fn pass(&mut self, count: usize) {
        self.position += count;
    }

    #[inline]
    pub(crate) fn skip_whitespace(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.position += 1;
        }
    }

    /// Consumes `expected` when it comes next.
    #[inline]
    pub(crate) fn eat(&mut self, expected: &[u8]) -> bool {
        let found = self.input[self.position.min(self.input.len())..].starts_with(expected);
        if found {
            self.position += expected.len();
        }
        found
    }

    /// Consumes one byte, which must be `expected`.
    #[inline]
    pub(crate) fn expect(&mut self, expected: u8) -> Result<(), ScanError> {
        if self.peek() != expected {
            return Err(ScanError::Syntax);
        }
        self.position += 1;
        Ok(())
    }

    /// After the text's one value only whitespace may follow.
    pub(crate) fn expect_end(&mut self) -> Result<(), ScanError> {
        self.skip_whitespace();
        if self.position == self.input.len() { Ok(()) } else { Err(ScanError::Syntax) }
    }

    /// Passes over one value whose own nesting is at most `depth_max`; whitespace before it is already consumed.
    pub(crate) fn skip_value(&mut self, depth_max: u32) -> Result<Scanned, ScanError> {
        match self.peek() {
            b'"' => self.skip_string().map(|()| Scanned::Leaf(LeafClass::String)),
            b'{' | b'[' => self.skip_composite(depth_max).map(|()| Scanned::Leaf(LeafClass::Composite)),
            b't' => self.word(b"true", Scanned::Leaf(LeafClass::Boolean)),
            b'f' => self.word(b"false", Scanned::Leaf(LeafClass::Boolean)),
            b'n' => self.word(b"null", Scanned::Null),
            _ => self.skip_number().map(Scanned::Leaf),
        }
    }

    fn word(&mut self, text: &[u8], scanned: Scanned) -> Result<Scanned, ScanError> {
        if self.eat(text) { Ok(scanned) } else { Err(ScanError::Syntax) }
    }

    /// Passes over a string; the next byte must be its opening quote.
    pub(crate) fn skip_string(&mut self) -> Result<(), ScanError> {
        self.expect(b'"')?;
        loop {
            while let Some(Ok(word)) =
                self.input.get(self.position..self.position + 8).map(<[u8; 8]>::try_from)
            {
                if may_end_plain_text(u64::from_le_bytes(word)) {
                    break;
                }
                self.position += 8;
            }
            match self.input.get(self.position) {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(b'\\') => self.skip_escape()?,
                Some(0x20..) => self.position += 1,
                Some(_) | None => return Err(ScanError::Syntax),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), ScanError> {
        match self.input.get(self.position + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 2,
            Some(b'u') => {
                let digits = self.input.get(self.position + 2..self.position + 6).ok_or(ScanError::Syntax)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(ScanError::Syntax);
                }
                self.position += 6;
            }
            _ => return Err(ScanError::Syntax),
        }
        Ok(())
    }

    fn skip_number(&mut self) -> Result<LeafClass, ScanError> {
        if self.peek() == b'-' {
            self.advance();
        }
        match self.peek() {
            b'0' => self.advance(),
            b'1'..=b'9' => self.skip_digits()?,
            _ => return Err(ScanError::Syntax),
        }
        let mut class = LeafClass::Integer;
        if self.peek() == b'.' {
            self.advance();
            self.skip_digits()?;
            class = LeafClass::Float;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.advance();
            if matches!(self.peek(), b'+' | b'-') {
                self.advance();
            }
            self.skip_digits()?;
            class = LeafClass::Float;
        }
        Ok(class)
    }

    fn skip_digits(&mut self) -> Result<(), ScanError> {
        if !self.peek().is_ascii_digit() {
            return Err(ScanError::Syntax);
        }
        while self.peek().is_ascii_digit() {
            self.position += 1;
        }
        Ok(())
    }

    /// Objects and arrays nobody looks into. Recursion is bounded by `depth_max`.
    fn skip_composite(&mut self, depth_max: u32) -> Result<(), ScanError> {
        let depth_below = depth_max.checked_sub(1).ok_or(ScanError::TooDeep)?;
        let is_object = self.peek() == b'{';
        let end = if is_object { b'}' } else { b']' };
        self.advance();
        self.skip_whitespace();
        if self.peek() == end {
            self.advance();
            return Ok(());
        }
        loop {
            if is_object {
                self.skip_string()?;
                self.skip_whitespace();
                self.expect(b':')?;
                self.skip_whitespace();
            }
            self.skip_value(depth_below)?;
            if !self.next_member(end)? {
                return Ok(());
            }
        }
    }

    /// After a member or an item: a comma (more follow: true) or `end` (false).
    #[inline]
    pub(crate) fn next_member(&mut self, end: u8) -> Result<bool, ScanError> {
        self.skip_whitespace();
        let byte = self.peek();
        self.advance();
        if byte == b',' {
            self.skip_whitespace();
            return Ok(true);
        }
        if byte == end { Ok(false) } else { Err(ScanError::Syntax) }
    }
}

/// Writes `text` as a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to memory never fails");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Scanned, ScanError> {
        let mut scanner = Scanner::new(text.as_bytes());
        let scanned = scanner.skip_value(4)?;
        scanner.expect_end()?;
        Ok(scanned)
    }

    #[test]
    fn scanner_and_serde_json_agree_on_what_is_json() {
        let texts = [
            "null",
            "true",
            "false",
            "nul",
            "truex",
            "0",
            "-0",
            "01",
            "-",
            "1.",
            "1.5",
            ".5",
            "1e5",
            "1e",
            "1E+5",
            "1e-",
            "123456789012345678901234567890",
            "+1",
            r#""""#,
            r#""a"#,
            r#""a\"b""#,
            r#""\x""#,
            r#""\u00e9""#,
            r#""\u00g9""#,
            r#""\u12""#,
            "\"a\nb\"",
            "\"long enough to fill a word, with é and 😀\"",
            "\"seven..\u{1}\"",
            "[]",
            "[1,2]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}",
            r#"{"a":1}"#,
            r#"{"a":1,}"#,
            r#"{"a"}"#,
            r"{a:1}",
            r#"{"a":[{"b":null}]}"#,
            " [ 1 , 2 ] ",
            "[1]x",
            "",
            "{",
            "[",
            "nan",
            "[1}",
        ];
        for text in texts {
            // serde_json reads numbers beyond f64 as errors only when asked for a number.
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(scan(text.trim_start()).is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn scanner_and_serde_json_agree_on_damaged_texts() {
        let text =
            r#"{"a":[1,-2.5e+3,{"b":"x\"y\u00e9é"},null],"long key without escapes":[true,false,[]],"e":{}}"#;
        let alphabet = br#"{}[]",:\u0123456789abcdef.eE+-tfn "#;
        let mut state: u64 = 7;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % bound
        };
        let mut accepted = 0;
        for _ in 0..50_000 {
            let mut damaged = text.as_bytes().to_vec();
            for _ in 0..=below(2) {
                let at = below(damaged.len());
                match below(3) {
                    0 => damaged[at] = alphabet[below(alphabet.len())],
                    1 => damaged.insert(at, alphabet[below(alphabet.len())]),
                    _ => drop(damaged.remove(at)),
                }
            }
            let Ok(damaged) = std::str::from_utf8(&damaged) else { continue };
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(damaged).is_ok();
            let mut scanner = Scanner::new(damaged.as_bytes());
            scanner.skip_whitespace();
            let got = scanner.skip_value(64).is_ok() && scanner.expect_end().is_ok();
            assert_eq!(got, expected, "{damaged}");
            accepted += usize::from(got);
        }
        assert!(accepted > 1_000, "some damage leaves valid JSON: {accepted}");
    }

    #[test]
    fn a_lone_surrogate_escape_is_passed_over_as_it_is() {
        assert_eq!(scan(r#""\ud800""#), Ok(Scanned::Leaf(LeafClass::String)));
    }

    #[test]
    fn nesting_beyond_the_bound_is_refused() {
        assert!(scan("[[[[]]]]").is_ok());
        assert_eq!(scan("[[[[[]]]]]"), Err(ScanError::TooDeep));
        assert_eq!(scan(&"[".repeat(1_000_000)), Err(ScanError::TooDeep));
    }

    #[test]
    fn numbers_are_told_apart_by_their_form() {
        assert_eq!(scan("12"), Ok(Scanned::Leaf(LeafClass::Integer)));
        assert_eq!(scan("12.0"), Ok(Scanned::Leaf(LeafClass::Float)));
        assert_eq!(scan("1e2"), Ok(Scanned::Leaf(LeafClass::Float)));
    }
}
