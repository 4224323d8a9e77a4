//! Accounts over GraphQL: register, log in, refresh, log out, profile, stall; on SQLite and PostgreSQL.

use crate::common::{PASSWORD, codes, error_codes, manager, shops, viewer};
use kopitiam_kit::Failure;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::queries;
use kopitiam_user::store::users;
use serde_json::json;

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    user { id username email roles status wallet { available { amount currency } held { amount } } }
    accessToken expiresAt refreshToken refreshExpiresAt userErrors { code field } } }";

fn registration(email: &str, username: &str) -> serde_json::Value {
    json!({ "input": { "email": email, "username": username, "password": PASSWORD } })
}

#[tokio::test]
async fn registering_signs_in_a_plain_user_with_the_sign_up_credit() {
    for shop in shops().await {
        let answer = shop.ask(&Viewer::anonymous(), REGISTER, registration("Bob@Shop.example", "Bob")).await;
        let payload = &answer["data"]["register"];
        assert_eq!(codes(payload), Vec::<&str>::new(), "{answer}");
        assert!(payload["accessToken"].is_string() && payload["refreshToken"].is_string());
        // The private fields are read with the token that comes with them, so this request sees none.
        assert_eq!(payload["user"]["username"], "Bob");
        let id = payload["user"]["id"].as_str().unwrap().parse().unwrap();
        let me = shop
            .ask(
                &Viewer::test(id, &["USER"], "self"),
                "{ me { email roles status wallet { available { amount currency } held { amount } entries(first: 5) { edges { node { kind amount { amount } balanceAfter { amount } reference } } } } } }",
                json!({}),
            )
            .await;
        let me = &me["data"]["me"];
        assert_eq!(me["email"], "Bob@Shop.example");
        assert_eq!(me["roles"], json!(["USER"]));
        assert_eq!(me["wallet"]["available"], json!({ "amount": "100.00", "currency": "USD" }));
        assert_eq!(me["wallet"]["entries"]["edges"][0]["node"]["kind"], "GRANT");
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_taken_and_a_malformed_address_get_the_same_answer_and_a_taken_name_is_named() {
    for shop in shops().await {
        shop.register("bob").await;
        let nobody = Viewer::anonymous();
        let taken = shop.ask(&nobody, REGISTER, registration("BOB@shop.example", "bobby")).await;
        let malformed = shop.ask(&nobody, REGISTER, registration("bob@shop", "bobby")).await;
        assert_eq!(taken, malformed);
        assert_eq!(codes(&taken["data"]["register"]), ["EMAIL_NOT_ACCEPTABLE"]);
        let name = shop.ask(&nobody, REGISTER, registration("other@shop.example", "BOB")).await;
        assert_eq!(codes(&name["data"]["register"]), ["USERNAME_TAKEN"]);
        let several = json!({ "input": { "email": "x", "username": "!", "password": "short" } });
        let several = shop.ask(&nobody, REGISTER, several).await;
        let expected = ["EMAIL_NOT_ACCEPTABLE", "USERNAME_INVALID", "PASSWORD_INVALID"];
        assert_eq!(codes(&several["data"]["register"]), expected);
        assert_eq!(users::count(shop.db.read(), None).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn of_many_who_take_a_name_at_once_one_gets_it() {
    for shop in shops().await {
        let attempts = (0..6).map(|n| {
            let shop = &shop;
            async move { shop.try_register(&format!("bob{n}@shop.example"), "bob").await }
        });
        let outcomes = futures::future::join_all(attempts).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Failure::Refused(_)))));
    }
}

#[tokio::test]
async fn every_wrong_part_of_a_log_in_gets_the_same_answer() {
    const LOGIN: &str = "mutation($e: String!, $p: String!) { login(input: { email: $e, password: $p }) {
        user { username } accessToken userErrors { code message field } } }";
    for shop in shops().await {
        shop.register("bob").await;
        let nobody = Viewer::anonymous();
        let log_in = |email: &'static str, password: &'static str| {
            shop.ask(&nobody, LOGIN, json!({ "e": email, "p": password }))
        };
        let wrong_password = log_in("bob@shop.example", "kopi-c-kosong").await;
        assert_eq!(codes(&wrong_password["data"]["login"]), ["WRONG_CREDENTIALS"]);
        assert_eq!(wrong_password, log_in("eve@shop.example", PASSWORD).await);
        assert_eq!(wrong_password, log_in("no address", PASSWORD).await);
        let right = log_in("BOB@shop.example", PASSWORD).await;
        assert_eq!(right["data"]["login"]["user"]["username"], "bob");
        assert!(right["data"]["login"]["accessToken"].is_string());
    }
}

