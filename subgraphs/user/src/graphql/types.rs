//! Output and input types. Private fields are nullable: whoever may not read one gets null and `FORBIDDEN`.

#![expect(clippy::unused_async, reason = "a resolver is an async function, whether it waits or not")]

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use kopitiam_kit::auth::{Viewer, viewer};
use kopitiam_kit::errors::Denied;
use kopitiam_kit::graphql::{Decimal, ID};
use kopitiam_kit::page::{Page, PageArgs};
use kopitiam_kit::{Money, UserError, connection};
use uuid::Uuid;

use super::loaders::{EntriesOf, SellerById, WalletOf, load};
use super::notification_types::NotificationConnection;
use crate::commands::Commands;
use crate::domain::{account, ledger};
use crate::store::Before;
use crate::store::wallets::{Balances, Entry};

/// What a person or a service may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "account::Role")]
pub enum Role {
    /// Everyone who registered.
    User,
    /// Has a stall.
    Seller,
    /// Runs the shop.
    Manager,
    /// A manager who also sets roles.
    Admin,
    /// A program.
    Service,
}

/// Whether a user may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "account::UserStatus")]
pub enum UserStatus {
    /// May do all that the roles allow.
    Active,
    /// Has not confirmed the e-mail address.
    Unverified,
    /// Can neither sign in nor spend.
    Banned,
}

/// What a line of a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ledger::LedgerKind")]
pub enum LedgerKind {
    /// Credit given by the shop (or taken back).
    Grant,
    /// Money promised.
    Hold,
    /// A promise ended without payment.
    Release,
    /// A promise paid.
    Capture,
    /// The platform's share.
    Fee,
    /// A seller's share.
    Payout,
    /// A payment given back.
    Refund,
    /// Money that a payment provider took in.
    TopUp,
}

/// A person's account. Everyone reads `username`; the rest only the person and managers.
#[derive(Clone)]
pub struct User(pub(super) account::User);

/// Whether the viewer may read a user's private data.
pub(super) fn may_read(viewer: &Viewer, user_id: Uuid) -> Result<(), Denied> {
    if viewer.is_user(user_id) || viewer.has_scope("users:read") {
        return Ok(());
    }
    viewer.require()?;
    Err(Denied::Forbidden)
}

/// A person's account. Everyone reads `username`; the rest only the person and managers.
#[Object]
impl User {
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn username(&self) -> &str {
        &self.0.username
    }

    /// Private.
    async fn email(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        may_read(viewer(context), self.0.id)?;
        Ok(Some(&self.0.email))
    }

    /// Private.
    async fn full_name(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        may_read(viewer(context), self.0.id)?;
        Ok(self.0.full_name.as_deref())
    }

    async fn status(&self) -> UserStatus {
        self.0.status.into()
    }

    /// Private.
    async fn roles(&self, context: &Context<'_>) -> async_graphql::Result<Option<Vec<Role>>> {
        may_read(viewer(context), self.0.id)?;
        Ok(Some(self.0.roles.iter().map(Role::from).collect()))
    }

    /// The person's stall, if there is one.
    async fn seller(&self, context: &Context<'_>) -> async_graphql::Result<Option<Seller>> {
        Ok(load(context, SellerById(self.0.id)).await?.map(Seller))
    }

    /// Private.
    async fn wallet(&self, context: &Context<'_>) -> async_graphql::Result<Option<Wallet>> {
        may_read(viewer(context), self.0.id)?;
        Wallet::load(context, self.0.id).await
    }

