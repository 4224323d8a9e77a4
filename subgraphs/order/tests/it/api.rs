//! Queries, mutations and entities, on SQLite and PostgreSQL.

use crate::support::{ADA, BEANS, BOB, Bench, CUP, SITI, benches, manager, message, user};
use futures::StreamExt;
use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::{ListingKind, ListingUpdated};
use kopitiam_kafka::messages::product::{ProductArchived, ProductUpdated};
use kopitiam_kafka::messages::stock::{RefusedLine, ReserveStock, StockRejected, StockUpdated};
use kopitiam_kafka::messages::user::{UserBanned, UserRegistered};
use kopitiam_kit::auth::Viewer;
use kopitiam_order::commands::carts::GUESTS;
use kopitiam_order::graphql::loaders;
use kopitiam_order::seed::{seed, seed_id};
use kopitiam_order::store::{listings, replicas};
use serde_json::{Value, json};
use uuid::Uuid;

const SET: &str =
    "mutation($cart: ID, $lines: [CartLineInput!]!) { cartLinesSet(cartId: $cart, lines: $lines) {
    cart { id subtotal { amount currency } problems { code available }
           lines { quantity unitPrice { amount } lineTotal { amount } product { id } } }
    userErrors { code field } } }";

async fn set(bench: &Bench, viewer: Viewer, cart: Option<&str>, lines: Value) -> Value {
    bench.ask(viewer, SET, json!({ "cart": cart, "lines": lines })).await["cartLinesSet"].clone()
}

/// What the catalogue tells of a product in its version.
fn updated(product: Uuid, version: i64, name: &str, minor: i64) -> Envelope {
    let updated = ProductUpdated {
        slug: "tea".into(),
        name: name.to_owned(),
        description: String::new(),
        price: Amount::new(minor, "USD"),
        supplier: None,
        seller_id: SITI,
        category_ids: vec![],
        image_url: None,
    };
    message(Uuid::nil(), product, version, &updated)
}

