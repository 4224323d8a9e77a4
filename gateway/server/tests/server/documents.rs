//! Documents that clients name: registered by their hash, or listed by the operator.

use std::path::Path;

use axum::routing::get;
use axum::{Json, Router};
use kopitiam_server::{DocumentSource, Options, Server, Transport, UnlistedDocuments};
use serde_json::{Value, json};

use crate::common::{Gateway, body, in_process, refusal, start, subgraphs};

const QUERY: &str = "{ product(id: 1) { name } }";
/// The SHA-256 of [`QUERY`].
const HASH: &str = "c2ffcca57d43950edd738f992690b38eb08197be3377f0e0e0e74a4dd69c39dd";
/// The SHA-256 of `{ nothing }`.
const NOTHING_HASH: &str = "919c0b7aa452b0b2fb42688461501bb8b0c3ef3b9d05ce7b9afd4f28bbe96ceb";
/// The SHA-256 of `{ __typename }`.
const TYPENAME_HASH: &str = "7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b";

fn persisted(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

fn listed(manifest: &str, unlisted: UnlistedDocuments) -> Options {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
    std::fs::write(&file, manifest).unwrap();
    let mut options = in_process();
    options.documents.source = Some(DocumentSource::File(file));
    options.documents.unlisted = unlisted;
    options
}

fn kopi() -> Value {
    json!({ "data": { "product": { "name": "kopi" } } })
}

#[tokio::test]
async fn a_client_registers_a_document_once_and_names_it_from_then_on() {
    let gateway = start(in_process()).await;
    let named = || gateway.post().json(&json!({ "extensions": persisted(HASH) }));
    // In a success, since some clients read it nowhere else.
    assert_eq!(refusal(named()).await, (200, "PERSISTED_QUERY_NOT_FOUND".to_owned()));
    let sent = json!({ "query": QUERY, "extensions": persisted(HASH) });
    assert_eq!(body(gateway.post().json(&sent)).await, kopi());
    assert_eq!(body(named()).await, kopi());
    let extensions = persisted(HASH).to_string();
    let get = gateway.get(&[("extensions", &extensions)]).header("apollo-require-preflight", "1");
    assert_eq!(body(get).await, kopi());
    let by_id = gateway.post().json(&json!({ "documentId": format!("sha256:{HASH}") }));
    assert_eq!(body(by_id).await, kopi());
}

#[tokio::test]
async fn nobody_registers_a_document_under_anothers_hash_or_one_that_is_not_valid() {
    let gateway = start(in_process()).await;
    let forged = json!({ "query": "{ products { id } }", "extensions": persisted(HASH) });
    assert_eq!(refusal(gateway.post().json(&forged)).await.1, "PERSISTED_QUERY_HASH_MISMATCH");
    let invalid = json!({ "query": "{ nothing }", "extensions": persisted(NOTHING_HASH) });
    assert_eq!(refusal(gateway.post().json(&invalid)).await.1, "GRAPHQL_VALIDATION_FAILED");
    for hash in [HASH, NOTHING_HASH] {
        let named = gateway.post().json(&json!({ "extensions": persisted(hash) }));
        assert_eq!(refusal(named).await.1, "PERSISTED_QUERY_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_mutation_by_get_is_refused_also_by_its_name() {
    let manifest = r#"{"m": "mutation { rename(id: 1, name: \"x\") { id } }"}"#;
    let gateway = start(listed(manifest, UnlistedDocuments::Accept)).await;
    let by_id = gateway.get(&[("documentId", "m")]).header("apollo-require-preflight", "1");
    assert_eq!(refusal(by_id).await, (405, "MUTATION_BY_GET".to_owned()));
    let extensions = persisted("m").to_string();
    let by_hash = gateway.get(&[("extensions", &extensions)]).header("apollo-require-preflight", "1");
    assert_eq!(refusal(by_hash).await, (405, "MUTATION_BY_GET".to_owned()));
    let posted = body(gateway.post().json(&json!({ "documentId": "m" }))).await;
    assert_eq!(posted["data"]["rename"]["id"], "1");
}

#[tokio::test]
async fn a_lock_lets_only_listed_documents_run() {
    let manifest = json!({
        "format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{ "id": "kopi", "name": "Kopi", "type": "query", "body": QUERY }]
    });
    let open = start(listed(&manifest.to_string(), UnlistedDocuments::Refuse)).await;
    let strict = start(listed(&manifest.to_string(), UnlistedDocuments::RequireId)).await;
    for gateway in [&open, &strict] {
        assert_eq!(body(gateway.post().json(&json!({ "doc_id": "kopi" }))).await, kopi());
        assert_eq!(body(gateway.post().json(&json!({ "extensions": persisted("kopi") }))).await, kopi());
        let unknown = gateway.post().json(&json!({ "documentId": "teh" }));
        assert_eq!(refusal(unknown).await, (400, "PERSISTED_QUERY_NOT_IN_LIST".to_owned()));
        let both = gateway.post().json(&json!({ "documentId": "kopi", "query": QUERY }));
        assert_eq!(refusal(both).await, (400, "CANNOT_SEND_PQ_ID_AND_BODY".to_owned()));
    }
    assert_eq!(body(open.query(QUERY)).await, kopi());
    assert_eq!(refusal(open.query("{ __typename }")).await, (400, "QUERY_NOT_IN_SAFELIST".to_owned()));
    assert_eq!(refusal(strict.query(QUERY)).await, (400, "PERSISTED_QUERY_ID_REQUIRED".to_owned()));
    // A hash that is right registers nothing where only the list counts.
    let registering = json!({ "query": "{ __typename }", "extensions": persisted(TYPENAME_HASH) });
    assert_eq!(refusal(open.post().json(&registering)).await.1, "QUERY_NOT_IN_SAFELIST");
    let named = open.post().json(&json!({ "extensions": persisted(TYPENAME_HASH) }));
    assert_eq!(refusal(named).await.1, "PERSISTED_QUERY_NOT_IN_LIST");
}

#[tokio::test]
async fn a_list_at_a_url_is_taken_and_without_it_there_is_no_gateway() {
    let router = Router::new().route("/graphql", get(async || Json(json!({ "kopi": QUERY }))));
    let mut options = in_process();
    options.documents.source = Some(DocumentSource::Url(subgraphs::listen(router).await));
    options.documents.unlisted = UnlistedDocuments::RequireId;
    let gateway = start(options).await;
    assert_eq!(body(gateway.post().json(&json!({ "documentId": "kopi" }))).await, kopi());

    let mut options = in_process();
    options.listen.set_port(0);
    options.documents.source = Some(DocumentSource::Url("http://127.0.0.1:1/list.json".to_owned()));
    assert!(Server::bind(options).await.is_err());
}

#[tokio::test]
async fn the_operations_of_a_real_application_are_a_list_as_they_stand_in_its_folder() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema");
    let sdl = std::fs::read_to_string(schema.join("supergraph.graphql")).unwrap();
    let mut options = Options::new(sdl, Transport::new());
    options.documents.source = Some(DocumentSource::Folder(schema.join("operations")));
    options.documents.unlisted = UnlistedDocuments::RequireId;
    let gateway: Gateway = start(options).await;
    let mut found = 0;
    for entry in std::fs::read_dir(schema.join("operations")).unwrap() {
        let path = entry.unwrap().path();
        let id = path.file_stem().unwrap().to_str().unwrap();
        let answer = body(gateway.post().json(&json!({ "documentId": id }))).await.to_string();
        // Its document was found: what is said of it is said of its variables, its operations or its subgraphs.
        assert!(!answer.contains("PERSISTED"), "{id}: {answer}");
        found += 1;
    }
    assert_eq!(found, 12);
    assert_eq!(refusal(gateway.query("{ __typename }")).await.1, "PERSISTED_QUERY_ID_REQUIRED");
}
