//! Entity fetches: what is sent, where answers go, what is shared.

mod common;
mod contexts;

use common::{PlanBuilder, Script, respond};

const PRODUCTS: &str = "products:[Product]{id:ID! name:String price:Int}";

fn product_prices() -> PlanBuilder {
    PlanBuilder::query(PRODUCTS).root("catalog", "products{__typename id name}").entities(
        "prices",
        &["products"],
        "Product(id)",
        "price",
        &[0],
    )
}

const THREE: &str = r#"{"data":{"products":[{"__typename":"Product","id":"1","name":"x"},{"__typename":"Product","id":"2","name":"y"},{"__typename":"Product","id":"1","name":"x"}]}}"#;

#[tokio::test]
async fn equal_representations_are_sent_once_and_answer_every_place() {
    let script = Script::new(&[
        ("catalog", THREE),
        ("prices", r#"{"data":{"_entities":[{"price":10},{"price":20}]}}"#),
    ]);
    let response = respond(&product_prices(), &script, &[]).await;
    assert_eq!(
        response,
        r#"{"data":{"products":[{"id":"1","name":"x","price":10},{"id":"2","name":"y","price":20},{"id":"1","name":"x","price":10}]}}"#
    );
    assert_eq!(
        script.requests()[1],
        r#"prices {"query":"{prices\"1}","variables":{"representations":[{"__typename":"Product","id":"1"},{"__typename":"Product","id":"2"}]}}"#
    );
}

#[tokio::test]
async fn an_entity_the_subgraph_does_not_know_has_null_fields_and_no_error() {
    let script =
        Script::new(&[("catalog", THREE), ("prices", r#"{"data":{"_entities":[null,{"price":20}]}}"#)]);
    let response = respond(&product_prices(), &script, &[]).await;
    assert!(!response.contains("errors"), "{response}");
    assert!(
        response.contains(r#"{"id":"1","name":"x","price":null},{"id":"2","name":"y","price":20}"#),
        "{response}"
    );
}

#[tokio::test]
async fn a_null_key_sends_no_representation() {
    let answer = r#"{"data":{"products":[{"__typename":"Product","id":null,"name":"x"},{"__typename":"Product","name":"y"},null]}}"#;
    let plan = PlanBuilder::query("products:[Product]{name:String price:Int}")
        .root("catalog", "products{__typename id name}")
        .entities("prices", &["products"], "Product(id)", "price", &[0]);
    let script = Script::new(&[("catalog", answer)]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(
        response,
        r#"{"data":{"products":[{"name":"x","price":null},{"name":"y","price":null},null]}}"#
    );
    assert_eq!(script.requests().len(), 1, "nothing to ask, nothing sent");
}

#[tokio::test]
async fn a_required_field_may_be_null_but_not_missing() {
    let plan = PlanBuilder::query("products:[Product]{quote:Int}")
        .root("catalog", "products{__typename id weight dims{w}}")
        .entities("ship", &["products"], "Product(id !weight !dims{!w})", "quote", &[0]);
    let answer = r#"{"data":{"products":[
        {"__typename":"Product","id":"1","weight":null,"dims":null},
        {"__typename":"Product","id":"2","dims":{"w":1}},
        {"__typename":"Product","id":"3","weight":3,"dims":{"w":[1, 2]}}]}}"#;
    let script =
        Script::new(&[("catalog", answer), ("ship", r#"{"data":{"_entities":[{"quote":1},{"quote":3}]}}"#)]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, r#"{"data":{"products":[{"quote":1},{"quote":null},{"quote":3}]}}"#);
    assert!(script.requests()[1].ends_with(
        r#"[{"__typename":"Product","id":"1","weight":null,"dims":null},{"__typename":"Product","id":"3","weight":3,"dims":{"w":[1, 2]}}]}}"#
    ), "{:?}", script.requests()[1]);
}

#[tokio::test]
async fn the_representation_follows_the_runtime_type() {
    let plan = PlanBuilder::query("items:[Item]{name:String}")
        .root("a", "items{__typename id isbn}")
        .entities("b", &["items"], "Book(isbn);Movie(id)", "name", &[0]);
    let answer = r#"{"data":{"items":[{"__typename":"Book","id":"1","isbn":"i"},{"__typename":"Movie","id":"2"},{"__typename":"Other","id":"3"}]}}"#;
    let script =
        Script::new(&[("a", answer), ("b", r#"{"data":{"_entities":[{"name":"book"},{"name":"movie"}]}}"#)]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, r#"{"data":{"items":[{"name":"book"},{"name":"movie"},{"name":null}]}}"#);
    assert!(
        script.requests()[1]
            .contains(r#"[{"__typename":"Book","isbn":"i"},{"__typename":"Movie","id":"2"}]"#)
    );
}

#[tokio::test]
async fn groups_of_one_request_answer_under_their_own_keys() {
    let plan = PlanBuilder::query("top:Product{stock:Int} list:[Product]{name:String}")
        .root("a", "top{__typename id} list{__typename id}")
        .two_groups("b", [(&["top"], "Product(id)", "stock"), (&["list"], "Product(id)", "name")], &[0]);
    let answer = r#"{"data":{"top":{"__typename":"Product","id":"1"},"list":[{"__typename":"Product","id":"1"},{"__typename":"Product","id":"2"}]}}"#;
    let script = Script::new(&[
        ("a", answer),
        ("b", r#"{"data":{"_e1":[{"name":"x"},{"name":"y"}],"_e0":[{"stock":7}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, r#"{"data":{"top":{"stock":7},"list":[{"name":"x"},{"name":"y"}]}}"#);
    assert!(script.requests()[1].contains(
        r#""variables":{"r0":[{"__typename":"Product","id":"1"}],"r1":[{"__typename":"Product","id":"1"},{"__typename":"Product","id":"2"}]}"#
    ));
}

#[tokio::test]
async fn shared_roots_merge_objects_and_list_items_by_position() {
    let plan = PlanBuilder::query("all:[A]{x:Int y:Int in:B{p:Int q:Int}} one:A{x:Int y:Int}")
        .root("a", "all{x in{p}} one{x}")
        .root("b", "all{y in{q}} one{y}");
    let script = Script::new(&[
        ("a", r#"{"data":{"all":[{"x":1,"in":{"p":1}},null,{"x":3,"in":null}],"one":{"x":9}}}"#),
        (
            "b",
            r#"{"data":{"all":[{"y":1,"in":{"q":1}},{"y":2,"in":{"q":2}},{"y":3,"in":{"q":3}}],"one":{"y":8}}}"#,
        ),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(
        response,
        r#"{"data":{"all":[{"x":1,"y":1,"in":{"p":1,"q":1}},{"x":null,"y":2,"in":{"p":null,"q":2}},{"x":3,"y":3,"in":{"p":null,"q":3}}],"one":{"x":9,"y":8}}}"#
    );
}

#[tokio::test]
async fn an_entity_below_an_entity_is_asked_through_every_shared_place_once() {
    let plan = PlanBuilder::query("l:[R]{product:Product{name:String brand:Brand{label:String}}}")
        .root("a", "l{product{__typename id}}")
        .entities("b", &["l.product"], "Product(id)", "name brand{__typename id}", &[0])
        .entities("c", &["l.product.brand"], "Brand(id)", "label", &[1]);
    let row = r#"{"product":{"__typename":"Product","id":"1"}}"#;
    let script = Script::new(&[
        ("a", &format!(r#"{{"data":{{"l":[{row},{row},{row}]}}}}"#)),
        ("b", r#"{"data":{"_entities":[{"name":"n","brand":{"__typename":"Brand","id":"7"}}]}}"#),
        ("c", r#"{"data":{"_entities":[{"label":"L"}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    let item = r#"{"product":{"name":"n","brand":{"label":"L"}}}"#;
    assert_eq!(response, format!(r#"{{"data":{{"l":[{item},{item},{item}]}}}}"#));
    assert!(script.requests()[2].ends_with(r#"[{"__typename":"Brand","id":"7"}]}}"#));
}

/// Two items hold one product, but a later fetch goes only through items of one type: what it brings must not show at
/// the other.
#[tokio::test]
async fn places_that_later_fetches_tell_apart_are_never_one_object() {
    let plan = PlanBuilder::query("items:[Item]{product:Product{name:String price:Int}}")
        .root("a", "items{__typename product{__typename id}}")
        .entities("b", &["items.product"], "Product(id)", "name", &[0])
        .entities("eur", &["items@Book.product"], "Product(id)", "price", &[1])
        .entities("usd", &["items@Movie.product"], "Product(id)", "price", &[1]);
    let product = r#"{"__typename":"Product","id":"1"}"#;
    let script = Script::new(&[
        (
            "a",
            &format!(
                r#"{{"data":{{"items":[{{"__typename":"Book","product":{product}}},{{"__typename":"Movie","product":{product}}}]}}}}"#
            ),
        ),
        ("b", r#"{"data":{"_entities":[{"name":"n"}]}}"#),
        ("eur", r#"{"data":{"_entities":[{"price":1}]}}"#),
        ("usd", r#"{"data":{"_entities":[{"price":2}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(
        response,
        r#"{"data":{"items":[{"product":{"name":"n","price":1}},{"product":{"name":"n","price":2}}]}}"#
    );
}

/// One entity at two targets: what a later fetch adds below the one must not show below the other.
#[tokio::test]
async fn an_entity_at_two_targets_is_two_objects() {
    let plan = PlanBuilder::query("a:P{brand:B{price:Int}} b:P{brand:B{price:Int}}")
        .root("r", "a{__typename id} b{__typename id}")
        .entities("p", &["a", "b"], "P(id)", "brand{__typename id}", &[0])
        .entities("eur", &["a.brand"], "B(id)", "price", &[1])
        .entities("usd", &["b.brand"], "B(id)", "price", &[1]);
    let product = r#"{"__typename":"P","id":"1"}"#;
    let script = Script::new(&[
        ("r", &format!(r#"{{"data":{{"a":{product},"b":{product}}}}}"#)),
        ("p", r#"{"data":{"_entities":[{"brand":{"__typename":"B","id":"7"}}]}}"#),
        ("eur", r#"{"data":{"_entities":[{"price":1}]}}"#),
        ("usd", r#"{"data":{"_entities":[{"price":2}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, r#"{"data":{"a":{"brand":{"price":1}},"b":{"brand":{"price":2}}}}"#);
}

/// Equal keys, different content beside them: each place keeps its own, and both get the entity.
#[tokio::test]
async fn equal_keys_with_different_content_stay_apart() {
    let plan = PlanBuilder::query("l:[P]{id:ID note:String in:C{x:Int y:Int} price:Int}")
        .root("a", "l{__typename id note in{x}}")
        .entities("b", &["l"], "P(id)", "price in{y}", &[0]);
    let script = Script::new(&[
        (
            "a",
            r#"{"data":{"l":[{"__typename":"P","id":"1","note":"first","in":{"x":1}},{"__typename":"P","id":"1","note":"second","in":{"x":2}}]}}"#,
        ),
        ("b", r#"{"data":{"_entities":[{"price":5,"in":{"y":9}}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(
        response,
        r#"{"data":{"l":[{"id":"1","note":"first","in":{"x":1,"y":9},"price":5},{"id":"1","note":"second","in":{"x":2,"y":9},"price":5}]}}"#
    );
}

#[tokio::test]
async fn a_fetch_whose_condition_fails_is_not_sent() {
    let plan = PlanBuilder::query("products:[P]{id:ID price:Int?with}")
        .root("a", "products{__typename id}")
        .entities("b", &["products"], "P(id)", "price", &[0])
        .only_if("with");
    let answer = r#"{"data":{"products":[{"__typename":"P","id":"1"}]}}"#;
    let script = Script::new(&[("a", answer)]);
    assert_eq!(respond(&plan, &script, &[("with", "false")]).await, r#"{"data":{"products":[{"id":"1"}]}}"#);
    assert_eq!(script.requests().len(), 1);
    let script = Script::new(&[("a", answer), ("b", r#"{"data":{"_entities":[{"price":1}]}}"#)]);
    let response = respond(&plan, &script, &[("with", "true")]).await;
    assert_eq!(response, r#"{"data":{"products":[{"id":"1","price":1}]}}"#);
}

#[tokio::test]
async fn variables_pass_through_byte_for_byte_and_absent_ones_are_left_out() {
    let plan = PlanBuilder::query("x:Int").root("a", "x").with(&[], &["n", "absent", "s"]);
    let script = Script::new(&[("a", r#"{"data":{"x":1}}"#)]);
    respond(&plan, &script, &[("n", "1.000000000000000000001"), ("s", r#""\u00e9""#)]).await;
    assert_eq!(
        script.requests(),
        [r#"a {"query":"{a\"0}","variables":{"n":1.000000000000000000001,"s":"\u00e9"}}"#]
    );
}

#[tokio::test]
async fn a_required_field_whose_condition_fails_is_left_out_and_does_no_harm() {
    let plan = PlanBuilder::query("p:P{quote:Int?a volume:Int?b}")
        .root("a", "p{__typename id weight size{w}}")
        .entities("b", &["p"], "P(id !weight?a !size?b{!w})", "quote volume", &[0]);
    let answer = r#"{"data":{"p":{"__typename":"P","id":"1","weight":3}}}"#;
    let script = Script::new(&[("a", answer), ("b", r#"{"data":{"_entities":[{"quote":9}]}}"#)]);
    let response = respond(&plan, &script, &[("a", "true"), ("b", "false")]).await;
    assert_eq!(response, r#"{"data":{"p":{"quote":9}}}"#);
    assert!(script.requests()[1].ends_with(r#"[{"__typename":"P","id":"1","weight":3}]}}"#));
}
