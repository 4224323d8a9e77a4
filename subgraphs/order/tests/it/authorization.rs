//! Who may read and do what: every field of every type of the schema, and every root field, for each kind of viewer. A field
//! that nobody decided about fails the test.

use crate::support::{ADA, BEANS, BOB, Bench, SITI, benches, manager, user};
use futures::StreamExt;
use kopitiam_kafka::messages::listing::ListingKind;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{assert_decided, error_codes};
use kopitiam_order::graphql::loaders;
use serde_json::{Value, json};
use uuid::Uuid;

const SERVICE: Uuid = Uuid::from_u128(0x5e1);

/// Who reads the fields of a type once they have a value of it.
const DECIDED: &[(&str, &str)] = &[
    (
        "Booking",
        "allowedActions autoConfirmAt balanceDue buyer buyerConfirmedAt deposit escrow history id listing price seller sellerConfirmedAt startsAt state version",
    ),
    ("BookingEvent", "actor at note state"),
    ("Cart", "id lines problems subtotal"),
    ("CartLine", "id lineTotal product quantity unitPrice"),
    ("CartProblem", "available code lineId message"),
    ("Invoice", "id issuedAt number pdfUrl total"),
    ("Listing", "askPrice estimatedFee id viewerOrder"),
    ("Money", "amount currency"),
    (
        "Order",
        "buyer canCancel expiresAt fee history id invoice kind lines number placedAt status statusReason subtotal total version",
    ),
    ("OrderEvent", "actor at note status"),
    ("OrderLine", "id lineTotal listing product quantity seller status title unitPrice"),
    ("PageInfo", "endCursor hasNextPage hasPreviousPage startCursor"),
    ("Product", "id rating reviews"),
    ("Rating", "average count"),
    ("Revenue", "byDay fees gross orderCount refunds"),
    ("RevenueDay", "day gross"),
    ("Review", "author body createdAt id rating"),
    ("Saga", "attempts booking deadline id kind order startedAt state step"),
    ("Seller", "bookings id rating reviews sales"),
    ("User", "bookings id orders"),
    ("UserError", "code field message"),
];

/// Root fields and the scope they ask for; `""`: everybody, `self`: a person signed in, `party`: whom it belongs to.
const ROOTS: &[(&str, &str, &str)] = &[
    ("cart", "{ cart { id } }", ""),
    ("order", "{ order(number: \"x\") { id } }", ""),
    ("booking", "{ booking(id: \"x\") { id } }", ""),
    ("orders", "{ orders(first: 1) { totalCount } }", "orders:read:any"),
    ("sagas", "{ sagas(first: 1) { edges { cursor } } }", "orders:read:any"),
    (
        "revenue",
        "{ revenue(from: \"2026-01-01T00:00:00Z\", to: \"2027-01-01T00:00:00Z\", currency: \"USD\") { orderCount } }",
        "revenue:read",
    ),
    ("cartLinesSet", "mutation { cartLinesSet(lines: []) { userErrors { code } } }", ""),
    (
        "checkout",
        "mutation { checkout(input: { cartId: \"x\", expectedTotal: \"1\", currency: \"USD\" }, idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "reserveListing",
        "mutation { reserveListing(listingId: \"x\", idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    ("payOrder", "mutation { payOrder(id: \"x\", idempotencyKey: \"KEY\") { userErrors { code } } }", "self"),
    (
        "cancelOrder",
        "mutation { cancelOrder(id: \"x\", idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "fulfilOrder",
        "mutation { fulfilOrder(id: \"x\", lineIds: [], idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "refundOrder",
        "mutation { refundOrder(id: \"x\", lineIds: [], reason: \"r\", idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "requestBooking",
        "mutation { requestBooking(listingId: \"x\", idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "bookingTransition",
        "mutation { bookingTransition(id: \"x\", action: ACCEPT, expectedVersion: 1, idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    (
        "postReview",
        "mutation { postReview(input: { subject: PRODUCT, rating: 5 }, idempotencyKey: \"KEY\") { userErrors { code } } }",
        "self",
    ),
    ("orderChanged", "subscription { orderChanged(id: \"ORDER\") { id } }", "party"),
    ("bookingChanged", "subscription { bookingChanged(id: \"BOOKING\") { id } }", "party"),
];

/// Somebody who looks, and what they are to Bob's order of Siti's beans and his booking of her service.
struct Looker {
    name: &'static str,
    who: Viewer,
    is_buyer: bool,
    is_seller: bool,
    is_manager: bool,
}

impl Looker {
    fn all() -> Vec<Self> {
        let nobody = |name, who| Self { name, who, is_buyer: false, is_seller: false, is_manager: false };
        let stall = Viewer::test(SITI, &["USER", "SELLER"], "self");
        let other_stall = Viewer::test(Uuid::from_u128(0x57a), &["USER", "SELLER"], "self");
        let program = Viewer::test(Uuid::now_v7(), &["SERVICE"], "wallet:hold");
        vec![
            nobody("a visitor", Viewer::anonymous()),
            nobody("another user", user(Uuid::from_u128(0xeee))),
            nobody("another seller", other_stall),
            nobody("a service", program),
            Self { is_buyer: true, ..nobody("the buyer", user(BOB)) },
            Self { is_seller: true, ..nobody("the seller", stall) },
            Self { is_manager: true, ..nobody("a manager", manager()) },
        ]
    }

    fn is_party(&self) -> bool {
        self.is_buyer || self.is_seller || self.is_manager
    }

    /// The code of a refusal.
    fn refused(&self) -> &'static str {
        if self.who.identity().is_some() { "FORBIDDEN" } else { "UNAUTHENTICATED" }
    }
}

/// What all of them look at.
pub(crate) struct Affairs {
    order: Uuid,
    invoice: Value,
    booking: Value,
    review: Value,
}

pub(crate) async fn affairs(bench: &Bench) -> Affairs {
    let order = bench.place().await;
    bench.confirm(order).await;
    bench.listing(SERVICE, ListingKind::Service, 10_000, 25).await;
    let request =
        "mutation($id: ID!) { requestBooking(listingId: $id, idempotencyKey: \"b\") { booking { id } } }";
    let booking = bench.ask(user(BOB), request, json!({ "id": SERVICE })).await;
    let post = "mutation($id: ID!) { postReview(input: { orderId: $id, subject: PRODUCT, rating: 5 }, idempotencyKey: \"r\") {
        review { id } } }";
    let review = bench.ask(user(BOB), post, json!({ "id": order })).await;
    let of_order =
        "query($r: [_Any!]!) { _entities(representations: $r) { ... on Order { invoice { id } } } }";
    let seen = bench.ask(user(BOB), of_order, json!({ "r": [{ "__typename": "Order", "id": order }] })).await;
    Affairs {
        order,
        invoice: seen["_entities"][0]["invoice"]["id"].clone(),
        booking: booking["requestBooking"]["booking"]["id"].clone(),
        review: review["postReview"]["review"]["id"].clone(),
    }
}

