//! Fields that the schema keeps for some clients: null with an error on every way to them, never fetched, and the rest answered.

use std::cell::Cell;
use std::sync::Arc;

use futures::stream::StreamExt;
use kopitiam_engine::{EngineSettings, Grants, IncrementalFormat, Outcome, Prepared, Request, Response};
use kopitiam_testkit::{TestGateway, TestSubgraph, compose};
use serde_json::{Value as Json, json};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
    import: ["@key", "@external", "@requires", "@authenticated", "@requiresScopes", "@policy"])"#;

const USERS: &str = r#"
    type Query { me: User node(id: ID!): Node things: [Thing] secret: String @authenticated count: Int! @authenticated }
    type Mutation { rename(name: String): User erase: Boolean @authenticated touch: Boolean }
    type Subscription { changed: User alarm: String @authenticated }
    interface Node { id: ID! }
    union Thing = User | Card
    type User implements Node @key(fields: "id") {
        id: ID! name: String email: String @authenticated salary: Int! @requiresScopes(scopes: [["hr"]])
        card: Card friends: [User!]! notes: [String!] @policy(policies: [["friend"], ["self"]])
    }
    type Card implements Node @key(fields: "id") @authenticated { id: ID! number: String }
"#;

const BADGES: &str = r#"
    type User @key(fields: "id") {
        id: ID! email: String @external score: Int
        badge: String @authenticated @requires(fields: "email")
    }
"#;

const MEDALS: &str = r#"
    type User @key(fields: "id") {
        id: ID! badge: String @external medal: String @requires(fields: "badge") @authenticated
    }
"#;

#[test]
fn what_is_asked_most_is_planned_before_a_reload_as_each_of_its_clients_gets_it() {
    let query = "{ me { name email salary } }";
    let grants = |authenticated: bool, scopes: &[&str]| {
        Arc::new(Grants {
            authenticated,
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..Grants::default()
        })
    };
    let (clerk, machine, manager, nobody) =
        (grants(true, &[]), grants(false, &["hr"]), grants(true, &["hr"]), grants(false, &[]));
    for (warm_up_operations, planned) in [(100, [true; 4]), (2, [true, false, true, true]), (0, [false; 4])] {
        let settings = EngineSettings { warm_up_operations, ..EngineSettings::default() };
        let gateway = TestGateway::with_settings(&subgraphs(str::to_owned), settings);
        let asked = |grants: &Arc<Grants>| {
            let request =
                Request { query: query.to_owned(), grants: Arc::clone(grants), ..Request::default() };
            gateway.engine.prepare(&request).unwrap().planned_in().is_none()
        };
        for grants in [&clerk, &clerk, &clerk, &machine] {
            asked(grants);
        }
        let all = subgraphs(str::to_owned);
        let sdls = all.each_ref().map(|one| (one.name.as_str(), one.sdl.as_str()));
        gateway.engine.replace(&compose(&sdls).unwrap().supergraph_sdl).unwrap();
        // Who is given all first: for those before, what they are not given is left out of that.
        let [manager, clerk, machine, nobody] = [&manager, &clerk, &machine, &nobody].map(asked);
        assert_eq!([clerk, machine, manager, nobody], planned, "{warm_up_operations}");
    }
}

fn subgraphs(directives: impl Fn(&str) -> String) -> [TestSubgraph; 3] {
    let user = |id: &str| {
        json!({"__typename": "User", "id": id, "name": format!("Name of {id}"), "email": format!("{id}@x"),
            "salary": 10, "card": {"__typename": "Card", "id": "c", "number": "1"}, "friends": [], "notes": ["n"]})
    };
    let mut ann = user("a");
    ann["friends"] = json!([user("b"), user("c")]);
    let users = TestSubgraph::new(
        "users",
        &format!("{LINK} {}", directives(USERS)),
        json!({
            "Query": {"me": ann, "things": [user("a"), ann["card"]], "secret": "s", "count": 1,
                "node(id:\"a\")": user("a"), "node(id:\"c\")": ann["card"]},
            "Mutation": {"rename(name:\"x\")": ann, "erase": true, "touch": true},
            "Subscription": {"changed": [user("a"), user("b")]},
            "entities": {"User": [ann, user("b"), user("c")], "Card": [ann["card"]]}
        }),
    );
    let badge = |id: &str| json!({"id": id, "score": 1, "badge": format!("Badge of {id}")});
    let badges = TestSubgraph::new(
        "badges",
        &format!("{LINK} {}", directives(BADGES)),
        json!({"entities": {"User": [badge("a"), badge("b"), badge("c")]}}),
    );
    let medals = TestSubgraph::new(
        "medals",
        &format!("{LINK} {}", directives(MEDALS)),
        json!({"entities": {"User": [{"id": "a", "medal": "M"}, {"id": "b", "medal": "M"}]}}),
    );
    [users, badges, medals]
}