fn lines(cart: &Value) -> Vec<(Uuid, i64)> {
    let lines = cart["lines"].as_array().unwrap().iter();
    lines
        .map(|line| {
            (
                serde_json::from_value(line["product"]["id"].clone()).unwrap(),
                line["quantity"].as_i64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn visitor_keeps_a_cart_by_its_id_at_the_prices_of_the_catalogue() {
    for bench in benches().await {
        let beans = json!([{ "productId": BEANS, "quantity": 2 }]);
        let made = set(&bench, Viewer::anonymous(), None, beans).await;
        let id = made["cart"]["id"].as_str().unwrap();
        assert_eq!(made["cart"]["subtotal"], json!({ "amount": "25.00", "currency": "USD" }));

        let cup = json!([{ "productId": CUP, "quantity": 2 }]);
        let more = set(&bench, Viewer::anonymous(), Some(id), cup).await;
        assert_eq!(lines(&more["cart"]), [(BEANS, 2), (CUP, 2)], "lines that are not named stay");
        assert_eq!(more["cart"]["problems"], json!([{ "code": "NOT_ENOUGH_STOCK", "available": 1 }]));

        let none = json!([{ "productId": BEANS, "quantity": 0 }]);
        let fewer = set(&bench, Viewer::anonymous(), Some(id), none).await;
        assert_eq!(lines(&fewer["cart"]), [(CUP, 2)]);
        let query = "query($id: ID) { cart(id: $id) { id lines { quantity product { id } } } }";
        let read = bench.ask(Viewer::anonymous(), query, json!({ "id": id })).await;
        assert_eq!(lines(&read["cart"]), [(CUP, 2)]);
        assert_eq!(bench.ask(Viewer::anonymous(), query, json!({ "id": null })).await["cart"], Value::Null);
    }
}

#[tokio::test]
async fn refused_lines_change_nothing_and_name_the_field() {
    for bench in benches().await {
        let id = bench.cart(Viewer::anonymous(), &[(BEANS, 1)]).await;
        let refused = [
            (
                json!([{ "productId": CUP, "quantity": 1 }, { "productId": BEANS, "quantity": -1 }]),
                "INVALID_QUANTITY",
            ),
            (json!([{ "productId": BEANS, "quantity": 100 }]), "INVALID_QUANTITY"),
            (json!([{ "productId": Uuid::from_u128(99), "quantity": 1 }]), "UNKNOWN_PRODUCT"),
            (json!([{ "productId": "1' OR '1'='1", "quantity": 1 }]), "UNKNOWN_PRODUCT"),
        ];
        for (asked, code) in refused {
            let answer = set(&bench, Viewer::anonymous(), Some(&id), asked).await;
            assert_eq!(answer["userErrors"][0]["code"], code);
            assert_eq!(answer["userErrors"][0]["field"][0], "lines");
        }
        let query = "query($id: ID) { cart(id: $id) { lines { quantity product { id } } } }";
        let read = bench.ask(Viewer::anonymous(), query, json!({ "id": id })).await;
        assert_eq!(lines(&read["cart"]), [(BEANS, 1)]);
    }
}

#[tokio::test]
async fn guest_cart_becomes_part_of_ones_own_after_login_and_nobody_elses() {
    for bench in benches().await {
        bench.cart(user(BOB), &[(BEANS, 98), (CUP, 1)]).await;
        let guest = bench.cart(Viewer::anonymous(), &[(BEANS, 3)]).await;
        let merged = set(&bench, user(BOB), Some(&guest), json!([])).await;
        assert_eq!(
            lines(&merged["cart"]),
            [(BEANS, 99), (CUP, 1)],
            "quantities add up to what a line can hold"
        );
        let own = merged["cart"]["id"].as_str().unwrap();
        assert_ne!(own, guest);

        let query = "query($id: ID) { cart(id: $id) { id } }";
        let by_guest_id = bench.ask(user(BOB), query, json!({ "id": guest })).await;
        assert_eq!(by_guest_id["cart"]["id"], own, "the guest's cart is gone, the own one answers");
        for stranger in [Viewer::anonymous(), user(ADA)] {
            assert_eq!(bench.ask(stranger, query, json!({ "id": own })).await["cart"], Value::Null);
        }
        let answer = set(&bench, Viewer::anonymous(), Some(own), json!([])).await;
        assert_eq!(answer["userErrors"][0]["code"], "CART_NOT_FOUND");
    }
}

#[tokio::test]
async fn carts_of_guests_who_never_came_back_are_forgotten_and_owned_ones_stay() {
    for bench in benches().await {
        let guest = bench.cart(Viewer::anonymous(), &[(BEANS, 3)]).await;
        let own = bench.cart(user(BOB), &[(BEANS, 1)]).await;
        let read = async |viewer: Viewer, id: &str| {
            bench.ask(viewer, "query($id: ID) { cart(id: $id) { id } }", json!({ "id": id })).await["cart"]
                .clone()
        };
        let purge = async |days| {
            let now = kopitiam_kit::time::now() + chrono::TimeDelta::days(days);
            kopitiam_kit::purge::purge(bench.db.db(), &[GUESTS], now).await.unwrap();
        };
        purge(29).await;
        assert_eq!(read(Viewer::anonymous(), &guest).await["id"], guest);
        purge(31).await;
        assert_eq!(read(Viewer::anonymous(), &guest).await, Value::Null);
        assert_eq!(read(user(BOB), &own).await["id"], own);
    }
}

#[tokio::test]
async fn request_for_more_lines_than_a_cart_holds_is_refused_and_a_full_cart_takes_what_fits_of_a_guests() {
    for bench in benches().await {
        let many: Vec<Value> =
            (0..51).map(|id| json!({ "productId": Uuid::from_u128(id), "quantity": 0 })).collect();
        let refused = set(&bench, user(BOB), None, json!(many)).await;
        assert_eq!(refused["userErrors"][0]["code"], "CART_FULL");

        let goods: Vec<Uuid> = (100..151).map(Uuid::from_u128).collect();
        for id in &goods {
            bench.product(*id, "Thing", 100, 9).await;
        }
        let all: Vec<(Uuid, i32)> = goods.iter().map(|id| (*id, 1)).collect();
        bench.cart(user(BOB), &all[..49]).await;
        let guest = bench.cart(Viewer::anonymous(), &all[48..]).await;
        let merged = set(&bench, user(BOB), Some(&guest), json!([])).await;
        assert_eq!(merged["userErrors"], json!([]));
        let lines = lines(&merged["cart"]);
        assert_eq!((lines.len(), lines[48].1, lines[49].0), (50, 2, goods[49]), "what fits came along");
    }
}

#[tokio::test]
async fn checkout_answers_at_once_and_one_key_places_one_order() {
    for bench in benches().await {
        let cart = bench.cart(user(BOB), &[(BEANS, 2)]).await;
        let first = bench.checkout(BOB, &cart, "25.00", "key").await;
        assert_eq!(first["order"]["status"], "PENDING");
        assert_eq!(bench.checkout(BOB, &cart, "25.00", "key").await, first);
        let other = bench.checkout(BOB, &cart, "25.01", "key").await;
        assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_MISMATCH");
        assert_eq!(bench.sent_types().await, ["ReserveStock", "OrderCreated"]);
        let (command, reserve) = bench.last::<ReserveStock>().await;
        assert_eq!(reserve.lines.len(), 1);
        assert!(
            reserve.expires_at > command.occurred_at + chrono::TimeDelta::hours(1),
            "outlasts the deadline"
        );
    }
}

#[tokio::test]
async fn unfit_carts_are_refused_and_nothing_is_written() {
    for bench in benches().await {
        let cart = bench.cart(user(BOB), &[(BEANS, 2)]).await;
        let own = bench.cart(user(SITI), &[(BEANS, 1)]).await;
        let empty = set(&bench, user(ADA), None, json!([])).await["cart"]["id"].as_str().unwrap().to_owned();
        let refusals = [
            (bench.checkout(BOB, &cart, "24.99", "1").await, "PRICE_CHANGED"),
            (bench.checkout(BOB, &cart, "25.001", "2").await, "INVALID_AMOUNT"),
            (bench.checkout(SITI, &own, "12.50", "3").await, "OWN_PRODUCT"),
            (bench.checkout(ADA, &empty, "0", "4").await, "EMPTY_CART"),
            (bench.checkout(ADA, &cart, "25.00", "5").await, "CART_NOT_FOUND"),
            (bench.checkout(BOB, "nonsense", "25.00", "6").await, "CART_NOT_FOUND"),
            (bench.checkout(BOB, &cart, "25.00", "").await, "INVALID_IDEMPOTENCY_KEY"),
        ];
        for (answer, code) in refusals {
            assert_eq!(answer["userErrors"][0]["code"], code);
            assert_eq!(answer["order"], Value::Null);
        }
        bench.receive(&message(Uuid::nil(), BOB, 1, &UserBanned { reason: "spam".into() })).await;
        assert_eq!(bench.checkout(BOB, &cart, "25.00", "7").await["userErrors"][0]["code"], "USER_BANNED");
        assert!(bench.sent().await.is_empty());
        let query = "mutation { checkout(input: { cartId: \"1\", expectedTotal: \"1\", currency: \"USD\" },
            idempotencyKey: \"k\") { order { id } } }";
        let anonymous = bench.respond(Viewer::anonymous(), query, json!({})).await;
        assert_eq!(anonymous["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn projections_apply_each_event_once_and_in_order() {
    for bench in benches().await {
        let registered = |version| {
            let user = UserRegistered {
                username: "bob".into(),
                email: "bob@kopitiam.example".into(),
                full_name: None,
                roles: vec![],
            };
            message(Uuid::nil(), BOB, version, &user)
        };
        bench.receive(&registered(1)).await;
        let tea = Uuid::from_u128(7);
        let updated = |version, minor| updated(tea, version, "Tea", minor);
        let level =
            |version, on_hand| message(Uuid::nil(), tea, version, &StockUpdated { on_hand, reserved: 1 });
        for event in
            [updated(1, 300), updated(2, 400), updated(1, 300), level(1, 9), level(2, 3), level(1, 9)]
        {
            bench.receive(&event).await;
        }
        let answer = set(&bench, user(BOB), None, json!([{ "productId": tea, "quantity": 3 }])).await;
        assert_eq!(answer["cart"]["subtotal"]["amount"], "12.00", "the old price came late and was dropped");
        assert_eq!(answer["cart"]["problems"][0]["available"], 2);

        bench.receive(&message(Uuid::nil(), tea, 3, &ProductArchived {})).await;
        let query = "{ cart { problems { code } } }";
        let problems = bench.ask(user(BOB), query, json!({})).await;
        assert_eq!(problems["cart"]["problems"], json!([{ "code": "UNAVAILABLE" }]));
    }
}

/// A handler without a gate would skip what is missing, and let an old event say what is.
#[tokio::test]
async fn every_copy_waits_for_the_event_before_and_drops_an_old_one() {
    for bench in benches().await {
        let (tea, show) = (Uuid::from_u128(7), Uuid::from_u128(8));
        bench.listing(show, ListingKind::FixedPrice, 100, 0).await;
        let product = |version| updated(tea, version, &format!("Tea {version}"), version);
        let level =
            |version| message(Uuid::nil(), tea, version, &StockUpdated { on_hand: version, reserved: 0 });
        let person = |version| {
            let user = UserRegistered {
                username: format!("bob{version}"),
                email: "bob@kopitiam.example".into(),
                full_name: None,
                roles: vec![],
            };
            message(Uuid::nil(), BOB, version, &user)
        };
        let listing = |version: i64| {
            let updated = ListingUpdated {
                title: "Show".into(),
                status: "ACTIVE".into(),
                ask_price: Amount::new(version, "USD"),
                deposit_percent: None,
            };
            message(Uuid::nil(), show, version, &updated)
        };
        let events: [&dyn Fn(i64) -> Envelope; 4] = [&product, &level, &person, &listing];
        for event in events {
            // The listing's first one is there already.
            bench.receive(&event(1)).await;
            let early = bench.try_receive(&event(3)).await.unwrap_err().to_string();
            assert!(early.contains("version gap: at 1, got 3"), "{early}");
            for version in [2, 3, 1, 2] {
                bench.receive(&event(version)).await;
            }
        }
        let db = bench.db.read();
        let copy = replicas::products(db, &[tea]).await.unwrap().remove(&tea).unwrap();
        assert_eq!((copy.price_minor, copy.available), (3, Some(3)));
        assert_eq!(replicas::username(db, BOB).await.unwrap().as_deref(), Some("bob3"));
        assert_eq!(listings::find(db, show).await.unwrap().unwrap().price_minor, 3);
    }
}

#[tokio::test]
async fn order_is_seen_by_its_buyer_its_seller_and_managers_only() {
    for bench in benches().await {
        let id = bench.place().await;
        let number = bench.order(id).await["number"].as_str().unwrap().to_owned();
        let query = "query($number: String!, $ids: [_Any!]!) {
            order(number: $number) { total { amount } lines { title } history { status } }
            _entities(representations: $ids) { ... on Order { number } } }";
        let ids = json!([{ "__typename": "Order", "id": id }, { "__typename": "Order", "number": number },
            { "__typename": "Order", "id": Uuid::nil() }, { "__typename": "Order", "id": "nonsense" }]);
        let variables = json!({ "number": number, "ids": ids });
        for (viewer, history) in [(user(BOB), 1), (manager(), 1), (user(SITI), 0)] {
            let seen = bench.ask(viewer, query, variables.clone()).await;
            assert_eq!(seen["order"]["total"]["amount"], "25.00");
            assert_eq!(seen["order"]["history"].as_array().unwrap().len(), history);
            assert_eq!(seen["_entities"], json!([{ "number": number }, { "number": number }, null, null]));
        }
        for stranger in [user(ADA), Viewer::anonymous()] {
            let seen = bench.ask(stranger, query, variables.clone()).await;
            assert_eq!(seen, json!({ "order": null, "_entities": [null, null, null, null] }));
        }
    }
}

#[tokio::test]
async fn own_affairs_are_closed_to_others_and_open_to_managers() {
    let query = "query($ids: [_Any!]!) { _entities(representations: $ids) {
        ... on User { orders(first: 2) { totalCount edges { node { number } } } bookings(first: 1) { edges { cursor } } }
        ... on Seller { sales(first: 2) { totalCount edges { node { number } } } bookings(first: 1) { edges { cursor } } } } }";
    for bench in benches().await {
        bench.place().await;
        bench.place().await;
        bench.place().await;
        let ids =
            json!({ "ids": [{ "__typename": "User", "id": BOB }, { "__typename": "Seller", "id": SITI }] });
        let seen = bench.ask(manager(), query, ids.clone()).await["_entities"].clone();
        assert_eq!(
            (&seen[0]["orders"]["totalCount"], &seen[1]["sales"]["totalCount"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(seen[0]["orders"]["edges"].as_array().unwrap().len(), 2);
        for (viewer, code) in [(user(ADA), "FORBIDDEN"), (Viewer::anonymous(), "UNAUTHENTICATED")] {
            let response = bench.respond(viewer, query, ids.clone()).await;
            assert_eq!(response["data"]["_entities"][0], json!({ "orders": null, "bookings": null }));
            assert_eq!(response["data"]["_entities"][1], json!({ "sales": null, "bookings": null }));
            assert_eq!(response["errors"].as_array().unwrap().len(), 4);
            assert_eq!(response["errors"][0]["extensions"]["code"], code);
        }
        for guarded in ["{ orders(first: 1) { totalCount } }", "{ sagas(first: 1) { edges { cursor } } }"] {
            let response = bench.respond(user(BOB), guarded, json!({})).await;
            assert_eq!(response["errors"][0]["extensions"]["code"], "FORBIDDEN", "{guarded}");
        }
    }
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_paged_without_repeats() {
    let query =
        "query($after: String, $filter: OrderFilter) { orders(first: 2, after: $after, filter: $filter) {
        totalCount pageInfo { hasNextPage endCursor } edges { node { id } } } }";
    for bench in benches().await {
        let mut placed = Vec::new();
        for _ in 0..5 {
            placed.push(json!(bench.place().await));
        }
        placed.reverse();
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = bench.ask(manager(), query, json!({ "after": after })).await["orders"].clone();
            assert_eq!(page["totalCount"], 5);
            seen.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["id"].clone()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen, placed);
        for (filter, count) in [
            (json!({ "statuses": ["PENDING"] }), 5),
            (json!({ "statuses": ["CONFIRMED", "REJECTED"] }), 0),
            (json!({ "buyerId": BOB, "sellerId": SITI }), 5),
            (json!({ "buyerId": ADA }), 0),
            (json!({ "to": "2020-01-01T00:00:00Z" }), 0),
        ] {
            let page = bench.ask(manager(), query, json!({ "filter": filter })).await;
            assert_eq!(page["orders"]["totalCount"], count, "{filter}");
        }
        for first in [0, 101, -1] {
            let query = format!("{{ orders(first: {first}) {{ totalCount }} }}");
            let response = bench.respond(manager(), &query, json!({})).await;
            assert_eq!(response["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        }
    }
}

#[tokio::test]
async fn seed_gives_orders_in_every_state_once_beginning_with_two_confirmed_and_one_rejected() {
    for bench in benches().await {
        let now = kopitiam_kit::time::now();
        seed(bench.db.db(), now).await.unwrap();
        let sent = bench.sent().await.len();
        seed(bench.db.db(), now).await.unwrap();
        assert_eq!(bench.sent().await.len(), sent, "the second time adds nothing");
        for (number, status) in [(1, "CONFIRMED"), (2, "CONFIRMED"), (3, "REJECTED")] {
            assert_eq!(bench.order_as(manager(), seed_id(5, number)).await["status"], status);
        }
        let count = async |statuses: &[&str]| {
            let query =
                "query($in: [OrderStatus!]) { orders(first: 1, filter: { statuses: $in }) { totalCount } }";
            bench.ask(manager(), query, json!({ "in": statuses })).await["orders"]["totalCount"]
                .as_i64()
                .unwrap()
        };
        for status in ["CONFIRMED", "FULFILLED", "REJECTED", "CANCELLED", "REFUNDED"] {
            assert!(count(&[status]).await >= 3, "{status}");
        }
        assert_eq!((count(&["PENDING"]).await, count(&["AWAITING_PAYMENT"]).await), (1, 2));
        let query = "query($from: DateTime!, $to: DateTime!) {
            revenue(from: $from, to: $to, currency: \"USD\") { orderCount byDay { day gross { amount } } } }";
        let variables = json!({ "from": now - chrono::TimeDelta::days(400), "to": now });
        let revenue = bench.ask(manager(), query, variables).await["revenue"].clone();
        assert_eq!(revenue["orderCount"], count(&["CONFIRMED", "FULFILLED", "REFUNDED"]).await);
        assert!(revenue["byDay"].as_array().unwrap().len() > 10);
    }
}

#[tokio::test]
async fn ratings_and_reviews_are_those_of_the_subject_and_null_or_empty_without_any() {
    let query = "query($ids: [_Any!]!, $after: String) { _entities(representations: $ids) {
        ... on Product { rating { average count } reviews(first: 2, after: $after) {
            totalCount pageInfo { hasNextPage endCursor } edges { node { rating createdAt author { id } } } } }
        ... on Seller { rating { average count } } } }";
    for bench in benches().await {
        seed(bench.db.db(), kopitiam_kit::time::now()).await.unwrap();
        let ids = json!([{ "__typename": "Product", "id": seed_id(3, 1) },
            { "__typename": "Product", "id": seed_id(3, 25) }, { "__typename": "Seller", "id": seed_id(1, 5) }]);
        let (mut reviews, mut after) = (Vec::new(), Value::Null);
        let seen = loop {
            let variables = json!({ "ids": ids, "after": after });
            let seen = bench.ask(Viewer::anonymous(), query, variables).await["_entities"].clone();
            let page = &seen[0]["reviews"];
            reviews.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break seen;
            }
        };
        let rating = &seen[0]["rating"];
        assert_eq!(rating["count"], reviews.len());
        let sum: i64 = reviews.iter().map(|review| review["rating"].as_i64().unwrap()).sum();
        #[allow(clippy::cast_precision_loss, reason = "a few stars")]
        let average = sum as f64 / reviews.len() as f64;
        assert!((rating["average"].as_f64().unwrap() - average).abs() < 1e-9);
        let times: Vec<&str> = reviews.iter().map(|review| review["createdAt"].as_str().unwrap()).collect();
        assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
        let none = json!({ "rating": null, "reviews": { "totalCount": 0, "edges": [],
            "pageInfo": { "hasNextPage": false, "endCursor": null } } });
        assert_eq!(seen[1]["rating"], none["rating"]);
        assert!(seen[2]["rating"]["count"].as_i64().unwrap() > 3);
    }
}

#[tokio::test]
async fn fee_of_a_listing_is_five_percent_of_its_price_and_shown_to_sellers() {
    let query = "query($ids: [_Any!]!) { _entities(representations: $ids) {
        ... on Listing { estimatedFee { amount currency } viewerOrder { number } } } }";
    for bench in benches().await {
        let price = json!({ "amount": "40.10", "currency": "USD" });
        let ids = json!({ "ids": [{ "__typename": "Listing", "id": Uuid::from_u128(4), "askPrice": price },
            { "__typename": "Listing", "id": Uuid::from_u128(5), "askPrice": null },
            { "__typename": "Listing", "id": Uuid::from_u128(6) }] });
        let seller = Viewer::test(SITI, &["USER", "SELLER"], "");
        let seen = bench.ask(seller, query, ids.clone()).await["_entities"].clone();
        assert_eq!(seen[0]["estimatedFee"], json!({ "amount": "2.01", "currency": "USD" }));
        assert_eq!((&seen[1]["estimatedFee"], &seen[2]["estimatedFee"]), (&Value::Null, &Value::Null));
        let seen = bench.ask(Viewer::anonymous(), query, ids).await["_entities"].clone();
        assert_eq!(seen[0], json!({ "estimatedFee": null, "viewerOrder": null }));
    }
}

#[tokio::test]
async fn order_changed_gives_the_current_state_and_then_every_change() {
    for bench in benches().await {
        let id = bench.place().await;
        let query = format!(
            "subscription {{ orderChanged(id: \"{id}\") {{ status statusReason version history {{ status }} }} }}"
        );
        let request = |viewer: Viewer| {
            let reads = bench.db.db().clone();
            async_graphql::Request::new(query.as_str()).data(viewer).data(loaders::loader(reads))
        };
        let mut stream = bench.schema.execute_stream(request(user(BOB)));
        let mut next = async || {
            let response = stream.next().await.unwrap();
            assert!(response.errors.is_empty(), "{:?}", response.errors);
            response.data.into_json().unwrap()["orderChanged"].clone()
        };
        assert_eq!(next().await["status"], "PENDING");
        let (command, reserve) = bench.last::<ReserveStock>().await;
        let lines = vec![RefusedLine { product_id: BEANS, requested: 2, available: 0 }];
        let reply =
            StockRejected { reservation_id: reserve.reservation_id, code: "OUT_OF_STOCK".to_owned(), lines };
        bench.reply(&command, reserve.reservation_id, &reply).await;
        let changed = next().await;
        assert_eq!(
            (&changed["status"], &changed["statusReason"]),
            (&json!("REJECTED"), &json!("OUT_OF_STOCK"))
        );
        assert_eq!(changed["history"].as_array().unwrap().len(), 2);

        let mut foreign = bench.schema.execute_stream(request(user(ADA)));
        let refused = serde_json::to_value(foreign.next().await.unwrap()).unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
}