/// Time tells nothing where the work is the same: how often argon2id runs, milliseconds each, and how often the database is
/// asked. Counted, not measured: a machine that does other work too has no honest clock.
#[tokio::test]
async fn known_and_unknown_people_cost_the_same_work() {
    const WRONG: &str = "kopi-c-kosong";
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let ban = "mutation($id: ID!) { banUser(id: $id, reason: \"Shill bids\") { userErrors { code } } }";
        let amy = shop.register("amy").await;
        shop.ask(&manager(), ban, json!({ "id": amy.user.id })).await;
        let passwords = &shop.commands.passwords;

        let mut work = Vec::new();
        for email in ["bob@shop.example", "amy@shop.example", "eve@shop.example", "no address", ""] {
            let before = passwords.made();
            let (answer, statements) = queries(shop.commands.login(email, WRONG, None)).await;
            assert!(answer.err().unwrap().to_string().contains("WRONG_CREDENTIALS"), "{email}");
            work.push((email, passwords.made() - before, statements));
        }
        // The guess is counted for each; whatever is no address is not looked up: its form says as much to everybody.
        for (email, hashes, statements) in work {
            let expected = if email.contains('@') { (1, 2) } else { (1, 1) };
            assert_eq!((hashes, statements), expected, "{email}");
        }

        let before = passwords.made();
        assert!(shop.try_register("bob@shop.example", "bob2").await.is_err(), "the address is taken");
        assert_eq!(passwords.made() - before, 1);
        assert!(shop.try_register("eve@shop.example", "eve").await.is_ok());
        assert_eq!(passwords.made() - before, 2);

        let before = passwords.made();
        for token in ["a token that nobody was sent", &bob.refresh_token] {
            let refused = shop.commands.reset_password(token, "teh tarik, less sweet".to_owned()).await;
            assert!(refused.err().unwrap().to_string().contains("TOKEN_INVALID"));
        }
        assert_eq!(passwords.made() - before, 2, "hashed before the token is looked at");
    }
}