    /// Private. Newest first.
    async fn notifications(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<Option<NotificationConnection>> {
        may_read(viewer(context), self.0.id)?;
        NotificationConnection::load(context, self.0.id, first, after).await.map(Some)
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// Grows with every change; `updateProfile` asks for it.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// The public face of a user who sells.
#[derive(Clone)]
pub struct Seller(pub(super) account::Seller);

/// The public face of a user who sells.
#[Object]
impl Seller {
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn handle(&self) -> &str {
        &self.0.handle
    }

    #[graphql(shareable)]
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    async fn bio(&self) -> Option<&str> {
        self.0.bio.as_deref()
    }

    /// Whether the shop vouches for the seller.
    async fn verified(&self) -> bool {
        self.0.verified
    }

    async fn member_since(&self) -> DateTime<Utc> {
        self.0.member_since
    }
}

/// A person's money in the shop. Its id is the person's.
#[derive(Clone)]
pub struct Wallet {
    pub(super) user_id: Uuid,
    pub(super) balances: Balances,
}

impl Wallet {
    /// The wallet of a user; `None` when there is none.
    pub(super) async fn load(context: &Context<'_>, user_id: Uuid) -> async_graphql::Result<Option<Wallet>> {
        Ok(load(context, WalletOf(user_id)).await?.map(|balances| Wallet { user_id, balances }))
    }
}

fn money(context: &Context<'_>, minor: i64) -> Money {
    Money::new(minor, context.data_unchecked::<Commands>().rules.currency)
}

/// A person's money in the shop. Its id is the person's.
#[Object]
impl Wallet {
    async fn id(&self) -> ID {
        ID(self.user_id.to_string())
    }

    /// To spend.
    async fn available(&self, context: &Context<'_>) -> Money {
        money(context, self.balances.available)
    }

    /// Promised to orders and bids.
    async fn held(&self, context: &Context<'_>) -> Money {
        money(context, self.balances.held)
    }

    /// Waiting until both sides of a booking confirm.
    async fn escrowed(&self, context: &Context<'_>) -> Money {
        money(context, self.balances.escrowed)
    }

    /// The statement, newest first.
    async fn entries(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> async_graphql::Result<LedgerEntryConnection> {
        let page = PageArgs::new(first, after)?;
        let wanted = Before { row: page.after::<Uuid>()?, limit: page.limit() };
        let rows = load(context, EntriesOf(self.user_id, wanted)).await?.unwrap_or_default();
        let page = Page::new(rows, &page, |entry| entry.id);
        Ok(LedgerEntryConnection::from_page(page.map(|entry| LedgerEntry::new(context, entry))))
    }
}

/// One line of a statement.
#[derive(Clone, SimpleObject)]
pub struct LedgerEntry {
    /// The posting's.
    id: ID,
    /// When.
    at: DateTime<Utc>,
    /// What.
    kind: LedgerKind,
    /// Received amounts are positive.
    amount: Money,
    /// What is available after it; for a capture, what is still held.
    balance_after: Money,
    /// An order number or a reason.
    reference: String,
}

impl LedgerEntry {
    fn new(context: &Context<'_>, entry: Entry) -> LedgerEntry {
        LedgerEntry {
            id: ID(entry.id.to_string()),
            at: entry.at,
            kind: entry.kind.into(),
            amount: money(context, entry.amount),
            balance_after: money(context, entry.balance_after),
            reference: entry.reference,
        }
    }
}

connection!(LedgerEntryConnection, LedgerEntryEdge, LedgerEntry);
connection!(UserConnection, UserEdge, User, total);

/// The answer of everything that signs in or out.
#[derive(Default, SimpleObject)]
pub struct AuthPayload {
    /// Who is signed in now.
    pub(super) user: Option<User>,
    /// For the `Authorization` header.
    pub(super) access_token: Option<String>,
    /// When the access token ends.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// For `refreshSession`, good once. For the storefront's server, which keeps it in an httpOnly cookie.
    pub(super) refresh_token: Option<String>,
    /// When the refresh token ends.
    pub(super) refresh_expires_at: Option<DateTime<Utc>>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}

/// The answer of everything that changes an account.
#[derive(SimpleObject)]
pub struct ProfilePayload {
    /// The account after the change.
    pub(super) user: Option<User>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}

/// The answer of `startTopUp`.
#[derive(SimpleObject)]
pub struct TopUpPayload {
    /// The page to pay on; null when the payment is made already.
    pub(super) provider_url: Option<String>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}

/// The answer of everything that changes a wallet.
#[derive(SimpleObject)]
pub struct WalletPayload {
    /// The wallet after the change.
    pub(super) wallet: Option<Wallet>,
    /// Why not.
    pub(super) user_errors: Vec<UserError>,
}

/// For `register`.
#[derive(InputObject)]
pub struct RegisterInput {
    /// Unique without regard to case.
    pub(super) email: String,
    /// Public; unique without regard to case.
    pub(super) username: String,
    /// 10 to 128 characters, not easy to guess.
    pub(super) password: String,
    /// Private.
    pub(super) full_name: Option<String>,
}

/// For `login`.
#[derive(InputObject)]
pub struct LoginInput {
    /// The account's.
    pub(super) email: String,
    /// The account's.
    pub(super) password: String,
}

/// For `refreshSession`.
#[derive(InputObject)]
pub struct RefreshInput {
    /// The last one received.
    pub(super) refresh_token: Option<String>,
    /// Random, made anew for each exchange. Whoever lost the answer may ask again within ten seconds with the same one;
    /// without it a second use ends the session.
    pub(super) client_nonce: Option<String>,
}

/// For `updateProfile`; what is left out stays.
#[derive(InputObject)]
pub struct ProfileInput {
    /// Empty removes it.
    pub(super) full_name: Option<String>,
    /// Needs `currentPassword`.
    pub(super) email: Option<String>,
    /// Needed for a new e-mail or password.
    pub(super) current_password: Option<String>,
    /// Needs `currentPassword`; ends every session.
    pub(super) new_password: Option<String>,
    /// The `version` that the form was filled from.
    pub(super) expected_version: i32,
}

/// For `grantCredit`.
#[derive(InputObject)]
pub struct GrantCreditInput {
    /// Whose wallet.
    pub(super) user_id: ID,
    /// Below zero takes credit back.
    pub(super) amount: Decimal,
    /// ISO 4217 code.
    pub(super) currency: String,
    /// Shown in the statement and the audit trail.
    pub(super) reason: String,
}
