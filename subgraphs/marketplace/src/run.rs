//! Starts everything in order, tells where it is, and stops it in the reverse order.

use std::time::Instant;

use anyhow::{Result, bail};
use kopitiam_kafka::embedded::EmbeddedBroker;
use kopitiam_kit::config::KafkaConfig;
use kopitiam_server::Server;
use tokio_util::sync::CancellationToken;

use crate::children::{self, Web};
use crate::services::{self, Services};
use crate::{Data, Run, preflight, tell};

/// Progress is told line by line; logs only speak up when something is wrong.
pub(crate) const LOG_FILTER: &str = "warn,librdkafka=error";

/// What a person can log in with after seeding.
const LOG_INS: &str = "\
log in as
  buyer     buyer@kopitiam.example
  seller    seller@kopitiam.example
  manager   manager@kopitiam.example
  admin     admin@kopitiam.example
  (password of all: kopitiam-2026)";

/// Starts everything and returns when it has been stopped.
///
/// # Errors
/// One sentence on what did not start, or which part ended by itself.
pub(crate) async fn run(options: Run) -> Result<()> {
    let started = Instant::now();
    kopitiam_kit::telemetry::init_with(LOG_FILTER);
    preflight::port_is_free(options.gateway_port, "gateway", "GATEWAY_PORT")?;
    if options.web.is_some() {
        preflight::port_is_free(options.web_port, "storefront", "WEB_PORT")?;
    }
    let _lock = preflight::take_data_folder(&options.data.data)?;
    let shutdown = CancellationToken::new();
    // The storefront needs nobody to begin to listen, and takes as long as the services do.
    let behind = Box::pin(start_services(&options, &shutdown));
    let ((broker, services, gateway), mut web) = tokio::try_join!(behind, start_web(&options))?;
    let gateway_stop = CancellationToken::new();
    let mut gateway = tokio::spawn(gateway.run(gateway_stop.clone()));
    tell_ready(&options, started);

    let ended = tokio::select! {
        () = kopitiam_kit::service::termination() => None,
        task = services.failed() => Some(format!("the task `{task}` panicked")),
        ended = &mut gateway => Some(format!("the gateway ended: {ended:?}")),
        ended = web_ended(web.as_mut()) => Some(ended),
    };
    tell("stopping");
    // From the outside in: no new requests, then those in flight, then what runs behind them, then the broker.
    if let Some(web) = web {
        web.stop().await;
    }
    gateway_stop.cancel();
    if ended.is_none() {
        gateway.await?;
    }
    shutdown.cancel();
    services.join().await;
    if let Some(broker) = broker {
        broker.stop().await?;
    }
    match ended {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

/// The broker if it is ours, the services with their seed data, the gateway bound to its port.
async fn start_services(
    options: &Run,
    shutdown: &CancellationToken,
) -> Result<(Option<EmbeddedBroker>, Services, Server)> {
    let (kafka, broker) = broker(&options.data).await?;
    tell("starting the services");
    let services = Box::pin(Services::start(&options.data.data, &kafka, shutdown)).await?;
    Box::pin(services::seed(&options.data.data)).await?;
    services::settle(&options.data.data).await?;
    let gateway = services.gateway(options.gateway_port).await?;
    Ok((broker, services, gateway))
}

async fn start_web(options: &Run) -> Result<Option<Web>> {
    let Some(folder) = &options.web else { return Ok(None) };
    tell("starting the storefront");
    Web::start(folder, options.web_port, options.gateway_port, &options.data.data).await.map(Some)
}

/// Fills the databases and ends.
///
/// # Errors
/// When a database cannot be opened, migrated or written.
pub(crate) async fn seed(options: Data) -> Result<()> {
    kopitiam_kit::telemetry::init_with(LOG_FILTER);
    let _lock = preflight::take_data_folder(&options.data)?;
    let (kafka, broker) = broker(&options).await?;
    let shutdown = CancellationToken::new();
    let services = Box::pin(Services::start(&options.data, &kafka, &shutdown)).await?;
    Box::pin(services::seed(&options.data)).await?;
    services::settle(&options.data).await?;
    shutdown.cancel();
    services.join().await;
    if let Some(broker) = broker {
        broker.stop().await?;
    }
    tell("seeded");
    Ok(())
}

pub(crate) async fn broker(options: &Data) -> Result<(KafkaConfig, Option<EmbeddedBroker>)> {
    if let Some(brokers) = &options.kafka {
        return Ok((KafkaConfig::new(brokers.clone()), None));
    }
    tell("starting the broker");
    let broker = children::broker(&options.data).await?;
    Ok((KafkaConfig::new(broker.brokers()), Some(broker)))
}

fn tell_ready(options: &Run, started: Instant) {
    let seconds = started.elapsed().as_secs_f32();
    tell("");
    tell(&format!("ready after {seconds:.1} s"));
    if options.web.is_some() {
        tell(&format!("  storefront  http://localhost:{}", options.web_port));
    }
    tell(&format!("  GraphQL     http://localhost:{}/graphql", options.gateway_port));
    tell(&format!("  data        {}", options.data.data.display()));
    tell("");
    tell(LOG_INS);
    tell("\nCtrl-C stops everything.");
}

async fn web_ended(web: Option<&mut Web>) -> String {
    match web {
        Some(web) => web.ended().await,
        None => std::future::pending().await,
    }
}
