//! Notifications as clients see them.

use async_graphql::{Context, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::graphql::{ID, PageInfo};
use kopitiam_kit::page::{Page, PageArgs};
use uuid::Uuid;

use super::loaders::{NotificationsOf, UnreadOf, load};
use crate::store::{Before, notifications};

/// Something a person was told.
#[derive(Clone, SimpleObject)]
pub struct Notification {
    id: ID,
    /// Stable, for programs: `ORDER_CONFIRMED`, `OUTBID`.
    kind: String,
    /// One line.
    title: String,
    /// One or two sentences; may be empty.
    body: String,
    /// Where to read on: a path of the storefront.
    url: Option<String>,
    /// When it was marked as read.
    read_at: Option<DateTime<Utc>>,
    /// When it was written.
    created_at: DateTime<Utc>,
}

impl From<notifications::Notification> for Notification {
    fn from(row: notifications::Notification) -> Notification {
        let notifications::Notification { id, kind, title, body, path, created_at, read_at } = row;
        Notification { id: ID(id.to_string()), kind, title, body, url: Some(path), read_at, created_at }
    }
}

/// One row of the list with its cursor.
#[derive(Clone, SimpleObject)]
pub struct NotificationEdge {
    /// Continue after this row with it.
    cursor: String,
    /// The row.
    node: Notification,
}

/// A page of the list.
#[derive(Clone, SimpleObject)]
pub struct NotificationConnection {
    /// The rows.
    edges: Vec<NotificationEdge>,
    /// Where the page stands.
    page_info: PageInfo,
    /// Unread rows of the whole list.
    unread_count: i32,
}

impl NotificationConnection {
    /// One page of a person's notifications.
    pub(super) async fn load(
        context: &Context<'_>,
        user_id: Uuid,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<NotificationConnection> {
        let args = PageArgs::new(first, after)?;
        let page = Before { row: args.after::<Uuid>()?, limit: args.limit() };
        let rows = load(context, NotificationsOf(user_id, page)).await?.unwrap_or_default();
        let unread = load(context, UnreadOf(user_id)).await?.unwrap_or_default();
        let page = Page::new(rows, &args, |row| row.id).map(Notification::from);
        let edges = page.edges.into_iter().map(|(cursor, node)| NotificationEdge { cursor, node });
        Ok(NotificationConnection {
            edges: edges.collect(),
            page_info: page.info,
            unread_count: i32::try_from(unread).unwrap_or(i32::MAX),
        })
    }
}
