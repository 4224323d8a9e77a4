//! One part missing: the page still answers, what the missing part would have given is null with an error each.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::support::{data_folder, free_port, operation};
use jsonwebtoken::jwk::JwkSet;
use kopitiam_kit::config::{AuthConfig, JwksSource, KafkaConfig, ServiceConfig};
use kopitiam_kit::signing::SigningKeys;
use kopitiam_kit::{Db, time};
use kopitiam_server::{Options, Server, Transport};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const SUPERGRAPH: &str = include_str!("../../../../schema/supergraph.graphql");

fn config(name: &str, data: &Path) -> ServiceConfig {
    let url = format!("sqlite://{}", data.join(format!("{name}.db")).display());
    let jwks = JwksSource::Static(JwkSet { keys: Vec::new() });
    ServiceConfig {
        name: name.to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        database_url: url,
        // Nothing listens there: reading needs no broker.
        kafka: KafkaConfig::new(format!("127.0.0.1:{}", free_port())),
        auth: AuthConfig {
            jwks,
            issuer: "kopitiam".to_owned(),
            audience: "kopitiam".to_owned(),
            gateway: SigningKeys::default(),
        },
        data_dir: data.to_owned(),
        denylist: kopitiam_kit::auth::Denylist::default(),
    }
}

/// A gateway before user, product and listing in process; the order service's address answers nothing.
async fn gateway_without_orders(data: &Path, shutdown: &CancellationToken) -> SocketAddr {
    let user = kopitiam_user::app::start(config("user", data), shutdown.clone()).await.expect("it starts");
    let product =
        kopitiam_product::app::start(config("product", data), shutdown.clone()).await.expect("it starts");
    let listing =
        kopitiam_listing::app::start(config("listing", data), shutdown.clone()).await.expect("it starts");
    let users = Db::connect(&config("user", data).database_url).await.expect("it starts");
    kopitiam_user::seed::seed(&users, time::now()).await.expect("it starts");
    let products = Db::connect(&config("product", data).database_url).await.expect("it starts");
    kopitiam_product::seed::story(&products, time::now()).await.expect("it starts");
    let transport = Transport::new()
        .with_in_process("user", user.router)
        .with_in_process("product", product.router)
        .with_in_process("listing", listing.router)
        .with_http("order", &format!("http://127.0.0.1:{}/graphql", free_port()))
        .expect("it starts");
    let mut options = Options::new(SUPERGRAPH, transport);
    options.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::bind(options).await.expect("it starts");
    let address = server.local_addr();
    tokio::spawn(server.run(shutdown.clone()));
    address
}

#[tokio::test]
async fn with_the_order_service_stopped_the_product_page_still_answers() {
    let (data, shutdown) = (data_folder(), CancellationToken::new());
    let address = gateway_without_orders(data.path(), &shutdown).await;
    let variables = json!({ "slug": "copper-long-spout-kettle" });
    let body = json!({ "query": operation("01-ProductPage.graphql"), "variables": variables });
    let answer =
        reqwest::Client::new().post(format!("http://{address}/graphql")).json(&body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let answer: Value = answer.json().await.unwrap();

    let product = &answer["data"]["product"];
    assert_eq!(
        (&product["price"]["amount"], &product["seller"]["handle"]),
        (&json!("68.00"), &json!("kopi-house"))
    );
    let missing = ["rating", "reviews"];
    for field in missing {
        assert_eq!(product[field], Value::Null, "{field}");
        let path = json!(["product", field]);
        let errors = answer["errors"].as_array().expect("errors");
        let told = errors.iter().find(|error| error["path"] == path);
        let told = told.unwrap_or_else(|| panic!("no error for {path}: {errors:#?}"));
        assert_eq!(told["extensions"]["code"], "SUBREQUEST_UNREACHABLE", "{told}");
        assert!(!told.to_string().contains("127.0.0.1"), "{told}");
        assert!(told["extensions"].get("service").is_none(), "clients learn no subgraph's name: {told}");
    }
    assert!(answer["errors"].to_string().contains(r#"["product","seller","rating"]"#), "{answer:#}");
    shutdown.cancel();
}
