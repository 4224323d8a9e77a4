//! The envelope as a Kafka record and back.

use kopitiam_kafka::messages::user::{UserBanned, UserEvent, UserUnbanned};
use kopitiam_kafka::{Envelope, KafkaError};
use rdkafka::Timestamp;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use serde_json::json;
use uuid::Uuid;

fn envelope() -> Envelope {
    Envelope {
        id: Uuid::from_u128(1),
        message_type: "UserBanned".to_owned(),
        schema_version: 1,
        aggregate_type: "user".to_owned(),
        aggregate_id: Uuid::from_u128(2),
        aggregate_version: 3,
        occurred_at: "2026-11-21T08:30:00.000001Z".parse().unwrap(),
        correlation_id: Uuid::from_u128(4),
        causation_id: Uuid::from_u128(5),
        actor: "user:00000000-0000-0000-0000-000000000006".to_owned(),
        traceparent: kopitiam_kafka::envelope::NO_TRACE.to_owned(),
        payload: json!({ "reason": "fraud" }),
    }
}

fn record(body: &[u8], headers: OwnedHeaders) -> OwnedMessage {
    let timestamp = Timestamp::NotAvailable;
    OwnedMessage::new(Some(body.to_vec()), None, "user.events.v1".to_owned(), timestamp, 0, 0, Some(headers))
}

#[test]
fn an_envelope_survives_the_record() {
    let body = serde_json::to_vec(&envelope()).unwrap();
    assert_eq!(Envelope::from_record(&record(&body, envelope().headers())).unwrap(), envelope());
}

#[test]
fn the_body_is_camel_case_json() {
    insta::assert_json_snapshot!(envelope(), @r#"
    {
      "id": "00000000-0000-0000-0000-000000000001",
      "type": "UserBanned",
      "schemaVersion": 1,
      "aggregateType": "user",
      "aggregateId": "00000000-0000-0000-0000-000000000002",
      "aggregateVersion": 3,
      "occurredAt": "2026-11-21T08:30:00.000001Z",
      "correlationId": "00000000-0000-0000-0000-000000000004",
      "causationId": "00000000-0000-0000-0000-000000000005",
      "actor": "user:00000000-0000-0000-0000-000000000006",
      "traceparent": "00-00000000000000000000000000000000-0000000000000000-00",
      "payload": {
        "reason": "fraud"
      }
    }
    "#);
}

#[test]
fn headers_that_contradict_the_body_are_refused() {
    let body = serde_json::to_vec(&envelope()).unwrap();
    let headers = OwnedHeaders::new().insert(Header { key: "type", value: Some("UserUnbanned") });
    let error = Envelope::from_record(&record(&body, headers)).unwrap_err();
    assert!(matches!(error, KafkaError::Envelope(_)), "{error}");
}

#[test]
fn what_is_no_envelope_is_refused() {
    for body in [&b""[..], b"null", b"{}", b"\xff", b"[1]"] {
        let error = Envelope::from_record(&record(body, OwnedHeaders::new())).unwrap_err();
        assert!(matches!(error, KafkaError::Envelope(_)), "{error}");
    }
}

#[test]
fn a_payload_is_read_by_its_own_type_only() {
    assert_eq!(envelope().decode::<UserBanned>().unwrap().reason, "fraud");
    assert!(matches!(envelope().decode::<UserUnbanned>(), Err(KafkaError::Payload { .. })));
}

#[test]
fn a_type_of_a_newer_producer_is_no_error() {
    let newer = Envelope { message_type: "UserMoved".to_owned(), ..envelope() };
    assert_eq!(UserEvent::decode(&newer).unwrap(), None);
}

#[test]
fn a_known_type_with_a_foreign_payload_is_an_error() {
    let broken = Envelope { payload: json!({ "reason": 7 }), ..envelope() };
    assert!(matches!(UserEvent::decode(&broken), Err(KafkaError::Payload { .. })));
}
