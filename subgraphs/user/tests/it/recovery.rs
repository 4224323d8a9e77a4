//! Verified addresses, forgotten passwords, limits and lost refreshes; on SQLite and PostgreSQL.

use crate::common::{PASSWORD, Shop, codes, shops, viewer};
use chrono::Duration;
use futures::future::join_all;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::{Failure, SystemError, time};
use kopitiam_user::domain::account::UserStatus;
use kopitiam_user::domain::one_time::Purpose;
use kopitiam_user::security::{limits, tokens};
use kopitiam_user::store::one_time::{self, Redeemed};
use kopitiam_user::store::{attempts, mails, sessions, users};
use serde_json::{Value, json};

const NEW: &str = "teh tarik, less sweet";
const RESET: &str =
    "mutation($token: String!, $new: String!) { resetPassword(token: $token, newPassword: $new) {
    user { username } accessToken refreshToken userErrors { code field } } }";
const ASK: &str =
    "mutation($email: String!) { requestPasswordReset(email: $email) { user { id } userErrors { code } } }";
const VERIFY: &str =
    "mutation($token: String!) { verifyEmail(token: $token) { user { status } userErrors { code } } }";

fn code<T>(outcome: Result<T, Failure>) -> String {
    match outcome.err().expect("refused") {
        Failure::Refused(errors) => errors[0].code.clone(),
        other => other.to_string(),
    }
}

async fn reset(shop: &Shop, token: &str) -> Value {
    shop.ask(&Viewer::anonymous(), RESET, json!({ "token": token, "new": NEW })).await["data"]["resetPassword"].clone()
}

#[tokio::test]
async fn a_letter_opens_the_account_once_and_ends_every_session() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        shop.letters().await;
        shop.ask(&Viewer::anonymous(), ASK, json!({ "email": "BOB@shop.example" })).await;
        let token = shop.token("bob@shop.example", "new password").await;
        let answer = reset(&shop, &token).await;
        assert_eq!(codes(&answer), Vec::<&str>::new());
        assert_eq!(answer["user"]["username"], "bob");
        assert!(answer["accessToken"].is_string() && answer["refreshToken"].is_string());
        assert_eq!(codes(&reset(&shop, &token).await), ["TOKEN_INVALID"], "good once");
        assert_eq!(code(shop.commands.refresh(&bob.refresh_token, None).await), "SESSION_ENDED");
        assert_eq!(code(shop.commands.login("bob@shop.example", PASSWORD, None).await), "WRONG_CREDENTIALS");
        let again = shop.commands.login("bob@shop.example", NEW, None).await.unwrap();
        assert_eq!(again.user.status, UserStatus::Active, "who has the letter has the mailbox");
        let told = shop.letters().await;
        assert!(told[0].written.subject.contains("password was changed"), "{told:?}");
    }
}

#[tokio::test]
async fn asking_for_a_reset_says_nothing_about_whether_an_account_exists() {
    for shop in shops().await {
        shop.register("bob").await;
        shop.letters().await;
        let nobody = Viewer::anonymous();
        let mut answers = Vec::new();
        for email in ["bob@shop.example", "eve@shop.example"] {
            let before = mails::waiting(&shop.db).await.unwrap();
            answers.push(shop.ask(&nobody, ASK, json!({ "email": email })).await);
            assert_eq!(mails::waiting(&shop.db).await.unwrap() - before, 1, "the same work for {email}");
        }
        assert_eq!(answers[0], answers[1]);
        let to: Vec<String> = shop.letters().await.into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, ["bob@shop.example"]);
        assert_eq!(mails::waiting(&shop.db).await.unwrap(), 0);
        // However often it is asked, a mailbox gets five letters an hour, and the answer stays the same.
        for _ in 0..10 {
            assert_eq!(shop.ask(&nobody, ASK, json!({ "email": "bob@shop.example" })).await, answers[0]);
        }
        assert_eq!(shop.letters().await.len(), 4);
    }
}

