//! Who may read and do what: every field of every type of the schema, and every root field, for each kind of viewer. A field
//! that nobody decided about fails the test.

use crate::common::{error_codes, manager, seeded, seller, shops};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::assert_decided;
use serde_json::{Value, json};
use uuid::Uuid;

/// What everybody reads: the catalogue and collections are public.
const PUBLIC: &[(&str, &str)] = &[
    ("Availability", "available inStock"),
    ("Category", "id name parent products slug"),
    ("Facet", "key label values"),
    ("FacetValue", "count label selected value"),
    ("Image", "alt height url width"),
    ("Item", "history id imageUrl owner state title"),
    ("ItemTransfer", "at from to"),
    ("Money", "amount currency"),
    ("PageInfo", "endCursor hasNextPage hasPreviousPage startCursor"),
    (
        "Product",
        "availability categories description id images name price seller slug supplier updatedAt version",
    ),
    ("Seller", "id products"),
    ("User", "id items"),
    ("UserError", "code field message"),
];

/// Root fields and the scope they ask for; `""`: everybody, `self`: somebody signed in, `managers`: the shelves, which sellers,
/// who may write products, only put theirs on.
const ROOTS: &[(&str, &str, &str)] = &[
    ("product", "{ product(slug: \"x\") { id } }", ""),
    ("category", "{ category(slug: \"x\") { id } }", ""),
    ("categories", "{ categories { id } }", ""),
    ("search", "{ search(first: 1) { totalCount } }", ""),
    ("stockChanged", "subscription { stockChanged(productId: \"PRODUCT\") { id } }", ""),
    (
        "createProduct",
        "mutation { createProduct(input: { name: \"\", description: \"\", price: \"1\", currency: \"USD\", categoryIds: [], stock: 1 }, idempotencyKey: \"x\") { userErrors { code } } }",
        "catalog:write",
    ),
    (
        "updateProduct",
        "mutation { updateProduct(id: \"x\", input: { name: \"\", description: \"\", price: \"1\", currency: \"USD\", categoryIds: [] }, expectedVersion: 1) { userErrors { code } } }",
        "catalog:write",
    ),
    (
        "archiveProduct",
        "mutation { archiveProduct(id: \"x\", expectedVersion: 1) { userErrors { code } } }",
        "catalog:write",
    ),
    ("saveCategory", "mutation { saveCategory(name: \"\") { userErrors { code } } }", "managers"),
    ("deleteCategory", "mutation { deleteCategory(id: \"x\") { userErrors { code } } }", "managers"),
    (
        "adjustStock",
        "mutation { adjustStock(productId: \"x\", delta: 0, reason: \"xxx\", idempotencyKey: \"x\") { userErrors { code } } }",
        "stock:write",
    ),
    (
        "createItem",
        "mutation { createItem(title: \"\", idempotencyKey: \"x\") { userErrors { code } } }",
        "self",
    ),
    ("deleteItem", "mutation { deleteItem(id: \"x\") { userErrors { code } } }", "self"),
];

fn viewers() -> [(&'static str, Viewer); 5] {
    [
        ("visitor", Viewer::anonymous()),
        ("user", Viewer::test(seeded(1, 3), &["USER"], "self")),
        ("seller", seller(5)),
        ("manager", manager()),
        ("service", Viewer::test(Uuid::now_v7(), &["SERVICE"], "stock:reserve")),
    ]
}

#[test]
fn every_field_of_every_type_is_decided_about() {
    assert_decided(&kopitiam_product::sdl(), PUBLIC, ROOTS.iter().map(|(name, ..)| *name));
}

#[tokio::test]
async fn every_root_field_is_for_those_with_its_scope_and_nobody_else() {
    for shop in shops().await {
        for (name, who) in viewers() {
            for (field, query, scope) in ROOTS {
                let query = query.replace("PRODUCT", &seeded(3, 1).to_string());
                let may = match *scope {
                    "" => true,
                    // A program is nobody who could own or buy something.
                    "self" => who.identity().is_some() && !who.has_role("SERVICE"),
                    "managers" => who.has_scope("catalog:write") && who.has_role("MANAGER"),
                    scope => who.has_scope(scope),
                };
                let expected = match (may, who.identity()) {
                    (true, _) => Vec::new(),
                    (false, None) => vec!["UNAUTHENTICATED"],
                    (false, Some(_)) => vec!["FORBIDDEN"],
                };
                let answer = if query.starts_with("subscription") {
                    shop.first(&who, &query).await
                } else {
                    shop.ask(&who, &query, json!({})).await
                };
                assert_eq!(error_codes(&answer), expected, "{name} uses {field}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn the_catalogue_and_collections_are_read_by_everybody_whole() {
    let query = "query($r: [_Any!]!) { _entities(representations: $r) {
        ... on Product { availability { available inStock } categories { id name slug parent { id } products(first: 1) { totalCount } }
            description id images { alt height url width } name price { amount currency } seller { id products(first: 1) { totalCount } }
            slug supplier updatedAt version }
        ... on Item { history { at from { id } to { id } } id imageUrl owner { id items(first: 1) { edges { cursor } } } state title } } }";
    let representations = json!([{ "__typename": "Product", "id": seeded(3, 1) }, { "__typename": "Item", "id": seeded(4, 1) }]);
    for shop in shops().await {
        let mut answers = Vec::new();
        for (name, who) in viewers() {
            let answer = shop.ask(&who, query, json!({ "r": representations })).await;
            assert_eq!(error_codes(&answer), Vec::<&str>::new(), "{name}: {answer}");
            answers.push(answer["data"].clone());
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "everybody sees the same");
        assert_ne!(answers[0]["_entities"][1]["owner"], Value::Null);
    }
}
