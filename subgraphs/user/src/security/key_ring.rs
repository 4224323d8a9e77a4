//! Which key signs, which ones are published, and when a new one is due. Keys overlap, so that rotating them ends no
//! session: a key is published before it signs, and stays published until the last token it signed has ended.

use chrono::{DateTime, Duration, Utc};

use crate::domain::session::ACCESS_TOKEN_LIFE;

/// A key signs this long, then a new one takes over.
pub const KEY_LIFE: Duration = Duration::days(30);
/// A new key is published this long before it signs: time for everyone to hear of it.
pub const PUBLISHED_AHEAD: Duration = Duration::minutes(5);
/// Clocks may differ by this.
const LEEWAY: Duration = Duration::minutes(2);

/// What becomes of the keys made at these times, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Signs.
    pub signing: usize,
    /// Verified by everyone.
    pub published: Vec<usize>,
    /// Of no use any more.
    pub obsolete: Vec<usize>,
    /// Whether a new key is to be made.
    pub due: bool,
}

/// The plan at `now`; `None` when there is no key at all.
pub fn plan(made: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<Plan> {
    let newest = *made.last()?;
    // The first key has nobody to take over from.
    let signs_from = |at: usize| if at == 0 { DateTime::<Utc>::MIN_UTC } else { made[at] + PUBLISHED_AHEAD };
    let signing = (0..made.len()).rev().find(|at| signs_from(*at) <= now)?;
    let lives = |at: usize| at >= signing || signs_from(at + 1) + ACCESS_TOKEN_LIFE + LEEWAY > now;
    let (published, obsolete) = (0..made.len()).partition(|at| lives(*at));
    Some(Plan { signing, published, obsolete, due: newest + KEY_LIFE <= now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_until_its_last_token_has_ended() {
        let start = Utc::now();
        let made = [start, start + KEY_LIFE];
        let at = |after: Duration| plan(&made, start + KEY_LIFE + after).unwrap();
        let before = at(Duration::minutes(4));
        assert_eq!((before.signing, &before.published[..]), (0, &[0, 1][..]));
        let after = at(Duration::minutes(5));
        assert_eq!((after.signing, &after.published[..]), (1, &[0, 1][..]));
        let later = at(Duration::minutes(21));
        assert_eq!(
            (later.signing, &later.published[..]),
            (1, &[0, 1][..]),
            "its last token lives 15 minutes"
        );
        let last = at(Duration::minutes(22));
        assert_eq!((&last.published[..], &last.obsolete[..]), (&[1][..], &[0][..]));
    }

    #[test]
    fn a_key_signs_at_once_when_it_is_the_first_and_is_due_for_another_after_its_life() {
        let start = Utc::now();
        assert_eq!(plan(&[], start), None);
        let plan_at = |now| plan(&[start], now).unwrap();
        assert_eq!(plan_at(start), Plan { signing: 0, published: vec![0], obsolete: vec![], due: false });
        assert!(plan_at(start + KEY_LIFE).due);
        assert_eq!(plan_at(start - Duration::hours(1)).signing, 0, "a clock that was put back");
    }
}