/// What one entity answers to this selection, with the codes of its errors.
async fn entity(
    bench: &Bench,
    who: &Viewer,
    name: &str,
    id: &Value,
    selection: &str,
) -> (Value, Vec<String>) {
    let query = format!(
        "query($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on {name} {{ {selection} }} }} }}"
    );
    let price = json!({ "amount": "10.00", "currency": "USD" });
    let representation = match name {
        "Listing" => json!({ "__typename": name, "id": id, "askPrice": price }),
        _ => json!({ "__typename": name, "id": id }),
    };
    let answer = bench.respond(who.clone(), &query, json!({ "r": [representation] })).await;
    let codes = error_codes(&answer).into_iter().map(str::to_owned).collect();
    (answer["data"]["_entities"][0].clone(), codes)
}

#[test]
fn every_field_of_every_type_is_decided_about() {
    assert_decided(&kopitiam_order::sdl(), DECIDED, ROOTS.iter().map(|(name, ..)| *name));
}

#[tokio::test]
async fn every_root_field_is_for_those_with_its_scope_and_nobody_else() {
    for bench in benches().await {
        let affairs = affairs(&bench).await;
        for looker in Looker::all() {
            for (field, query, scope) in ROOTS {
                let query = query
                    .replace("ORDER", &affairs.order.to_string())
                    .replace("BOOKING", affairs.booking.as_str().unwrap())
                    .replace("KEY", &Uuid::now_v7().to_string());
                let may = match *scope {
                    "" => true,
                    // A program is nobody who could buy something.
                    "self" => looker.who.identity().is_some() && !looker.who.has_role("SERVICE"),
                    "party" => looker.is_party(),
                    scope => looker.who.has_scope(scope),
                };
                let expected = if may { Vec::new() } else { vec![looker.refused()] };
                let answer = if query.starts_with("subscription") {
                    let reads = bench.db.db().clone();
                    let request = async_graphql::Request::new(query.as_str());
                    let request = request.data(looker.who.clone()).data(loaders::loader(reads));
                    serde_json::to_value(bench.schema.execute_stream(request).boxed().next().await).unwrap()
                } else {
                    bench.respond(looker.who.clone(), &query, json!({})).await
                };
                assert_eq!(error_codes(&answer), expected, "{} uses {field}: {answer}", looker.name);
            }
        }
    }
}

