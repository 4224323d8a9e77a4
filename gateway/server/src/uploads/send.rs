//! Writes what subgraphs get: `operations`, `map`, then the files as they come.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use http::HeaderValue;
use serde_json::{Map, Value};

use super::{File, UploadError, Uploads};

/// The files that one subgraph request takes.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    uploads: Arc<Uploads>,
    boundary: String,
    /// The request's JSON with nulls for files.
    operations: String,
    /// Where each file goes: its index, and its paths.
    places: Vec<(usize, Vec<String>)>,
}

impl Uploads {
    /// The files that a subgraph request's body names by their placeholders; `None` when it names none.
    pub(crate) fn claim(self: &Arc<Self>, body: &[u8]) -> Option<Claimed> {
        let text = std::str::from_utf8(body).ok().filter(|text| text.contains(&self.token))?;
        let value: Value = serde_json::from_str(text).ok()?;
        let mut places = Vec::new();
        self.find(value.get("variables")?, &mut "variables".to_owned(), &mut places);
        let mut operations = text.to_owned();
        for (index, _) in &places {
            operations = operations.replace(&format!("\"{}:{index}\"", self.token), "null");
        }
        places.sort_unstable();
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        (!places.is_empty()).then(|| Claimed { uploads: Arc::clone(self), boundary, operations, places })
    }

    fn find(&self, value: &Value, path: &mut String, places: &mut Vec<(usize, Vec<String>)>) {
        let length = path.len();
        let below: Vec<(String, &Value)> = match value {
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
            }
            Value::String(text) => {
                let index =
                    text.strip_prefix(&*self.token).and_then(|rest| rest.strip_prefix(':')?.parse().ok());
                let Some(index) = index else { return };
                match places.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, paths)) => paths.push(path.clone()),
                    None => places.push((index, vec![path.clone()])),
                }
                return;
            }
            _ => return,
        };
        for (step, value) in below {
            write!(path, ".{step}").expect("a string takes all");
            self.find(value, path, places);
            path.truncate(length);
        }
    }
}

enum Next {
    Head,
    Open(usize),
    Read(usize, Box<File>),
    End,
}

impl Claimed {
    /// The media type, boundary included.
    pub(crate) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("multipart/form-data; boundary={}", self.boundary))
            .expect("hexadecimal digits are visible")
    }

    /// The body, read from the client as it is sent.
    pub(crate) fn body(self) -> impl Stream<Item = Result<Bytes, UploadError>> + Send + 'static {
        stream::try_unfold((self, Next::Head), |(claimed, next)| async move {
            let (bytes, next) = match next {
                Next::Head => (claimed.head(), Next::Open(0)),
                Next::Open(position) => {
                    let Some((index, _)) = claimed.places.get(position) else {
                        let end = format!("--{}--\r\n", claimed.boundary);
                        return Ok(Some((Bytes::from(end), (claimed, Next::End))));
                    };
                    let file = claimed.uploads.open(*index).await?;
                    (claimed.file_head(position, &file), Next::Read(position, Box::new(file)))
                }
                Next::Read(position, mut file) => match file.chunk().await? {
                    Some(chunk) => (chunk, Next::Read(position, file)),
                    None => (Bytes::from_static(b"\r\n"), Next::Open(position + 1)),
                },
                Next::End => return Ok(None),
            };
            Ok(Some((bytes, (claimed, next))))
        })
    }

    fn head(&self) -> Bytes {
        let map: Map<String, Value> = self
            .places
            .iter()
            .enumerate()
            .map(|(position, (_, paths))| (position.to_string(), Value::from(paths.clone())))
            .collect();
        let part = |name: &str, content: &str| {
            format!(
                "--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: application/json\r\n\r\n{content}\r\n",
                self.boundary
            )
        };
        Bytes::from(part("operations", &self.operations) + &part("map", &Value::from(map).to_string()))
    }

    fn file_head(&self, position: usize, file: &File) -> Bytes {
        let mut head = format!("--{}\r\nContent-Disposition: form-data; name=\"{position}\"", self.boundary);
        let name = file.meta.file_name.as_deref().unwrap_or("file");
        // Nothing of a name may end the line or the quotes (WHATWG HTML, "multipart/form-data").
        let name = name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22");
        write!(head, "; filename=\"{name}\"\r\n").expect("a string takes all");
        let content_type = file.meta.content_type.as_deref().filter(|kind| !kind.contains(['\r', '\n']));
        write!(head, "Content-Type: {}\r\n\r\n", content_type.unwrap_or("application/octet-stream"))
            .expect("a string takes all");
        Bytes::from(head)
    }
}
