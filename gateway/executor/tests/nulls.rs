//! Null propagation and result coercion: what a missing, null or unfit value does to the response.

mod common;

use common::{PlanBuilder, Script, respond};

/// Answers one root fetch with `data` and writes it in `shape`.
async fn projected(shape: &str, selection: &str, answer: &str) -> String {
    let plan = PlanBuilder::query(shape).root("a", selection);
    respond(&plan, &Script::new(&[("a", answer)]), &[]).await
}

#[tokio::test]
async fn null_stops_at_the_nearest_nullable_position() {
    let cases = [
        // (type of a, type of b, response's data)
        ("A", "Int", r#"{"a":{"b":null}}"#, ""),
        ("A", "Int!", r#"{"a":null}"#, r#""path":["a","b"]"#),
        ("A!", "Int!", "null", r#""path":["a","b"]"#),
        ("A!", "Int", r#"{"a":{"b":null}}"#, ""),
    ];
    for (outer, inner, data, path) in cases {
        let shape = format!("a:{outer}{{b:{inner}}}");
        for answer in [r#"{"data":{"a":{"b":null}}}"#, r#"{"data":{"a":{}}}"#] {
            let response = projected(&shape, "a{b}", answer).await;
            assert!(response.starts_with(&format!(r#"{{"data":{data}"#)), "{shape}: {response}");
            assert_eq!(response.contains("errors"), !path.is_empty(), "{shape}: {response}");
            assert!(response.contains(path), "{shape}: {response}");
        }
    }
}

#[tokio::test]
async fn null_in_a_list_goes_where_the_types_let_it() {
    let cases = [
        ("[Int]", r#"{"l":[1,null,3]}"#),
        ("[Int!]", r#"{"l":null}"#),
        ("[Int!]!", "null"),
        ("[Int]!", r#"{"l":[1,null,3]}"#),
    ];
    for (list, data) in cases {
        let response = projected(&format!("l:{list}"), "l", r#"{"data":{"l":[1, null ,3]}}"#).await;
        assert!(response.starts_with(&format!(r#"{{"data":{data}"#)), "{list}: {response}");
        assert_eq!(response.contains(r#""path":["l",1]"#), !data.contains("[1"), "{list}: {response}");
    }
}

#[tokio::test]
async fn null_in_a_list_of_objects_takes_back_only_what_it_must() {
    let answer = r#"{"data":{"l":[{"b":1},{"b":null},{"b":3}]}}"#;
    let cases = [("[A]", r#"{"l":[{"b":1},null,{"b":3}]}"#), ("[A!]", r#"{"l":null}"#), ("[A!]!", "null")];
    for (list, data) in cases {
        let response = projected(&format!("l:{list}{{b:Int!}}"), "l{b}", answer).await;
        let error = r#""errors":[{"message":"Cannot return null for non-nullable field A.b.","path":["l",1,"b"],"extensions":{"code":"NULL_FOR_NON_NULL"}}]"#;
        assert_eq!(response, format!(r#"{{"data":{data},{error}}}"#), "{list}");
    }
}

#[tokio::test]
async fn lists_of_lists_propagate_level_by_level() {
    let answer = r#"{"data":{"m":[[1,null],[3],null]}}"#;
    let cases =
        [("[[Int]]", r"[[1,null],[3],null]"), ("[[Int!]]", r"[null,[3],null]"), ("[[Int!]!]", "null")];
    for (list, data) in cases {
        let response = projected(&format!("m:{list}"), "m", answer).await;
        assert!(response.starts_with(&format!(r#"{{"data":{{"m":{data}}}"#)), "{list}: {response}");
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_an_error_and_null() {
    let cases = [
        ("Int", r#""1""#, "an Int"),
        ("Int", "2147483648", "an Int"),
        ("Float", "true", "a Float"),
        ("String", "1", "a String"),
        ("Boolean", r#""true""#, "a Boolean"),
        ("ID", "1.5", "an ID"),
        ("Color(RED|GREEN)", "1", "a value of its enum"),
        ("[Int]", "1", "a list"),
        ("Int", "[1]", "an Int"),
    ];
    for (kind, value, expected) in cases {
        let response = projected(&format!("v:{kind}"), "v", &format!(r#"{{"data":{{"v":{value}}}}}"#)).await;
        let expected = format!(
            r#"{{"data":{{"v":null}},"errors":[{{"message":"The subgraph's value for Query.v is not {expected}.","path":["v"],"extensions":{{"code":"INVALID_VALUE"}}}}]}}"#
        );
        assert_eq!(response, expected, "{kind}");
    }
}

#[tokio::test]
async fn an_object_where_a_scalar_belongs_and_the_reverse_are_errors() {
    let response = projected("a:A{b:Int} c:String", "a{b} c", r#"{"data":{"a":7,"c":{"x":1}}}"#).await;
    assert!(response.starts_with(r#"{"data":{"a":null,"c":null},"errors":["#), "{response}");
    assert_eq!(response.matches("INVALID_VALUE").count(), 2);
}

#[tokio::test]
async fn scalars_reach_the_client_byte_for_byte() {
    let values = concat!(
        r#"{"big":123456789012345678901234567890,"float":1.10e+2,"text":"\u00e9\ud83d\ude00 \"q\" \\ \/ é😀\ud800","#,
        r#""json":{ "a" : [1.0, null , "x"] },"id":9007199254740993,"list":["\n","\u0041"]}"#
    );
    let response = projected(
        "big:BigInt float:Float text:String json:JSON id:ID list:[String!]",
        "big float text json id list",
        &format!(r#"{{"data":{values}}}"#),
    )
    .await;
    let expected = values.replace(r#""id":9007199254740993"#, r#""id":"9007199254740993""#);
    assert_eq!(response, format!(r#"{{"data":{expected}}}"#));
}

#[tokio::test]
async fn the_clients_order_aliases_and_conditions_decide_what_is_written() {
    let plan = PlanBuilder::query("b:Int twice=a:Int a:Int?on c:Int?off").root("a", "a b x=c extra");
    let script = Script::new(&[(
        "a",
        r#" { "data" : { "x" : 3, "extra" : {"no":[1]}, "b" : 2 , "a" : 1 } , "extensions":{} } "#,
    )]);
    let response = respond(&plan, &script, &[("on", "true"), ("off", "false")]).await;
    assert_eq!(response, r#"{"data":{"b":2,"twice":1,"a":1}}"#);
}

#[tokio::test]
async fn a_runtime_type_outside_the_api_schema_is_null_without_an_error() {
    let mut plan = PlanBuilder::query("l:[Node]{__typename:String! id:ID only:Int@Book}")
        .root("a", "l{__typename id only}");
    let book = plan.0.types.intern("Book");
    let movie = plan.0.types.intern("Movie");
    if let kopitiam_plan::ShapeValue::Object { possible_types, .. } = &mut plan.0.shape.fields[0].value {
        *possible_types = vec![book, movie];
    }
    let answer = r#"{"data":{"l":[{"__typename":"Book","id":"1","only":7},{"__typename":"Secret","id":"2"},{"__typename":"Movie","id":"3","only":8}]}}"#;
    let response = respond(&plan, &Script::new(&[("a", answer)]), &[]).await;
    assert_eq!(
        response,
        r#"{"data":{"l":[{"__typename":"Book","id":"1","only":7},null,{"__typename":"Movie","id":"3"}]}}"#
    );
}

#[tokio::test]
async fn introspection_json_is_written_under_its_key_without_any_fetch() {
    let plan = PlanBuilder::query("__schema:Schema!");
    let script = Script::new(&[]);
    assert_eq!(respond(&plan, &script, &[]).await, r#"{"data":{"__schema":{"queryType":{"name":"Query"}}}}"#);
    assert!(script.requests().is_empty());
}

#[tokio::test]
async fn what_the_api_schema_hides_is_null_and_an_error_only_where_null_may_not_be() {
    let answer = r#"{"data":{"v":"BLUE"}}"#;
    assert_eq!(projected("v:Color(RED|GREEN)", "v", answer).await, r#"{"data":{"v":null}}"#);
    let refused = projected("v:Color(RED|GREEN)!", "v", answer).await;
    assert!(
        refused.starts_with(
            r#"{"data":null,"errors":[{"message":"Cannot return null for non-nullable field Query.v.""#
        ),
        "{refused}"
    );
    assert!(!refused.contains("BLUE"), "{refused}");
}