/// A gateway, and how many of its requests were looked at.
struct Guarded {
    gateway: TestGateway,
    seen: Cell<usize>,
}

fn nothing() -> Grants {
    Grants::default()
}

fn known(scopes: &[&str]) -> Grants {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Grants { authenticated: true, scopes, ..Grants::default() }
}

fn request(query: &str, grants: Grants) -> Request {
    Request { query: query.to_owned(), grants: Arc::new(grants), ..Request::default() }
}

fn parse(response: &Response) -> Json {
    serde_json::from_slice(&response.body).expect("a response is JSON")
}

impl Guarded {
    fn new() -> Self {
        Self::with(EngineSettings::default())
    }

    fn with(settings: EngineSettings) -> Self {
        Self::of(TestGateway::with_settings(&subgraphs(str::to_owned), settings))
    }

    fn of(gateway: TestGateway) -> Self {
        Self { gateway, seen: Cell::new(0) }
    }

    /// Of a supergraph from a composition that does not know the directives' rules: they are put in afterwards.
    fn composed_elsewhere(replaced: &[(&str, &str)]) -> Self {
        let plain = |sdl: &str| {
            let without = [
                "@authenticated",
                r#"@requiresScopes(scopes: [["hr"]])"#,
                r#"@policy(policies: [["friend"], ["self"]])"#,
            ];
            without.iter().fold(sdl.to_owned(), |sdl, directive| sdl.replace(directive, ""))
        };
        let subgraphs = subgraphs(plain);
        let sdls: Vec<_> = subgraphs.iter().map(|one| (one.name.as_str(), one.sdl.as_str())).collect();
        let mut sdl = compose(&sdls).unwrap_or_else(|errors| panic!("{errors:?}")).supergraph_sdl;
        let replaced = replaced.iter().copied().chain([(
            "schema\n",
            "schema\n  @link(url: \"https://specs.apollo.dev/authenticated/v0.1\", for: SECURITY)\n",
        )]);
        for (from, to) in replaced {
            assert!(sdl.contains(from), "{from} is not in\n{sdl}");
            sdl = sdl.replacen(from, to, 1);
        }
        sdl.push_str("\ndirective @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM\n");
        Self::of(TestGateway::over(&sdl, &subgraphs, EngineSettings::default()))
    }

    fn prepare(&self, request: &Request) -> Prepared {
        self.gateway.engine.prepare(request).unwrap_or_else(|refused| panic!("{}", parse(&refused)))
    }

    async fn ask(&self, query: &str, grants: Grants) -> Json {
        let request = request(query, grants);
        match self.gateway.engine.prepare(&request) {
            Ok(prepared) => parse(&self.gateway.engine.execute(&prepared, &request, &()).await),
            Err(refused) => parse(&refused),
        }
    }

    /// The documents that subgraphs got since the last look.
    fn asked(&self) -> Vec<String> {
        let requests = self.gateway.requests();
        let new = requests[self.seen.replace(requests.len())..].iter();
        new.map(|(_, body)| body["query"].as_str().expect("a document").to_owned()).collect()
    }

    /// Nothing of this was asked since the last look.
    fn never_asked(&self, names: &[&str]) {
        for document in self.asked() {
            let mut words = document.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            assert!(!words.any(|word| names.contains(&word)), "{document}");
        }
    }
}

/// The paths of the errors, each with the code.
fn refused(answer: &Json) -> Vec<Json> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let path = |error: &Json| {
        assert_eq!(error["extensions"]["code"], "UNAUTHORIZED_FIELD_OR_TYPE", "{answer}");
        error["path"].clone()
    };
    errors.iter().map(path).collect()
}

