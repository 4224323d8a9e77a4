//! The service's own program, crashed on demand over HTTP and started again on the same database.
//!
//! Elsewhere: crashes at every point, of all services, under load (`subgraphs/marketplace/tests/it/kills.rs`).

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::seeded;
use kopitiam_kit::testing::{TestTokens, sqlite};
use kopitiam_kit::time;
use kopitiam_product::app::Migrator;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// What `abort` ends a process with.
const SIGABRT: i32 = 6;

struct Process {
    child: Child,
    url: String,
    client: Client,
}

impl Process {
    /// Starts it on a database, without a broker, and waits until it listens.
    fn start(database: &str, tokens: &TestTokens, faults: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kopitiam-product"))
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", database)
            .env("DATA_DIR", Path::new("."))
            .env("KAFKA_BROKERS", "127.0.0.1:1")
            .env("JWKS", serde_json::to_string(&tokens.jwks()).unwrap())
            .env("KOPITIAM_FAULTS", faults)
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            line["address"].as_str().filter(|_| line["message"] == "ready").map(str::to_owned)
        });
        // What it prints later has to go somewhere, or a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://{}", address.expect("it gets ready"));
        Self { child, url, client: Client::new() }
    }

    async fn post(&self, path: &str) -> Result<StatusCode, reqwest::Error> {
        Ok(self.client.post(format!("{}{path}", self.url)).send().await?.status())
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().status()
    }

    /// Five units more of a seeded product that has thirty; what it has then.
    async fn deliver(&self, token: &str) -> Result<Value, reqwest::Error> {
        let query = "mutation($id: ID!) { adjustStock(productId: $id, delta: 5, reason: \"Delivery\", idempotencyKey: \"once\") {
            product { availability { available } } userErrors { code } } }";
        let body = json!({ "query": query, "variables": { "id": seeded(3, 2) } });
        let request = self.client.post(format!("{}/graphql", self.url)).bearer_auth(token).json(&body);
        let answer: Value = request.send().await?.json().await?;
        Ok(answer["data"]["adjustStock"]["product"]["availability"]["available"].clone())
    }

    /// The signal that it ends by.
    fn ended_by(mut self) -> Option<i32> {
        self.child.wait().unwrap().signal()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A failed test must not leave it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_service_that_is_crashed_between_its_commit_and_its_answer_gives_the_answer_when_it_is_back() {
    let (db, tokens) = (sqlite::<Migrator>().await, TestTokens::new());
    kopitiam_product::seed::story(db.db(), time::now()).await.unwrap();
    let token = tokens.issue(seeded(1, 1), &["MANAGER"], "stock:write");

    let process = Process::start(db.url(), &tokens, "on");
    assert_eq!(process.status("/health/live").await, StatusCode::OK);
    assert_eq!(process.status("/health/ready").await, StatusCode::OK);
    assert_eq!(process.post("/faults/crash?at=Lunch").await.unwrap(), StatusCode::BAD_REQUEST);
    assert_eq!(process.post("/faults/crash?at=AfterCommit").await.unwrap(), StatusCode::ACCEPTED);
    process.deliver(&token).await.unwrap_err();
    assert_eq!(process.ended_by(), Some(SIGABRT));

    let process = Process::start(db.url(), &tokens, "on");
    assert_eq!(process.deliver(&token).await.unwrap(), 35);
    process.post("/faults/crash").await.unwrap_err();
    assert_eq!(process.ended_by(), Some(SIGABRT));

    let process = Process::start(db.url(), &tokens, "");
    assert_eq!(process.deliver(&token).await.unwrap(), 35, "delivered once");
    assert_eq!(process.post("/faults/crash").await.unwrap(), StatusCode::NOT_FOUND, "it was not asked for");
    assert_eq!(process.status("/health/ready").await, StatusCode::OK);
}
