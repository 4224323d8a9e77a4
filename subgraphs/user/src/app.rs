//! Wires the service: database, keys, schema, relay, consumer, the clock that releases forgotten holds. Owns shutdown.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CACHE_CONTROL;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::Topic;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::{self, JwksSource, LiveKeys, ServiceConfig};
use kopitiam_kit::consumer::{self, Listens};
use kopitiam_kit::live::Hub;
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::money::Currency;
use kopitiam_kit::operator::Desk;
use kopitiam_kit::outbox::relay;
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::service::NoReadModels;
use kopitiam_kit::{Db, Money, Service, SystemError, Tasks, time};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::commands::{Commands, WalletRules};
use crate::events::{self, Cause, publish};
use crate::mail::{self, PostOffice};
use crate::payments::simulator::Simulator;
use crate::payments::{Choice, NoProvider, PaymentError, PaymentProvider, Payments, Stripe};
use crate::projections::notices::{self, Notices};
use crate::projections::wallet_commands::WalletCommands;
use crate::security::passwords::Passwords;
use crate::security::tokens::{self, Audience, Signer};
use crate::store::{attempts, holds, mails, notifications, one_time, sessions, top_ups};
use crate::{graphql, live, migration, service_tokens, webhooks};

/// How often forgotten holds are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How often what has expired is removed.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// How long a payment report is remembered; its signature is good for minutes.
const REPORTS_KEPT: TimeDelta = TimeDelta::days(30);
/// A new key is published five minutes before it signs: each replica sees it in time.
const LOOK_AT_KEYS_EVERY: Duration = Duration::from_mins(1);
/// How often the payment provider is asked about top-ups that nothing was heard of.
const RECONCILE_EVERY: Duration = Duration::from_mins(1);
/// How long a read notification is kept.
const READ_NOTIFICATIONS_KEPT: TimeDelta = TimeDelta::days(90);
const SWEEP_BATCH: u64 = 100;
const DEFAULT_SIGNUP_CREDIT: &str = "100.00";

/// What it listens to. Commands and news apart: a letter that cannot be written must not hold up a payment.
pub const CONSUMERS: [Listens; 2] = [
    Listens { purpose: "", topics: &[Topic::WalletCommands] },
    Listens { purpose: ".notices", topics: &notices::TOPICS },
];

/// Brings the database to this version's schema.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain(migration::migrations()).collect()
    }
}

/// What an operator can ask of it.
pub fn desk() -> Desk<'static, NoReadModels> {
    Desk { models: None, checks: audit::CHECKS, sagas: &[] }
}

/// The federation SDL, as composition reads it.
pub fn sdl() -> String {
    kopitiam_kit::graphql::sdl(&graphql::shape())
}

/// Starts the service. `SIGNUP_CREDIT` is what a new wallet starts with, a decimal amount of US dollars (100.00).
///
/// # Errors
/// What is wrong with a setting, the database or the keys.
pub async fn start(config: ServiceConfig, shutdown: CancellationToken) -> anyhow::Result<Service> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    let mut commands = commands(&db, &config).await?;
    let choice = Choice::from_env()?;
    commands.payments.provider = provider(&choice)?;
    let simulator = match choice {
        Choice::Simulator => Some(simulate(&mut commands).await?),
        Choice::Nothing | Choice::Stripe(_) => None,
    };
    let mut auth = config.auth.clone();
    // This service is the one that signs: it asks nobody for the keys.
    auth.jwks = JwksSource::Live(commands.signer.live_keys());
    let mut tasks = Tasks::new();
    tasks.spawn("user relay", relay::run(db.clone(), config.kafka.clone().sent_by("user"), shutdown.clone()));
    let handler = WalletCommands {
        currency: commands.rules.currency.code().to_owned(),
        wallets: commands.wallets.clone(),
    };
    let [wallets, news] = CONSUMERS.map(|consumer| consumer.of(&config.name));
    let consume = consumer::run(db.clone(), config.kafka.clone(), wallets, handler, shutdown.clone());
    tasks.spawn("user consumer", consume);
    let notices = Notices { herald: commands.herald() };
    let consume = consumer::run(db.clone(), config.kafka.clone(), news, notices, shutdown.clone());
    tasks.spawn("user notices", consume);
    tasks.spawn("user denylist", config.denylist.clone().follow(config.kafka.clone(), shutdown.clone()));
    tasks.spawn("user live", live::follow(commands.clone(), shutdown.clone()));
    tasks.spawn("user post office", commands.post.clone().run(shutdown.clone()));
    tasks.spawn("user signing keys", keep_keys(commands.clone(), shutdown.clone()));
    tasks.spawn("user top-ups", reconcile_again_and_again(commands.clone(), shutdown.clone()));
    tasks.spawn("user purge", purge_again_and_again(db.clone(), shutdown.clone()));
    tasks.spawn("user keys and inbox", kopitiam_kit::purge::run(db.clone(), Vec::new(), shutdown.clone()));
    tasks.spawn("user audit", kopitiam_kit::audit::run(db.clone(), audit::CHECKS, shutdown.clone()));
    tasks.spawn("user holds", release_forgotten(commands.clone(), shutdown.clone()));
    let verifier = Verifier::new(auth).with_denylist(config.denylist.clone());
    let router = router(commands, Arc::new(verifier), shutdown.clone());
    if let Some(simulator) = simulator {
        tasks.spawn("user payment reports", reports_of(simulator, router.clone(), shutdown));
    }
    Ok(Service { router, tasks })
}

