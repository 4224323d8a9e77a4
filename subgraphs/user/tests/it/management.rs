//! What managers do: credit, bans, roles, the list of users; on SQLite and PostgreSQL.

use crate::common::{PASSWORD, Shop, codes, error_codes, manager, shops, viewer};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::assert_kept;
use kopitiam_user::domain::ledger::AccountKind;
use kopitiam_user::store::users;
use serde_json::{Value, json};
use uuid::Uuid;

async fn grant(shop: &Shop, by: &Viewer, to: Uuid, amount: &str, key: &str) -> Value {
    const GRANT: &str = "mutation($input: GrantCreditInput!, $key: ID!) {
        grantCredit(input: $input, idempotencyKey: $key) { wallet { available { amount } } userErrors { code field } } }";
    let input = json!({ "userId": to, "amount": amount, "currency": "USD", "reason": "Regular guest" });
    shop.ask(by, GRANT, json!({ "input": input, "key": key })).await
}

#[tokio::test]
async fn a_grant_with_the_same_key_is_given_once() {
    for shop in shops().await {
        let bob = shop.register("bob").await.user.id;
        let manager = manager();
        for _ in 0..2 {
            let answer = grant(&shop, &manager, bob, "12.50", "k1").await;
            assert_eq!(answer["data"]["grantCredit"]["wallet"]["available"]["amount"], "112.50", "{answer}");
        }
        let other = grant(&shop, &manager, bob, "13.00", "k1").await;
        assert_eq!(codes(&other["data"]["grantCredit"]), ["IDEMPOTENCY_MISMATCH"]);
        let back = grant(&shop, &manager, bob, "-12.50", "k2").await;
        assert_eq!(back["data"]["grantCredit"]["wallet"]["available"]["amount"], "100.00");
        let trail = users::audit_trail(shop.db.read(), bob).await.unwrap();
        let details: Vec<&str> = trail.iter().map(|(_, _, detail)| detail.as_str()).collect();
        assert_eq!(details, ["12.50 USD: Regular guest", "-12.50 USD: Regular guest"]);
        assert_kept(&shop.db, &["UPDATE audit SET detail = 'forged'", "DELETE FROM audit"]).await;
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn senseless_and_unlawful_grants_move_nothing() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let manager = manager();
        let own = manager.user_id().unwrap();
        for (to, amount, code) in [
            (bob.user.id, "0", "AMOUNT_INVALID"),
            (bob.user.id, "10000.01", "AMOUNT_INVALID"),
            (bob.user.id, "-100.01", "INSUFFICIENT_FUNDS"),
            (bob.user.id, "1.001", "INVALID_AMOUNT"),
            (bob.user.id, "NaN", "INVALID_AMOUNT"),
            (own, "1.00", "OWN_ACCOUNT"),
            (Uuid::now_v7(), "1.00", "USER_NOT_FOUND"),
        ] {
            let answer = grant(&shop, &manager, to, amount, &format!("{to}{amount}")).await;
            assert_eq!(answer["errors"], Value::Null, "{amount}");
            assert_eq!(codes(&answer["data"]["grantCredit"]), [code], "{amount}");
        }
        let refused = grant(&shop, &viewer(&bob), bob.user.id, "1.00", "k").await;
        assert_eq!(error_codes(&refused), ["FORBIDDEN"]);
        let refused = grant(&shop, &Viewer::anonymous(), bob.user.id, "1.00", "k").await;
        assert_eq!(error_codes(&refused), ["UNAUTHENTICATED"]);
        assert_eq!(shop.balance(bob.user.id, AccountKind::Available).await, 10_000);
    }
}

