//! The file that names subgraphs for composition, in rover's format.
//!
//! In: `supergraph.yaml`. Out: each subgraph's name, URL and SDL, with the place the SDL came from for diagnostics.
//! Elsewhere: composition itself (`kopitiam-composition`), printing (`commands/compose.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kopitiam_composition::Subgraph;
use serde::Deserialize;

use super::FileError;
use crate::subgraph_client::{HttpClient, fetch};

/// The whole file. Keys that rover has and that decide nothing here are known, so that its files work unchanged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SupergraphYaml {
    #[serde(rename = "federation_version", default)]
    _federation_version: Option<serde::de::IgnoredAny>,
    subgraphs: BTreeMap<String, SubgraphEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubgraphEntry {
    routing_url: Option<String>,
    schema: SchemaEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaEntry {
    file: Option<PathBuf>,
    subgraph_url: Option<String>,
}

/// A subgraph and where its SDL was read, for diagnostics.
#[derive(Debug)]
pub struct LoadedSubgraph {
    /// What composition takes.
    pub subgraph: Subgraph,
    /// The SDL's file or URL as the user wrote it.
    pub origin: String,
}

/// Reads the file and every SDL it names; paths are relative to the file.
///
/// # Errors
/// Every problem found: a broken file has one, otherwise there may be one for each subgraph.
pub async fn load(path: &Path) -> Result<Vec<LoadedSubgraph>, Vec<FileError>> {
    let text = std::fs::read_to_string(path).map_err(|error| vec![FileError::unreadable(path, &error)])?;
    let yaml: SupergraphYaml =
        serde_yaml_ng::from_str(&text).map_err(|error| vec![FileError::from_yaml(path, &error)])?;
    let client = HttpClient::new();
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for (name, entry) in yaml.subgraphs {
        match load_subgraph(path, &client, name, entry).await {
            Ok(subgraph) => loaded.push(subgraph),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

async fn load_subgraph(
    config: &Path,
    client: &HttpClient,
    name: String,
    entry: SubgraphEntry,
) -> Result<LoadedSubgraph, FileError> {
    match (entry.schema.file, entry.schema.subgraph_url) {
        (Some(file), None) => {
            let file = config.parent().unwrap_or(Path::new("")).join(file);
            let sdl = std::fs::read_to_string(&file).map_err(|error| FileError::unreadable(&file, &error))?;
            let url = entry.routing_url.unwrap_or_default();
            Ok(LoadedSubgraph { subgraph: Subgraph { name, url, sdl }, origin: file.display().to_string() })
        }
        (None, Some(subgraph_url)) => {
            let sdl = fetch::subgraph_sdl(client, &subgraph_url).await.map_err(|error| {
                FileError::new(config, "SUBGRAPH_SDL_UNAVAILABLE", format!("subgraph `{name}`: {error}"))
            })?;
            let url = entry.routing_url.unwrap_or_else(|| subgraph_url.clone());
            Ok(LoadedSubgraph { subgraph: Subgraph { name, url, sdl }, origin: subgraph_url })
        }
        _ => {
            let message = format!("subgraph `{name}`: `schema` needs either `file` or `subgraph_url`");
            Err(FileError::new(config, "CONFIG_INVALID", message))
        }
    }
}
