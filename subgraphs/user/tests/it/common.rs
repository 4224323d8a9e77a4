//! What the tests of this service share: its commands over a database, requests as a viewer, wallets with money.

use std::sync::{Arc, Mutex};

use async_graphql::Request;
use futures::{Stream, StreamExt};

use kopitiam_kit::auth::Viewer;
use kopitiam_kit::config::KafkaConfig;
pub(crate) use kopitiam_kit::testing::error_codes;
use kopitiam_kit::testing::{TestDb, TestTokens, each_database, execute, service_config};
use kopitiam_kit::{Db, Failure, time};
use kopitiam_user::app::{self, Migrator};
use kopitiam_user::commands::{Commands, Registration, SignedIn};
use kopitiam_user::domain::ledger::{AccountKind, AccountRef, Transaction};
use kopitiam_user::domain::notice::Notice;
use kopitiam_user::graphql::{self, UserSchema};
use kopitiam_user::mail::{Mail, MailError, Mailer, PostOffice};
use kopitiam_user::payments::PaymentProvider;
use kopitiam_user::store::ledger;
use serde_json::Value;
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "kopi-o-kosong";

/// The service over one database, without a broker.
pub(crate) struct Shop {
    pub(crate) db: TestDb,
    pub(crate) commands: Commands,
    schema: UserSchema,
    sent: Arc<Sent>,
}

/// Keeps what it is given.
#[derive(Default)]
pub(crate) struct Sent(Mutex<Vec<Mail>>);

#[async_trait::async_trait]
impl Mailer for Sent {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.0.lock().unwrap().push(mail.clone());
        Ok(())
    }
}

/// The service over SQLite, and over PostgreSQL where there is one.
pub(crate) async fn shops() -> Vec<Shop> {
    let mut shops = Vec::new();
    for db in each_database::<Migrator>().await {
        shops.push(Shop::new(db).await);
    }
    shops
}

impl Shop {
    pub(crate) async fn new(db: TestDb) -> Shop {
        let config = service_config("user", &db, KafkaConfig::new("127.0.0.1:1"), &TestTokens::new());
        let mut commands = app::commands(db.db(), &config).await.unwrap();
        let sent = Arc::new(Sent::default());
        commands.post = PostOffice::new(db.db().clone(), sent.clone(), "https://shop.example");
        let schema = graphql::schema(commands.clone());
        Shop { db, commands, schema, sent }
    }

    /// Takes real money in by this provider from now on.
    pub(crate) fn pay_by(&mut self, provider: Arc<dyn PaymentProvider>) {
        self.commands.payments.provider = provider;
        self.schema = graphql::schema(self.commands.clone());
    }

    /// The commands of another process of the service over the same database.
    pub(crate) async fn beside(&self) -> Commands {
        let config = service_config("user", &self.db, KafkaConfig::new("127.0.0.1:1"), &TestTokens::new());
        let db = Db::connect(self.db.url()).await.unwrap();
        let mut commands = app::commands(&db, &config).await.unwrap();
        commands.post = PostOffice::new(db, self.sent.clone(), "https://shop.example");
        commands
    }

    /// A subscription's answers as JSON.
    pub(crate) fn listen(&self, viewer: &Viewer, query: &str) -> impl Stream<Item = Value> + use<> {
        let request = graphql::attach(&self.commands, Request::new(query).data(viewer.clone()));
        self.schema.execute_stream(request).map(|response| serde_json::to_value(response).unwrap())
    }

    /// What a subscription says first, when its reader is told something as soon as somebody listens.
    pub(crate) async fn first(&self, viewer: &Viewer, query: &str) -> Value {
        let mut stream = std::pin::pin!(self.listen(viewer, query));
        let tell = async {
            loop {
                tokio::task::yield_now().await;
                for user in self.commands.notifications.watched() {
                    self.tell(user).await;
                }
            }
        };
        tokio::select! {
            answer = stream.next() => answer.unwrap_or_default(),
            () = tell => unreachable!("it never ends"),
        }
    }