#[tokio::test]
async fn a_banned_user_can_neither_sign_in_nor_refresh_until_unbanned() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let ban = "mutation($id: ID!) { banUser(id: $id, reason: \"Shill bids\") { user { status } userErrors { code } } }";
        let id = json!({ "id": bob.user.id });
        let answer = shop.ask(&manager(), ban, id.clone()).await;
        assert_eq!(answer["data"]["banUser"]["user"]["status"], "BANNED");
        assert!(shop.commands.refresh(&bob.refresh_token, None).await.is_err());
        let refused =
            shop.commands.login("bob@shop.example", PASSWORD, None).await.err().unwrap().to_string();
        assert!(refused.contains("USER_BANNED"), "{refused}");
        let wrong = shop
            .commands
            .login("bob@shop.example", "not the password", None)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            wrong.contains("WRONG_CREDENTIALS"),
            "only who knows the password learns of the ban: {wrong}"
        );
        let unban = "mutation($id: ID!) { unbanUser(id: $id) { user { status } userErrors { code } } }";
        let answer = shop.ask(&manager(), unban, id.clone()).await;
        assert_eq!(answer["data"]["unbanUser"]["user"]["status"], "UNVERIFIED", "as before the ban");
        assert!(shop.commands.login("bob@shop.example", PASSWORD, None).await.is_ok());
        let refused = shop.ask(&viewer(&bob), ban, id).await;
        assert_eq!(error_codes(&refused), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn roles_are_set_by_admins_only_and_never_to_a_service() {
    const SET: &str = "mutation($id: ID!, $roles: [Role!]!) { setRoles(id: $id, roles: $roles) { user { roles } userErrors { code } } }";
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let set = |by: Viewer, roles: Value| {
            let (shop, id) = (&shop, bob.user.id);
            async move { shop.ask(&by, SET, json!({ "id": id, "roles": roles })).await }
        };
        let answer = set(manager(), json!(["MANAGER"])).await;
        assert_eq!(answer["data"]["setRoles"]["user"]["roles"], json!(["USER", "MANAGER"]));
        assert_eq!(codes(&set(manager(), json!(["SERVICE"])).await["data"]["setRoles"]), ["ROLES_INVALID"]);
        assert_eq!(codes(&set(manager(), json!([])).await["data"]["setRoles"]), ["ROLES_INVALID"]);
        let plain_manager = Viewer::test(Uuid::now_v7(), &["MANAGER"], "users:read users:ban wallet:grant");
        assert_eq!(error_codes(&set(plain_manager, json!(["ADMIN"])).await), ["FORBIDDEN"]);
        let signed_in = shop.commands.login("bob@shop.example", PASSWORD, None).await.unwrap();
        assert!(signed_in.user.roles.scope().contains("users:read"));
        assert_eq!(signed_in.user.token_version, 2, "tokens issued before are told apart");
    }
}

#[tokio::test]
async fn the_list_of_users_pages_and_searches_without_gaps() {
    const LIST: &str = "query($after: String, $q: String) { users(first: 2, after: $after, query: $q) {
        totalCount pageInfo { hasNextPage endCursor } edges { node { username email wallet { available { amount } } } } } }";
    for shop in shops().await {
        for name in ["dora", "Abe", "cat_1", "bob", "cat11"] {
            shop.register(name).await;
        }
        let mut names = Vec::new();
        let mut after = Value::Null;
        loop {
            let page = shop.ask(&manager(), LIST, json!({ "after": after })).await["data"]["users"].clone();
            assert_eq!(page["totalCount"], 5);
            for edge in page["edges"].as_array().unwrap() {
                assert_eq!(edge["node"]["wallet"]["available"]["amount"], "100.00");
                names.push(edge["node"]["username"].as_str().unwrap().to_owned());
            }
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(names, ["Abe", "bob", "cat11", "cat_1", "dora"]);
        let found = shop.ask(&manager(), LIST, json!({ "q": "CAT_" })).await;
        assert_eq!(found["data"]["users"]["totalCount"], 1, "an underscore is no wildcard");
        let refused = shop.ask(&Viewer::anonymous(), LIST, json!({})).await;
        assert_eq!(error_codes(&refused), ["UNAUTHENTICATED"]);
    }
}
