//! Who may read and do what: every field of every type of the schema as it is, and every root field, for each kind of
//! viewer. A field that nobody decided about fails the test: the default is to deny.

use std::collections::BTreeSet;

use crate::common::{Shop, error_codes, shops, viewer};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{assert_roots_decided, fields};
use kopitiam_user::domain::account::{Role, Roles};
use serde_json::{Value, json};
use uuid::Uuid;

/// Fields of a person's account that only the person and managers read.
const PRIVATE: &[(&str, &str)] = &[
    ("email", ""),
    ("fullName", ""),
    ("roles", ""),
    ("wallet", "{ id available { amount } held { amount } escrowed { amount } }"),
    ("notifications", "(first: 1) { unreadCount }"),
];
/// Fields that everybody reads.
const PUBLIC: &[(&str, &str)] = &[
    ("id", ""),
    ("username", ""),
    ("status", ""),
    ("seller", "{ id handle displayName bio verified memberSince }"),
    ("createdAt", ""),
    ("version", ""),
];
/// Root fields and the scope they ask for; `""`: everybody, `self`: somebody signed in.
const ROOTS: &[(&str, &str, &str)] = &[
    ("me", "{ me { id } }", ""),
    ("seller", "{ seller(handle: \"x\") { id } }", ""),
    ("users", "{ users(first: 1) { totalCount } }", "users:read"),
    (
        "register",
        "mutation { register(input: { email: \"x\", username: \"x\", password: \"x\" }) { userErrors { code } } }",
        "",
    ),
    ("login", "mutation { login(input: { email: \"x\", password: \"x\" }) { userErrors { code } } }", ""),
    (
        "refreshSession",
        "mutation { refreshSession(input: { refreshToken: \"x\" }) { userErrors { code } } }",
        "",
    ),
    ("logout", "mutation { logout { userErrors { code } } }", ""),
    ("requestEmailVerification", "mutation { requestEmailVerification { userErrors { code } } }", "self"),
    ("verifyEmail", "mutation { verifyEmail(token: \"x\") { userErrors { code } } }", ""),
    ("requestPasswordReset", "mutation { requestPasswordReset(email: \"x\") { userErrors { code } } }", ""),
    (
        "resetPassword",
        "mutation { resetPassword(token: \"x\", newPassword: \"x\") { userErrors { code } } }",
        "",
    ),
    (
        "updateProfile",
        "mutation { updateProfile(input: { expectedVersion: 0 }) { userErrors { code } } }",
        "self",
    ),
    (
        "becomeSeller",
        "mutation { becomeSeller(handle: \"!\", displayName: \"x\") { userErrors { code } } }",
        "self",
    ),
    (
        "startTopUp",
        "mutation { startTopUp(amount: \"0.01\", currency: \"USD\", idempotencyKey: \"x\") { userErrors { code } } }",
        "self",
    ),
    ("markNotificationsRead", "mutation { markNotificationsRead(ids: []) { userErrors { code } } }", "self"),
    (
        "grantCredit",
        "mutation { grantCredit(input: { userId: \"x\", amount: \"1\", currency: \"USD\", reason: \"xxx\" }, idempotencyKey: \"x\") { userErrors { code } } }",
        "wallet:grant",
    ),
    ("banUser", "mutation { banUser(id: \"x\", reason: \"xxx\") { userErrors { code } } }", "users:ban"),
    ("unbanUser", "mutation { unbanUser(id: \"x\") { userErrors { code } } }", "users:ban"),
    ("setRoles", "mutation { setRoles(id: \"x\", roles: [USER]) { userErrors { code } } }", "users:roles"),
    ("walletChanged", "subscription { walletChanged { id } }", "self"),
    ("notificationAdded", "subscription { notificationAdded { id } }", "self"),
];

fn with_roles(id: Uuid, roles: &[Role]) -> Viewer {
    let roles = Roles::new(roles.iter().copied());
    let names = roles.names();
    Viewer::test(id, &names.iter().map(String::as_str).collect::<Vec<_>>(), &roles.scope())
}

async fn read(shop: &Shop, who: &Viewer, of: Uuid, field: &str, selection: &str) -> Value {
    let query = format!(
        "query($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on User {{ {field}{selection} }} }} }}"
    );
    shop.ask(who, &query, json!({ "r": [{ "__typename": "User", "id": of }] })).await
}

