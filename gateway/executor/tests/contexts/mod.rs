//! Fetches with values from above: whose error it is, and what happens when one of several requests fails.

use kopitiam_executor::transport::TransportError;
use kopitiam_plan::{ContextSource, ContextVariable, FetchKind, GroupContexts, RepresentationField};
use serde_json::{Value as Json, json};

use crate::common::{PlanBuilder, Script, respond};

const DOCUMENT: &str =
    "query($r0:[_Any!]!,$c:String){_e0:_entities(representations:$r0){...on P{price(in:$c)}}}";

/// `shops { unit best { id price } }`, where the price takes the shop's unit.
fn plan() -> PlanBuilder {
    let mut plan = PlanBuilder::query("shops:[Shop]{best:P{id:ID price:String}}")
        .root("shops", "shops{unit best{__typename id}}")
        .entities("prices", &["shops.best"], "P(id)", "price", &[0]);
    let source = plan.0.keys.intern("unit");
    let fetch = plan.0.fetches.last_mut().expect("two were added");
    fetch.document = DOCUMENT.into();
    let FetchKind::Entities { groups } = &mut fetch.kind else { unreachable!("it is one of entities") };
    let range = |text: &str| {
        let start = DOCUMENT.find(text).expect("it is in the document");
        start..start + text.len()
    };
    let value = vec![RepresentationField {
        name: "unit".into(),
        source,
        on: Vec::new(),
        is_key: false,
        conditions: <_>::default(),
        selection: Vec::new(),
    }];
    let sources = vec![ContextSource { up: 1, on: Vec::new(), value }];
    groups[0].response_key = "_e0".into();
    groups[0].variable = "r0".into();
    groups[0].contexts = Some(GroupContexts {
        variables: vec![ContextVariable { name: "c".into(), ty: "String".into(), sources }],
        declarations: range("$r0:[_Any!]!,$c:String"),
        field: range("_e0:_entities(representations:$r0){...on P{price(in:$c)}}"),
    });
    plan
}

/// Shops with these units, all with one product.
fn shops(units: impl Iterator<Item = String>) -> String {
    let shop = |unit| json!({"unit": unit, "best": {"__typename": "P", "id": "1"}});
    json!({"data": {"shops": units.map(shop).collect::<Vec<_>>()}}).to_string()
}

/// Answers the price `1` in each unit asked, but as `answer` has it.
fn script(
    units: usize,
    answer: impl Fn(&Json) -> Option<Result<String, TransportError>> + Send + Sync + 'static,
) -> Script {
    Script::with(move |subgraph, body| {
        if subgraph == "shops" {
            return Ok(shops((0..units).map(|unit| format!("u{unit}"))));
        }
        answer(body).unwrap_or_else(|| {
            let variables = body["variables"].as_object().expect("there are variables");
            let units = variables.iter().filter_map(|(name, unit)| Some((name.strip_prefix('c')?, unit)));
            let entities = units.map(|(number, unit)| (format!("_e0{number}"), json!([{"price": unit}])));
            Ok(json!({"data": Json::Object(entities.collect())}).to_string())
        })
    })
}

#[tokio::test]
async fn each_value_has_a_copy_of_the_group_under_names_of_its_own() {
    let script = script(2, |_| None);
    let response = respond(&plan(), &script, &[]).await;
    let wanted = json!({"data": {"shops": [{"best": {"id": "1", "price": "u0"}}, {"best": {"id": "1", "price": "u1"}}]}});
    assert_eq!(response, wanted.to_string());
    let body: Json =
        serde_json::from_str(script.requests()[1].trim_start_matches("prices ")).unwrap_or_default();
    assert_eq!(
        body["query"],
        "query($r0:[_Any!]!,$c:String,$r0_1:[_Any!]!,$c_1:String){_e0:_entities(representations:$r0){...on P{price(in:$c)}} \
         _e0_1:_entities(representations:$r0_1){...on P{price(in:$c_1)}}}"
    );
}

#[tokio::test]
async fn an_error_of_one_value_shows_where_that_value_stands() {
    let script = script(3, |_| {
        let entity = |price: &str| json!([{"price": price}]);
        let data = json!({"_e0": entity("a"), "_e0_1": [{"price": null}], "_e0_2": entity("c")});
        let error = json!({"message": "no rate", "path": ["_e0_1", 0, "price"]});
        Some(Ok(json!({"data": data, "errors": [error]}).to_string()))
    });
    let response: Json = serde_json::from_str(&respond(&plan(), &script, &[]).await).unwrap_or_default();
    let prices: Vec<&Json> = (0..3).map(|shop| &response["data"]["shops"][shop]["best"]["price"]).collect();
    assert_eq!(prices, [&json!("a"), &Json::Null, &json!("c")]);
    assert_eq!(response["errors"][0]["path"], json!(["shops", 1, "best", "price"]));
    assert_eq!(response["errors"].as_array().map(Vec::len), Some(1), "{response}");
}

#[tokio::test]
async fn a_request_that_fails_takes_only_its_own_values() {
    let script = script(150, |body| {
        let is_second = body["variables"]["c"] == "u100";
        is_second.then_some(Err(TransportError::Timeout))
    });
    let response: Json = serde_json::from_str(&respond(&plan(), &script, &[]).await).unwrap_or_default();
    let price = |shop: usize| &response["data"]["shops"][shop]["best"]["price"];
    assert_eq!([price(0), price(99)], ["u0", "u99"]);
    assert!((100..150).all(|shop| price(shop).is_null()));
    let errors = response["errors"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(errors.len(), 50);
    assert_eq!(errors[0]["path"], json!(["shops", 100, "best", "price"]));
}

#[tokio::test]
async fn values_beyond_the_bound_are_refused_and_the_others_answered() {
    let script = script(10_002, |_| None);
    let response: Json = serde_json::from_str(&respond(&plan(), &script, &[]).await).unwrap_or_default();
    let price = |shop: usize| &response["data"]["shops"][shop]["best"]["price"];
    assert_eq!([price(0), price(9_999)], ["u0", "u9999"]);
    assert_eq!([price(10_000), price(10_001)], [&Json::Null, &Json::Null]);
    assert_eq!(response["errors"][1]["message"], "too many different context values in one fetch");
    assert_eq!(script.requests().len(), 1 + 100);
}
