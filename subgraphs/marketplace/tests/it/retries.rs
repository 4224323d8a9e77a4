//! R9: clients that send again. Every mutation that takes an idempotency key is sent four times with one key: the first
//! answer is thrown away, two more ask at the same moment, one asks later; then another request comes under the key. One
//! effect, one answer, and the other request is refused. Over the real services.

use std::collections::BTreeSet;
use std::time::Duration;

use kopitiam_kit::testing::eventually;
use kopitiam_order::seed::seed_id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::exchanges::{BATIK_LANE, MANAGER};
use crate::world::{BEANS, BOB, CAROL, Name, World, product, user};

const SUPERGRAPH: &str = include_str!("../../../../schema/supergraph.graphql");
/// Asks a provider, which this world has not: `user/tests/it/top_ups.rs` sends it again and again.
const ELSEWHERE: [&str; 1] = ["startTopUp"];
/// The stall that sells the beans.
const KOPI_HOUSE: u16 = 5;
/// A seeded ticket with many seats, a seeded service by `BATIK_LANE`, and a seeded auction of `KOPI_HOUSE`.
const TICKET: u16 = 46;
const WORKSHOP: u16 = 13;
const AUCTION: u16 = 1;

const SELLER: (&[&str], &str) = (&["USER", "SELLER"], "self catalog:write stock:write");
const BUYER: (&[&str], &str) = (&["USER"], "self");
const SHOP_MANAGER: (&[&str], &str) =
    (&["USER", "MANAGER"], "self wallet:grant orders:read:any disputes:resolve");

/// A mutation, and what counts its effect.
struct Case<'case> {
    field: &'static str,
    of: Name,
    who: (u16, (&'static [&'static str], &'static str)),
    /// Its arguments but the key, in GraphQL.
    arguments: &'case str,
    /// The same with something else in them.
    other: &'case str,
    /// What it gives, with its id.
    gives: &'static str,
    effect: (Name, &'static str),
}

/// A buyer's mutation of an order, with what it counts in the order service.
fn bought<'case>(
    field: &'static str,
    arguments: &'case str,
    other: &'case str,
    effect: &'static str,
) -> Case<'case> {
    let (who, effect) = ((BOB, BUYER), (Name::Order, effect));
    Case { field, of: Name::Order, who, arguments, other, gives: "order", effect }
}

impl World {
    async fn send(&self, case: &Case<'_>, arguments: &str, key: Uuid) -> Value {
        let Case { field, gives, of, who: (who, (roles, scope)), .. } = case;
        let query = format!(
            "mutation {{ done: {field}({arguments}, idempotencyKey: \"{key}\") {{ {gives} {{ id }} userErrors {{ code }} }} }}"
        );
        let answer = self.request(*of, (*who, roles, scope), &query, json!({})).await;
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        answer["data"]["done"].clone()
    }

    /// The id that it gives.
    async fn sent_again_and_again(&self, done: &mut BTreeSet<&'static str>, case: Case<'_>) -> String {
        let (service, count) = case.effect;
        let before = self.number(service, count).await;
        let (key, same) = (Uuid::now_v7(), case.arguments);
        // A client that is gone before its answer comes, wherever the service stands then.
        let _ = tokio::time::timeout(Duration::from_millis(2), self.send(&case, same, key)).await;
        let (one, two) = tokio::join!(self.send(&case, same, key), self.send(&case, same, key));
        let later = self.send(&case, same, key).await;
        assert_eq!(later["userErrors"], json!([]), "{}: {later}", case.field);
        for answer in [&one, &two] {
            let is_told_to_wait = answer["userErrors"][0]["code"] == "IN_PROGRESS";
            assert!(is_told_to_wait || *answer == later, "{}: {answer} and {later}", case.field);
        }
        let other = self.send(&case, case.other, key).await;
        assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_MISMATCH", "{}: {other}", case.field);
        eventually(case.field, || async {
            let now = self.number(service, count).await;
            assert!(now <= before + 1, "{}: {before}, then {now}", case.field);
            (now == before + 1).then_some(())
        })
        .await;
        done.insert(case.field);
        later[case.gives]["id"].as_str().unwrap_or_else(|| panic!("{}: {later}", case.field)).to_owned()
    }

    /// Bob's confirmed and settled order of beans: its id and that of its line.
    async fn settled_order(&self) -> (Uuid, String) {
        let order = self.check_out(BOB, BEANS, 1).await;
        self.decided(order).await;
        self.at_rest().await;
        let line: Vec<(Uuid,)> =
            self.rows(Name::Order, "SELECT id FROM order_line WHERE order_id = $1", vec![order.into()]).await;
        (order, line[0].0.to_string())
    }
}