#[tokio::test]
async fn every_field_of_an_account_is_read_by_those_it_is_for_and_by_nobody_else() {
    let decided: BTreeSet<String> =
        PRIVATE.iter().chain(PUBLIC).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(fields(&kopitiam_user::sdl(), "User"), decided, "decide who reads a new field");
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let id = bob.user.id;
        let readers = [
            ("visitor", Viewer::anonymous(), Some("UNAUTHENTICATED")),
            ("another", with_roles(Uuid::now_v7(), &[]), Some("FORBIDDEN")),
            ("seller", with_roles(Uuid::now_v7(), &[Role::Seller]), Some("FORBIDDEN")),
            ("service", Viewer::test(Uuid::now_v7(), &["SERVICE"], "wallet:hold"), Some("FORBIDDEN")),
            ("owner", viewer(&bob), None),
            ("manager", with_roles(Uuid::now_v7(), &[Role::Manager]), None),
            ("admin", with_roles(Uuid::now_v7(), &[Role::Manager, Role::Admin]), None),
        ];
        for (name, who, refused) in readers {
            for (field, selection) in PRIVATE {
                let answer = read(&shop, &who, id, field, selection).await;
                let codes = error_codes(&answer);
                assert_eq!(codes, refused.into_iter().collect::<Vec<_>>(), "{name} reads {field}");
                if refused.is_some() {
                    assert_eq!(answer["data"]["_entities"][0][*field], Value::Null, "{name} reads {field}");
                }
            }
            for (field, selection) in PUBLIC {
                let answer = read(&shop, &who, id, field, selection).await;
                assert_eq!(error_codes(&answer), Vec::<&str>::new(), "{name} reads {field}");
            }
            let wallet = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Wallet { available { amount } } } }";
            let answer = shop.ask(&who, wallet, json!({ "r": [{ "__typename": "Wallet", "id": id }] })).await;
            let seen = &answer["data"]["_entities"][0];
            assert_eq!(seen.is_null(), refused.is_some(), "{name} asks for the wallet itself: {answer}");
        }
    }
}

#[tokio::test]
async fn every_root_field_is_for_those_with_its_scope_and_nobody_else() {
    assert_roots_decided(&kopitiam_user::sdl(), ROOTS.iter().map(|(name, ..)| *name));
    let shop = &shops().await[0];
    let bob = shop.register("bob").await;
    let person = |roles: &[Role]| with_roles(bob.user.id, roles);
    let viewers = [
        ("visitor", Viewer::anonymous()),
        ("user", person(&[])),
        ("seller", person(&[Role::Seller])),
        ("manager", person(&[Role::Manager])),
        ("admin", person(&[Role::Manager, Role::Admin])),
        ("service", Viewer::test(Uuid::now_v7(), &["SERVICE"], "wallet:hold")),
    ];
    for (name, who) in viewers {
        for (field, query, scope) in ROOTS {
            let may = scope.is_empty() || who.has_scope(scope);
            let expected = match (may, who.identity()) {
                (true, _) => Vec::new(),
                (false, None) => vec!["UNAUTHENTICATED"],
                (false, Some(_)) => vec!["FORBIDDEN"],
            };
            let answer = if query.starts_with("subscription") {
                shop.first(&who, query).await
            } else {
                shop.ask(&who, query, json!({})).await
            };
            assert_eq!(error_codes(&answer), expected, "{name} uses {field}: {answer}");
        }
    }
}

#[tokio::test]
async fn asking_for_another_persons_things_is_like_asking_for_nothing() {
    for shop in shops().await {
        let (bob, eve) = (shop.register("bob").await, shop.register("eve").await);
        let wallet = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Wallet { id } } }";
        let of = |id: Value| json!({ "r": [{ "__typename": "Wallet", "id": id }] });
        let theirs = shop.ask(&viewer(&eve), wallet, of(json!(bob.user.id))).await;
        let nobodys = shop.ask(&viewer(&eve), wallet, of(json!(Uuid::now_v7()))).await;
        let nonsense = shop.ask(&viewer(&eve), wallet, of(json!("' OR 1=1 --"))).await;
        assert_eq!(theirs, nobodys);
        assert_eq!(theirs, nonsense);
    }
}