#[tokio::test]
async fn ten_wrong_passwords_close_an_account_known_or_not_for_a_while() {
    for shop in shops().await {
        shop.register("bob").await;
        for email in ["bob@shop.example", "nobody@shop.example"] {
            for _ in 0..10 {
                let wrong =
                    shop.commands.login(email, "kopi-c-kosong", None).await.err().unwrap().to_string();
                assert!(wrong.contains("WRONG_CREDENTIALS"), "{wrong}");
            }
            let closed =
                shop.commands.login(&email.to_uppercase(), PASSWORD, None).await.err().unwrap().to_string();
            assert!(closed.contains("TOO_MANY_ATTEMPTS"), "{closed}");
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_session() {
    for shop in shops().await {
        let first = shop.register("bob").await;
        let second = shop.commands.refresh(&first.refresh_token, None).await.unwrap();
        assert_ne!(first.refresh_token, second.refresh_token);
        assert!(second.expires_at - kopitiam_kit::time::now() <= chrono::Duration::minutes(15));
        let reused = shop.commands.refresh(&first.refresh_token, None).await;
        assert!(matches!(reused, Err(Failure::Refused(_))));
        // The thief's and the owner's next token are worth nothing either.
        assert!(shop.commands.refresh(&second.refresh_token, None).await.is_err());
        // Another log-in of the same person lives on.
        let other = shop.commands.login("bob@shop.example", PASSWORD, None).await.unwrap();
        assert!(shop.commands.refresh(&other.refresh_token, None).await.is_ok());
    }
}

#[tokio::test]
async fn of_parallel_uses_of_a_refresh_token_at_most_one_succeeds() {
    for shop in shops().await {
        let first = shop.register("bob").await;
        let uses = (0..5).map(|_| shop.commands.refresh(&first.refresh_token, None));
        let outcomes = futures::future::join_all(uses).await;
        let winners: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
        assert!(winners.len() <= 1);
        for winner in winners {
            assert!(shop.commands.refresh(&winner.refresh_token, None).await.is_err(), "the family lives on");
        }
    }
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_session() {
    for shop in shops().await {
        let one = shop.register("bob").await;
        let two = shop.commands.login("bob@shop.example", PASSWORD, None).await.unwrap();
        let answer = shop
            .ask(
                &viewer(&one),
                "mutation { logout(everywhere: true) { user { id } userErrors { code } } }",
                json!({}),
            )
            .await;
        assert_eq!(codes(&answer["data"]["logout"]), Vec::<&str>::new());
        for session in [one, two] {
            assert!(shop.commands.refresh(&session.refresh_token, None).await.is_err());
        }
        let visitor =
            shop.ask(&Viewer::anonymous(), "mutation { logout { userErrors { code } } }", json!({})).await;
        assert_eq!(error_codes(&visitor), Vec::<&str>::new(), "signed out already is fine");
    }
}

#[tokio::test]
async fn private_fields_are_null_and_forbidden_to_others_and_open_to_managers() {
    const FETCH: &str = "query($r: [_Any!]!) { _entities(representations: $r) {
        ... on User { username email wallet { available { amount } } roles fullName } } }";
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let eve = shop.register("eve").await;
        let representations = json!({ "r": [{ "__typename": "User", "id": bob.user.id }] });
        let seen = shop.ask(&viewer(&eve), FETCH, representations.clone()).await;
        let private =
            json!({ "username": "bob", "email": null, "wallet": null, "roles": null, "fullName": null });
        assert_eq!(seen["data"]["_entities"][0], private);
        assert_eq!(error_codes(&seen), ["FORBIDDEN"; 4]);
        let visitor = shop.ask(&Viewer::anonymous(), FETCH, representations.clone()).await;
        assert_eq!(visitor["data"]["_entities"][0], private);
        assert_eq!(error_codes(&visitor), ["UNAUTHENTICATED"; 4]);
        let seen = shop.ask(&manager(), FETCH, representations).await;
        assert_eq!(seen["data"]["_entities"][0]["email"], "bob@shop.example");
        assert_eq!(seen["data"]["_entities"][0]["wallet"]["available"]["amount"], "100.00");
    }
}

#[tokio::test]
async fn a_batch_of_entities_keeps_its_order_and_a_missing_row_is_null() {
    const FETCH: &str = "query($r: [_Any!]!) { _entities(representations: $r) {
        __typename ... on User { username } ... on Seller { handle displayName } ... on Wallet { id } } }";
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let eve = shop.register("eve").await;
        let stall = "mutation { becomeSeller(handle: \"Kopi-House\", displayName: \"Kopi House\") { user { roles version } userErrors { code } } }";
        let opened = shop.ask(&viewer(&bob), stall, json!({})).await;
        assert_eq!(opened["data"]["becomeSeller"]["user"]["roles"], json!(["USER", "SELLER"]));
        let representations = json!({ "r": [
            { "__typename": "User", "id": eve.user.id },
            { "__typename": "User", "id": uuid::Uuid::now_v7() },
            { "__typename": "Seller", "id": bob.user.id },
            { "__typename": "Seller", "handle": "kopi-house" },
            { "__typename": "Seller", "handle": "nobody" },
            { "__typename": "User", "id": "no id at all" },
            { "__typename": "Wallet", "id": bob.user.id },
            { "__typename": "Wallet", "id": eve.user.id },
        ] });
        let found = shop.ask(&viewer(&bob), FETCH, representations).await;
        let seller = json!({ "__typename": "Seller", "handle": "kopi-house", "displayName": "Kopi House" });
        let wallet = json!({ "__typename": "Wallet", "id": bob.user.id });
        let expected = json!([
            { "__typename": "User", "username": "eve" }, null, seller, seller, null, null, wallet, null
        ]);
        assert_eq!(found["data"]["_entities"], expected, "{found}");
        let again = shop.ask(&viewer(&bob), stall, json!({})).await;
        assert_eq!(codes(&again["data"]["becomeSeller"]), ["ALREADY_SELLER"]);
        let taken = shop.ask(&viewer(&eve), stall, json!({})).await;
        assert_eq!(codes(&taken["data"]["becomeSeller"]), ["HANDLE_TAKEN"]);
    }
}

