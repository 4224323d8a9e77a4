//! Named points at which a test stops a service as `kill -9` would: between two effects that must not part.
//!
//! In debug builds a test arms a point of one database; what reaches it never goes on, nor does anything that reaches any
//! point of that database afterwards, until it is disarmed. A whole program is ended there, as `kill -9` would, by a file:
//! once the file that [`KILL_FILE`] names is written, whoever reaches the point it says aborts the process; or by whoever
//! asks it over HTTP (`serve::faults`). In release builds all of this is nothing.

/// Where a service can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A writing transaction has begun.
    AfterBegin,
    /// Everything is written, nothing is committed.
    BeforeCommit,
    /// Committed, and nobody told: not the relay, not the caller.
    AfterCommit,
    /// The broker has acknowledged messages that are not marked as published.
    BeforeMark,
    /// A message is applied, its offset not committed.
    BeforeOffset,
}

/// Names the file that ends this process: `<part of a database's URL> <point> <nth>`, such as `order.db AfterCommit 3`.
pub const KILL_FILE: &str = "KOPITIAM_KILL_AT_FILE";

impl Point {
    /// Every point.
    pub const ALL: [Self; 5] =
        [Self::AfterBegin, Self::BeforeCommit, Self::AfterCommit, Self::BeforeMark, Self::BeforeOffset];
}

#[cfg(not(debug_assertions))]
pub(crate) async fn reach(_database: &str, _point: Point) {}

#[cfg(debug_assertions)]
pub use armed::{Armed, arm};
#[cfg(debug_assertions)]
pub(crate) use armed::{abort_at, reach};

#[cfg(debug_assertions)]
mod armed {
    use std::collections::HashMap;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, LazyLock, Mutex};

    use tokio_util::sync::CancellationToken;

    use super::Point;

    static ARMED: LazyLock<Mutex<HashMap<String, Trap>>> = LazyLock::new(Mutex::default);
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    #[derive(Clone)]
    struct Trap {
        point: Point,
        left: Arc<AtomicUsize>,
        /// Whether the process ends there, rather than what reached the point.
        aborts: bool,
        sprung: CancellationToken,
    }

    /// An armed point; dropping it disarms it.
    pub struct Armed {
        database: String,
        sprung: CancellationToken,
    }

    impl Armed {
        /// Returns once the point was reached.
        pub async fn reached(&self) {
            self.sprung.cancelled().await;
        }

        /// Whether it was.
        pub fn is_reached(&self) -> bool {
            self.sprung.is_cancelled()
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            COUNT.fetch_sub(1, Ordering::SeqCst);
            ARMED.lock().expect("no code panics while it holds this lock").remove(&self.database);
        }
    }

    /// Arms a point of the database of that URL: whoever reaches it for the `nth` time from now stops there for good.
    pub fn arm(database: &str, point: Point, nth: usize) -> Armed {
        let sprung = set(database, point, nth, false);
        Armed { database: database.to_owned(), sprung }
    }

    /// Whoever reaches the point of the database of that URL for the `nth` time from now ends the process. Nothing disarms it.
    pub(crate) fn abort_at(database: &str, point: Point, nth: usize) {
        set(database, point, nth, true);
    }

    fn set(database: &str, point: Point, nth: usize, aborts: bool) -> CancellationToken {
        let sprung = CancellationToken::new();
        let trap = Trap { point, left: Arc::new(AtomicUsize::new(nth)), aborts, sprung: sprung.clone() };
        COUNT.fetch_add(1, Ordering::SeqCst);
        let mut armed = ARMED.lock().expect("no code panics while it holds this lock");
        armed.insert(database.to_owned(), trap);
        sprung
    }

    /// The file of [`super::KILL_FILE`], and how often its point was reached.
    static KILL: LazyLock<Option<(PathBuf, AtomicUsize)>> = LazyLock::new(|| {
        let file = std::env::var_os(super::KILL_FILE).filter(|file| !file.is_empty())?;
        Some((PathBuf::from(file), AtomicUsize::new(0)))
    });

    fn kill_at(database: &str, point: Point) {
        let Some((file, reached)) = &*KILL else { return };
        let Ok(order) = std::fs::read_to_string(file) else { return };
        let mut words = order.split_whitespace();
        let (Some(part), Some(name), Some(nth)) = (words.next(), words.next(), words.next()) else { return };
        if database.contains(part) && format!("{point:?}") == name {
            let reached = reached.fetch_add(1, Ordering::SeqCst) + 1;
            if Ok(reached) == nth.parse() {
                // Without a word and without any destructor.
                std::process::abort();
            }
        }
    }

    /// Goes on, unless a test stops the service here.
    pub(crate) async fn reach(database: &str, point: Point) {
        kill_at(database, point);
        if COUNT.load(Ordering::Relaxed) == 0 {
            return;
        }
        let trap = ARMED.lock().expect("no code panics while it holds this lock").get(database).cloned();
        let Some(trap) = trap else { return };
        let here = trap.point == point
            && trap.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                == Ok(1);
        if here && trap.aborts {
            std::process::abort();
        }
        if here || trap.sprung.is_cancelled() {
            trap.sprung.cancel();
            std::future::pending::<()>().await;
        }
    }
}