/// The mutations of the whole schema, each as its line there.
fn mutation_lines() -> impl Iterator<Item = &'static str> {
    let start = SUPERGRAPH.find("type Mutation").unwrap();
    let body = &SUPERGRAPH[start..start + SUPERGRAPH[start..].find("\n}").unwrap()];
    body.lines().map(str::trim).filter(|line| line.contains("@join__field"))
}

fn name(line: &str) -> String {
    line.split(['(', ':']).next().unwrap().to_owned()
}

/// The names of all mutations.
pub(crate) fn mutations() -> BTreeSet<String> {
    mutation_lines().map(name).collect()
}

/// The mutations of the whole schema that take a key.
fn keyed() -> BTreeSet<String> {
    mutation_lines().filter(|line| line.contains("idempotencyKey")).map(name).collect()
}

#[tokio::test]
pub(crate) async fn every_mutation_sent_again_with_its_key_has_one_effect_and_one_answer() {
    let world = World::exchange().await;
    let mut done = BTreeSet::new();
    money_and_goods(&world, &mut done).await;
    listings(&world, &mut done).await;
    orders(&world, &mut done).await;
    bookings_and_reviews(&world, &mut done).await;
    let expected: BTreeSet<String> =
        keyed().into_iter().filter(|field| !ELSEWHERE.contains(&field.as_str())).collect();
    assert_eq!(done.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected, "each was sent");
    world.at_rest().await;
    world.assert_sound();
}

async fn money_and_goods(world: &World, done: &mut BTreeSet<&'static str>) {
    let grant = |amount: &str| {
        format!(
            "input: {{ userId: \"{}\", amount: \"{amount}\", currency: \"USD\", reason: \"Sorry for that\" }}",
            user(BOB)
        )
    };
    let case = Case {
        field: "grantCredit",
        of: Name::User,
        who: (MANAGER, SHOP_MANAGER),
        arguments: &grant("5.00"),
        other: &grant("5.01"),
        gives: "wallet",
        effect: (Name::User, "SELECT COUNT(*) FROM ledger_transactions WHERE kind = 'GRANT'"),
    };
    world.sent_again_and_again(done, case).await;
    let form = |stock: i32| {
        format!(
            "input: {{ name: \"A new cup\", description: \"Round.\", price: \"3.00\", currency: \"USD\", categoryIds: [\"{}\"], stock: {stock} }}",
            seed_id(2, 1)
        )
    };
    let case = Case {
        field: "createProduct",
        of: Name::Product,
        who: (KOPI_HOUSE, SELLER),
        arguments: &form(5),
        other: &form(6),
        gives: "product",
        effect: (Name::Product, "SELECT COUNT(*) FROM products"),
    };
    world.sent_again_and_again(done, case).await;
    let adjust =
        |delta: i32| format!("productId: \"{}\", delta: {delta}, reason: \"Delivery\"", product(BEANS));
    let case = Case {
        field: "adjustStock",
        of: Name::Product,
        who: (KOPI_HOUSE, SELLER),
        arguments: &adjust(7),
        other: &adjust(8),
        gives: "product",
        effect: (Name::Product, "SELECT COUNT(*) FROM stock_adjustments"),
    };
    world.sent_again_and_again(done, case).await;
}

async fn listings(world: &World, done: &mut BTreeSet<&'static str>) {
    let case = Case {
        field: "createItem",
        of: Name::Product,
        who: (KOPI_HOUSE, SELLER),
        arguments: "title: \"A thing\"",
        other: "title: \"Another thing\"",
        gives: "item",
        effect: (Name::Product, "SELECT COUNT(*) FROM items"),
    };
    let item = world.sent_again_and_again(done, case).await;
    let ends_at = (kopitiam_kit::time::now() + chrono::TimeDelta::days(1)).to_rfc3339();
    let auction = |price: &str| {
        format!(
            "input: {{ itemId: \"{item}\", title: \"A thing\", startPrice: \"{price}\", currency: \"USD\", endsAt: \"{ends_at}\" }}"
        )
    };
    let fixed = |price: &str| {
        format!("input: {{ title: \"A seat\", price: \"{price}\", currency: \"USD\", quantity: 1 }}")
    };
    let service = |price: &str| {
        format!(
            "input: {{ title: \"A lesson\", description: \"An hour.\", price: \"{price}\", depositPercent: 20, currency: \"USD\" }}"
        )
    };
    for (field, arguments, other) in [
        ("createAuction", auction("10.00"), auction("11.00")),
        ("createFixedPriceListing", fixed("10.00"), fixed("11.00")),
        ("createServiceListing", service("10.00"), service("11.00")),
    ] {
        let case = Case {
            field,
            of: Name::Listing,
            who: (KOPI_HOUSE, SELLER),
            arguments: &arguments,
            other: &other,
            gives: "listing",
            effect: (Name::Listing, "SELECT COUNT(*) FROM listing"),
        };
        world.sent_again_and_again(done, case).await;
    }
    let lot = seed_id(6, AUCTION);
    world.until_listing(lot, "ACTIVE").await;
    let bid = |amount: &str| format!("listingId: \"{lot}\", amount: \"{amount}\", currency: \"USD\"");
    let case = Case {
        field: "placeBid",
        of: Name::Listing,
        who: (BOB, BUYER),
        arguments: &bid("130.00"),
        other: &bid("140.00"),
        gives: "bid",
        effect: (Name::Listing, "SELECT COUNT(*) FROM bid"),
    };
    world.sent_again_and_again(done, case).await;
}