    async fn tell(&self, user: Uuid) {
        let notice = Notice::ToppedUp { amount: "1.00 USD".to_owned() };
        let herald = &self.commands.herald();
        let tell = |tx| {
            let notice = notice.clone();
            async move { herald.tell(&tx, user, notice, Uuid::now_v7(), time::now()).await }
        };
        self.db.transaction(tell).await.unwrap();
    }

    /// Sends what waits; gives every letter that has gone since the last call.
    pub(crate) async fn letters(&self) -> Vec<Mail> {
        self.commands.post.send_due(time::now()).await.unwrap();
        std::mem::take(&mut self.sent.0.lock().unwrap())
    }

    /// The token in the one letter to `to` with that subject.
    pub(crate) async fn token(&self, to: &str, subject: &str) -> String {
        let letters = self.letters().await;
        let mut mine = letters.iter().filter(|mail| mail.to == to && mail.written.subject.contains(subject));
        let letter = mine.next().unwrap_or_else(|| panic!("no letter to {to}: {letters:?}"));
        assert!(mine.next().is_none(), "{letters:?}");
        let (_, rest) = letter.written.text.split_once("token=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Executes a request and gives the whole response as JSON.
    pub(crate) async fn ask(&self, viewer: &Viewer, query: &str, variables: Value) -> Value {
        let attach = |request| graphql::attach(&self.commands, request);
        let response = execute(&self.schema, viewer.clone(), query, variables, attach).await;
        serde_json::to_value(response).unwrap()
    }

    /// Registers `name@shop.example`.
    pub(crate) async fn register(&self, name: &str) -> SignedIn {
        self.try_register(&format!("{name}@shop.example"), name).await.unwrap()
    }

    pub(crate) async fn try_register(&self, email: &str, name: &str) -> Result<SignedIn, Failure> {
        let form = Registration {
            id: Uuid::now_v7(),
            email: email.to_owned(),
            username: name.to_owned(),
            password: PASSWORD.to_owned(),
            full_name: None,
            from: None,
        };
        self.commands.register(form).await
    }

    /// A user whose wallet has exactly `minor` available.
    pub(crate) async fn user_with(&self, name: &str, minor: i64) -> Uuid {
        let user = self.register(name).await.user.id;
        let missing = minor - self.balance(user, AccountKind::Available).await;
        if missing != 0 {
            let grant = &Transaction::grant(user, missing, Uuid::now_v7(), "test".into()).unwrap();
            self.db
                .transaction(|tx| async move {
                    ledger::post(&tx, grant, "USD", time::now()).await?;
                    Ok::<_, Failure>(())
                })
                .await
                .unwrap();
        }
        user
    }

    pub(crate) async fn balance(&self, user: Uuid, kind: AccountKind) -> i64 {
        ledger::balance(self.db.read(), AccountRef::of(user, kind), "USD").await.unwrap()
    }

    pub(crate) async fn fees(&self) -> i64 {
        ledger::balance(self.db.read(), AccountRef::platform(AccountKind::Fees), "USD").await.unwrap()
    }

    /// The books close: every sum is zero, no account has drifted or is below zero.
    pub(crate) async fn assert_books_close(&self) {
        assert_eq!(ledger::close(self.db.read()).await.unwrap(), ledger::Closing::default());
    }
}

/// A viewer with the rights of the roles that the service itself would sign.
pub(crate) fn viewer(signed_in: &SignedIn) -> Viewer {
    let roles = signed_in.user.roles.names();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    Viewer::test(signed_in.user.id, &roles, &signed_in.user.roles.scope())
}

/// A manager who is also an admin.
pub(crate) fn manager() -> Viewer {
    let roles = kopitiam_user::domain::account::Roles::parse("MANAGER ADMIN");
    Viewer::test(Uuid::now_v7(), &["USER", "MANAGER", "ADMIN"], &roles.scope())
}

/// Codes of a payload's `userErrors`.
pub(crate) fn codes(payload: &Value) -> Vec<&str> {
    let errors = payload["userErrors"].as_array().unwrap_or_else(|| panic!("no payload: {payload}"));
    errors.iter().map(|error| error["code"].as_str().unwrap()).collect()
}
