//! The store that several gateways share: a server that speaks the Redis protocol.
//!
//! Always: nothing is given out that was asked before an invalidation of one of its labels. Whoever looks sees to that, so it
//! holds for all gateways at once, and whatever the server throws away to make room.
//!
//! What stands in the server, all but the first with a time after which it goes by itself:
//! - `epoch`: a number that every invalidation raises. It begins with the server's clock in microseconds, so that it is
//!   higher than any before it when the server has lost it.
//! - `label:…`: for each label that something has, the epoch at which the label was made. An invalidation raises the epoch
//!   and deletes the label; whoever keeps something with it next makes it anew, with the higher number.
//! - `entry:…`: a part, and the epoch in which it was asked. It counts only while each of its labels is there and is not
//!   younger than that. So an invalidation costs the same however much has the label, and a label that the server
//!   evicted takes what had it along.
//!
//! - `settings.rs`: where the server is
//! - `link.rs`: the connection, and what happens without one
//! - `behind.rs`: writes that nobody waits for
//! - `names.rs`: under what something stands in the server
//! - `entry.rs`: a part as bytes

mod behind;
mod entry;
mod link;
mod names;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult};
use tokio::time::Instant;

use self::behind::Behind;
pub(crate) use self::behind::Writes;
use self::entry::Entry;
use self::link::{Clock, Link, What};
use self::names::Names;
pub use self::settings::{RedisSettings, RedisSettingsError};
use super::key::Key;
use super::store::{Epoch, Found, Kept, KeyPair, StoreDown};
use crate::telemetry::Telemetry;

/// Labels of one entry; with more it is not kept, since whoever finds it has to look at all of them.
const LABELS_MAX: usize = 500;
/// The largest entry in bytes: one connection carries everything, and what is large holds up what is small.
const ENTRY_BYTES_MAX: usize = 1024 * 1024;
/// How much longer than its entries a label lives.
const LABEL_MARGIN_MILLIS: u64 = 60_000;

/// Gives the epoch (`KEYS[1]`), and makes one where there is none.
const EPOCH: &str = r"
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  local time = redis.call('TIME')
  epoch = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('SET', KEYS[1], epoch)
end
return epoch";

/// Makes the labels (`KEYS[2..]`) that are not there, and lets each live for at least so many milliseconds (`ARGV`).
const LABELS: &str = r"
local epoch = redis.call('GET', KEYS[1])
if not epoch then return 0 end
for i = 2, #KEYS do
  local ttl = tonumber(ARGV[i - 1])
  local left = redis.call('PTTL', KEYS[i])
  if left == -2 then
    redis.call('SET', KEYS[i], epoch, 'PX', ttl)
  elseif left < ttl then
    redis.call('PEXPIRE', KEYS[i], ttl)
  end
end
return 1";

/// Raises the epoch, and deletes the labels (`KEYS[2..]`). Gives how many there were.
const INVALIDATE: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('INCR', KEYS[1])
else
  local time = redis.call('TIME')
  redis.call('SET', KEYS[1], string.format('%.0f', time[1] * 1000000 + time[2]))
end
local gone = 0
for i = 2, #KEYS do gone = gone + redis.call('DEL', KEYS[i]) end
return gone";

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Redis {
    link: Arc<Link>,
    /// For what is kept: a lookup never stands behind that.
    writing: Arc<Link>,
    names: Arc<Names>,
    behind: Behind,
    telemetry: Telemetry,
}

/// Commands that keep parts.
struct Puts {
    pipeline: Pipeline,
    count: usize,
    /// Of the parts.
    bytes: usize,
}

impl Redis {
    /// `answers_depend_on`: what tells this gateway's answers from those of gateways with other settings.
    pub(super) fn new(
        settings: RedisSettings,
        answers_depend_on: &[u8],
        telemetry: Telemetry,
        writes: Writes,
    ) -> Self {
        let names = Arc::new(Names::new(&settings.key_prefix, settings.secret(), answers_depend_on));
        let behind = Behind::new(settings.waiting_bytes_max, settings.connect_timeout, writes);
        let (link, writing) =
            (Link::new(settings.clone(), telemetry.clone()), Link::new(settings, telemetry.clone()));
        Self { link, writing, names, behind, telemetry }
    }

    /// Connects, for as long as the settings allow; without success that goes on in the background.
    pub(super) async fn open(&self) {
        futures::join!(self.link.open(), self.writing.open());
    }

    /// What is kept under each pair of keys.
    pub(super) async fn find(&self, pairs: &[&KeyPair]) -> Found {
        if pairs.is_empty() {
            return Found { kept: Vec::new(), epoch: None };
        }
        let found = self.link.run(What::Find, |connection, clock| self.look(connection, clock, pairs)).await;
        found.unwrap_or_else(|| Found { kept: vec![None; pairs.len()], epoch: None })
    }

