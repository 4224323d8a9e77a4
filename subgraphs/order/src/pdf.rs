//! A small PDF writer: lines of text on A4 pages, in the fonts that every reader has.
//!
//! In: pages of placed texts. Out: the bytes of a PDF 1.4 file. Characters outside Latin-1 become `?`, control
//! characters are left out, so nothing in a text can end its string or the stream. No images, no compression, no
//! embedded fonts. Elsewhere: what an invoice says (`domain::invoice`).
//!
//! Source: ISO 32000-1, sections 7.3 (objects), 7.5 (file structure) and 9.4 (text).

use std::fmt::Write as _;

/// A4, in points of 1/72 inch.
pub const WIDTH: u32 = 595;
/// A4, in points of 1/72 inch.
pub const HEIGHT: u32 = 842;

/// One of the fonts that every reader has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Font {
    /// Helvetica.
    Regular,
    /// Helvetica-Bold.
    Bold,
    /// Courier: every character is three fifths of the size wide, so columns of numbers can end at one place.
    Fixed,
}

impl Font {
    const ALL: [Self; 3] = [Self::Regular, Self::Bold, Self::Fixed];

    fn name(self) -> &'static str {
        match self {
            Self::Regular => "Helvetica",
            Self::Bold => "Helvetica-Bold",
            Self::Fixed => "Courier",
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::Regular => "F1",
            Self::Bold => "F2",
            Self::Fixed => "F3",
        }
    }
}

/// A text on a page. Distances are points from the lower left corner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Of its first character.
    pub x: u32,
    /// Of its baseline.
    pub y: u32,
    /// Height of the font.
    pub size: u32,
    /// Font.
    pub font: Font,
    /// What it says.
    pub text: String,
}

/// A text in the fixed font that ends at `right`.
pub fn ending_at(right: u32, y: u32, size: u32, text: impl Into<String>) -> Text {
    let text = text.into();
    let tenths = u32::try_from(text.chars().count()).unwrap_or(0) * size * 6;
    Text { x: right.saturating_sub(tenths / 10), y, size, font: Font::Fixed, text }
}

/// The file with these pages.
pub fn write(title: &str, pages: &[Vec<Text>]) -> Vec<u8> {
    let first_page = 4 + Font::ALL.len();
    let page_objects: Vec<usize> = (0..pages.len()).map(|index| first_page + 2 * index).collect();
    let kids: Vec<String> = page_objects.iter().map(|number| format!("{number} 0 R")).collect();
    let fonts: Vec<String> =
        (4..).zip(Font::ALL).map(|(n, font)| format!("/{} {n} 0 R", font.resource())).collect();

    let mut file = File::new();
    file.object(b"<< /Type /Catalog /Pages 2 0 R >>");
    file.object(format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()).as_bytes());
    let mut info = b"<< /Title (".to_vec();
    info.extend(escaped(title));
    info.extend(b") /Producer (Kopitiam) >>");
    file.object(&info);
    for font in Font::ALL {
        let font = format!(
            "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>",
            font.name()
        );
        file.object(font.as_bytes());
    }
    for (page, number) in pages.iter().zip(page_objects) {
        let object = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {} 0 R \
             /Resources << /Font << {} >> >> >>",
            number + 1,
            fonts.join(" ")
        );
        file.object(object.as_bytes());
        let content = content(page);
        let mut stream = format!("<< /Length {} >>\nstream\n", content.len()).into_bytes();
        stream.extend(content);
        stream.extend(b"\nendstream");
        file.object(&stream);
    }
    file.finish()
}

fn content(page: &[Text]) -> Vec<u8> {
    let mut content = Vec::new();
    for text in page {
        let head = format!("BT /{} {} Tf {} {} Td (", text.font.resource(), text.size, text.x, text.y);
        content.extend(head.into_bytes());
        content.extend(escaped(&text.text));
        content.extend(b") Tj ET\n");
    }
    content
}

/// A literal string's inside: Latin-1, with the three characters that have a meaning in it escaped.
fn escaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars().filter(|character| !character.is_control()) {
        match u8::try_from(u32::from(character)) {
            Ok(byte @ (b'(' | b')' | b'\\')) => bytes.extend([b'\\', byte]),
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.push(b'?'),
        }
    }
    bytes
}

/// Numbers objects and remembers where each begins, for the table at the end.
struct File {
    bytes: Vec<u8>,
    begins: Vec<usize>,
}

impl File {
    fn new() -> Self {
        // The four bytes above 127 tell transports that this is no text.
        Self { bytes: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(), begins: Vec::new() }
    }

    fn object(&mut self, body: &[u8]) {
        self.begins.push(self.bytes.len());
        self.bytes.extend(format!("{} 0 obj\n", self.begins.len()).into_bytes());
        self.bytes.extend(body);
        self.bytes.extend(b"\nendobj\n");
    }

    fn finish(mut self) -> Vec<u8> {
        let table_at = self.bytes.len();
        let count = self.begins.len() + 1;
        let mut tail = format!("xref\n0 {count}\n0000000000 65535 f \n");
        for begin in &self.begins {
            let _ = writeln!(tail, "{begin:010} 00000 n ");
        }
        let _ = write!(
            tail,
            "trailer\n<< /Size {count} /Root 1 0 R /Info 3 0 R >>\nstartxref\n{table_at}\n%%EOF\n"
        );
        self.bytes.extend(tail.into_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Vec<Text> {
        vec![Text { x: 50, y: 800, size: 12, font: Font::Regular, text: text.to_owned() }]
    }

    fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
        bytes.windows(wanted.len()).position(|window| window == wanted)
    }

    #[test]
    fn table_at_the_end_says_where_each_object_begins() {
        let file = write("Two pages", &[page("One"), page("Two")]);
        let text = String::from_utf8_lossy(&file).into_owned();
        let table_at: usize = text.lines().rev().nth(1).unwrap().parse().unwrap();
        let table = String::from_utf8(file[table_at..].to_vec()).unwrap();
        assert!(table.starts_with("xref\n0 11\n"), "{table}");
        for (number, line) in (1..=10).zip(table.lines().skip(3)) {
            assert_eq!(line.len(), 19, "an entry is twenty bytes with its line end");
            let begin: usize = line[..10].parse().unwrap();
            assert!(file[begin..].starts_with(format!("{number} 0 obj\n").as_bytes()), "{line}");
        }
    }

    #[test]
    fn stream_is_as_long_as_it_says() {
        let file = write("Length", &[page("Kopi-O")]);
        let begin = find(&file, b"stream\n").unwrap() + b"stream\n".len();
        let end = find(&file, b"\nendstream").unwrap();
        let says = format!("/Length {} ", end - begin);
        assert!(find(&file, says.as_bytes()).is_some(), "{says}");
    }

    #[test]
    fn no_text_can_end_its_string() {
        let file = write("Quotes", &[page("a) Tj ET (\\ \n caf\u{e9} \u{1f600}")]);
        assert!(find(&file, b"(a\\) Tj ET \\(\\\\  caf\xe9 ?) Tj ET").is_some());
    }

    #[test]
    fn amounts_end_at_the_right_edge() {
        let [short, long] = ["1.00", "1000.00"].map(|text| ending_at(500, 10, 10, text));
        assert_eq!((short.x, long.x), (476, 458));
    }
}
