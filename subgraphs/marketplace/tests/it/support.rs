//! A running marketplace for tests: the real binary, its own data folder, free ports; spoken to over HTTP only.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Generous: a loaded machine is slow, and a passing test never waits for it.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(1);
/// Password of every seeded account.
pub(crate) const PASSWORD: &str = "kopitiam-2026";

/// The marketplace's process, without the storefront.
pub(crate) struct Marketplace {
    child: Child,
    port: u16,
    data: PathBuf,
    client: reqwest::Client,
}

impl Marketplace {
    /// Starts it on a data folder and waits for its `ready` line.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with more in its environment.
    pub(crate) fn start_with(data: &Path, environment: &[(String, String)]) -> Self {
        let port = free_port();
        let mut child = Command::new(env!("CARGO_BIN_EXE_marketplace"))
            .args(["run", "--gateway-port", &port.to_string()])
            .env("DATA_DIR", data)
            .env_remove("KAFKA_BROKERS")
            .envs(environment.iter().cloned())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the marketplace starts");
        let stdout = child.stdout.take().expect("piped");
        let mut lines = BufReader::new(stdout).lines();
        let mut told = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.starts_with("ready") => break,
                Some(Ok(line)) => told.push(line),
                _ => panic!("the marketplace ended while starting: {told:#?}"),
            }
        }
        // What it prints later has to go somewhere, or a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let client = reqwest::Client::builder().timeout(WAIT_MAX).build().expect("a client");
        Self { child, port, data: data.to_owned(), client }
    }

    /// The GraphQL endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/graphql", self.port)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// One GraphQL request to a process that may end meanwhile: `None` when there was no whole answer.
    pub(crate) async fn try_ask(&self, token: &str, query: &str, variables: Value) -> Option<Value> {
        let body = json!({ "query": query, "variables": variables });
        let request = self.client.post(self.url()).bearer_auth(token).json(&body);
        request.send().await.ok()?.json().await.ok()
    }

    /// Ends it as a power cut would, without any chance to tidy up.
    pub(crate) fn kill(mut self) -> PathBuf {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
        self.data.clone()
    }

    /// Asks it to stop as Ctrl-C does and gives its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(&self.child, "-INT");
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            assert!(started.elapsed() < WAIT_MAX, "it did not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// One GraphQL request.
    pub(crate) async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let (_, answer) = self.ask_status(token, query, variables).await;
        answer
    }

    /// One GraphQL request with the answer's HTTP status.
    pub(crate) async fn ask_status(
        &self,
        token: Option<&str>,
        query: &str,
        variables: Value,
    ) -> (u16, Value) {
        let mut request =
            self.client.post(self.url()).json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.expect("the gateway answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// A request that must succeed; gives its data.
    pub(crate) async fn data(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(token, query, variables).await;
        assert_eq!(answer.get("errors"), None, "{answer:#}");
        answer["data"].take()
    }

    /// Logs a seeded account in and gives its access token.
    pub(crate) async fn log_in(&self, email: &str) -> String {
        let query = "mutation($in: LoginInput!) { login(input: $in) { accessToken userErrors { code } } }";
        let data = self.data(None, query, json!({ "in": { "email": email, "password": PASSWORD } })).await;
        data["login"]["accessToken"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
    }

    /// Puts products into the account's cart and checks out; gives the order's id and number.
    pub(crate) async fn check_out(&self, token: &str, slug: &str, quantity: i64) -> (String, String) {
        let product =
            self.data(None, "query($s: String!) { product(slug: $s) { id } }", json!({ "s": slug })).await;
        let set = "mutation($l: [CartLineInput!]!) { cartLinesSet(lines: $l) {
            cart { id subtotal { amount currency } lines { quantity } } userErrors { code message } } }";
        let lines = json!([{ "productId": product["product"]["id"], "quantity": quantity }]);
        let cart = self.data(Some(token), set, json!({ "l": lines })).await["cartLinesSet"]["cart"].take();
        let order = "mutation($in: CheckoutInput!, $key: ID!) { checkout(input: $in, idempotencyKey: $key) {
            order { id number status } userErrors { code message } } }";
        let input =
            json!({ "cartId": cart["id"], "expectedTotal": cart["subtotal"]["amount"], "currency": "USD" });
        let key = uuid_like();
        let data = self.data(Some(token), order, json!({ "in": input, "key": key })).await;
        let order = &data["checkout"]["order"];
        let text = |name: &str| order[name].as_str().unwrap_or_else(|| panic!("{data}")).to_owned();
        (text("id"), text("number"))
    }

    /// Waits until the order is neither pending nor awaiting anything; gives its status and reason.
    pub(crate) async fn settled(&self, token: &str, number: &str) -> (String, Option<String>) {
        let query = "query($n: String!) { order(number: $n) { status statusReason } }";
        let started = Instant::now();
        loop {
            let answer = self.ask(Some(token), query, json!({ "n": number })).await;
            let order = &answer["data"]["order"];
            match order["status"].as_str() {
                Some("PENDING") | None => {}
                Some(status) => {
                    return (status.to_owned(), order["statusReason"].as_str().map(str::to_owned));
                }
            }
            assert!(started.elapsed() < WAIT_MAX, "order {number} is still open: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Units of a product that can be bought.
    pub(crate) async fn available(&self, slug: &str) -> i64 {
        let query = "query($s: String!) { product(slug: $s) { availability { available } } }";
        let data = self.data(None, query, json!({ "s": slug })).await;
        data["product"]["availability"]["available"].as_i64().unwrap_or_else(|| panic!("{data}"))
    }

    /// The account's available and held money, in minor units.
    pub(crate) async fn wallet(&self, token: &str) -> (i64, i64) {
        let query = "{ me { wallet { available { amount } held { amount } } } }";
        let data = self.data(Some(token), query, json!({})).await;
        let minor = |name: &str| {
            let amount = data["me"]["wallet"][name]["amount"].as_str().unwrap_or_else(|| panic!("{data}"));
            amount.replace('.', "").parse().expect("digits")
        };
        (minor("available"), minor("held"))
    }
}

impl Drop for Marketplace {
    fn drop(&mut self) {
        // A failed test must not leave it running; after `stop` or `kill` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What must hold in the databases of that folder and across them holds.
pub(crate) fn assert_sound(data: &Path) {
    assert_sound_on(data, &[]);
}

/// The same of databases that these variables name.
pub(crate) fn assert_sound_on(data: &Path, databases: &[(String, String)]) {
    let mut audit = Command::new(env!("CARGO_BIN_EXE_marketplace"));
    audit.arg("audit").env("DATA_DIR", data).envs(databases.iter().cloned());
    let audit = audit.output().expect("it runs");
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stderr));
}

/// A line for whoever runs a test with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a figure is to be read")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}

/// An empty data folder.
pub(crate) fn data_folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// One of the operations that clients use.
pub(crate) fn operation(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/operations").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
    assert!(sent.expect("kill runs").success());
}

/// A key that no other call of this run makes.
fn uuid_like() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanoseconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("{nanoseconds}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
