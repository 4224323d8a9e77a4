//! Documents that clients name instead of sending them: persisted documents that the operator lists, and automatic
//! persisted queries that clients register.
//!
//! In: a client's request, with a document, an id, or both. Out: an engine request with a document, or a refusal.
//! Always: an id names one document for ever: either the operator's list says so, or the id is the SHA-256 of the text,
//! which is checked. What clients register is bounded in bytes and only kept once the document proved valid.
//! Elsewhere: reading requests (`http/request.rs`); where lists come from (`source.rs`) and their forms (`manifest.rs`).

mod apq;
mod manifest;
mod source;

use std::sync::Arc;

use kopitiam_engine::Request;
use serde_json::{Map, Value};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::apq::Registered;
use self::manifest::Listed;
pub use self::manifest::ManifestError;
pub use self::source::DocumentsError;
use self::source::List;
use crate::options::{DocumentsSettings, UnlistedDocuments};
use crate::subgraph_client::HttpClient;

/// A request as clients send it: a document, or the id of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientRequest {
    /// `query` is empty when only an id was sent.
    pub(crate) request: Request,
    /// The parameter `documentId` (GraphQL over HTTP, appendix "Persisted Documents"), or `doc_id` or `id` as Relay's
    /// examples name it.
    pub(crate) document_id: Option<String>,
}

/// Why no document can be had for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentRefusal {
    /// Clients know this text: it makes them send the document along.
    #[error("PersistedQueryNotFound")]
    NotRegistered,
    /// Clients know this text: it makes them send documents from then on.
    #[error("PersistedQueryNotSupported")]
    RegistrationOff,
    #[error("the hash is not the SHA-256 of the document")]
    HashMismatch,
    #[error("extensions.persistedQuery must have version 1 and a sha256Hash of 64 hexadecimal digits")]
    Malformed,
    #[error("no persisted document has this id")]
    UnknownId,
    #[error("a request names a document or sends one, not both")]
    IdAndDocument,
    #[error("only persisted documents are accepted: send an id")]
    IdRequired,
    #[error("only persisted documents are accepted, and this is none of them")]
    NotListed,
}

/// A document to be kept once the operation proved valid.
#[derive(Debug)]
pub(crate) struct Registration(apq::Hash);

/// What the gateway knows of documents by name.
#[derive(Debug)]
pub(crate) struct Documents {
    listed: Option<Arc<List>>,
    registered: Option<Registered>,
    unlisted: UnlistedDocuments,
    /// Ends the reading of the list.
    _following: Option<DropGuard>,
}

impl Documents {
    /// Reads the list, unless it is at a URL, and begins to follow it. Needs the runtime.
    ///
    /// # Errors
    /// [`DocumentsError`] when there is to be a list and it cannot be had.
    pub(crate) fn new(settings: &DocumentsSettings, client: &HttpClient) -> Result<Self, DocumentsError> {
        let source = settings.source.clone();
        let listed = source.map(|source| List::new(source, client.clone())).transpose()?.map(Arc::new);
        let unlisted = if listed.is_some() { settings.unlisted } else { UnlistedDocuments::Accept };
        // Where only listed documents may run, there is nothing to register.
        let automatic = settings.automatic && unlisted == UnlistedDocuments::Accept;
        let registered = automatic.then(|| Registered::new(settings.automatic_bytes_max));
        let following = listed.as_ref().map(|list| {
            let end = CancellationToken::new();
            let follow = Arc::clone(list).follow(settings.poll_interval, list.is_remote(), end.clone());
            tokio::spawn(follow);
            end.drop_guard()
        });
        Ok(Self { listed, registered, unlisted, _following: following })
    }

    /// Reads a list that is at a URL.
    ///
    /// # Errors
    /// [`DocumentsError`] when it cannot be had.
    pub(crate) async fn first_reading(&self) -> Result<(), DocumentsError> {
        match &self.listed {
            Some(list) if list.is_remote() => list.read().await,
            _ => Ok(()),
        }
    }

