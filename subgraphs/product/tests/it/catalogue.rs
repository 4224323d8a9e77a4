//! The catalogue over GraphQL: reading, searching, writing; on SQLite and PostgreSQL.

use crate::common::{Shop, buyer, codes, error_codes, manager, seeded, seller, shops};
use kopitiam_kit::auth::Viewer;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn a_product_page_has_everything_and_an_unknown_slug_is_null() {
    const PAGE: &str = "query($slug: String!) { product(slug: $slug) { id name price { amount currency } supplier
        images { url alt width height } categories { slug name parent { slug } } availability { inStock available }
        seller { id } version } }";
    for shop in shops().await {
        let page = shop.ask(&Viewer::anonymous(), PAGE, json!({ "slug": "kopi-sock-filter" })).await;
        let product = &page["data"]["product"];
        assert_eq!(product["id"], seeded(3, 6).to_string(), "{page}");
        assert_eq!(product["price"], json!({ "amount": "6.40", "currency": "USD" }));
        assert_eq!(product["images"][0]["url"], "/images/products/kopi-sock-filter.svg");
        assert_eq!(
            product["categories"][1],
            json!({ "slug": "brewing-gear", "name": "Brewing Gear", "parent": { "slug": "coffee" } })
        );
        assert_eq!(product["availability"], json!({ "inStock": true, "available": 120 }));
        assert_eq!(product["seller"]["id"], seeded(1, 5).to_string());
        let page = shop.ask(&Viewer::anonymous(), PAGE, json!({ "slug": "nothing" })).await;
        assert_eq!(page, json!({ "data": { "product": null } }));
    }
}

#[tokio::test]
async fn the_seed_has_the_four_products_of_the_story_and_is_not_repeated() {
    for shop in shops().await {
        for (number, units) in [(1, 200), (2, 30), (3, 1), (4, 1)] {
            assert_eq!(shop.stock(seeded(3, number)).await.on_hand, units);
        }
        kopitiam_product::seed::story(shop.db.db(), kopitiam_kit::time::now()).await.unwrap();
        let all = shop
            .ask(&Viewer::anonymous(), "{ search(first: 1) { totalCount } categories { slug } }", json!({}))
            .await;
        assert_eq!(all["data"]["search"]["totalCount"], 28);
        assert_eq!(all["data"]["categories"].as_array().unwrap().len(), 8);
    }
}

#[tokio::test]
async fn the_whole_seed_is_a_shop_worth_browsing_and_is_not_repeated() {
    for shop in shops().await {
        for _ in 0..2 {
            kopitiam_product::seed::seed(shop.db.db(), kopitiam_kit::time::now()).await.unwrap();
            let found = search(&shop, json!({ "first": 100 })).await;
            assert_eq!(found["totalCount"], 200);
            let sold_out = count_of(&found, "inStock", "false").as_i64().unwrap();
            assert!((5..40).contains(&sold_out), "{sold_out}");
        }
        let shelves = shop
            .ask(&Viewer::anonymous(), "{ categories { slug products(first: 1) { totalCount } } }", json!({}))
            .await;
        let shelves = shelves["data"]["categories"].as_array().unwrap();
        assert_eq!(shelves.len(), 16);
        assert!(
            shelves.iter().all(|shelf| shelf["products"]["totalCount"].as_i64() > Some(1)),
            "{shelves:?}"
        );
        let collection = "query($r: [_Any!]!) { _entities(representations: $r) { ... on User { items(first: 5) { edges { node { title imageUrl } } } } } }";
        let owner = json!({ "r": [{ "__typename": "User", "id": seeded(1, 12) }] });
        let collection = shop.ask(&Viewer::anonymous(), collection, owner).await;
        let first = &collection["data"]["_entities"][0]["items"]["edges"][0]["node"];
        assert_eq!(
            first,
            &json!({ "title": "Enamel Brewery Tray", "imageUrl": "/images/items/enamel-brewery-tray.svg" })
        );
    }
}

async fn search(shop: &Shop, variables: Value) -> Value {
    const SEARCH: &str = "query($q: String, $f: ProductFilter, $sort: ProductSort, $first: Int = 50, $after: String) {
        search(query: $q, filter: $f, sort: $sort, first: $first, after: $after) { totalCount
            facets { key values { value count selected } }
            edges { cursor node { slug price { amount } availability { inStock } } } pageInfo { hasNextPage endCursor } } }";
    let answer = shop.ask(&Viewer::anonymous(), SEARCH, variables).await;
    assert_eq!(error_codes(&answer), Vec::<&str>::new(), "{answer}");
    answer["data"]["search"].clone()
}

