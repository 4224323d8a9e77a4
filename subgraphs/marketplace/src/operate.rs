//! What an operator asks of the services' databases: dead letters, publishing again, read models made anew, whether what
//! must hold holds.
//!
//! All but a rebuild work beside a running marketplace, which acts within a second; a rebuild needs the data folder for
//! itself. Elsewhere: the operations (`kopitiam_kit::operator`), what holds across services (`across.rs`).

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use kopitiam_kit::Db;
use kopitiam_kit::config::KafkaConfig;
use kopitiam_kit::operator::{Operation, perform};

use crate::services::{database_file, database_url};
use crate::{Data, across, preflight, run, tell};

/// A service by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    User,
    Product,
    Order,
    Listing,
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Product => "product",
            Self::Order => "order",
            Self::Listing => "listing",
        }
    }
}

/// Does it for one service, or for each.
///
/// # Errors
/// When there is no such database, or the operation fails.
pub(crate) async fn operate(options: &Data, service: Option<Name>, operation: Operation) -> Result<()> {
    kopitiam_kit::telemetry::init_with(run::LOG_FILTER);
    let services = service.map_or_else(|| Name::value_variants().to_vec(), |name| vec![name]);
    if operation == Operation::Audit {
        return audit(&options.data, &services).await;
    }
    if operation != Operation::Rebuild {
        let nowhere = KafkaConfig::new("");
        for name in services {
            on_service(&options.data, name, operation, &nowhere).await?;
        }
        return Ok(());
    }
    let _lock = preflight::take_data_folder(&options.data)?;
    let (kafka, broker) = run::broker(options).await?;
    for name in services {
        on_service(&options.data, name, operation, &kafka).await?;
    }
    if let Some(broker) = broker {
        broker.stop().await?;
    }
    Ok(())
}

/// Asks all of them before it says what is wrong; of all services together also what only holds across them.
async fn audit(data: &Path, services: &[Name]) -> Result<()> {
    let nowhere = KafkaConfig::new("");
    let mut wrong = Vec::new();
    for name in services {
        if let Err(error) = on_service(data, *name, Operation::Audit, &nowhere).await {
            wrong.push(format!("{error:#}"));
        }
    }
    if services.len() == Name::value_variants().len() {
        wrong.extend(across::forgotten(data).await?);
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

async fn on_service(data: &Path, name: Name, operation: Operation, kafka: &KafkaConfig) -> Result<()> {
    let (url, file) = (database_url(data, name.text()), database_file(data, name.text()));
    let is_there = !url.starts_with("sqlite:") || file.exists();
    anyhow::ensure!(is_there, "{} is not there: start the marketplace once", file.display());
    let db = Db::connect(&url).await?;
    let lines = match name {
        Name::User => perform(operation, &db, kafka, &kopitiam_user::app::desk()).await,
        Name::Product => perform(operation, &db, kafka, &kopitiam_product::app::desk()).await,
        Name::Order => perform(operation, &db, kafka, &kopitiam_order::app::desk()).await,
        Name::Listing => perform(operation, &db, kafka, &kopitiam_listing::app::desk()).await,
    };
    for line in lines.with_context(|| format!("the {} service", name.text()))? {
        tell(&format!("{}: {line}", name.text()));
    }
    Ok(())
}
