//! Bookings from request to close, with the wallet played by the test, on SQLite and PostgreSQL.

use crate::support::{ADA, BOB, Bench, SITI, benches, manager, user};
use chrono::TimeDelta;
use futures::StreamExt;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::booking::{BookingBalanceDue, BookingExpired, BookingResolved};
use kopitiam_kafka::messages::listing::ListingKind;
use kopitiam_kafka::messages::wallet::{EscrowReleased, Payee, ReleaseEscrow, ReleaseFunds};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::{Tx, time};
use kopitiam_order::domain::booking::Booking;
use kopitiam_order::graphql::loaders;
use kopitiam_order::store::bookings::{self, Cause};
use serde_json::{Value, json};
use uuid::Uuid;

const SERVICE: Uuid = Uuid::from_u128(0x5e1);
const CAROL: Uuid = Uuid::from_u128(0xca01);

const BOOKING: &str =
    "id state version allowedActions price { amount } deposit { amount } balanceDue { amount }
    escrow { amount } sellerConfirmedAt buyerConfirmedAt autoConfirmAt history { state actor note }";

async fn request(bench: &Bench, who: Uuid, listing: Uuid, key: &str) -> Value {
    let query = format!(
        "mutation($id: ID!, $key: ID!) {{ requestBooking(listingId: $id, note: \"at noon\", idempotencyKey: $key) {{
        booking {{ {BOOKING} }} userErrors {{ code }} }} }}"
    );
    let data = bench.ask(user(who), &query, json!({ "id": listing, "key": key })).await;
    data["requestBooking"].clone()
}

/// Does something in the newest version; the payload.
async fn act(bench: &Bench, who: Viewer, booking: &Value, action: &str) -> Value {
    act_with(bench, who, booking, action, json!({})).await
}

async fn act_with(bench: &Bench, who: Viewer, booking: &Value, action: &str, more: Value) -> Value {
    let query = format!(
        "mutation($id: ID!, $action: BookingAction!, $version: Int!, $refund: Decimal, $key: ID!) {{
        bookingTransition(id: $id, action: $action, expectedVersion: $version, refundAmount: $refund, idempotencyKey: $key) {{
        booking {{ {BOOKING} }} userErrors {{ code }} }} }}"
    );
    let version = more.get("version").cloned().unwrap_or(read(bench, booking).await["version"].clone());
    let variables = json!({ "id": booking["id"], "action": action, "version": version,
        "refund": more.get("refund"), "key": Uuid::now_v7() });
    bench.ask(who, &query, variables).await["bookingTransition"].clone()
}

async fn read(bench: &Bench, booking: &Value) -> Value {
    let query = format!("query($id: ID!) {{ booking(id: $id) {{ {BOOKING} }} }}");
    bench.ask(manager(), &query, json!({ "id": booking["id"] })).await["booking"].clone()
}

async fn state(bench: &Bench, booking: &Value) -> String {
    read(bench, booking).await["state"].as_str().unwrap().to_owned()
}

async fn released(bench: &Bench) -> ReleaseEscrow {
    let (command, release) = bench.last::<ReleaseEscrow>().await;
    let minor = release.splits.iter().map(|split| split.amount.minor).sum();
    let reply = EscrowReleased {
        release_id: release.release_id,
        reference: release.reference,
        amount: Amount::new(minor, "USD"),
        splits: release.splits.clone(),
    };
    bench.reply(&command, release.user_id, &reply).await;
    release
}

/// Who gets what, in minor units.
fn parts(release: &ReleaseEscrow) -> Vec<(Option<Uuid>, i64)> {
    let payee = |payee: &Payee| if let Payee::User { user_id } = payee { Some(*user_id) } else { None };
    release.splits.iter().map(|split| (payee(&split.to), split.amount.minor)).collect()
}