    async fn look(
        &self,
        mut connection: MultiplexedConnection,
        clock: Clock,
        pairs: &[&KeyPair],
    ) -> RedisResult<Found> {
        let own = pairs.iter().filter_map(|pair| pair.own.as_ref());
        let keys: Vec<&Key> = own.chain(pairs.iter().map(|pair| &pair.shared)).collect();
        let shared_from = keys.len() - pairs.len();
        let mut pipeline = Pipeline::new();
        pipeline.cmd("GET").arg(self.names.epoch());
        pipeline.cmd("MGET").arg(self.names.entries(&keys));
        let (epoch, raw): (Option<u64>, Vec<Option<Bytes>>) = pipeline.query_async(&mut connection).await?;
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => {
                redis::cmd("EVAL")
                    .arg(EPOCH)
                    .arg(1)
                    .arg(self.names.epoch())
                    .query_async(&mut connection)
                    .await?
            }
        };
        let mut entries: Vec<Option<Entry>> = raw.into_iter().map(|raw| Entry::read(&raw?, clock)).collect();
        // After the entries, never before: what is invalidated between the two looks is seen to be.
        let made = self.labels_of(&entries, &mut connection).await?;
        let counts = |entry: &Entry| {
            let holds = |label| made.get(label).is_some_and(|made| *made <= entry.asked_in);
            entry.kept.labels.iter().all(holds)
        };
        for entry in &mut entries {
            *entry = entry.take().filter(counts);
        }
        let mut shared = entries.split_off(shared_from).into_iter();
        let mut own = entries.into_iter();
        let kept = pairs.iter().map(|pair| {
            // As in memory: what is somebody's own never stands under a shared key.
            let shared = shared.next().flatten().filter(|entry| !entry.kept.is_private);
            let own = if pair.own.is_some() { own.next().flatten() } else { None };
            own.or(shared).map(|entry| Arc::new(entry.kept))
        });
        Ok(Found { kept: kept.collect(), epoch: Some(Epoch(epoch)) })
    }

    /// At which epoch each label of these entries was made, where it is there.
    async fn labels_of(
        &self,
        entries: &[Option<Entry>],
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<HashMap<Box<str>, u64>> {
        let labels: BTreeSet<&Box<str>> =
            entries.iter().flatten().flat_map(|entry| entry.kept.labels.iter()).collect();
        if labels.is_empty() {
            return Ok(HashMap::new());
        }
        let names: Vec<String> = labels.iter().map(|label| self.names.label(label)).collect();
        let labels: Vec<Box<str>> = labels.into_iter().cloned().collect();
        let made: Vec<Option<u64>> = redis::cmd("MGET").arg(names).query_async(connection).await?;
        Ok(labels.into_iter().zip(made).filter_map(|(label, made)| Some((label, made?))).collect())
    }

    /// Keeps parts that were asked in `asked_in`, of a subgraph, after whoever asked has its answer. What finds no room among
    /// what waits for that, and what the server does not take, is asked again.
    pub(super) fn put(&self, of: &str, parts: Vec<(Key, Arc<Kept>)>, asked_in: Epoch) {
        let bytes = parts.iter().map(|(key, kept)| key.bytes() + kept.bytes()).sum();
        let (link, names, telemetry) =
            (Arc::clone(&self.writing), Arc::clone(&self.names), self.telemetry.clone());
        let (of, waiting) = (of.to_owned(), self.telemetry.store_write());
        let write = async move {
            let _waiting = waiting;
            let put = async |mut connection: MultiplexedConnection, clock| {
                let Some(puts) = puts(&names, &parts, asked_in, clock) else { return Ok((0, 0)) };
                puts.pipeline.exec_async(&mut connection).await?;
                Ok((puts.count, puts.bytes))
            };
            if let Some((count, bytes)) = link.run(What::Put, put).await {
                telemetry.cache_stores(&of, count, bytes, 0);
            }
        };
        if !self.behind.write(bytes, write) {
            self.telemetry.cache_store_request("put", "full", Duration::ZERO);
        }
    }

    /// Nothing with one of these labels counts from now on. Gives how many of the labels something had.
    ///
    /// # Errors
    /// [`StoreDown`].
    pub(super) async fn invalidate(&self, labels: &[Box<str>]) -> Result<u64, StoreDown> {
        let mut script = redis::cmd("EVAL");
        script.arg(INVALIDATE).arg(1 + labels.len()).arg(self.names.epoch());
        for label in labels {
            script.arg(self.names.label(label));
        }
        let invalidate =
            async |mut connection: MultiplexedConnection, _| script.query_async(&mut connection).await;
        self.link.run(What::Invalidate, invalidate).await.ok_or(StoreDown)
    }
}

/// The commands that keep parts; `None`: none of them can be.
fn puts(names: &Names, parts: &[(Key, Arc<Kept>)], asked_in: Epoch, clock: Clock) -> Option<Puts> {
    let mut labels: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut sets, mut bytes) = (Vec::with_capacity(parts.len()), 0);
    let keys: Vec<&Key> = parts.iter().map(|(key, _)| key).collect();
    for (name, (_, kept)) in names.entries(&keys).into_iter().zip(parts) {
        let left = kept.expires.saturating_duration_since(Instant::now()).as_millis();
        let millis = u64::try_from(left).unwrap_or(u64::MAX - LABEL_MARGIN_MILLIS);
        let is_labelled = (1..=LABELS_MAX).contains(&kept.labels.len());
        if millis == 0 || kept.bytes() > ENTRY_BYTES_MAX || !is_labelled {
            continue;
        }
        for label in kept.labels.iter() {
            let lives = labels.entry(label).or_default();
            *lives = (*lives).max(millis + LABEL_MARGIN_MILLIS);
        }
        bytes += kept.bytes();
        sets.push((name, entry::write(kept, asked_in, clock), millis));
    }
    if sets.is_empty() {
        return None;
    }
    let (mut pipeline, count) = (Pipeline::new(), sets.len());
    let script = pipeline.cmd("EVAL").arg(LABELS).arg(1 + labels.len()).arg(names.epoch());
    for label in labels.keys() {
        script.arg(names.label(label));
    }
    script.arg(labels.into_values().collect::<Vec<u64>>());
    for (name, value, millis) in sets {
        pipeline.cmd("SET").arg(name).arg(value).arg("PX").arg(millis);
    }
    Some(Puts { pipeline, count, bytes })
}