/// The service's commands over a migrated database; makes the signing key where there is none.
///
/// # Errors
/// Database errors, an unusable key, a bad `SIGNUP_CREDIT`.
pub async fn commands(db: &Db, config: &ServiceConfig) -> anyhow::Result<Commands> {
    let audience = Audience { issuer: config.auth.issuer.clone(), audience: config.auth.audience.clone() };
    db.transaction(|tx| async move {
        tokens::rotate_keys(&tx, time::now()).await.map_err(|error| SystemError::Invariant(error.to_string()))
    })
    .await?;
    // Others in this process may verify with the same keys, as they change.
    let live = match &config.auth.jwks {
        JwksSource::Live(live) => live.clone(),
        JwksSource::Static(_) | JwksSource::File(_) | JwksSource::Url(_) => LiveKeys::default(),
    };
    let signer = Signer::load(db.read(), audience, live, time::now()).await?;
    let credit = config::variable("SIGNUP_CREDIT").unwrap_or_else(|| DEFAULT_SIGNUP_CREDIT.to_owned());
    let credit = Money::parse(&credit, Currency::USD.code())
        .map_err(|error| anyhow::anyhow!("SIGNUP_CREDIT=`{credit}` is not valid: {error}"))?;
    Ok(Commands {
        db: db.clone(),
        signer: Arc::new(signer),
        passwords: Passwords::new()?,
        post: PostOffice::new(db.clone(), mail::from_env(&config.data_dir)?, &shop_url()),
        wallets: Hub::default(),
        notifications: Hub::default(),
        denylist: config.denylist.clone(),
        payments: Payments {
            provider: Arc::new(NoProvider),
            return_url: format!("{}/account", shop_url().trim_end_matches('/')).into(),
        },
        rules: WalletRules { currency: credit.currency(), signup_credit: credit.minor() },
    })
}

/// The commands for an operator, over the database that the environment names.
///
/// # Errors
/// What is wrong with a setting or the database.
pub async fn operate() -> anyhow::Result<Commands> {
    let config = ServiceConfig::from_env("user")?;
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    commands(&db, &config).await
}

/// Where links in letters lead: `SHOP_URL`, else the storefront of this machine (`WEB_PORT`).
fn shop_url() -> String {
    config::variable("SHOP_URL").unwrap_or_else(|| {
        let port = config::variable("WEB_PORT").unwrap_or_else(|| "3000".to_owned());
        format!("http://localhost:{port}")
    })
}

/// Everything the service answers over HTTP.
pub fn router(commands: Commands, verifier: Arc<Verifier>, shutdown: CancellationToken) -> Router {
    let signer = Arc::clone(&commands.signer);
    let jwks = get(move || async move {
        let keys = serde_json::to_string(&*signer.public_keys()).expect("public keys are plain strings");
        let headers = [("content-type", "application/json"), (CACHE_CONTROL.as_str(), "public, max-age=60")];
        (headers, keys)
    });
    let schema = graphql::schema(commands.clone());
    let others = webhooks::router(commands.clone()).merge(service_tokens::router(commands.clone()));
    Endpoint::new(schema, verifier, commands.db.clone(), shutdown)
        .per_request(move |request| graphql::attach(&commands, request))
        .router()
        .route("/.well-known/jwks.json", jwks)
        .merge(others)
}