/// A booking of Siti's service by Bob: 100.00, of which a quarter is paid before.
async fn requested(bench: &Bench) -> Value {
    bench.listing(SERVICE, ListingKind::Service, 10_000, 25).await;
    request(bench, BOB, SERVICE, &Uuid::now_v7().to_string()).await["booking"].clone()
}

async fn with_deposit(bench: &Bench) -> Value {
    let booking = requested(bench).await;
    act(bench, user(SITI), &booking, "ACCEPT").await;
    act(bench, user(BOB), &booking, "PAY_DEPOSIT").await;
    bench.held().await;
    bench.captured().await;
    assert_eq!(state(bench, &booking).await, "DEPOSIT_HELD");
    booking
}

async fn delivered(bench: &Bench) -> Value {
    let booking = with_deposit(bench).await;
    act(bench, user(SITI), &booking, "MARK_DELIVERED").await;
    booking
}

/// Below the commands, which lock the row first: what is decided on a booking that was read is made only while it is still so.
#[tokio::test]
async fn of_two_changes_of_a_booking_as_both_read_it_one_is_made() {
    for bench in benches().await {
        let id: Uuid = requested(&bench).await["id"].as_str().unwrap().parse().unwrap();
        for _ in 0..20 {
            let read = bookings::find(bench.db.read(), id).await.unwrap().unwrap();
            let next = Booking { version: read.version + 1, ..read.clone() };
            let change = || {
                let (version, next) = (read.version, &next);
                bench.db.transaction(move |tx: Tx| async move {
                    let cause = Cause { actor: "service:order", note: None };
                    bookings::save(&tx, version, next, cause, time::now()).await
                })
            };
            let (one, other) = tokio::join!(change(), change());
            assert!(one.unwrap() != other.unwrap(), "one of them");
            assert_eq!(bookings::find(bench.db.read(), id).await.unwrap().unwrap().version, next.version);
        }
    }
}

#[tokio::test]
async fn booking_goes_from_request_to_close_with_the_deposit_in_escrow() {
    for bench in benches().await {
        let booking = requested(&bench).await;
        assert_eq!(
            (&booking["deposit"]["amount"], &booking["state"]),
            (&json!("25.00"), &json!("REQUESTED"))
        );
        let accepted = act(&bench, user(SITI), &booking, "ACCEPT").await;
        assert_eq!(accepted["booking"]["state"], "ACCEPTED");
        let paying = act(&bench, user(BOB), &booking, "PAY_DEPOSIT").await;
        assert_eq!(paying["booking"]["state"], "ACCEPTED", "not active before the money is there");
        let twice = act(&bench, user(BOB), &booking, "PAY_DEPOSIT").await;
        assert_eq!(twice["userErrors"][0]["code"], "PAYMENT_IN_PROGRESS");
        bench.held().await;
        let (_, capture) = bench.captured().await;
        let reference: Uuid = serde_json::from_value(booking["id"].clone()).unwrap();
        assert_eq!(capture.splits[0].to, Payee::Escrow { reference });
        let active = read(&bench, &booking).await;
        assert_eq!(
            (&active["state"], &active["escrow"]["amount"]),
            (&json!("DEPOSIT_HELD"), &json!("25.00"))
        );
        assert_eq!(active["balanceDue"]["amount"], "75.00");

        act(&bench, user(SITI), &booking, "MARK_DELIVERED").await;
        act(&bench, user(BOB), &booking, "CONFIRM_COMPLETION").await;
        act(&bench, user(BOB), &booking, "PAY_BALANCE").await;
        bench.held().await;
        let (_, capture) = bench.captured().await;
        assert_eq!(capture.escrow, Some(reference), "the escrow is paid out in the same ledger transaction");
        let sums: Vec<i64> = capture.splits.iter().map(|split| split.amount.minor).collect();
        assert_eq!(sums, [9_500, 500]);
        let closed = read(&bench, &booking).await;
        assert_eq!((&closed["state"], &closed["escrow"]["amount"]), (&json!("CLOSED"), &json!("0.00")));
        assert!(bench.sagas().await.iter().all(|(_, state)| state == "COMPLETED"));
        let told: Vec<String> =
            bench.sent_types().await.into_iter().filter(|kind| kind.starts_with("Booking")).collect();
        let expected = ["Requested", "Accepted", "DepositHeld", "Delivered", "BalanceDue", "Closed"];
        assert_eq!(told, expected.map(|kind| format!("Booking{kind}")));
    }
}

