//! Root mutations: who may, then the command, then its payload.

use std::net::IpAddr;

use async_graphql::{Context, Object};
use kopitiam_kit::auth::{HasScope, LoggedIn, viewer};
use kopitiam_kit::errors::payload;
use kopitiam_kit::graphql::{Decimal, ID};
use kopitiam_kit::serve::ClientAddress;
use kopitiam_kit::{Failure, Money};
use uuid::Uuid;

use super::types::{
    AuthPayload, GrantCreditInput, LoginInput, ProfileInput, ProfilePayload, RefreshInput, RegisterInput,
    Role, TopUpPayload, User, Wallet, WalletPayload,
};
use crate::commands::{Commands, Grant, ProfileChange, Registration, SignedIn, StallForm, TopUpForm};
use crate::domain::account;
use crate::domain::refusal::Refusal;

/// Root mutations.
pub struct Mutation;

fn commands<'context>(context: &Context<'context>) -> &'context Commands {
    context.data_unchecked::<Commands>()
}

/// Where the request came from, when the gateway says so. This machine itself is a proxy or a developer: many people, or
/// one who may.
fn address(context: &Context<'_>) -> Option<IpAddr> {
    let address = context.data_opt::<ClientAddress>().and_then(|address| address.0)?;
    (!address.to_canonical().is_loopback()).then_some(address)
}

fn target(id: &ID) -> Result<Uuid, Failure> {
    Uuid::try_parse(id).map_err(|_| Refusal::UserNotFound.into())
}

fn auth_payload(outcome: Result<SignedIn, Failure>) -> async_graphql::Result<AuthPayload> {
    let (signed_in, user_errors) = payload(outcome)?;
    let Some(signed_in) = signed_in else { return Ok(AuthPayload { user_errors, ..AuthPayload::default() }) };
    Ok(AuthPayload {
        user: Some(User(signed_in.user)),
        access_token: Some(signed_in.access_token),
        expires_at: Some(signed_in.expires_at),
        refresh_token: Some(signed_in.refresh_token),
        refresh_expires_at: Some(signed_in.refresh_expires_at),
        user_errors,
    })
}

fn profile_payload(outcome: Result<account::User, Failure>) -> async_graphql::Result<ProfilePayload> {
    let (user, user_errors) = payload(outcome)?;
    Ok(ProfilePayload { user: user.map(User), user_errors })
}

/// Root mutations.
#[Object]
impl Mutation {
    /// Makes an account and signs it in.
    async fn register(
        &self,
        context: &Context<'_>,
        input: RegisterInput,
    ) -> async_graphql::Result<AuthPayload> {
        let RegisterInput { email, username, password, full_name } = input;
        let from = address(context);
        let form = Registration { id: Uuid::now_v7(), email, username, password, full_name, from };
        auth_payload(commands(context).register(form).await)
    }

    /// Signs in.
    async fn login(&self, context: &Context<'_>, input: LoginInput) -> async_graphql::Result<AuthPayload> {
        auth_payload(commands(context).login(&input.email, &input.password, address(context)).await)
    }

    /// Exchanges a refresh token for a new pair of tokens.
    async fn refresh_session(
        &self,
        context: &Context<'_>,
        input: RefreshInput,
    ) -> async_graphql::Result<AuthPayload> {
        match input.refresh_token {
            Some(token) => {
                auth_payload(commands(context).refresh(&token, input.client_nonce.as_deref()).await)
            }
            None => auth_payload(Err(Refusal::SessionEnded.into())),
        }
    }

    /// Ends this session, or all of the person's. Signed out already is fine.
    async fn logout(
        &self,
        context: &Context<'_>,
        #[graphql(default_with = "Some(false)")] everywhere: Option<bool>,
    ) -> async_graphql::Result<AuthPayload> {
        if let Some(identity) = viewer(context).identity() {
            let session = identity.session_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
            commands(context).logout(identity.user_id, session, everywhere.unwrap_or(false)).await?;
        }
        Ok(AuthPayload::default())
    }

