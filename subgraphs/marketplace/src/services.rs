//! The four services and the gateway in this process: the gateway calls the services without sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Request};
use axum::routing::any;
use kopitiam_kit::auth::Denylist;
use kopitiam_kit::config::{AuthConfig, JwksSource, KafkaConfig, LiveKeys, ServiceConfig, variable};
use kopitiam_kit::serve::CLIENT_ADDRESS;
use kopitiam_kit::signing::SigningKeys;
use kopitiam_kit::{Db, Service};
use kopitiam_server::{
    ClientAddress, JwtAlgorithm, JwtIssuer, KeySource, Options, Server, SigningKey, SubgraphSettings,
    Transport,
};
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

/// The composed schema of the four services, as the tests keep it.
const SUPERGRAPH: &str = include_str!("../../../schema/supergraph.graphql");
/// Expected `iss` and `aud` of access tokens.
const ISSUER: &str = "kopitiam";
/// The first start waits this long for the services to hear of one another.
const SETTLE_WITHIN: Duration = Duration::from_secs(20);
/// Where the user service publishes its keys.
const KEY_SET_PATH: &str = "/.well-known/jwks.json";

/// The started services, by the names they have in the supergraph.
pub(crate) struct Services {
    user: Service,
    product: Service,
    order: Service,
    listing: Service,
    /// The gateway signs with it what the services answer.
    gateway_key: String,
}

impl Services {
    /// Starts all four: the user service first, because the others verify tokens with its keys, as they change.
    ///
    /// # Errors
    /// When a database cannot be opened or migrated.
    pub(crate) async fn start(
        data: &Path,
        kafka: &KafkaConfig,
        shutdown: &CancellationToken,
    ) -> Result<Self> {
        let denylist = Denylist::default();
        // Made anew at each start: nobody outside of this process needs it.
        let gateway_key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let gateway = SigningKeys::parse(&gateway_key).map_err(anyhow::Error::msg)?;
        let config = |name: &str, jwks: &JwksSource| config(name, data, kafka, jwks, &denylist, &gateway);
        let keys = JwksSource::Live(LiveKeys::default());
        let user = kopitiam_user::app::start(config("user", &keys), shutdown.clone());
        let user = user.await.context("the user service does not start")?;
        let product = kopitiam_product::app::start(config("product", &keys), shutdown.clone());
        let order = kopitiam_order::app::start(config("order", &keys), shutdown.clone());
        let listing = kopitiam_listing::app::start(config("listing", &keys), shutdown.clone());
        let (product, order, listing) = tokio::try_join!(
            async { product.await.context("the product service does not start") },
            async { order.await.context("the order service does not start") },
            async { listing.await.context("the listing service does not start") },
        )?;
        Ok(Self { user, product, order, listing, gateway_key })
    }

    /// Binds the gateway in front of them.
    ///
    /// # Errors
    /// When the port is taken or the supergraph is refused.
    pub(crate) async fn gateway(&self, port: u16) -> Result<Server> {
        let settings = SubgraphSettings {
            signing: Some(SigningKey::new(&self.gateway_key)?),
            ..SubgraphSettings::default()
        };
        let transport = Transport::new()
            .with_defaults(settings)
            .with_in_process("user", self.user.router.clone())
            .with_in_process("product", self.product.router.clone())
            .with_in_process("order", self.order.router.clone())
            .with_in_process("listing", self.listing.router.clone());
        let mut options = Options::new(SUPERGRAPH, transport);
        options.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        options.dev = true;
        // As `gateway --dev`: what the services say of an error, and which one says it, is for whoever develops here.
        options.engine.answers.errors = Arc::default();
        // The storefront asks from this machine and says for whom.
        options.client_address = Some(ClientAddress {
            header: HeaderName::from_static(CLIENT_ADDRESS),
            trusted_proxies: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        });
        // Beside GraphQL: the keys of access tokens, the payment provider's reports, invoices as PDF.
        options.routes = Router::new()
            .merge(public(&self.user.router, KEY_SET_PATH))
            .merge(public(&self.user.router, kopitiam_user::webhooks::PATH))
            .merge(public(&self.order.router, "/invoices/{file}"));
        options.jwt = vec![JwtIssuer {
            issuer: ISSUER.to_owned(),
            audiences: vec![ISSUER.to_owned()],
            algorithms: vec![JwtAlgorithm::EdDSA],
            keys: KeySource::Url(format!("http://{}{KEY_SET_PATH}", options.listen)),
            leeway: JwtIssuer::DEFAULT_LEEWAY,
        }];
        Server::bind(options).await.context("the gateway does not start")
    }