#[tokio::test]
async fn a_refused_field_is_null_with_its_path_on_every_way_and_the_rest_is_answered() {
    let guarded = Guarded::new();
    let [plain, other] =
        [json!({"name": "Name of a", "email": null}), json!({"name": "Name of a", "other": null})];
    for (query, expected, path) in [
        ("{ me { name email } }", &plain, "email"),
        ("{ me { name other: email } }", &other, "other"),
        ("{ me { name ...F } } fragment F on User { email }", &plain, "email"),
        ("{ me { name ... on User { ... { email } } } }", &plain, "email"),
        ("{ me { name ... on Node { ... on User { email } } } }", &plain, "email"),
        ("{ me { name } me { email } }", &plain, "email"),
        ("query($yes: Boolean = true) { me { name email @include(if: $yes) } }", &plain, "email"),
    ] {
        let answer = guarded.ask(query, nothing()).await;
        assert_eq!(answer["data"], json!({"me": expected}), "{query}: {answer}");
        assert_eq!(refused(&answer), [json!(["me", path])], "{query}");
        guarded.never_asked(&["email"]);
        let whole = guarded.ask(query, known(&[])).await;
        assert_eq!((&whole["data"]["me"][path], whole.get("errors")), (&json!("a@x"), None), "{query}");
        guarded.asked();
    }
    let skipped =
        guarded.ask("query($no: Boolean = false) { me { name email @include(if: $no) } }", nothing()).await;
    assert_eq!(skipped, json!({"data": {"me": {"name": "Name of a"}}}));
}

#[tokio::test]
async fn where_everything_below_is_refused_its_object_is_still_looked_for() {
    let guarded = Guarded::new();
    guarded.asked();
    let answer = guarded.ask("{ me { email notes card { number } } }", nothing()).await;
    assert_eq!(answer["data"], json!({"me": {"email": null, "notes": null, "card": null}}));
    assert_eq!(refused(&answer), [json!(["me", "email"]), json!(["me", "notes"]), json!(["me", "card"])]);
    assert_eq!(guarded.asked(), ["{me{__typename}}"]);
}

#[tokio::test]
async fn null_goes_on_to_the_nearest_place_that_may_be_null() {
    let guarded = Guarded::new();
    let answer = guarded.ask("{ me { name salary } }", known(&[])).await;
    assert_eq!((&answer["data"], refused(&answer)), (&json!({"me": null}), vec![json!(["me", "salary"])]));
    let answer = guarded.ask("{ me { friends { salary } } things { __typename } }", known(&[])).await;
    assert_eq!(
        answer["data"],
        json!({"me": null, "things": [{"__typename": "User"}, {"__typename": "Card"}]})
    );
    assert_eq!(refused(&answer), [json!(["me", "friends", 0, "salary"])]);
    guarded.never_asked(&["salary"]);
    assert_eq!(
        guarded.ask("{ me { salary } }", known(&["hr"])).await,
        json!({"data": {"me": {"salary": 10}}})
    );
}

#[tokio::test]
async fn a_refused_root_field_is_null_and_one_that_may_not_be_takes_everything_along() {
    let guarded = Guarded::new();
    let answer = guarded.ask("{ a: secret me { name } }", nothing()).await;
    assert_eq!(answer["data"], json!({"a": null, "me": {"name": "Name of a"}}));
    assert_eq!(refused(&answer), [json!(["a"])]);
    guarded.never_asked(&["secret"]);
    let answer = guarded.ask("{ secret }", nothing()).await;
    assert_eq!((&answer["data"], refused(&answer)), (&json!({"secret": null}), vec![json!(["secret"])]));
    let answer = guarded.ask("{ me { name } count secret }", nothing()).await;
    assert_eq!((&answer["data"], refused(&answer)), (&Json::Null, vec![json!(["count"])]));
    let answer =
        guarded.ask("query($no: Boolean = false) { me { name } count @include(if: $no) }", nothing()).await;
    assert_eq!(answer, json!({"data": {"me": {"name": "Name of a"}}}));
    assert_eq!(guarded.asked().len(), 1);
}

#[tokio::test]
async fn members_of_a_union_are_refused_one_by_one() {
    let guarded = Guarded::new();
    let query = "{ things { ... on User { name } ... on Card { number } } }";
    let answer = guarded.ask(query, nothing()).await;
    assert_eq!(answer["data"], json!({"things": [{"name": "Name of a"}, {"number": null}]}));
    assert_eq!(refused(&answer), [json!(["things", 1, "number"])]);
    // A type that is refused is not named, either: `__typename` may not be null, so its object is.
    let answer = guarded.ask("{ things { __typename ... on User { name } } }", nothing()).await;
    assert_eq!(answer["data"], json!({"things": [{"__typename": "User", "name": "Name of a"}, null]}));
    assert_eq!(refused(&answer), [json!(["things", 1, "__typename"])]);
    guarded.never_asked(&["number"]);
}

#[tokio::test]
async fn an_interface_asks_for_what_its_implementations_ask() {
    let guarded = Guarded::new();
    for id in ["a", "c"] {
        let answer = guarded.ask(&format!("{{ node(id: \"{id}\") {{ id }} }}"), nothing()).await;
        assert_eq!((&answer["data"], refused(&answer)), (&json!({"node": null}), vec![json!(["node"])]));
        let answer = guarded.ask(&format!("{{ node(id: \"{id}\") {{ id }} }}"), known(&[])).await;
        assert_eq!(answer, json!({"data": {"node": {"id": id}}}));
    }
}