fn provider(choice: &Choice) -> Result<Arc<dyn PaymentProvider>, PaymentError> {
    match choice {
        Choice::Nothing | Choice::Simulator => Ok(Arc::new(NoProvider)),
        Choice::Stripe(settings) => Ok(Arc::new(Stripe::new(settings.clone())?)),
    }
}

/// Starts a simulator of a payment provider and lets top-ups use it.
async fn simulate(commands: &mut Commands) -> anyhow::Result<Simulator> {
    let simulator = Simulator::start(true).await?;
    commands.payments.provider = Arc::new(Stripe::new(simulator.settings())?);
    Ok(simulator)
}

/// Gives the simulator an address of its own to report to: this service may have none.
async fn reports_of(simulator: Simulator, router: Router, shutdown: CancellationToken) {
    let served = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        simulator.deliver_to(format!("http://{}{}", listener.local_addr()?, webhooks::PATH));
        kopitiam_kit::serve::serve(listener, router, shutdown.clone()).await
    };
    if let Err(error) = served.await {
        tracing::error!(%error, "the payment simulator cannot report");
    }
}

/// Removes what has expired, again and again.
async fn purge_again_and_again(db: Db, shutdown: CancellationToken) {
    loop {
        if let Err(error) = purge(&db, time::now()).await {
            tracing::warn!(%error, "cannot remove what has expired");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
    }
}

/// Removes what has expired at `now`: refresh tokens and their sessions, one-time tokens, counters of attempts, letters that
/// nobody takes, read notifications.
///
/// # Errors
/// [`SystemError`].
pub async fn purge(db: &Db, now: DateTime<Utc>) -> Result<(), SystemError> {
    let given_up = db
        .transaction(|tx| async move {
            sessions::purge(&tx, now).await?;
            one_time::purge(&tx, now).await?;
            attempts::purge(&tx, now).await?;
            top_ups::purge(&tx, now - REPORTS_KEPT).await?;
            notifications::purge_read(&tx, now - READ_NOTIFICATIONS_KEPT).await?;
            Ok::<_, SystemError>(mails::give_up(&tx, now).await?)
        })
        .await?;
    if given_up > 0 {
        tracing::error!(letters = given_up, "letters that nobody would take were given up");
    }
    Ok(())
}

/// Makes signing keys when they are due, and takes over those that other replicas made.
async fn keep_keys(commands: Commands, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_AT_KEYS_EVERY) => {}
        }
        if let Err(error) = rotate_keys(&commands, time::now()).await {
            tracing::error!(%error, "cannot look after the signing keys");
        }
    }
}

/// Makes a signing key when one is due at `now`, and uses what is there from now on.
///
/// # Errors
/// Database errors, an unusable key.
pub async fn rotate_keys(commands: &Commands, now: DateTime<Utc>) -> anyhow::Result<()> {
    commands
        .db
        .transaction(|tx| async move {
            tokens::rotate_keys(&tx, now).await.map_err(|error| SystemError::Invariant(error.to_string()))
        })
        .await?;
    Ok(commands.signer.reload(commands.db.read(), now).await?)
}

/// Asks about top-ups that nothing was heard of, again and again.
async fn reconcile_again_and_again(commands: Commands, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(RECONCILE_EVERY) => {}
        }
        if let Err(error) = commands.reconcile_top_ups(time::now()).await {
            tracing::warn!(%error, "cannot look for top-ups that nothing was heard of");
        }
    }
}

/// Releases holds that nobody captured or released in time: no promise without a living owner.
async fn release_forgotten(commands: Commands, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        if let Err(error) = sweep(&commands).await {
            tracing::warn!(%error, "cannot look for forgotten holds");
        }
    }
}

/// Releases the holds that are overdue now, and says so.
///
/// # Errors
/// [`SystemError`].
pub async fn sweep(commands: &Commands) -> Result<(), SystemError> {
    let commands = &commands;
    commands
        .db
        .transaction(|tx| async move {
            for (hold_id, user_id, minor) in
                holds::release_expired(&tx, SWEEP_BATCH, time::of(&tx).await?).await?
            {
                let event = events::released(hold_id, minor, commands.rules.currency.code());
                commands.wallets.changed_by(&tx, user_id);
                publish(&tx, Cause::Service, user_id, &event).await?;
            }
            Ok(())
        })
        .await
}
