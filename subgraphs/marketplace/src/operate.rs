//! What an operator asks of the services' databases: dead letters, publishing again, read models made anew.
//!
//! Dead letters and publishing again work beside a running marketplace, which acts within a second. A rebuild needs the
//! data folder for itself. Elsewhere: the operations (`kopitiam_kit::operator`).

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use kopitiam_kit::Db;
use kopitiam_kit::config::KafkaConfig;
use kopitiam_kit::operator::{Operation, perform};
use kopitiam_product::projections::review_events::ReviewEvents;

use crate::services::database_url;
use crate::{Data, preflight, run, tell};

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

async fn on_service(data: &Path, name: Name, operation: Operation, kafka: &KafkaConfig) -> Result<()> {
    let file = data.join(format!("{}.db", name.text()));
    anyhow::ensure!(file.exists(), "{} is not there: start the marketplace once", file.display());
    let db = Db::connect(&database_url(data, name.text())).await?;
    let lines = match name {
        Name::Product => perform(operation, &db, kafka, Some(&ReviewEvents)).await,
        Name::Order => perform(operation, &db, kafka, Some(&kopitiam_order::projections::Copies)).await,
        Name::Listing => {
            perform(operation, &db, kafka, Some(&kopitiam_listing::projections::users::Copies)).await
        }
        Name::User => perform(operation, &db, kafka, None::<&ReviewEvents>).await,
    };
    for line in lines.with_context(|| format!("the {} service", name.text()))? {
        tell(&format!("{}: {line}", name.text()));
    }
    Ok(())
}