fn slugs(found: &Value) -> Vec<String> {
    let edges = found["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"]["slug"].as_str().unwrap().to_owned()).collect()
}

fn count_of(found: &Value, facet: &str, value: &str) -> Value {
    let facets = found["facets"].as_array().unwrap();
    let values = facets.iter().find(|one| one["key"] == facet).unwrap()["values"].as_array().unwrap();
    values.iter().find(|one| one["value"] == value).map_or(json!(0), |one| one["count"].clone())
}

#[tokio::test]
async fn every_word_must_occur_and_a_word_in_the_name_comes_first() {
    for shop in shops().await {
        let found = search(&shop, json!({ "q": "RADIO" })).await;
        let found = slugs(&found);
        assert_eq!(found.first().map(String::as_str), Some("radio-repair-manual-1962"), "{found:?}");
        assert!(found.contains(&"restored-valve-radio".to_owned()));
        assert_eq!(slugs(&search(&shop, json!({ "q": "radio walnut" })).await), ["restored-valve-radio"]);
        for nothing in ["%", "x_x", "\\", "' OR 1=1 --", "\"", "adio", "radio NOT walnut"] {
            assert_eq!(search(&shop, json!({ "q": nothing })).await["totalCount"], 0, "{nothing}");
        }
    }
}

fn draft(name: &str, description: &str) -> Value {
    json!({ "name": name, "description": description, "price": "5.00", "currency": "USD",
        "categoryIds": [seeded(2, 3)], "supplier": "Kettle & Co" })
}