#[tokio::test]
async fn objects_of_an_interface_that_asks_for_nothing_itself_are_refused_one_by_one() {
    let guarded = Guarded::composed_elsewhere(&[(
        "type Card implements Node\n",
        "type Card implements Node @authenticated\n",
    )]);
    for (id, expected) in [("a", json!({"id": "a"})), ("c", Json::Null)] {
        let answer = guarded.ask(&format!("{{ node(id: \"{id}\") {{ id }} }}"), nothing()).await;
        assert_eq!(answer["data"]["node"], expected, "{answer}");
        assert_eq!(refused(&answer).len(), usize::from(id == "c"));
    }
    let answer = guarded.ask("{ things { ... on Node { id } } me { card { id } } }", nothing()).await;
    assert_eq!(answer["data"], json!({"things": [{"id": "a"}, null], "me": {"card": null}}));
    assert_eq!(refused(&answer), [json!(["things", 1, "id"]), json!(["me", "card"])]);
}

#[tokio::test]
async fn what_a_field_requires_is_needed_for_it_also_where_composition_did_not_see_to_that() {
    for guarded in
        [Guarded::new(), Guarded::composed_elsewhere(&[("email: String", "email: String @authenticated")])]
    {
        for field in ["badge", "medal"] {
            let query = format!("{{ me {{ score {field} }} }}");
            let answer = guarded.ask(&query, nothing()).await;
            assert_eq!(answer["data"], json!({"me": {"score": 1, field: null}}), "{answer}");
            assert_eq!(refused(&answer), [json!(["me", field])]);
            guarded.never_asked(&["email", "badge", "medal"]);
            let whole = guarded.ask(&query, known(&[])).await;
            assert!(whole["data"]["me"][field].is_string() && whole.get("errors").is_none(), "{whole}");
            guarded.asked();
        }
    }
}

#[tokio::test]
async fn a_refused_mutation_is_not_run_and_those_beside_it_are() {
    let guarded = Guarded::new();
    let answer = guarded.ask("mutation { touch erase rename(name: \"x\") { name email } }", nothing()).await;
    assert_eq!(
        answer["data"],
        json!({"touch": true, "erase": null, "rename": {"name": "Name of a", "email": null}})
    );
    assert_eq!(refused(&answer), [json!(["erase"]), json!(["rename", "email"])]);
    guarded.never_asked(&["erase", "email"]);
}

#[tokio::test]
async fn events_of_a_subscription_lack_what_is_refused_and_a_refused_source_is_never_opened() {
    let guarded = Guarded::new();
    let subscribe = async |query: &str| {
        let request = request(query, nothing());
        let prepared = guarded.gateway.engine.prepare(&request)?;
        let events = guarded.gateway.engine.subscribe(&prepared, &request, &()).await?;
        Ok::<Vec<Json>, Response>(events.map(|event| parse(&event)).collect().await)
    };
    let events = subscribe("subscription { changed { id email badge } }").await.unwrap();
    assert_eq!(events.len(), 2);
    for (event, id) in events.iter().zip(["a", "b"]) {
        assert_eq!(event["data"], json!({"changed": {"id": id, "email": null, "badge": null}}));
        assert_eq!(refused(event), [json!(["changed", "email"]), json!(["changed", "badge"])]);
    }
    guarded.never_asked(&["email", "badge"]);
    let answer = subscribe("subscription { alarm }").await.unwrap_err();
    assert_eq!(answer.outcome, Outcome::ValidationError);
    let answer = parse(&answer);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHORIZED_FIELD_OR_TYPE", "{answer}");
    assert!(answer.get("data").is_none() && guarded.asked().is_empty());
}