    /// Sends the signed-in person a letter with a link that verifies the address.
    #[graphql(guard = "LoggedIn")]
    async fn request_email_verification(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<ProfilePayload> {
        let user_id = viewer(context).require()?.user_id;
        profile_payload(commands(context).request_email_verification(user_id).await)
    }

    /// Verifies the address that the token was sent to. Works once, and without being signed in.
    async fn verify_email(
        &self,
        context: &Context<'_>,
        token: String,
    ) -> async_graphql::Result<ProfilePayload> {
        profile_payload(commands(context).verify_email(&token).await)
    }

    /// Sends whoever has the address a letter with a link to choose a new password. The answer is always the same.
    async fn request_password_reset(
        &self,
        context: &Context<'_>,
        email: String,
    ) -> async_graphql::Result<ProfilePayload> {
        let outcome = commands(context).request_password_reset(&email, address(context)).await;
        let (_, user_errors) = payload(outcome)?;
        Ok(ProfilePayload { user: None, user_errors })
    }

    /// Sets a new password by a token from a letter, ends every session and signs in.
    async fn reset_password(
        &self,
        context: &Context<'_>,
        token: String,
        new_password: String,
    ) -> async_graphql::Result<AuthPayload> {
        auth_payload(commands(context).reset_password(&token, new_password).await)
    }

    /// Changes the signed-in person's profile.
    #[graphql(guard = "LoggedIn")]
    async fn update_profile(
        &self,
        context: &Context<'_>,
        input: ProfileInput,
    ) -> async_graphql::Result<ProfilePayload> {
        let user_id = viewer(context).require()?.user_id;
        let ProfileInput { full_name, email, current_password, new_password, expected_version } = input;
        let change = ProfileChange { full_name, email, current_password, new_password, expected_version };
        profile_payload(commands(context).update_profile(user_id, change).await)
    }

    /// Opens a stall; the role is in the access token of the next `refreshSession`.
    #[graphql(guard = "LoggedIn")]
    async fn become_seller(
        &self,
        context: &Context<'_>,
        handle: String,
        display_name: String,
        bio: Option<String>,
    ) -> async_graphql::Result<ProfilePayload> {
        let user_id = viewer(context).require()?.user_id;
        let form = StallForm { handle, display_name, bio };
        profile_payload(commands(context).become_seller(user_id, form).await)
    }

    /// Begins to put real money into the signed-in person's wallet: pay on the page it gives. The money is there when the
    /// payment provider has told us, usually in seconds (`walletChanged`).
    #[graphql(guard = "LoggedIn")]
    async fn start_top_up(
        &self,
        context: &Context<'_>,
        amount: Decimal,
        currency: String,
        idempotency_key: ID,
    ) -> async_graphql::Result<TopUpPayload> {
        let user_id = viewer(context).require()?.user_id;
        let form = TopUpForm { amount: amount.0, currency };
        let outcome = commands(context).start_top_up(user_id, form, &idempotency_key).await;
        let (provider_url, user_errors) = payload(outcome)?;
        Ok(TopUpPayload { provider_url: provider_url.flatten(), user_errors })
    }

    /// Marks those of the signed-in person's notifications as read; at most 100 at once.
    #[graphql(guard = "LoggedIn")]
    async fn mark_notifications_read(
        &self,
        context: &Context<'_>,
        ids: Vec<ID>,
    ) -> async_graphql::Result<ProfilePayload> {
        let user_id = viewer(context).require()?.user_id;
        let ids: Vec<Uuid> = ids.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
        profile_payload(commands(context).mark_notifications_read(user_id, &ids).await)
    }

    /// Gives credit, or by a negative amount takes it back. Audited.
    #[graphql(requires_scopes = "wallet:grant", guard = "HasScope(\"wallet:grant\")")]
    async fn grant_credit(
        &self,
        context: &Context<'_>,
        input: GrantCreditInput,
        idempotency_key: ID,
    ) -> async_graphql::Result<WalletPayload> {
        let actor = viewer(context).require()?.user_id;
        let outcome = async {
            let user_id = target(&input.user_id)?;
            let money = Money::parse(&input.amount.0, &input.currency)
                .map_err(|error| Failure::from(kopitiam_kit::UserError::from(error)))?;
            let grant =
                Grant { user_id, minor: money.minor(), currency: input.currency, reason: input.reason };
            commands(context).grant_credit(actor, grant, &idempotency_key).await
        };
        let (user_id, user_errors) = payload(outcome.await)?;
        let wallet = match user_id {
            Some(user_id) => Wallet::load(context, user_id).await?,
            None => None,
        };
        Ok(WalletPayload { wallet, user_errors })
    }

    /// Bars an account from signing in and spending. Audited.
    #[graphql(requires_scopes = "users:ban", guard = "HasScope(\"users:ban\")")]
    async fn ban_user(
        &self,
        context: &Context<'_>,
        id: ID,
        reason: String,
    ) -> async_graphql::Result<ProfilePayload> {
        let actor = viewer(context).require()?.user_id;
        let outcome = async { commands(context).ban(actor, target(&id)?, &reason).await };
        profile_payload(outcome.await)
    }

    /// Lifts a ban. Audited.
    #[graphql(requires_scopes = "users:ban", guard = "HasScope(\"users:ban\")")]
    async fn unban_user(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<ProfilePayload> {
        let actor = viewer(context).require()?.user_id;
        let outcome = async { commands(context).unban(actor, target(&id)?).await };
        profile_payload(outcome.await)
    }

    /// Replaces an account's roles. Audited.
    #[graphql(requires_scopes = "users:roles", guard = "HasScope(\"users:roles\")")]
    async fn set_roles(
        &self,
        context: &Context<'_>,
        id: ID,
        roles: Vec<Role>,
    ) -> async_graphql::Result<ProfilePayload> {
        let actor = viewer(context).require()?.user_id;
        let roles = roles.into_iter().map(Into::into).collect();
        let outcome = async { commands(context).set_roles(actor, target(&id)?, roles).await };
        profile_payload(outcome.await)
    }
}
