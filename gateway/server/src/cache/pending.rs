//! Parts of answers that somebody is asking for: whoever wants them too waits instead of asking again.
//!
//! Always: nobody waits for what is not being asked; who asked and went away leaves those who wait to ask themselves;
//! a part that has come is never waited for.
//! Elsewhere: whole equal requests (`in_flight.rs`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kopitiam_executor::transport::TransportError;
use tokio::sync::watch;

use super::key::Key;
use super::store::Kept;
use crate::subgraph_client::Age;

/// A part, and how many mutations had ended when somebody wanted it: who changes something sees the change.
type Wanted = (Key, Age);

/// What became of a request for parts.
#[derive(Debug, Clone)]
pub(crate) enum Came {
    /// The parts, by their narrowest key.
    Parts(HashMap<Key, Part, ahash::RandomState>),
    /// No answer.
    Failed(TransportError),
    /// An answer that is for whoever asked alone.
    Nothing,
}

/// A part that came.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) value: Bytes,
    /// `None`: it may not be kept.
    pub(crate) kept: Option<Arc<Kept>>,
}

pub(crate) type Coming = watch::Receiver<Option<Arc<Came>>>;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Pending {
    table: Arc<Mutex<Table>>,
    parts_max: usize,
}

type Table = HashMap<Wanted, Coming, ahash::RandomState>;

/// Parts that whoever holds this asks for.
#[derive(Debug)]
pub(crate) struct Claim {
    table: Arc<Mutex<Table>>,
    parts: Vec<Wanted>,
    sender: watch::Sender<Option<Arc<Came>>>,
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pending {
    /// Parts beyond `parts_max` are asked without anybody waiting for them.
    pub(crate) fn new(parts_max: usize) -> Self {
        Self { table: Arc::default(), parts_max }
    }

    /// For each key, who is asking for it; the claim holds those that nobody was asking for.
    pub(crate) fn claim<'a>(
        &self,
        keys: impl Iterator<Item = &'a Key>,
        age: Age,
    ) -> (Claim, Vec<Option<Coming>>) {
        let sender = watch::Sender::new(None);
        let mut claim = Claim { table: Arc::clone(&self.table), parts: Vec::new(), sender };
        let mut table = lock(&self.table);
        let coming = keys.map(|key| {
            let is_full = table.len() >= self.parts_max;
            match table.entry((key.clone(), age)) {
                Entry::Occupied(coming) => Some(coming.get().clone()),
                Entry::Vacant(_) if is_full => None,
                Entry::Vacant(place) => {
                    claim.parts.push(place.key().clone());
                    place.insert(claim.sender.subscribe());
                    None
                }
            }
        });
        let coming = coming.collect();
        drop(table);
        (claim, coming)
    }
}

impl Claim {
    /// Tells those who wait.
    pub(crate) fn came(mut self, came: Came) {
        self.leave();
        self.sender.send_replace(Some(Arc::new(came)));
    }

    fn leave(&mut self) {
        let mut table = lock(&self.table);
        for part in self.parts.drain(..) {
            table.remove(&part);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What came; `None` when whoever asked went away.
pub(crate) async fn arrival(mut coming: Coming) -> Option<Arc<Came>> {
    let came = coming.wait_for(Option::is_some).await.ok()?;
    came.clone()
}