    /// Returns the name of the first background task that panicked, of any service.
    pub(crate) async fn failed(&self) -> &'static str {
        let services = [&self.user, &self.product, &self.order, &self.listing];
        let failures = services.map(|service| service.tasks.failure());
        let happened = failures.iter().map(|failure| Box::pin(failure.happened()));
        futures::future::select_all(happened).await.0
    }

    /// Waits until relays, consumers and timers of all services have ended.
    pub(crate) async fn join(self) {
        self.listing.tasks.join().await;
        self.order.tasks.join().await;
        self.product.tasks.join().await;
        self.user.tasks.join().await;
    }
}

fn config(
    name: &str,
    data: &Path,
    kafka: &KafkaConfig,
    jwks: &JwksSource,
    denylist: &Denylist,
    gateway: &SigningKeys,
) -> ServiceConfig {
    ServiceConfig {
        name: name.to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        database_url: database_url(data, name),
        kafka: kafka.clone(),
        auth: AuthConfig {
            jwks: jwks.clone(),
            issuer: ISSUER.to_owned(),
            audience: ISSUER.to_owned(),
            gateway: gateway.clone(),
        },
        data_dir: data.to_owned(),
        denylist: denylist.clone(),
    }
}

/// A service's database: the one that `USER_DATABASE_URL` and so on name, else its file.
pub(crate) fn database_url(data: &Path, name: &str) -> String {
    variable(&format!("{}_DATABASE_URL", name.to_uppercase()))
        .unwrap_or_else(|| format!("sqlite://{}", database_file(data, name).display()))
}

/// Where a service's database is without a setting.
pub(crate) fn database_file(data: &Path, name: &str) -> PathBuf {
    data.join(format!("{name}.db"))
}

/// One path of a service's router, for everybody: nothing else of it can be reached by this.
fn public(service: &Router, path: &str) -> Router {
    let service = service.clone();
    Router::new().route(path, any(move |request: Request<Body>| service.oneshot(request)))
}

/// Writes what is missing of the seed data into every database; the services must have been started once.
///
/// # Errors
/// When a database refuses.
pub(crate) async fn seed(data: &Path) -> Result<()> {
    let now = kopitiam_kit::time::now();
    let open = |name: &'static str| async move { Db::connect(&database_url(data, name)).await };
    tokio::try_join!(
        async { kopitiam_user::seed::seed(&open("user").await?, now).await.context("seeding users") },
        async {
            kopitiam_product::seed::seed(&open("product").await?, now).await.context("seeding products")
        },
    )?;
    // After the products: its auctions ask for items, and are called off when these are not there.
    kopitiam_listing::seed::seed(&open("listing").await?, now).await.context("seeding listings")?;
    // The last: some of its orders are under way, and ask the others for what they have by now.
    kopitiam_order::seed::seed(&open("order").await?, now).await.context("seeding orders")?;
    Ok(())
}

/// Waits until the services have heard of one another's seed data: what the shop shows can be bought, and auctions are
/// open. Gives up quietly after a while: events still arrive later, only a first visitor would see an unfinished shop.
///
/// # Errors
/// When a database refuses.
pub(crate) async fn settle(data: &Path) -> Result<()> {
    let open = |name: &'static str| async move { Db::connect(&database_url(data, name)).await };
    let (product, order, listing) = (open("product").await?, open("order").await?, open("listing").await?);
    let ids = Statement::from_string(product.backend(), "SELECT id FROM products");
    let ids: Vec<Uuid> = product
        .read()
        .query_all_raw(ids)
        .await?
        .iter()
        .map(|row| row.try_get("", "id"))
        .collect::<Result<_, _>>()?;
    let unfinished = "SELECT COUNT(*) AS n FROM listing WHERE status = 'PENDING' OR seller_id NOT IN (SELECT id FROM seller)";
    let started = Instant::now();
    while started.elapsed() < SETTLE_WITHIN {
        let known = kopitiam_order::store::replicas::products(order.read(), &ids).await?;
        let row = listing.read().query_one_raw(Statement::from_string(listing.backend(), unfinished)).await?;
        let unfinished: i64 = row.map(|row| row.try_get("", "n")).transpose()?.unwrap_or_default();
        if unfinished == 0
            && ids.iter().all(|id| known.get(id).is_some_and(|product| product.available.is_some()))
        {
            // Buyers of the seed bid on what is open now.
            return Ok(kopitiam_listing::seed::bids(&listing).await?);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tracing::warn!("the services are still exchanging their seed data");
    Ok(())
}