#[tokio::test]
async fn what_is_deferred_and_refused_comes_as_null_with_its_error_in_its_payload() {
    let guarded = Guarded::new();
    let payloads = async |query: &str| -> Vec<Json> {
        let incremental = Some(IncrementalFormat::Current);
        let request = Request { incremental, ..request(query, nothing()) };
        let prepared = guarded.prepare(&request);
        let response = guarded.gateway.engine.execute_incremental(&prepared, &request, &()).await;
        let rest = response.rest.unwrap_or_else(|| futures::stream::empty().boxed());
        let all = futures::stream::iter([response.first]).chain(rest);
        all.map(|payload| parse(&payload)).collect().await
    };
    let all = payloads("{ me { name ... @defer { score email badge } } }").await;
    assert_eq!(all[0]["data"], json!({"me": {"name": "Name of a"}}), "{all:?}");
    let later = &all[1]["incremental"][0];
    assert_eq!(later["data"], json!({"score": 1, "email": null, "badge": null}), "{all:?}");
    assert_eq!(refused(later), [json!(["me", "email"]), json!(["me", "badge"])]);
    // A fragment of which everything is refused, and one that is inside a refused field.
    let all = payloads("{ me { name ... @defer { email } card { ... @defer { number } } } }").await;
    let whole: String = all.iter().map(ToString::to_string).collect();
    assert_eq!(all[0]["data"]["me"]["card"], Json::Null, "{whole}");
    assert!(whole.contains(r#""email":null"#) && !whole.contains("number"), "{whole}");
    assert_eq!(all.last().unwrap()["hasNext"], json!(false), "{whole}");
    let all = payloads("{ me { name ... @defer { salary } } }").await;
    assert_eq!(all[0]["data"], json!({"me": {"name": "Name of a"}}));
    assert_eq!(refused(&all[1]["completed"][0]), [json!(["me", "salary"])], "{all:?}");
    guarded.never_asked(&["email", "badge", "number", "salary"]);
}

#[tokio::test]
async fn with_the_setting_an_operation_is_refused_whole() {
    let guarded = Guarded::with(EngineSettings { reject_unauthorized: true, ..EngineSettings::default() });
    let answer = guarded.ask("{ me { name email } secret }", nothing()).await;
    assert!(answer.get("data").is_none(), "{answer}");
    assert_eq!(answer["errors"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(guarded.asked(), [""; 0]);
    assert_eq!(guarded.ask("{ secret }", known(&[])).await, json!({"data": {"secret": "s"}}));
}

#[tokio::test]
async fn clients_that_lack_the_same_share_a_plan_and_a_prepared_operation_serves_nobody_who_lacks_more() {
    let guarded = Guarded::new();
    let query = "{ me { name salary notes } }";
    let prepare = |grants: Grants| guarded.prepare(&request(query, grants));
    let friend = |scopes: &[&str]| Grants { policies: ["friend".to_owned()].into(), ..known(scopes) };
    let [neither, again, hr, both] =
        [nothing(), known(&["other"]), known(&["hr"]), friend(&["hr"])].map(prepare);
    assert!(neither == again && again.planned_in().is_none());
    assert!(neither != hr && hr != both && neither != both);
    assert_eq!((both.refused(), neither.refused() == hr.refused()), (None, false));
    // Who has more than was prepared for gets no more, who has less is refused.
    let more = request(query, friend(&["hr"]));
    let answer = parse(&guarded.gateway.engine.execute(&hr, &more, &()).await);
    assert_eq!(answer["data"], json!({"me": {"name": "Name of a", "salary": 10, "notes": null}}));
    let less = request(query, nothing());
    let answer = parse(&guarded.gateway.engine.execute(&hr, &less, &()).await);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHORIZED_FIELD_OR_TYPE", "{answer}");
    assert!(answer.get("data").is_none());
}

#[tokio::test]
async fn plans_for_those_who_were_granted_nothing_are_there_before_another_supergraph_is_served() {
    let guarded = Guarded::new();
    let anonymous = request("{ me { name email } }", nothing());
    assert!(guarded.prepare(&anonymous).planned_in().is_some());
    let subgraphs = subgraphs(str::to_owned);
    let sdls: Vec<_> = subgraphs.iter().map(|one| (one.name.as_str(), one.sdl.as_str())).collect();
    let next = compose(&sdls).unwrap_or_else(|errors| panic!("{errors:?}")).supergraph_sdl;
    guarded
        .gateway
        .engine
        .replace(&format!("{next}\nscalar New @join__type(graph: USERS)\n"))
        .expect("it is valid");
    let prepared = guarded.prepare(&anonymous);
    assert!(prepared.refused().is_some() && prepared.planned_in().is_none());
}

#[tokio::test]
async fn what_is_refused_costs_nothing() {
    let guarded = Guarded::new();
    let cost = |query: &str, grants: Grants| {
        let request = request(query, grants);
        guarded.gateway.engine.cost(&guarded.prepare(&request), &request).unwrap()
    };
    let without = cost("{ me { name } }", nothing());
    for query in ["{ me { name card { number } } }", "{ me { name badge } }", "{ me { name } secret }"] {
        assert_eq!(cost(query, nothing()), without, "{query}");
    }
    assert!(cost("{ me { name card { number } } }", known(&[])) > without);
}