#[tokio::test]
async fn a_profile_changes_only_from_its_current_version_and_password() {
    const UPDATE: &str = "mutation($input: ProfileInput!) { updateProfile(input: $input) {
        user { fullName email version } userErrors { code field } } }";
    for shop in shops().await {
        let bob = shop.register("bob").await;
        shop.register("eve").await;
        let update = |input: serde_json::Value| {
            let (shop, bob) = (&shop, viewer(&bob));
            async move { shop.ask(&bob, UPDATE, json!({ "input": input })).await["data"]["updateProfile"].clone() }
        };
        let named = update(json!({ "fullName": "Bob Ng", "expectedVersion": 1 })).await;
        assert_eq!(named["user"]["version"], 2);
        let stale = update(json!({ "fullName": "Robert", "expectedVersion": 1 })).await;
        assert_eq!(codes(&stale), ["VERSION_CONFLICT"]);
        let unproven = update(json!({ "email": "b@shop.example", "expectedVersion": 2 })).await;
        assert_eq!(codes(&unproven), ["WRONG_PASSWORD"]);
        let taken = json!({ "email": "EVE@shop.example", "currentPassword": PASSWORD, "expectedVersion": 2 });
        assert_eq!(codes(&update(taken).await), ["EMAIL_NOT_ACCEPTABLE"]);
        let moved =
            json!({ "newPassword": "teh-tarik-satu", "currentPassword": PASSWORD, "expectedVersion": 2 });
        assert_eq!(codes(&update(moved).await), Vec::<&str>::new());
        assert!(
            shop.commands.refresh(&bob.refresh_token, None).await.is_err(),
            "a new password ends every session"
        );
        assert!(shop.commands.login("bob@shop.example", PASSWORD, None).await.is_err());
        assert!(shop.commands.login("bob@shop.example", "teh-tarik-satu", None).await.is_ok());
    }
}

#[tokio::test]
async fn a_stolen_access_token_cannot_try_passwords_without_end() {
    const UPDATE: &str =
        "mutation($input: ProfileInput!) { updateProfile(input: $input) { userErrors { code } } }";
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let attempt = |password: &'static str| {
            let input =
                json!({ "newPassword": "teh-tarik-satu", "currentPassword": password, "expectedVersion": 1 });
            let (shop, bob) = (&shop, viewer(&bob));
            async move { shop.ask(&bob, UPDATE, json!({ "input": input })).await["data"]["updateProfile"].clone() }
        };
        for _ in 0..10 {
            assert_eq!(codes(&attempt("kopi-c-kosong").await), ["WRONG_PASSWORD"]);
        }
        assert_eq!(codes(&attempt(PASSWORD).await), ["TOO_MANY_ATTEMPTS"]);
        assert!(
            shop.commands.login("bob@shop.example", PASSWORD, None).await.is_ok(),
            "the owner still gets in"
        );
    }
}

#[tokio::test]
async fn malformed_requests_get_a_code_and_write_nothing() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        for (query, variables) in [
            ("{ me { id nickname } }", json!({})),
            ("{ me { passwordHash } }", json!({})),
            (
                "mutation { register(input: { email: \"a@b.co\", username: \"abc\", password: \"kopi-o-kosong\", roles: [ADMIN] }) { user { id } } }",
                json!({}),
            ),
            (
                "mutation { register(input: { email: 7, username: \"x\", password: \"y\" }) { userErrors { code } } }",
                json!({}),
            ),
            (
                "mutation($v: Int!) { updateProfile(input: { fullName: \"X\", expectedVersion: $v }) { user { id } } }",
                json!({ "v": "one" }),
            ),
            ("mutation { updateProfile(input: { fullName: \"X\" }) { user { id } } }", json!({})),
            ("{ me { wallet { entries(first: -1) { edges { cursor } } } } }", json!({})),
            ("{ me { wallet { entries(first: 5, after: \"x\") { edges { cursor } } } } }", json!({})),
        ] {
            let answer = shop.ask(&viewer(&bob), query, variables).await;
            let codes = error_codes(&answer);
            assert!(!codes.is_empty() && codes.iter().all(|code| *code != "no code"), "{query}: {answer}");
        }
        let unchanged = users::find(shop.db.read(), bob.user.id).await.unwrap().unwrap();
        assert_eq!(unchanged, bob.user);
        assert_eq!(users::count(shop.db.read(), None).await.unwrap(), 1);
    }
}
