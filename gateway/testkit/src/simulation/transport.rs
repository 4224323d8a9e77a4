//! Strict subgraphs as a transport, with the outages that one of them may have.
//!
//! Elsewhere: what they answer (`strict.rs`), what the gateway must make of an outage (`degraded.rs`).

use std::sync::Mutex;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_engine::{SubgraphRequest, SubgraphTransport, TransportError};

use super::strict::StrictSubgraph;

/// How a subgraph that is out behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Nobody listens.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// A status that is no success.
    Status(u16),
    /// An endless answer.
    TooLarge,
    /// Bytes that are not JSON.
    Garbage,
    /// The beginning of the right answer.
    Half,
    /// JSON that is no GraphQL response.
    NoResponse,
    /// Errors and no data.
    OnlyErrors,
    /// Errors and `null`.
    NullData,
    /// `null` without any error.
    NullWithoutError,
}

impl Outage {
    /// All kinds, one after the other.
    pub fn of(number: usize) -> Self {
        let all = [
            Self::Unreachable,
            Self::Timeout,
            Self::Status(500),
            Self::TooLarge,
            Self::Garbage,
            Self::Half,
            Self::NoResponse,
            Self::OnlyErrors,
            Self::NullData,
            Self::NullWithoutError,
        ];
        all[number % all.len()]
    }

    fn answer(self, right: &Bytes) -> Result<Bytes, TransportError> {
        Ok(match self {
            Self::Unreachable => return Err(TransportError::Unreachable),
            Self::Timeout => return Err(TransportError::Timeout),
            Self::Status(status) => return Err(TransportError::Status(status)),
            Self::TooLarge => return Err(TransportError::TooLarge),
            Self::Garbage => Bytes::from_static(b"<html>Bad gateway</html>"),
            Self::Half => right.slice(..right.len() / 2),
            Self::NoResponse => Bytes::from_static(b"[1]"),
            Self::OnlyErrors => Bytes::from_static(br#"{"errors":[{"message":"out of order"}]}"#),
            Self::NullData => Bytes::from_static(br#"{"data":null,"errors":[{"message":"out of order"}]}"#),
            Self::NullWithoutError => Bytes::from_static(br#"{"data":null}"#),
        })
    }
}

/// All subgraphs of a simulation.
#[derive(Debug)]
pub(crate) struct Strict {
    subgraphs: Vec<StrictSubgraph>,
    requests: Mutex<Vec<String>>,
    answers: Mutex<Vec<Bytes>>,
    out: Mutex<Option<(String, Outage)>>,
}

impl Strict {
    pub(crate) fn new(subgraphs: Vec<StrictSubgraph>) -> Self {
        Self { subgraphs, requests: Mutex::default(), answers: Mutex::default(), out: Mutex::default() }
    }

    /// Forgets what was, and has a subgraph out, or none.
    pub(crate) fn begin(&self, out: Option<(String, Outage)>) {
        self.requests.lock().expect("nothing panics here").clear();
        self.answers.lock().expect("nothing panics here").clear();
        *self.out.lock().expect("nothing panics here") = out;
        for subgraph in &self.subgraphs {
            subgraph.refusals.lock().expect("nothing panics here").clear();
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.subgraphs.iter().map(|one| one.subgraph.name.as_str())
    }

    /// Requests and answers, as lines.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("nothing panics here").clone()
    }

    pub(crate) fn take_answers(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.answers.lock().expect("nothing panics here"))
    }

    /// What subgraphs refused.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let all = self.subgraphs.iter();
        all.flat_map(|one| one.refusals.lock().expect("nothing panics here").clone()).collect()
    }

    fn answers(
        &self,
        request: &SubgraphRequest<'_>,
    ) -> Result<Vec<Result<Bytes, TransportError>>, TransportError> {
        let found = self.subgraphs.iter().find(|one| one.subgraph.name == request.subgraph);
        let answers = found.ok_or(TransportError::Unreachable)?.answers(&request.body);
        let out = self.out.lock().expect("nothing panics here").clone();
        let out = out.filter(|(name, _)| name == request.subgraph).map(|(_, outage)| outage);
        let mut line = format!("{} <- {}", request.subgraph, String::from_utf8_lossy(&request.body));
        let mut given = Vec::new();
        for answer in answers {
            self.answers.lock().expect("nothing panics here").push(answer.clone());
            let answer = match out {
                Some(outage) => outage.answer(&answer),
                None => Ok(answer),
            };
            line.push_str("\n     -> ");
            match &answer {
                Ok(bytes) => line.push_str(&String::from_utf8_lossy(bytes)),
                Err(error) => line.push_str(&error.to_string()),
            }
            given.push(answer);
        }
        self.requests.lock().expect("nothing panics here").push(line);
        Ok(given)
    }
}

impl SubgraphTransport for Strict {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let mut answers = self.answers(&request)?;
        assert_eq!(answers.len(), 1, "a query has one answer");
        answers.remove(0)
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        (): &(),
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        Ok(stream::iter(self.answers(&request)?).boxed())
    }
}
