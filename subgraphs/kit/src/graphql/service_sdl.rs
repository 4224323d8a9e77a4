//! Makes the running `_service { sdl }` answer with the corrected SDL, so that a schema fetched is a schema composed.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo};
use async_graphql::{ServerResult, Value};

use super::sdl::corrected;

pub(super) struct CorrectedServiceSdl;

impl ExtensionFactory for CorrectedServiceSdl {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for CorrectedServiceSdl {
    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let is_sdl = info.parent_type == "_Service" && info.name == "sdl";
        let resolved = next.run(context, info).await?;
        Ok(match resolved {
            Some(Value::String(exported)) if is_sdl => Some(Value::String(corrected(&exported))),
            other => other,
        })
    }
}