#[tokio::test]
async fn old_foreign_and_superseded_tokens_open_nothing() {
    for shop in shops().await {
        let bob = shop.register("bob").await.user;
        let to = Redeemed { user_id: bob.id, email_key: "bob@shop.example".into() };
        let issue = |purpose: Purpose, token: &'static str, age: Duration| {
            let (shop, to) = (&shop, &to);
            async move {
                let at = time::now() - age;
                let issue = |tx| async move {
                    Ok::<_, SystemError>(
                        one_time::issue(&tx, purpose, to, tokens::secret_hash(token), at).await?,
                    )
                };
                shop.db.transaction(issue).await.unwrap();
            }
        };
        issue(Purpose::ResetPassword, "too old", Duration::minutes(61)).await;
        issue(Purpose::VerifyEmail, "for something else", Duration::zero()).await;
        issue(Purpose::ResetPassword, "superseded", Duration::zero()).await;
        issue(Purpose::ResetPassword, "newest", Duration::zero()).await;
        for token in ["too old", "for something else", "superseded", "", "made up"] {
            assert_eq!(codes(&reset(&shop, token).await), ["TOKEN_INVALID"], "{token}");
        }
        assert_eq!(codes(&reset(&shop, "newest").await), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn an_address_is_verified_by_its_letter_and_not_after_it_changed() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        assert_eq!(bob.user.status, UserStatus::Unverified);
        let first = shop.token("bob@shop.example", "Confirm").await;
        let query = "mutation($v: Int!) { updateProfile(input: { email: \"robert@shop.example\", currentPassword: \"kopi-o-kosong\", expectedVersion: $v }) { user { email status } userErrors { code } } }";
        let moved = shop.ask(&viewer(&bob), query, json!({ "v": bob.user.version })).await;
        assert_eq!(moved["data"]["updateProfile"]["user"]["email"], "robert@shop.example", "{moved}");
        let verify = |token: String| {
            let shop = &shop;
            async move {
                shop.ask(&Viewer::anonymous(), VERIFY, json!({ "token": token })).await["data"]["verifyEmail"]
                    .clone()
            }
        };
        assert_eq!(codes(&verify(first).await), ["TOKEN_INVALID"]);
        let letters = shop.letters().await;
        let warned = letters.iter().find(|mail| mail.to == "bob@shop.example").unwrap();
        assert!(warned.written.subject.contains("address was changed"), "{letters:?}");
        assert!(letters.iter().any(|mail| mail.to == "robert@shop.example"));
        let ask = "mutation { requestEmailVerification { user { id } userErrors { code } } }";
        shop.ask(&viewer(&bob), ask, json!({})).await;
        let second = shop.token("robert@shop.example", "Confirm").await;
        assert_eq!(verify(second.clone()).await["user"]["status"], "ACTIVE");
        assert_eq!(codes(&verify(second).await), ["TOKEN_INVALID"]);
        shop.ask(&viewer(&bob), ask, json!({})).await;
        assert!(shop.letters().await.is_empty(), "verified already");
    }
}

#[tokio::test]
async fn the_owner_of_a_taken_address_learns_of_the_attempt() {
    for shop in shops().await {
        shop.register("bob").await;
        shop.letters().await;
        assert_eq!(code(shop.try_register("Bob@shop.example", "robert").await), "EMAIL_NOT_ACCEPTABLE");
        let letters = shop.letters().await;
        assert_eq!(letters.len(), 1);
        assert!(letters[0].to == "bob@shop.example" && letters[0].written.subject.contains("already have"));
    }
}

#[tokio::test]
async fn passwords_that_are_guessed_first_are_refused_everywhere() {
    const REGISTER: &str = "mutation($p: String!) { register(input: { email: \"ann.koh@shop.example\", username: \"annkoh\", password: $p }) { userErrors { code } } }";
    for shop in shops().await {
        for weak in ["Password123!", "qwertyuiop", "annkoh-1999", "aaaaaaaaaaaa"] {
            let answer = shop.ask(&Viewer::anonymous(), REGISTER, json!({ "p": weak })).await;
            assert_eq!(codes(&answer["data"]["register"]), ["PASSWORD_WEAK"], "{weak}");
        }
        let bob = shop.register("bob").await;
        let change = "mutation($v: Int!) { updateProfile(input: { newPassword: \"password1234\", currentPassword: \"kopi-o-kosong\", expectedVersion: $v }) { userErrors { code } } }";
        let answer = shop.ask(&viewer(&bob), change, json!({ "v": bob.user.version })).await;
        assert_eq!(codes(&answer["data"]["updateProfile"]), ["PASSWORD_WEAK"]);
        let refused = shop.commands.reset_password("any", "password1234".into()).await;
        assert_eq!(code(refused), "PASSWORD_WEAK");
    }
}