    /// Puts the document of its id into the request.
    ///
    /// # Errors
    /// [`DocumentRefusal`] when there is none, or none that may run.
    pub(crate) fn resolve(
        &self,
        client: ClientRequest,
    ) -> Result<(Request, Option<Registration>), DocumentRefusal> {
        let ClientRequest { mut request, document_id } = client;
        let has_document = !request.query.is_empty();
        if let Some(id) = document_id {
            if has_document {
                return Err(DocumentRefusal::IdAndDocument);
            }
            request.query = self.by_id(&id)?;
            return Ok((request, None));
        }
        if let Some(hash) = persisted_query(&request.extensions)? {
            return self.automatic(request, &hash);
        }
        if has_document {
            self.check_unlisted(&request.query)?;
        }
        Ok((request, None))
    }

    /// Keeps a document for those who will name it.
    pub(crate) fn register(&self, registration: &Registration, document: &str) {
        if let Some(registered) = &self.registered {
            registered.insert(registration.0, document);
        }
    }

    fn by_id(&self, id: &str) -> Result<String, DocumentRefusal> {
        if let Some(document) = self.listed(|listed| listed.by_id(id).map(str::to_owned)) {
            return Ok(document);
        }
        // `sha256:…` is what the appendix calls a document's own name; it can be registered, too.
        let hash = id.strip_prefix("sha256:").and_then(apq::Hash::parse);
        match (hash, &self.registered) {
            (Some(hash), Some(registered)) => registered.get(&hash).ok_or(DocumentRefusal::NotRegistered),
            _ => Err(DocumentRefusal::UnknownId),
        }
    }

    /// Apollo's automatic persisted queries; the same form names listed documents, whose ids are hashes mostly.
    fn automatic(
        &self,
        mut request: Request,
        hash: &str,
    ) -> Result<(Request, Option<Registration>), DocumentRefusal> {
        let has_document = !request.query.is_empty();
        if !has_document && let Some(document) = self.listed(|listed| listed.by_id(hash).map(str::to_owned)) {
            request.query = document;
            return Ok((request, None));
        }
        let hash = apq::Hash::parse(hash).ok_or(DocumentRefusal::Malformed)?;
        if has_document && !hash.is_of(&request.query) {
            return Err(DocumentRefusal::HashMismatch);
        }
        let Some(registered) = &self.registered else {
            return match (self.unlisted, has_document) {
                (UnlistedDocuments::Accept, true) => Ok((request, None)),
                (UnlistedDocuments::Accept, false) => Err(DocumentRefusal::RegistrationOff),
                (_, false) => Err(DocumentRefusal::UnknownId),
                (_, true) => self.check_unlisted(&request.query).map(|()| (request, None)),
            };
        };
        if has_document {
            return Ok((request, Some(Registration(hash))));
        }
        request.query = registered.get(&hash).ok_or(DocumentRefusal::NotRegistered)?;
        Ok((request, None))
    }

    fn check_unlisted(&self, document: &str) -> Result<(), DocumentRefusal> {
        match self.unlisted {
            UnlistedDocuments::Accept => Ok(()),
            UnlistedDocuments::Refuse
                if self.listed(|listed| listed.has(document).then_some(())).is_some() =>
            {
                Ok(())
            }
            UnlistedDocuments::Refuse => Err(DocumentRefusal::NotListed),
            UnlistedDocuments::RequireId => Err(DocumentRefusal::IdRequired),
        }
    }

    fn listed<T>(&self, find: impl FnOnce(&Listed) -> Option<T>) -> Option<T> {
        find(&self.listed.as_ref()?.current.load())
    }
}