#[tokio::test]
async fn every_affair_is_seen_by_its_parties_and_managers_and_each_field_by_whom_it_is_for() {
    for bench in benches().await {
        let affairs = affairs(&bench).await;
        let (order, bob, siti) = (json!(affairs.order), json!(BOB), json!(SITI));
        for looker in Looker::all() {
            let (name, who) = (looker.name, &looker.who);
            let whole = looker.is_buyer || looker.is_manager;

            let all = "id number kind status statusReason placedAt expiresAt buyer { id } lines { id title quantity }
                subtotal { amount } fee { amount } total { amount } version canCancel";
            let (seen, codes) = entity(&bench, who, "Order", &order, all).await;
            assert_eq!(
                (seen.is_null(), codes.len()),
                (!looker.is_party(), 0),
                "{name} reads the order: {seen}"
            );
            let (seen, codes) =
                entity(&bench, who, "Order", &order, "history { actor note } invoice { id pdfUrl }").await;
            let has_history = seen["history"].as_array().is_some_and(|history| !history.is_empty());
            assert_eq!((has_history, codes.len()), (whole, 0), "{name} reads its history: {seen}");
            assert_eq!(!seen["invoice"].is_null(), whole, "{name} reads its invoice: {seen}");
            let (seen, _) =
                entity(&bench, who, "Invoice", &affairs.invoice, "id number total { amount } pdfUrl").await;
            assert_eq!(!seen.is_null(), whole, "{name} reads the invoice itself: {seen}");
            let can_cancel = entity(&bench, who, "Order", &order, "canCancel").await.0["canCancel"].clone();
            assert_eq!(can_cancel == true, looker.is_buyer, "{name} could call it off");

            let all = "id state price { amount } escrow { amount } buyer { id } seller { id } history { actor note } version";
            let (seen, codes) = entity(&bench, who, "Booking", &affairs.booking, all).await;
            assert_eq!(
                (seen.is_null(), codes.len()),
                (!looker.is_party(), 0),
                "{name} reads the booking: {seen}"
            );

            for (kind, id, field, may) in [
                ("User", &bob, "orders", whole),
                ("User", &bob, "bookings", whole),
                ("Seller", &siti, "sales", looker.is_seller || looker.is_manager),
                ("Seller", &siti, "bookings", looker.is_seller || looker.is_manager),
            ] {
                let (seen, codes) =
                    entity(&bench, who, kind, id, &format!("{field}(first: 1) {{ edges {{ cursor }} }}"))
                        .await;
                let expected: Vec<&str> = if may { Vec::new() } else { vec![looker.refused()] };
                assert_eq!(
                    (seen[field].is_null(), codes),
                    (!may, expected.iter().map(|code| (*code).to_owned()).collect()),
                    "{name} reads {kind}.{field}"
                );
            }

            let (seen, codes) =
                entity(&bench, who, "Listing", &json!(SERVICE), "estimatedFee { amount } viewerOrder { id }")
                    .await;
            let sells = who.has_role("SELLER") || looker.is_manager;
            assert_eq!((!seen["estimatedFee"].is_null(), codes.len()), (sells, 0), "{name} reads the fee");

            for (kind, id, selection) in [
                ("Review", &affairs.review, "id rating body author { id } createdAt"),
                ("Product", &json!(BEANS), "rating { average count } reviews(first: 1) { totalCount }"),
                ("Seller", &siti, "rating { average } reviews(first: 1) { totalCount }"),
            ] {
                let (seen, codes) = entity(&bench, who, kind, id, selection).await;
                assert_eq!((seen.is_null(), codes.len()), (false, 0), "{name} reads {kind}: {seen}");
            }
        }
    }
}

#[tokio::test]
async fn asking_for_another_persons_affairs_is_like_asking_for_nothing() {
    for bench in benches().await {
        let affairs = affairs(&bench).await;
        for (kind, id) in
            [("Order", json!(affairs.order)), ("Booking", affairs.booking), ("Invoice", affairs.invoice)]
        {
            let theirs = entity(&bench, &user(ADA), kind, &id, "id").await;
            for nothing in [json!(Uuid::now_v7()), json!("' OR 1=1 --")] {
                assert_eq!(theirs, entity(&bench, &user(ADA), kind, &nothing, "id").await, "{kind}");
            }
        }
        let mutations = [
            "cancelOrder(id: $id, idempotencyKey: $key)",
            "payOrder(id: $id, idempotencyKey: $key)",
            "fulfilOrder(id: $id, lineIds: [], idempotencyKey: $key)",
            "refundOrder(id: $id, lineIds: [], reason: \"r\", idempotencyKey: $key)",
        ];
        for mutation in mutations {
            let query = format!(
                "mutation($id: ID!, $key: ID!) {{ done: {mutation} {{ userErrors {{ code message }} }} }}"
            );
            let mut answers = Vec::new();
            for id in [affairs.order, Uuid::now_v7()] {
                let variables = json!({ "id": id, "key": Uuid::now_v7() });
                answers.push(bench.ask(user(Uuid::from_u128(0xeee)), &query, variables).await);
            }
            assert_eq!(answers[0], answers[1], "{mutation}");
        }
    }
}