#[tokio::test]
async fn only_its_party_moves_a_booking_and_only_in_the_version_seen() {
    for bench in benches().await {
        let booking = requested(&bench).await;
        for (who, action, code) in [
            (user(ADA), "ACCEPT", "BOOKING_NOT_FOUND"),
            (user(BOB), "ACCEPT", "NOT_POSSIBLE"),
            (user(SITI), "PAY_DEPOSIT", "NOT_POSSIBLE"),
            (manager(), "RESOLVE_RELEASE", "NOT_POSSIBLE"),
        ] {
            assert_eq!(act(&bench, who, &booking, action).await["userErrors"][0]["code"], code, "{action}");
        }
        let old = act_with(&bench, user(SITI), &booking, "ACCEPT", json!({ "version": 7 })).await;
        assert_eq!(old["userErrors"][0]["code"], "VERSION_CONFLICT");
        let query = "query($id: ID!) { booking(id: $id) { state } }";
        for who in [user(ADA), Viewer::anonymous()] {
            assert_eq!(bench.ask(who, query, json!({ "id": booking["id"] })).await["booking"], Value::Null);
        }
        let anonymous = bench
            .respond(
                Viewer::anonymous(),
                "mutation { requestBooking(listingId: \"1\", idempotencyKey: \"k\") {
                booking { id } } }",
                json!({}),
            )
            .await;
        assert_eq!(anonymous["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn unfit_services_are_refused_and_one_key_makes_one_booking() {
    for bench in benches().await {
        let booking = request(&bench, BOB, SERVICE, "k").await;
        assert_eq!(booking["userErrors"][0]["code"], "LISTING_NOT_FOUND");
        bench.listing(SERVICE, ListingKind::Service, 10_000, 25).await;
        bench.listing(Uuid::from_u128(9), ListingKind::FixedPrice, 10_000, 0).await;
        let own = request(&bench, SITI, SERVICE, "1").await;
        assert_eq!(own["userErrors"][0]["code"], "OWN_LISTING");
        let ticket = request(&bench, BOB, Uuid::from_u128(9), "2").await;
        assert_eq!(ticket["userErrors"][0]["code"], "NOT_BOOKABLE");
        let first = request(&bench, BOB, SERVICE, "3").await;
        assert_eq!(request(&bench, BOB, SERVICE, "3").await, first);
        let asked = bench.sent_types().await.iter().filter(|kind| *kind == "BookingRequested").count();
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn refused_deposit_can_be_paid_again_until_the_request_expires() {
    for bench in benches().await {
        let booking = requested(&bench).await;
        act(&bench, user(SITI), &booking, "ACCEPT").await;
        act(&bench, user(BOB), &booking, "PAY_DEPOSIT").await;
        bench.refused_funds("INSUFFICIENT_FUNDS").await;
        let waiting = read(&bench, &booking).await;
        assert_eq!(waiting["state"], "ACCEPTED");
        let note = &waiting["history"].as_array().unwrap().last().unwrap()["note"];
        assert_eq!(note, "The payment was refused: INSUFFICIENT_FUNDS");

        // The second try is under way when the time is up: the money comes back.
        act(&bench, user(BOB), &booking, "PAY_DEPOSIT").await;
        bench.sweep(time::now() + TimeDelta::hours(24)).await;
        assert_eq!(state(&bench, &booking).await, "EXPIRED");
        let (_, expired) = bench.last::<BookingExpired>().await;
        assert_eq!(expired.from, "ACCEPTED");
        bench.held().await;
        assert_eq!(state(&bench, &booking).await, "EXPIRED");
        bench.last::<ReleaseFunds>().await;
        assert!(!bench.sent_types().await.contains(&"CaptureFunds".to_owned()));
    }
}

#[tokio::test]
async fn silence_ends_a_request_and_confirms_a_delivery_as_system() {
    for bench in benches().await {
        let ignored = requested(&bench).await;
        bench.sweep(time::now() + TimeDelta::hours(47)).await;
        assert_eq!(state(&bench, &ignored).await, "REQUESTED");
        bench.sweep(time::now() + TimeDelta::hours(49)).await;
        assert_eq!(state(&bench, &ignored).await, "EXPIRED");

        let booking = delivered(&bench).await;
        assert!(read(&bench, &booking).await["autoConfirmAt"].is_string());
        bench.sweep(time::now() + TimeDelta::days(7) + TimeDelta::seconds(1)).await;
        let due = read(&bench, &booking).await;
        assert_eq!(due["state"], "BALANCE_DUE");
        let last = due["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["actor"], &last["note"]), (&json!("SYSTEM"), &json!("Confirmed by silence")));
        let (_, told) = bench.last::<BookingBalanceDue>().await;
        assert!(told.automatic);
        assert_eq!(due["escrow"]["amount"], "25.00", "the deposit stays until the balance is paid");
    }
}

#[tokio::test]
async fn unpaid_balance_is_reminded_and_then_a_manager_may_decide() {
    for bench in benches().await {
        let booking = delivered(&bench).await;
        act(&bench, user(BOB), &booking, "CONFIRM_COMPLETION").await;
        let early = act(&bench, manager(), &booking, "RESOLVE_RELEASE").await;
        assert_eq!(early["userErrors"][0]["code"], "NOT_POSSIBLE");
        bench.sweep(time::now() + TimeDelta::days(8)).await;
        let reminders = bench.sent_types().await.iter().filter(|kind| *kind == "BookingBalanceDue").count();
        assert_eq!(reminders, 2);
        let decided = act(&bench, manager(), &booking, "RESOLVE_RELEASE").await;
        assert_eq!(decided["booking"]["state"], "CLOSED", "{decided}");
        assert_eq!(parts(&released(&bench).await), [(Some(SITI), 2_375), (None, 125)]);
    }
}

#[tokio::test]
async fn who_calls_off_decides_where_the_escrow_goes() {
    for bench in benches().await {
        let booking = with_deposit(&bench).await;
        let off = act(&bench, user(SITI), &booking, "CANCEL").await;
        assert_eq!(off["booking"]["state"], "CANCELLED");
        assert_eq!(parts(&released(&bench).await), [(Some(BOB), 2_500)]);

        let booking = with_deposit(&bench).await;
        act(&bench, user(BOB), &booking, "CANCEL").await;
        assert_eq!(parts(&released(&bench).await), [(Some(SITI), 2_375), (None, 125)]);
        let over = act(&bench, user(SITI), &booking, "MARK_DELIVERED").await;
        assert_eq!(over["userErrors"][0]["code"], "NOT_POSSIBLE");
        assert!(bench.sagas().await.iter().all(|(_, state)| state == "COMPLETED"));
    }
}

#[tokio::test]
async fn dispute_is_decided_by_a_manager_whole_or_split_or_refunded_by_time() {
    for bench in benches().await {
        let booking = delivered(&bench).await;
        act(&bench, user(BOB), &booking, "DISPUTE").await;
        let too_much =
            act_with(&bench, manager(), &booking, "RESOLVE_RELEASE", json!({ "refund": "25.01" })).await;
        assert_eq!(too_much["userErrors"][0]["code"], "INVALID_AMOUNT");
        let split =
            act_with(&bench, manager(), &booking, "RESOLVE_RELEASE", json!({ "refund": "10.00" })).await;
        assert_eq!(split["booking"]["state"], "CLOSED");
        assert_eq!(parts(&released(&bench).await), [(Some(SITI), 1_425), (None, 75), (Some(BOB), 1_000)]);
        let (_, told) = bench.last::<BookingResolved>().await;
        assert_eq!((told.refunded.minor, told.released.minor), (1_000, 1_500));

        let booking = delivered(&bench).await;
        act(&bench, user(BOB), &booking, "DISPUTE").await;
        let refunded = act(&bench, manager(), &booking, "RESOLVE_REFUND").await;
        assert_eq!(refunded["booking"]["state"], "CANCELLED");
        assert_eq!(parts(&released(&bench).await), [(Some(BOB), 2_500)]);

        let booking = delivered(&bench).await;
        act(&bench, user(BOB), &booking, "DISPUTE").await;
        bench.sweep(time::now() + TimeDelta::days(60) + TimeDelta::minutes(1)).await;
        assert_eq!(state(&bench, &booking).await, "CANCELLED");
        assert_eq!(parts(&released(&bench).await), [(Some(BOB), 2_500)]);
    }
}

#[tokio::test]
async fn answers_delivered_twice_move_a_booking_once() {
    for bench in benches().await {
        let booking = requested(&bench).await;
        act(&bench, user(SITI), &booking, "ACCEPT").await;
        act(&bench, user(BOB), &booking, "PAY_DEPOSIT").await;
        let held = bench.held().await;
        let (captured, _) = bench.captured().await;
        let (before, sent) = (read(&bench, &booking).await, bench.sent_types().await);
        for reply in [&held, &captured] {
            bench.receive(reply).await;
            let anew = kopitiam_kafka::Envelope { id: Uuid::now_v7(), ..reply.clone() };
            bench.receive(&anew).await;
        }
        assert_eq!(read(&bench, &booking).await, before);
        assert_eq!(bench.sent_types().await, sent);
    }
}

#[tokio::test]
async fn lists_of_bookings_are_paged_newest_first_for_the_party_and_managers() {
    let query = "query($ids: [_Any!]!, $after: String) { _entities(representations: $ids) {
        ... on Seller { bookings(first: 2, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id } } } } } }";
    for bench in benches().await {
        bench.listing(SERVICE, ListingKind::Service, 10_000, 25).await;
        let mut made = Vec::new();
        for buyer in [BOB, CAROL, ADA, BOB, CAROL] {
            let booking = request(&bench, buyer, SERVICE, &Uuid::now_v7().to_string()).await;
            made.push(booking["booking"]["id"].clone());
        }
        made.reverse();
        let ids = json!([{ "__typename": "Seller", "id": SITI }]);
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "ids": ids, "after": after });
            let page = bench.ask(user(SITI), query, variables).await["_entities"][0]["bookings"].clone();
            seen.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["id"].clone()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen, made);
        let refused = bench.respond(user(BOB), query, json!({ "ids": ids })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
}

#[tokio::test]
async fn booking_changed_gives_the_current_state_and_then_every_change_to_its_parties() {
    for bench in benches().await {
        let booking = requested(&bench).await;
        let id = booking["id"].as_str().unwrap();
        let query = format!("subscription {{ bookingChanged(id: \"{id}\") {{ state version }} }}");
        let request = |viewer: Viewer| {
            let reads = bench.db.db().clone();
            async_graphql::Request::new(query.as_str()).data(viewer).data(loaders::loader(reads))
        };
        let mut stream = bench.schema.execute_stream(request(user(BOB)));
        let mut next = async || {
            let response = stream.next().await.unwrap();
            assert!(response.errors.is_empty(), "{:?}", response.errors);
            response.data.into_json().unwrap()["bookingChanged"].clone()
        };
        assert_eq!(next().await["state"], "REQUESTED");
        act(&bench, user(SITI), &booking, "ACCEPT").await;
        assert_eq!(next().await["state"], "ACCEPTED");
        let mut foreign = bench.schema.execute_stream(request(user(ADA)));
        let refused = serde_json::to_value(foreign.next().await.unwrap()).unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
}