/// The hash in `extensions.persistedQuery`, if that is there.
fn persisted_query(extensions: &Map<String, Value>) -> Result<Option<String>, DocumentRefusal> {
    let Some(extension) = extensions.get("persistedQuery").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let version = extension.get("version").and_then(Value::as_u64);
    let hash = extension.get("sha256Hash").and_then(Value::as_str);
    match (version, hash) {
        (Some(1), Some(hash)) => Ok(Some(hash.to_owned())),
        _ => Err(DocumentRefusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::DocumentSource;
    use serde_json::json;

    const QUERY: &str = "{ a }";
    /// `printf '{ a }' | sha256sum`
    const HASH: &str = "1c7e1e347f726166b5b1c55afd61f278cc9b45e00c108ec33d540a566379811b";

    fn client(query: &str, hash: Option<&str>, id: Option<&str>) -> ClientRequest {
        let mut request = Request { query: query.to_owned(), ..Request::default() };
        if let Some(hash) = hash {
            let extension = json!({ "version": 1, "sha256Hash": hash });
            request.extensions.insert("persistedQuery".to_owned(), extension);
        }
        ClientRequest { request, document_id: id.map(str::to_owned) }
    }

    fn listed(unlisted: UnlistedDocuments) -> Documents {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"one":"{ a }"}"#).unwrap();
        let source = Some(DocumentSource::File(file.path().to_owned()));
        documents(&DocumentsSettings { source, unlisted, ..DocumentsSettings::default() })
    }

    fn documents(settings: &DocumentsSettings) -> Documents {
        Documents::new(settings, crate::Transport::new().client()).unwrap()
    }

    fn refused(documents: &Documents, client: ClientRequest) -> DocumentRefusal {
        documents.resolve(client).unwrap_err()
    }

    #[tokio::test]
    async fn a_document_is_found_by_its_hash_once_it_is_registered() {
        let hash = apq::Hash::of(QUERY).to_string();
        let documents = documents(&DocumentsSettings::default());
        let asked = || client("", Some(&hash), None);
        assert_eq!(refused(&documents, asked()), DocumentRefusal::NotRegistered);
        let (_, registration) = documents.resolve(client(QUERY, Some(&hash), None)).unwrap();
        assert_eq!(refused(&documents, asked()), DocumentRefusal::NotRegistered);
        documents.register(&registration.unwrap(), QUERY);
        assert_eq!(documents.resolve(asked()).unwrap().0.query, QUERY);
        let named = client("", None, Some(&format!("sha256:{hash}")));
        assert_eq!(documents.resolve(named).unwrap().0.query, QUERY);
    }

    #[tokio::test]
    async fn a_hash_that_is_not_the_documents_is_refused() {
        let documents = documents(&DocumentsSettings::default());
        assert_eq!(refused(&documents, client("{ b }", Some(HASH), None)), DocumentRefusal::HashMismatch);
        assert_eq!(refused(&documents, client("{ b }", Some("x"), None)), DocumentRefusal::Malformed);
    }

    #[tokio::test]
    async fn a_list_without_a_lock_leaves_other_documents_alone() {
        let documents = listed(UnlistedDocuments::Accept);
        assert_eq!(documents.resolve(client("", None, Some("one"))).unwrap().0.query, QUERY);
        assert_eq!(documents.resolve(client("", Some("one"), None)).unwrap().0.query, QUERY);
        assert_eq!(documents.resolve(client("{ b }", None, None)).unwrap().0.query, "{ b }");
        assert_eq!(refused(&documents, client("", None, Some("two"))), DocumentRefusal::UnknownId);
        assert_eq!(refused(&documents, client(QUERY, None, Some("one"))), DocumentRefusal::IdAndDocument);
    }

    #[tokio::test]
    async fn a_lock_lets_listed_documents_pass_and_nothing_else() {
        let documents = listed(UnlistedDocuments::Refuse);
        assert_eq!(documents.resolve(client(QUERY, None, None)).unwrap().0.query, QUERY);
        assert_eq!(documents.resolve(client("", None, Some("one"))).unwrap().0.query, QUERY);
        assert_eq!(refused(&documents, client("{ b }", None, None)), DocumentRefusal::NotListed);
        let hash = apq::Hash::of("{ b }").to_string();
        assert_eq!(refused(&documents, client("{ b }", Some(&hash), None)), DocumentRefusal::NotListed);
        assert_eq!(refused(&documents, client("", Some(&hash), None)), DocumentRefusal::UnknownId);
    }

    #[tokio::test]
    async fn a_lock_on_ids_refuses_even_listed_text() {
        let documents = listed(UnlistedDocuments::RequireId);
        assert_eq!(refused(&documents, client(QUERY, None, None)), DocumentRefusal::IdRequired);
        let hash = apq::Hash::of(QUERY).to_string();
        assert_eq!(refused(&documents, client(QUERY, Some(&hash), None)), DocumentRefusal::IdRequired);
        assert_eq!(documents.resolve(client("", None, Some("one"))).unwrap().0.query, QUERY);
    }

    #[tokio::test]
    async fn without_registration_clients_are_told_to_send_documents() {
        let settings = DocumentsSettings { automatic: false, ..DocumentsSettings::default() };
        let documents = documents(&settings);
        let hash = apq::Hash::of(QUERY).to_string();
        assert_eq!(refused(&documents, client("", Some(&hash), None)), DocumentRefusal::RegistrationOff);
        assert!(documents.resolve(client(QUERY, Some(&hash), None)).unwrap().1.is_none());
    }
}