async fn orders(world: &World, done: &mut BTreeSet<&'static str>) {
    let set = "mutation($lines: [CartLineInput!]!) { cartLinesSet(lines: $lines) { cart { id } } }";
    let lines = json!([{ "productId": product(BEANS), "quantity": 2 }]);
    let cart = world.ask(BOB, set, json!({ "lines": lines })).await["cartLinesSet"]["cart"]["id"].clone();
    let check_out =
        |total: &str| format!("input: {{ cartId: {cart}, expectedTotal: \"{total}\", currency: \"USD\" }}");
    let (arguments, other) = (check_out("25.00"), check_out("26.00"));
    let placed = "SELECT COUNT(*) FROM orders";
    world.sent_again_and_again(done, bought("checkout", &arguments, &other, placed)).await;

    let (seat, other) =
        (format!("listingId: \"{}\"", seed_id(6, TICKET)), format!("listingId: \"{}\"", seed_id(6, 11)));
    let reserved = world.sent_again_and_again(done, bought("reserveListing", &seat, &other, placed)).await;
    world.until(Name::Listing, "SELECT COUNT(*) FROM listing WHERE status = 'RESERVED'").await;
    world.until(Name::Order, "SELECT COUNT(*) FROM saga WHERE step = 'payment' AND state = 'RUNNING'").await;
    world.at_rest().await;
    let (this, other) = (format!("id: \"{reserved}\""), format!("id: \"{}\"", Uuid::now_v7()));
    let pay = bought("payOrder", &this, &other, "");
    let pay = Case { effect: (Name::User, "SELECT COUNT(*) FROM holds"), ..pay };
    world.sent_again_and_again(done, pay).await;
    world.until_order(&json!(reserved), "CONFIRMED").await;

    let unpaid = world.reserve(BOB, TICKET).await;
    let (this, other) = (format!("id: {unpaid}"), format!("id: {unpaid}, reason: \"Changed my mind\""));
    let cancelled = "SELECT COUNT(*) FROM orders WHERE status = 'CANCELLED'";
    world.sent_again_and_again(done, bought("cancelOrder", &this, &other, cancelled)).await;

    for (field, more, effect) in [
        ("fulfilOrder", "", "SELECT COUNT(*) FROM order_line WHERE status = 'FULFILLED'"),
        ("refundOrder", ", reason: \"Broken\"", "SELECT COUNT(*) FROM saga WHERE kind = 'refund-order'"),
    ] {
        let (order, line) = world.settled_order().await;
        let this = format!("id: \"{order}\", lineIds: [\"{line}\"]{more}");
        let other = format!("id: \"{order}\", lineIds: []{more}");
        let case = Case { who: (KOPI_HOUSE, SELLER), ..bought(field, &this, &other, effect) };
        world.sent_again_and_again(done, case).await;
    }
}

async fn bookings_and_reviews(world: &World, done: &mut BTreeSet<&'static str>) {
    let service = format!("listingId: \"{}\"", seed_id(6, WORKSHOP));
    let noted = format!("{service}, note: \"At noon\"");
    let case = Case {
        field: "requestBooking",
        of: Name::Order,
        who: (CAROL, BUYER),
        arguments: &service,
        other: &noted,
        gives: "booking",
        effect: (Name::Order, "SELECT COUNT(*) FROM booking"),
    };
    let booking = world.sent_again_and_again(done, case).await;
    let answer = |action: &str| format!("id: \"{booking}\", action: {action}, expectedVersion: 1");
    let case = Case {
        field: "bookingTransition",
        of: Name::Order,
        who: (BATIK_LANE, SELLER),
        arguments: &answer("ACCEPT"),
        other: &answer("DECLINE"),
        gives: "booking",
        effect: (Name::Order, "SELECT COUNT(*) FROM booking_event"),
    };
    world.sent_again_and_again(done, case).await;
    let (order, _) = world.settled_order().await;
    let review =
        |rating: i32| format!("input: {{ orderId: \"{order}\", subject: PRODUCT, rating: {rating} }}");
    let case = Case {
        field: "postReview",
        of: Name::Order,
        who: (BOB, BUYER),
        arguments: &review(5),
        other: &review(1),
        gives: "review",
        effect: (Name::Order, "SELECT COUNT(*) FROM review"),
    };
    world.sent_again_and_again(done, case).await;
}