#[tokio::test]
async fn of_many_guesses_at_the_same_moment_no_more_than_ten_are_looked_at() {
    for shop in shops().await {
        shop.register("bob").await;
        let guesses = (0..25).map(|_| shop.commands.login("bob@shop.example", "kopi-c-kosong", None));
        let answers: Vec<String> = join_all(guesses).await.into_iter().map(code).collect();
        assert_eq!(answers.iter().filter(|code| *code == "WRONG_CREDENTIALS").count(), 10);
        assert_eq!(answers.iter().filter(|code| *code == "TOO_MANY_ATTEMPTS").count(), 15);
    }
}

#[tokio::test]
async fn one_address_that_tries_many_accounts_is_stopped_and_others_are_not() {
    for shop in shops().await {
        shop.register("bob").await;
        let [bad, good] = ["192.0.2.7", "192.0.2.8"].map(|text| text.parse().unwrap());
        let limit = &limits::log_in_from(bad);
        let wear_out = |tx| async move {
            for _ in 0..limit.max {
                assert!(attempts::take(&tx, limit, time::now()).await?);
            }
            Ok::<_, SystemError>(())
        };
        shop.db.transaction(wear_out).await.unwrap();
        assert_eq!(
            code(shop.commands.login("bob@shop.example", PASSWORD, Some(bad)).await),
            "TOO_MANY_ATTEMPTS"
        );
        assert!(shop.commands.login("bob@shop.example", PASSWORD, Some(good)).await.is_ok());
        let later = time::now() + limit.window + Duration::seconds(1);
        let purged = shop.db.transaction(|tx| async move {
            let purged = attempts::purge(&tx, later).await?;
            assert!(attempts::take(&tx, limit, later).await?, "the window is over");
            Ok::<_, SystemError>(purged)
        });
        assert!(purged.await.unwrap() >= 1);
    }
}

#[tokio::test]
async fn a_client_that_lost_the_answer_refreshes_again_with_its_nonce_and_nobody_else_does() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let first = shop.commands.refresh(&bob.refresh_token, Some("nonce-1")).await.unwrap();
        let again = shop.commands.refresh(&bob.refresh_token, Some("nonce-1")).await.unwrap();
        assert_ne!(first.refresh_token, again.refresh_token);
        let lost = shop.commands.refresh(&again.refresh_token, Some("nonce-2")).await.unwrap();
        let both =
            [Some("nonce-3"), Some("nonce-3")].map(|nonce| shop.commands.refresh(&lost.refresh_token, nonce));
        let both = join_all(both).await;
        assert!(both.iter().all(Result::is_ok), "the same client twice at once");
        shop.letters().await;
        // The thief has the token, not the nonce.
        assert_eq!(code(shop.commands.refresh(&lost.refresh_token, Some("guess")).await), "SESSION_ENDED");
        for token in both.into_iter().map(|outcome| outcome.unwrap().refresh_token) {
            assert_eq!(
                code(shop.commands.refresh(&token, None).await),
                "SESSION_ENDED",
                "the family is revoked"
            );
        }
        let letters = shop.letters().await;
        assert!(letters[0].written.subject.contains("session was ended"), "{letters:?}");
    }
}

#[tokio::test]
async fn expired_tokens_and_the_sessions_they_leave_empty_are_purged_and_living_ones_stay() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let [soon, late] = [Duration::days(29), Duration::days(31)].map(|age| time::now() + age);
        let purge = |at| {
            let shop = &shop;
            async move {
                let purge = |tx| async move { Ok::<_, SystemError>(sessions::purge(&tx, at).await?) };
                shop.db.transaction(purge).await.unwrap()
            }
        };
        assert_eq!(purge(soon).await, (0, 0));
        assert!(shop.commands.refresh(&bob.refresh_token, None).await.is_ok());
        assert_eq!(purge(late).await, (2, 1));
        assert_eq!(users::count(shop.db.read(), None).await.unwrap(), 1);
    }
}
