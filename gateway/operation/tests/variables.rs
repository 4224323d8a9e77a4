//! Variable coercion, type by type.

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use kopitiam_operation::variables::{VariableError, coerce_variables};

const SCHEMA: &str = r"
    directive @oneOf on INPUT_OBJECT
    scalar Json
    enum Color { RED GREEN }
    input Line { sku: ID! quantity: Int! = 1 note: String }
    input Order { lines: [Line!]! color: Color = GREEN parent: Order extra: Json }
    input By @oneOf { id: ID name: String }
    type Query {
        f(int: Int, float: Float, string: String, boolean: Boolean, id: ID, color: Color, json: Json,
          ints: [Int!], matrix: [[Int]], order: Order, by: By): Int
    }";

fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(SCHEMA, "schema.graphql").expect("the schema is valid")
}

/// Coerces `json` for `($v: <definition>)`; gives the variables as `name=json` or the messages.
fn coerce(definition: &str, json: &str) -> Result<String, Vec<String>> {
    let schema = schema();
    let document = format!("query($v: {definition}) {{ f }}");
    let document =
        ExecutableDocument::parse(&schema, document, "query.graphql").expect("the document parses");
    let operation = document.operations.get(None).expect("there is one operation");
    let messages =
        |errors: Vec<VariableError>| errors.into_iter().map(|error| error.message).collect::<Vec<_>>();
    let coerced = coerce_variables(&schema, &operation.variables, json).map_err(messages)?;
    let shown: Vec<_> =
        coerced.iter().map(|variable| format!("{}={}", variable.name, variable.json)).collect();
    Ok(shown.join(","))
}

fn accepted(definition: &str, value: &str) -> String {
    let coerced = coerce(definition, &format!(r#"{{"v":{value}}}"#)).expect("the value fits");
    coerced.strip_prefix("v=").expect("the variable has a value").to_owned()
}

fn refused(definition: &str, value: &str) -> String {
    coerce(definition, &format!(r#"{{"v":{value}}}"#)).expect_err("the value does not fit").join("; ")
}

#[test]
fn an_absent_variable_is_not_null() {
    assert_eq!(coerce("Int", "{}").unwrap(), "");
    assert_eq!(coerce("Int", r#"{"v":null}"#).unwrap(), "v=null");
    assert_eq!(coerce("Int = 7", "{}").unwrap(), "v=7");
    assert_eq!(coerce("Int = 7", r#"{"v":null}"#).unwrap(), "v=null");
    assert_eq!(coerce("Int!", "{}").unwrap_err(), ["$v of required type Int! was not given"]);
    assert_eq!(refused("Int!", "null"), "$v: expected Int!, found null");
}

#[test]
fn int_is_a_whole_number_of_32_bits() {
    assert_eq!(accepted("Int", "2147483647"), "2147483647");
    assert_eq!(accepted("Int", "1.0"), "1");
    assert_eq!(accepted("Int", "-1e2"), "-100");
    assert_eq!(refused("Int", "2147483648"), "$v: Int is a whole number of at most 32 bits");
    assert_eq!(refused("Int", "1.5"), "$v: expected Int, found a number");
    assert_eq!(refused("Int", r#""1""#), "$v: expected Int, found a string");
    assert_eq!(refused("Int", "true"), "$v: expected Int, found a Boolean");
}

#[test]
fn big_numbers_and_custom_scalars_keep_their_bytes() {
    assert_eq!(accepted("Float", "0.10000000000000000000000001"), "0.10000000000000000000000001");
    let json = r#"{"n": 123456789012345678901234567890, "s":"\u00e9\n", "l":[1.10]}"#;
    assert_eq!(accepted("Json", json), json);
    assert_eq!(refused("Float", "1e999"), "$v: expected Float, found a number");
}

#[test]
fn id_takes_strings_and_integers_and_string_only_strings() {
    assert_eq!(accepted("ID", "12345678901234567890"), r#""12345678901234567890""#);
    assert_eq!(accepted("ID", r#""a""#), r#""a""#);
    assert_eq!(refused("ID", "1.5"), "$v: expected ID, found a number");
    assert_eq!(refused("String", "1"), "$v: expected String, found a number");
    assert_eq!(refused("String", r#""\ud800""#), "$v: expected String, found a string");
}

#[test]
fn an_enum_takes_its_values_as_strings() {
    assert_eq!(accepted("Color", r#""RED""#), r#""RED""#);
    assert_eq!(refused("Color", r#""BLUE""#), "$v: expected a value of the enum Color, found a string");
    assert_eq!(refused("Color", "1"), "$v: expected a value of the enum Color, found a number");
}

#[test]
fn a_single_value_becomes_a_list_of_one() {
    assert_eq!(accepted("[Int!]", "1"), "[1]");
    assert_eq!(accepted("[[Int]]", "[1,[2,null],null]"), "[[1],[2,null],null]");
    assert_eq!(refused("[Int!]", "[1,null]"), "$v[1]: expected Int!, found null");
}

#[test]
fn input_objects_get_their_defaults_and_refuse_the_unknown() {
    assert_eq!(
        accepted("Order", r#"{"lines":{"sku":7}}"#),
        r#"{"lines":[{"sku":"7","quantity":1}],"color":"GREEN"}"#
    );
    assert_eq!(
        refused("Order", r#"{"lines":[{"sku":"a","quantity":null}]}"#),
        "$v.lines[0].quantity: expected Int!, found null"
    );
    assert_eq!(refused("Order", "{}"), "$v.lines of required type [Line!]! was not given");
    assert_eq!(refused("Order", r#"{"lines":[],"x":1}"#), "$v: Order has no field \"x\"");
    assert_eq!(refused("Order", "7"), "$v: expected Order, found a number");
}

#[test]
fn defaults_in_the_document_are_coerced_too() {
    assert_eq!(
        coerce("Order = {lines: {sku: 1, note: \"é\\n\"}, color: RED}", "{}").unwrap(),
        r#"v={"lines":[{"sku":"1","quantity":1,"note":"é\n"}],"color":"RED"}"#
    );
    assert_eq!(coerce("[Int!] = 3", "{}").unwrap(), "v=[3]");
}

#[test]
fn one_of_takes_exactly_one_field() {
    assert_eq!(accepted("By", r#"{"id":"a"}"#), r#"{"id":"a"}"#);
    for value in [r#"{"id":"a","name":"b"}"#, "{}", r#"{"id":null}"#, r#"{"id":"a","name":null}"#] {
        assert_eq!(refused("By", value), "$v: By takes exactly one field, and not null");
    }
}

#[test]
fn a_message_never_repeats_a_value() {
    assert!(!refused("Int", r#""my password""#).contains("password"));
}

#[test]
fn a_deep_value_is_refused() {
    let deep = format!("{}null{}", r#"{"lines":[],"parent":"#.repeat(100), "}".repeat(100));
    assert!(refused("Order", &deep).ends_with("nests too deeply"));
}

#[test]
fn the_error_names_the_place_of_the_definition() {
    let schema = schema();
    let document = ExecutableDocument::parse(&schema, "query(\n  $v: Int!) { f }", "q").unwrap();
    let operation = document.operations.get(None).unwrap();
    let errors = coerce_variables(&schema, &operation.variables, "{}").unwrap_err();
    let place = errors[0].location.unwrap().line_column(&document.sources).unwrap();
    assert_eq!((place.line, place.column), (2, 3));
}
