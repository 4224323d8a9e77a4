//! A crash on demand, over HTTP, for whoever shows or tests that the system survives one.
//!
//! Always: nothing of it is in a release build, which refuses to start when it is asked for; a debug build has it only
//! where [`SETTING`] says `on`, and only where a service is a process of its own (the marketplace's binary never has it).
//! - `POST /faults/crash` ends the process at once, as `kill -9` would.
//! - `POST /faults/crash?at=AfterCommit&nth=2` ends it when that point is reached for the second time from now.

use axum::Router;

use crate::config::{ConfigError, variable};

/// The environment variable that allows it.
const SETTING: &str = "KOPITIAM_FAULTS";

/// The routes of a service, with those of this module where they are allowed.
///
/// # Errors
/// [`ConfigError::Invalid`] when the setting is not understood, or asks a release build.
pub(crate) fn mount(router: Router, database: &str) -> Result<Router, ConfigError> {
    if is_asked_for(variable(SETTING))? { allowed(router, database) } else { Ok(router) }
}

fn is_asked_for(value: Option<String>) -> Result<bool, ConfigError> {
    match value.as_deref() {
        None | Some("off") => Ok(false),
        Some("on") => Ok(true),
        Some(_) => Err(invalid(value, "expected on or off")),
    }
}

fn invalid(value: Option<String>, reason: &str) -> ConfigError {
    ConfigError::Invalid {
        variable: SETTING.to_owned(),
        value: value.unwrap_or_default(),
        reason: reason.to_owned(),
    }
}

#[cfg(not(debug_assertions))]
fn allowed(_router: Router, _database: &str) -> Result<Router, ConfigError> {
    Err(invalid(Some("on".to_owned()), "a release build has no faults on demand"))
}

#[cfg(debug_assertions)]
#[expect(clippy::unnecessary_wraps, reason = "a release build refuses")]
fn allowed(router: Router, database: &str) -> Result<Router, ConfigError> {
    tracing::warn!("{SETTING} is on: whoever reaches this listener can end the process");
    Ok(router.merge(crash::routes(database)))
}

#[cfg(debug_assertions)]
mod crash {
    use axum::Router;
    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::routing::post;
    use serde::Deserialize;

    use crate::failpoint::{Point, abort_at};

    #[derive(Deserialize)]
    struct Crash {
        /// The name of a [`Point`]; at once without.
        at: Option<String>,
        /// The first time without.
        nth: Option<usize>,
    }

    pub(super) fn routes(database: &str) -> Router {
        let database = database.to_owned();
        Router::new().route("/faults/crash", post(async move |Query(asked)| crash(asked, &database)))
    }

    fn crash(asked: Crash, database: &str) -> (StatusCode, String) {
        let Some(name) = asked.at else { std::process::abort() };
        match Point::ALL.into_iter().find(|point| format!("{point:?}") == name) {
            Some(point) => {
                abort_at(database, point, asked.nth.unwrap_or(1).max(1));
                (StatusCode::ACCEPTED, format!("the process ends at {name}\n"))
            }
            None => (StatusCode::BAD_REQUEST, format!("no such point; there are {:?}\n", Point::ALL)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn status(router: Router, path: &str) -> StatusCode {
        let request = Request::post(path).body(Body::empty()).expect("a request");
        router.oneshot(request).await.expect("infallible").status()
    }

    /// Compiled with `--release`, this is what an image holds.
    #[tokio::test]
    async fn a_crash_is_on_demand_in_debug_builds_only() {
        let asked = allowed(Router::new(), "sqlite://nowhere");
        assert_eq!(asked.is_ok(), cfg!(debug_assertions));
        let router = asked.unwrap_or_else(|error| {
            assert!(error.to_string().contains(SETTING), "{error}");
            Router::new()
        });
        let expected = if cfg!(debug_assertions) { StatusCode::BAD_REQUEST } else { StatusCode::NOT_FOUND };
        assert_eq!(status(router, "/faults/crash?at=Lunch").await, expected);
    }

    #[tokio::test]
    async fn without_the_setting_there_is_no_such_route() {
        assert!(matches!(is_asked_for(None), Ok(false)));
        assert!(matches!(is_asked_for(Some("off".to_owned())), Ok(false)));
        assert!(matches!(is_asked_for(Some("on".to_owned())), Ok(true)));
        let error = is_asked_for(Some("yes".to_owned())).expect_err("not understood");
        assert!(error.to_string().contains("KOPITIAM_FAULTS=`yes`"), "{error}");
        let router = mount(Router::new(), "sqlite://nowhere").expect("no setting in a test's environment");
        assert_eq!(status(router, "/faults/crash?at=Lunch").await, StatusCode::NOT_FOUND);
    }
}
