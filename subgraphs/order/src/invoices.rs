//! `GET /invoices/<number>.pdf`: the printable invoice, for whoever holds a link that says so or may see the order.
//!
//! Always: a link names one invoice and ends after fifteen minutes; whatever is wrong, the answer is that there is no
//! such invoice, so numbers cannot be tried. Elsewhere: what it says (`domain::invoice`), the file (`pdf`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kopitiam_kit::auth::{Verifier, Viewer};
use kopitiam_kit::{Db, SystemError, Tx, time};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::commands::Shop;
use crate::domain::invoice::{self, Head};
use crate::domain::order::{Onlooker, Order};
use crate::graphql::READ_ANY;
use crate::pdf;
use crate::store::orders::Invoice;
use crate::store::{orders, replicas, secrets};

/// How long a link opens its invoice.
const LINK_LASTS: TimeDelta = TimeDelta::minutes(15);
/// Name of the key that signs links.
const KEY: &str = "invoice-links";

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The invoice's number.
    sub: String,
    exp: i64,
}

/// Signs links with a key of this service's own, which is in its database.
#[derive(Default)]
pub struct Links {
    key: OnceCell<String>,
}

impl Links {
    async fn key(&self, db: &Db) -> Result<&str, SystemError> {
        let load = || async {
            let fresh = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            let load = |tx: Tx| async move {
                Ok::<_, SystemError>(secrets::get_or_insert(&tx, KEY, fresh()).await?)
            };
            db.transaction(load).await
        };
        Ok(self.key.get_or_try_init(load).await?)
    }

    /// The address of an invoice's file, good for fifteen minutes from `now`.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub async fn address(&self, db: &Db, number: &str, now: DateTime<Utc>) -> Result<String, SystemError> {
        let claims = Claims { sub: number.to_owned(), exp: (now + LINK_LASTS).timestamp() };
        let key = EncodingKey::from_secret(self.key(db).await?.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| SystemError::Invariant(format!("invoice link: {error}")))?;
        Ok(format!("/invoices/{number}.pdf?token={token}"))
    }

    /// Whether this token opens this invoice now.
    async fn opens(&self, db: &Db, token: &str, number: &str) -> Result<bool, SystemError> {
        let key = DecodingKey::from_secret(self.key(db).await?.as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation);
        Ok(claims.is_ok_and(|token| token.claims.sub == number))
    }
}

#[derive(Deserialize)]
struct Opener {
    token: Option<String>,
}

/// The route, to be merged beside the service's own.
pub fn router(shop: Arc<Shop>, verifier: Arc<Verifier>) -> Router {
    let answer = move |Path(file): Path<String>, Query(opener): Query<Opener>, headers: HeaderMap| async move {
        let viewer = viewer(&verifier, &headers).await;
        match file_of(&shop, &file, opener.token.as_deref(), &viewer).await {
            Ok(Some(bytes)) => found(&file, bytes),
            Ok(None) => StatusCode::NOT_FOUND.into_response(),
            Err(error) => {
                tracing::error!(%error, "invoice could not be written");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    };
    Router::new().route("/invoices/{file}", get(answer))
}

fn found(file: &str, bytes: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/pdf".to_owned()),
        // The name is one of ours: only a number that was found gets here.
        (CONTENT_DISPOSITION, format!("inline; filename=\"{file}\"")),
        (CACHE_CONTROL, "private, no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, bytes).into_response()
}

/// Who sends a good access token; a bad one is nobody's.
async fn viewer(verifier: &Verifier, headers: &HeaderMap) -> Viewer {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.split_once(' '));
    let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Viewer::anonymous();
    };
    verifier.verify(token.trim()).await.map_or_else(|_| Viewer::anonymous(), Viewer::known)
}

async fn file_of(
    shop: &Shop,
    file: &str,
    token: Option<&str>,
    viewer: &Viewer,
) -> Result<Option<Vec<u8>>, SystemError> {
    let Some(number) = file.strip_suffix(".pdf") else { return Ok(None) };
    let Some(invoice) = orders::invoice_by_number(shop.db.read(), number).await? else { return Ok(None) };
    let Some(order) = orders::find(shop.db.read(), invoice.order_id).await? else { return Ok(None) };
    let has_link = match token {
        Some(token) => shop.links.opens(&shop.db, token, number).await?,
        None => false,
    };
    let onlooker = Onlooker { user_id: viewer.user_id(), sees_all: viewer.has_scope(READ_ANY) };
    if !has_link && !onlooker.may_see_of(order.buyer_id) {
        return Ok(None);
    }
    print(shop, invoice, &order).await.map(Some)
}

async fn print(shop: &Shop, invoice: Invoice, order: &Order) -> Result<Vec<u8>, SystemError> {
    let buyer = replicas::username(shop.db.read(), order.buyer_id).await?;
    let title = format!("Invoice {}", invoice.number);
    let head = Head { number: invoice.number, issued_at: invoice.issued_at, buyer };
    Ok(pdf::write(&title, &invoice::pages(&head, order)))
}

/// The address for now.
///
/// # Errors
/// When the key cannot be read.
pub(crate) async fn address(shop: &Shop, number: &str) -> Result<String, SystemError> {
    shop.links.address(&shop.db, number, time::now()).await
}