/// Puts a product on sale; its slug.
async fn create(shop: &Shop, mut draft: Value) -> String {
    draft["stock"] = json!(3);
    let variables = json!({ "input": draft, "key": draft["name"] });
    let made = shop.ask(&manager(), CREATE, variables).await;
    made["data"]["createProduct"]["product"]["slug"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// The same list of cases for both databases: each has its own index of words.
#[tokio::test]
async fn words_are_found_by_their_beginnings_and_the_best_match_comes_first() {
    const TEXTS: [(&str, &str); 5] = [
        ("Zubr 1e5 Caf\u{e9}-Press", "Holds 750ml; for 4-6 cups."),
        ("Cafe Zubrowka Glass", "Of the 1950s, 60s look, http://example.com/a_b."),
        ("Grinder, small", "A zubr among grinders; fits v60."),
        ("Old Zubr", "\u{5496}\u{5561} \u{434}\u{43e}\u{43c} stra\u{df}e"),
        ("Unlike any", "zub"),
    ];
    const CASES: [(&str, &[usize]); 18] = [
        // A whole word counts more than a beginning, the name more than the text, its beginning most; then older ones first.
        ("zubr", &[0, 3, 1, 2]),
        ("ZUB", &[0, 1, 3, 2, 4]),
        ("zubrowka zubr", &[1]),
        ("caf\u{e9}", &[0]),
        ("CAF\u{c9} press", &[0]),
        ("cafe", &[1]),
        ("1e5", &[0]),
        ("1e", &[0]),
        ("750", &[0]),
        ("6 cups", &[0]),
        ("60s", &[1]),
        ("v60", &[2]),
        ("example com", &[1]),
        ("a_b", &[1]),
        ("\u{5496}", &[3]),
        ("\u{414}\u{41e}", &[3]),
        ("stra\u{df}", &[3]),
        ("ubr", &[]),
    ];
    for shop in shops().await {
        let mut made = Vec::new();
        for (name, description) in TEXTS {
            made.push(create(&shop, draft(name, description)).await);
        }
        for (query, expected) in CASES {
            let found = slugs(&search(&shop, json!({ "q": query })).await);
            let ours: Vec<usize> =
                found.iter().filter_map(|slug| made.iter().position(|made| made == slug)).collect();
            assert_eq!(ours, expected, "{query}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_changed_text_is_found_by_its_new_words_only() {
    const UPDATE: &str = "mutation($id: ID!, $v: Int!, $input: ProductChangeInput!) {
        updateProduct(id: $id, expectedVersion: $v, input: $input) { userErrors { code } } }";
    for shop in shops().await {
        let slug = create(&shop, draft("Changing thing", "formerly blue")).await;
        let read = "query($s: String!) { product(slug: $s) { id version } }";
        let product = shop.ask(&manager(), read, json!({ "s": slug })).await["data"]["product"].clone();
        let changed_draft = draft("Changing thing", "nowadays green");
        let change = json!({ "id": product["id"], "v": product["version"], "input": changed_draft });
        let changed = shop.ask(&manager(), UPDATE, change).await;
        assert_eq!(codes(&changed["data"]["updateProduct"]), Vec::<&str>::new(), "{changed}");
        assert_eq!(slugs(&search(&shop, json!({ "q": "nowadays gree" })).await), [slug]);
        assert_eq!(search(&shop, json!({ "q": "formerly" })).await["totalCount"], 0);
    }
}

#[tokio::test]
async fn pages_in_every_order_have_each_product_once() {
    for shop in shops().await {
        for sort in ["RELEVANCE", "PRICE_ASC", "PRICE_DESC", "NEWEST", "RATING"] {
            let mut seen = Vec::new();
            let mut prices: Vec<f64> = Vec::new();
            let mut after = Value::Null;
            loop {
                let page = search(&shop, json!({ "sort": sort, "first": 5, "after": after })).await;
                seen.extend(slugs(&page));
                let edges = page["edges"].as_array().unwrap();
                prices.extend(
                    edges.iter().map(|edge| {
                        edge["node"]["price"]["amount"].as_str().unwrap().parse::<f64>().unwrap()
                    }),
                );
                if page["pageInfo"]["hasNextPage"] == false {
                    break;
                }
                after = page["pageInfo"]["endCursor"].clone();
            }
            assert_eq!(seen.len(), 28, "{sort}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 28, "{sort}");
            match sort {
                "PRICE_ASC" => assert!(prices.is_sorted()),
                "PRICE_DESC" => assert!(prices.iter().rev().is_sorted()),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_facet_counts_what_its_choice_would_find() {
    for shop in shops().await {
        let filter = json!({ "categorySlugs": ["coffee"], "priceMax": "24.99", "inStock": true });
        let found = search(&shop, json!({ "f": filter })).await;
        assert_eq!(found["totalCount"], 5, "{found}");
        // Brewing gear lies below coffee; the other shelves are counted as if no shelf were chosen.
        for shelf in ["coffee", "books"] {
            let alone = json!({ "categorySlugs": [shelf], "priceMax": "24.99", "inStock": true });
            let alone = search(&shop, json!({ "f": alone })).await;
            assert_eq!(count_of(&found, "category", shelf), alone["totalCount"], "{shelf}");
        }
        let dear =
            json!({ "categorySlugs": ["coffee"], "priceMin": "50.00", "priceMax": "99.99", "inStock": true });
        let dear = search(&shop, json!({ "f": dear })).await;
        assert_eq!(count_of(&found, "price", "50.00..99.99"), dear["totalCount"]);
        assert_eq!(slugs(&dear), ["copper-long-spout-kettle"]);
        let sold_out = search(&shop, json!({ "f": { "inStock": false } })).await;
        assert_eq!(slugs(&sold_out), ["letterpress-tile-print"]);
        assert_eq!(count_of(&sold_out, "inStock", "true"), 27);
        assert_eq!(
            search(&shop, json!({ "f": { "categorySlugs": ["no-such-shelf"] } })).await["totalCount"],
            0
        );
        let of_seller = search(&shop, json!({ "f": { "sellerId": seeded(1, 6) } })).await;
        assert_eq!(of_seller["totalCount"], 6);
    }
}

#[tokio::test]
async fn a_cursor_of_another_order_and_a_malformed_argument_are_bad_input() {
    for shop in shops().await {
        let page = search(&shop, json!({ "sort": "PRICE_ASC", "first": 2 })).await;
        let cursor = page["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
        for query in [
            format!("{{ search(first: 2, sort: NEWEST, after: \"{cursor}\") {{ totalCount }} }}"),
            "{ search(first: 0) { totalCount } }".to_owned(),
            "{ search(first: 101) { totalCount } }".to_owned(),
            "{ search(first: 2, filter: { priceMin: \"cheap\" }) { totalCount } }".to_owned(),
            "{ search(first: 2, filter: { sellerId: \"x\" }) { totalCount } }".to_owned(),
        ] {
            let answer = shop.ask(&Viewer::anonymous(), &query, json!({})).await;
            assert_eq!(error_codes(&answer), ["BAD_USER_INPUT"], "{query}");
        }
        for query in [
            "{ search(first: \"two\") { totalCount } }",
            "{ products { id } }",
            "{ search(first: 2) { total } }",
        ] {
            let answer = shop.ask(&Viewer::anonymous(), query, json!({})).await;
            assert_eq!(error_codes(&answer), ["GRAPHQL_VALIDATION_FAILED"], "{query}");
        }
    }
}

const CREATE: &str = "mutation($input: ProductInput!, $key: ID!) { createProduct(input: $input, idempotencyKey: $key) {
    product { id slug version availability { available } categories { slug } images { url } seller { id } } userErrors { code field } } }";

fn input(changes: &Value) -> Value {
    let mut input = json!({ "name": "Kaya Jam", "description": "Coconut and pandan.", "price": "7.20", "currency": "USD",
        "categoryIds": [seeded(2, 1), seeded(2, 6)], "stock": 12 });
    for (key, value) in changes.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

#[tokio::test]
async fn a_product_is_created_once_per_key_by_those_who_may() {
    for shop in shops().await {
        let siti = seller(5);
        let first = shop.ask(&siti, CREATE, json!({ "input": input(&json!({})), "key": "k1" })).await;
        let product = &first["data"]["createProduct"]["product"];
        assert_eq!(product["slug"], "kaya-jam", "{first}");
        assert_eq!(product["availability"]["available"], 12);
        assert_eq!(product["seller"]["id"], seeded(1, 5).to_string());
        let again = shop.ask(&siti, CREATE, json!({ "input": input(&json!({})), "key": "k1" })).await;
        assert_eq!(again, first);
        let other =
            shop.ask(&siti, CREATE, json!({ "input": input(&json!({ "stock": 13 })), "key": "k1" })).await;
        assert_eq!(codes(&other["data"]["createProduct"]), ["IDEMPOTENCY_MISMATCH"]);
        let name = input(&json!({ "name": "KAYA jam" }));
        let taken = shop.ask(&siti, CREATE, json!({ "input": name, "key": "k2" })).await;
        assert_eq!(codes(&taken["data"]["createProduct"]), ["NAME_TAKEN"]);
        let forbidden = shop.ask(&buyer(), CREATE, json!({ "input": input(&json!({})), "key": "k3" })).await;
        assert_eq!(error_codes(&forbidden), ["FORBIDDEN"]);
        let nobody =
            shop.ask(&Viewer::anonymous(), CREATE, json!({ "input": input(&json!({})), "key": "k4" })).await;
        assert_eq!(error_codes(&nobody), ["UNAUTHENTICATED"]);
    }
}

#[tokio::test]
async fn a_senseless_product_is_refused_by_field_and_not_written() {
    for shop in shops().await {
        for (changes, expected) in [
            (json!({ "name": " ", "stock": -1 }), vec!["NAME_INVALID", "STOCK_INVALID"]),
            (json!({ "price": "-0.01" }), vec!["PRICE_INVALID"]),
            (json!({ "price": "1.005" }), vec!["INVALID_AMOUNT"]),
            (json!({ "price": "9e9" }), vec!["INVALID_AMOUNT"]),
            (json!({ "currency": "EUR" }), vec!["CURRENCY_UNSUPPORTED"]),
            (json!({ "currency": "usd" }), vec!["UNKNOWN_CURRENCY"]),
            (json!({ "categoryIds": [] }), vec!["CATEGORY_MISSING"]),
            (json!({ "categoryIds": [Uuid::now_v7()] }), vec!["CATEGORY_NOT_FOUND"]),
            (json!({ "categoryIds": ["x"] }), vec!["CATEGORY_NOT_FOUND"]),
        ] {
            let key = changes.to_string();
            let answer = shop.ask(&seller(5), CREATE, json!({ "input": input(&changes), "key": key })).await;
            assert_eq!(codes(&answer["data"]["createProduct"]), expected, "{key}");
        }
        let wrong_type = json!({ "input": input(&json!({ "stock": "many" })), "key": "k" });
        assert_eq!(
            error_codes(&shop.ask(&seller(5), CREATE, wrong_type).await),
            ["GRAPHQL_VALIDATION_FAILED"]
        );
        assert_eq!(search(&shop, json!({})).await["totalCount"], 28);
    }
}

#[tokio::test]
async fn a_product_changes_from_its_current_version_by_its_seller_or_a_manager_and_what_was_sold_stays_sold()
{
    const UPDATE: &str = "mutation($id: ID!, $input: ProductChangeInput!, $v: Int!) {
        updateProduct(id: $id, input: $input, expectedVersion: $v) { product { slug name version price { amount } availability { available } } userErrors { code } } }";
    const ARCHIVE: &str = "mutation($id: ID!, $v: Int!) { archiveProduct(id: $id, expectedVersion: $v) { product { availability { available } } userErrors { code } } }";
    for shop in shops().await {
        let id = seeded(3, 2);
        let mut form = input(&json!({}));
        let with_stock = json!({ "id": id, "input": form, "v": 1 });
        assert_eq!(
            error_codes(&shop.ask(&seller(5), UPDATE, with_stock).await),
            ["GRAPHQL_VALIDATION_FAILED"]
        );
        form.as_object_mut().unwrap().remove("stock");
        let variables = |version: i32| json!({ "id": id, "input": form, "v": version });
        shop.sell(id, 4).await;
        let foreign = shop.ask(&seller(6), UPDATE, variables(1)).await;
        assert_eq!(codes(&foreign["data"]["updateProduct"]), ["NOT_YOUR_PRODUCT"]);
        let changed = shop.ask(&seller(5), UPDATE, variables(1)).await;
        let expected = json!({ "slug": "enamel-kopi-cup", "name": "Kaya Jam", "version": 2,
            "price": { "amount": "7.20" }, "availability": { "available": 26 } });
        assert_eq!(changed["data"]["updateProduct"]["product"], expected, "{changed}");
        let stale = shop.ask(&manager(), UPDATE, variables(1)).await;
        assert_eq!(codes(&stale["data"]["updateProduct"]), ["VERSION_CONFLICT"]);
        let archived = shop.ask(&manager(), ARCHIVE, json!({ "id": id, "v": 2 })).await;
        assert_eq!(archived["data"]["archiveProduct"]["product"]["availability"]["available"], 0);
        assert_eq!(search(&shop, json!({})).await["totalCount"], 27);
        let gone = shop.ask(&manager(), UPDATE, variables(3)).await;
        assert_eq!(codes(&gone["data"]["updateProduct"]), ["PRODUCT_NOT_FOUND"]);
    }
}

#[tokio::test]
async fn shelves_are_the_managers_and_keep_their_tree() {
    const SAVE: &str = "mutation($id: ID, $name: String!, $parent: ID) { saveCategory(id: $id, name: $name, parentId: $parent) {
        category { id slug name parent { slug } } userErrors { code } } }";
    const DELETE: &str =
        "mutation($id: ID!) { deleteCategory(id: $id) { category { slug } userErrors { code } } }";
    for shop in shops().await {
        let by_seller = shop.ask(&seller(5), SAVE, json!({ "name": "Mine" })).await;
        assert_eq!(error_codes(&by_seller), ["FORBIDDEN"]);
        let made = shop.ask(&manager(), SAVE, json!({ "name": "Tea & Toast", "parent": seeded(2, 1) })).await;
        let category = &made["data"]["saveCategory"]["category"];
        assert_eq!((&category["slug"], &category["parent"]["slug"]), (&json!("tea-toast"), &json!("coffee")));
        let cycle = json!({ "id": seeded(2, 1), "name": "Coffee", "parent": seeded(2, 7) });
        let cycle = shop.ask(&manager(), SAVE, cycle).await;
        assert_eq!(codes(&cycle["data"]["saveCategory"]), ["CATEGORY_CYCLE"]);
        let taken = shop.ask(&manager(), SAVE, json!({ "name": "COFFEE" })).await;
        assert_eq!(codes(&taken["data"]["saveCategory"]), ["NAME_TAKEN"]);
        let used = shop.ask(&manager(), DELETE, json!({ "id": seeded(2, 1) })).await;
        assert_eq!(codes(&used["data"]["deleteCategory"]), ["CATEGORY_IN_USE"]);
        let deleted = shop.ask(&manager(), DELETE, json!({ "id": category["id"] })).await;
        assert_eq!(deleted["data"]["deleteCategory"]["category"]["slug"], "tea-toast");
    }
}

#[tokio::test]
async fn a_batch_of_entities_keeps_its_order_and_a_missing_row_is_null() {
    const FETCH: &str = "query($r: [_Any!]!) { _entities(representations: $r) { __typename
        ... on Product { slug } ... on Category { name } ... on Item { title state history { to { id } } }
        ... on Seller { products(first: 2) { totalCount edges { node { slug } } } }
        ... on User { items(first: 5) { edges { node { title owner { id } } } } } } }";
    for shop in shops().await {
        let representations = json!({ "r": [
            { "__typename": "Product", "slug": "hawker-cookbook" },
            { "__typename": "Product", "id": Uuid::now_v7() },
            { "__typename": "Product", "id": seeded(3, 1) },
            { "__typename": "Category", "slug": "books" },
            { "__typename": "Category", "id": "x" },
            { "__typename": "Item", "id": seeded(4, 1) },
            { "__typename": "Seller", "id": seeded(1, 8) },
            { "__typename": "User", "id": seeded(1, 7) },
        ] });
        let found = shop.ask(&Viewer::anonymous(), FETCH, representations).await;
        let expected = json!([
            { "__typename": "Product", "slug": "hawker-cookbook" },
            null,
            { "__typename": "Product", "slug": "house-blend-beans" },
            { "__typename": "Category", "name": "Books" },
            null,
            { "__typename": "Item", "title": "Vintage Kopitiam Sign", "state": "OWNED", "history": [{ "to": { "id": seeded(1, 5) } }] },
            { "__typename": "Seller", "products": { "totalCount": 6, "edges": [
                { "node": { "slug": "hawker-cookbook" } }, { "node": { "slug": "street-food-atlas" } } ] } },
            { "__typename": "User", "items": { "edges": [
                { "node": { "title": "First Press Night Market LP", "owner": { "id": seeded(1, 7) } } },
                { "node": { "title": "Collector Pixel Clock", "owner": { "id": seeded(1, 7) } } } ] } },
        ]);
        assert_eq!(found["data"]["_entities"], expected, "{found}");
    }
}

#[tokio::test]
async fn items_are_made_once_per_key_and_deleted_by_their_owner_only() {
    const CREATE_ITEM: &str = "mutation($t: String!, $i: String, $k: ID!) { createItem(title: $t, imageUrl: $i, idempotencyKey: $k) { item { id title state owner { id } } userErrors { code } } }";
    const DELETE_ITEM: &str =
        "mutation($id: ID!) { deleteItem(id: $id) { item { title } userErrors { code } } }";
    for shop in shops().await {
        let variables = json!({ "t": "Tin Robot", "i": "/images/items/tin-robot.svg", "k": "k1" });
        let made = shop.ask(&buyer(), CREATE_ITEM, variables.clone()).await;
        assert_eq!(shop.ask(&buyer(), CREATE_ITEM, variables).await, made);
        let item = &made["data"]["createItem"]["item"];
        assert_eq!(item["owner"]["id"], seeded(1, 3).to_string(), "{made}");
        let script = json!({ "t": "Tin Robot", "i": "javascript:alert(1)", "k": "k2" });
        assert_eq!(
            codes(&shop.ask(&buyer(), CREATE_ITEM, script).await["data"]["createItem"]),
            ["IMAGE_INVALID"]
        );
        let foreign = shop.ask(&seller(5), DELETE_ITEM, json!({ "id": item["id"] })).await;
        assert_eq!(codes(&foreign["data"]["deleteItem"]), ["ITEM_NOT_FOUND"]);
        let gone = shop.ask(&buyer(), DELETE_ITEM, json!({ "id": item["id"] })).await;
        assert_eq!(gone["data"]["deleteItem"]["item"]["title"], "Tin Robot");
        let again = shop.ask(&buyer(), DELETE_ITEM, json!({ "id": item["id"] })).await;
        assert_eq!(codes(&again["data"]["deleteItem"]), ["ITEM_NOT_FOUND"]);
    }
}
