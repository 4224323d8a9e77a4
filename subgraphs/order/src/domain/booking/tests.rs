//! The booking machine: each rule once, and random walks on which invariant I9 holds at every step.

use proptest::prelude::*;

use super::*;

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn requested(deposit_minor: i64) -> Booking {
    Booking {
        id: Uuid::nil(),
        listing_id: Uuid::nil(),
        title: "Kopi class".into(),
        buyer_id: Uuid::from_u128(1),
        seller_id: Uuid::from_u128(2),
        state: BookingState::Requested,
        currency: "USD".into(),
        price_minor: 10_000,
        deposit_minor,
        escrow_minor: 0,
        deposit_paid: false,
        starts_at: None,
        seller_confirmed_at: None,
        buyer_confirmed_at: None,
        auto_confirm_at: None,
        created_at: at(0),
        state_since: at(0),
        reminded_at: None,
        version: 1,
    }
}

fn act(booking: &Booking, role: Role, action: BookingAction, now: DateTime<Utc>) -> (Booking, Duty) {
    booking.after(Happening::Act(role, action, None), now).unwrap()
}

fn held(deposit_minor: i64) -> Booking {
    let (accepted, _) = act(&requested(deposit_minor), Role::Seller, BookingAction::Accept, at(1));
    accepted.after(Happening::Held(Part::Deposit), at(2)).unwrap().0
}

fn delivered(deposit_minor: i64) -> Booking {
    act(&held(deposit_minor), Role::Seller, BookingAction::MarkDelivered, at(3)).0
}

#[test]
fn each_party_is_offered_its_own_actions_only() {
    let booking = requested(2_500);
    assert_eq!(booking.allowed_actions(booking.buyer_id, false), [BookingAction::Cancel]);
    let seller = booking.allowed_actions(booking.seller_id, false);
    assert_eq!(seller, [BookingAction::Accept, BookingAction::Decline]);
    assert!(booking.allowed_actions(Uuid::from_u128(3), false).is_empty());
    let disputed = act(&delivered(2_500), Role::Buyer, BookingAction::Dispute, at(4)).0;
    assert_eq!(disputed.allowed_actions(Uuid::from_u128(3), true).len(), 2);
    assert!(disputed.allowed_actions(disputed.buyer_id, true).is_empty(), "not one's own dispute");
}

#[test]
fn full_way_pays_the_deposit_into_escrow_and_all_to_the_seller_at_the_end() {
    let booking = held(2_500);
    assert_eq!((booking.state, booking.escrow_minor), (BookingState::DepositHeld, 2_500));
    assert_eq!(booking.balance_due_minor(), 7_500);
    let (due, duty) = act(&delivered(2_500), Role::Buyer, BookingAction::ConfirmCompletion, at(4));
    assert_eq!((due.state, duty), (BookingState::BalanceDue, Duty::None));
    let (same, duty) = act(&due, Role::Buyer, BookingAction::PayBalance, at(5));
    assert_eq!((same.state, duty), (BookingState::BalanceDue, Duty::Collect(Part::Balance)));
    let (closed, duty) = due.after(Happening::Held(Part::Balance), at(5)).unwrap();
    assert_eq!((closed.state, closed.escrow_minor, duty), (BookingState::Closed, 0, Duty::None));
}

#[test]
fn without_a_deposit_the_booking_is_active_at_once_and_with_all_of_it_closed_at_once() {
    let (active, _) = act(&requested(0), Role::Seller, BookingAction::Accept, at(1));
    assert_eq!((active.state, active.deposit_paid), (BookingState::DepositHeld, false));
    let (closed, duty) = act(&delivered(10_000), Role::Buyer, BookingAction::ConfirmCompletion, at(4));
    assert_eq!(closed.state, BookingState::Closed);
    assert_eq!(duty, Duty::PayOut { seller: 9_500, fee: 500, buyer: 0 });
}

#[test]
fn silence_ends_each_wait_at_its_time_and_not_before() {
    let waits = [
        (requested(2_500), ANSWER_WITHIN, BookingState::Expired),
        (
            act(&requested(2_500), Role::Seller, BookingAction::Accept, at(0)).0,
            DEPOSIT_WITHIN,
            BookingState::Expired,
        ),
        (delivered(2_500), CONFIRM_WITHIN, BookingState::BalanceDue),
        (held(2_500), REFUND_AFTER, BookingState::Cancelled),
        (
            act(&delivered(2_500), Role::Buyer, BookingAction::Dispute, at(4)).0,
            REFUND_AFTER,
            BookingState::Cancelled,
        ),
    ];
    for (booking, wait, then) in waits {
        let due_at = booking.state_since + wait;
        assert_eq!(booking.due_at(), Some(due_at), "{:?}", booking.state);
        let early = booking.after(Happening::TimeUp, due_at - TimeDelta::seconds(1));
        assert_eq!(early, Err(Refusal::NotNow));
        assert_eq!(booking.after(Happening::TimeUp, due_at).unwrap().0.state, then, "{:?}", booking.state);
    }
}

#[test]
fn unpaid_balance_is_reminded_and_then_managers_may_decide_while_escrow_stays() {
    let due = act(&delivered(2_500), Role::Buyer, BookingAction::ConfirmCompletion, at(4)).0;
    let manager = Uuid::from_u128(3);
    assert!(due.allowed_actions(manager, true).is_empty());
    let (reminded, duty) = due.after(Happening::TimeUp, at(4) + REMIND_EVERY).unwrap();
    assert_eq!((reminded.state, reminded.escrow_minor, duty), (BookingState::BalanceDue, 2_500, Duty::None));
    assert_eq!(reminded.due_at(), Some(at(4) + REMIND_EVERY * 2));
    assert_eq!(reminded.allowed_actions(manager, true).len(), 2);
    assert_eq!(
        reminded.allowed_actions(reminded.buyer_id, false),
        [BookingAction::PayBalance],
        "still payable"
    );
}

#[test]
fn who_calls_off_when_decides_where_the_deposit_goes() {
    let refund = Duty::PayOut { seller: 0, fee: 0, buyer: 2_500 };
    let forfeit = Duty::PayOut { seller: 2_375, fee: 125, buyer: 0 };
    let far = Booking { starts_at: Some(at(100)), ..held(2_500) };
    assert_eq!(act(&far, Role::Buyer, BookingAction::Cancel, at(52)).1, refund);
    assert_eq!(act(&far, Role::Buyer, BookingAction::Cancel, at(53)).1, forfeit);
    assert_eq!(act(&far, Role::Seller, BookingAction::Cancel, at(99)).1, refund);
    assert_eq!(act(&held(2_500), Role::Buyer, BookingAction::Cancel, at(3)).1, forfeit);
    let late = delivered(2_500).after(Happening::Act(Role::Buyer, BookingAction::Cancel, None), at(4));
    assert_eq!(late, Err(Refusal::NotNow));
}

#[test]
fn manager_decides_a_dispute_whole_or_split() {
    let disputed = act(&delivered(2_500), Role::Buyer, BookingAction::Dispute, at(4)).0;
    let decide = |action, back| disputed.after(Happening::Act(Role::Manager, action, back), at(5));
    let outcome = |action, back| decide(action, back).map(|(booking, duty)| (booking.state, duty));
    let refund = (BookingState::Cancelled, Duty::PayOut { seller: 0, fee: 0, buyer: 2_500 });
    assert_eq!(outcome(BookingAction::ResolveRefund, None), Ok(refund));
    let release = (BookingState::Closed, Duty::PayOut { seller: 2_375, fee: 125, buyer: 0 });
    assert_eq!(outcome(BookingAction::ResolveRelease, None), Ok(release));
    let split = (BookingState::Closed, Duty::PayOut { seller: 1_425, fee: 75, buyer: 1_000 });
    assert_eq!(outcome(BookingAction::ResolveRelease, Some(1_000)), Ok(split));
    assert_eq!(outcome(BookingAction::ResolveRefund, Some(2_501)), Err(Refusal::Amount));
    assert_eq!(outcome(BookingAction::ResolveRefund, Some(-1)), Err(Refusal::Amount));
}

#[test]
fn deposit_is_the_percentage_rounded_up() {
    assert_eq!(
        [deposit_of(999, 10), deposit_of(1_000, 10), deposit_of(1, 0), deposit_of(1, 100)],
        [100, 100, 0, 1]
    );
}

fn happening() -> impl Strategy<Value = Happening> {
    let role = prop_oneof![Just(Role::Buyer), Just(Role::Seller), Just(Role::Manager)];
    let action = (0..BookingAction::ALL.len()).prop_map(|index| BookingAction::ALL[index]);
    let refund = prop_oneof![3 => Just(None), 1 => (-5_i64..12_000).prop_map(Some)];
    prop_oneof![
        6 => (role, action, refund).prop_map(|(role, action, refund)| Happening::Act(role, action, refund)),
        2 => Just(Happening::Held(Part::Deposit)),
        2 => Just(Happening::Held(Part::Balance)),
        1 => Just(Happening::TimeUp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// I9: whatever happens in whatever order, escrow goes to the seller only with both confirmations, by a manager,
    /// or by the buyer's own calling off; nothing is lost; a booking that is over stays over; all others have a timer.
    #[test]
    fn escrow_leaves_only_by_both_confirmations_silence_or_a_manager(
        deposit in prop_oneof![Just(0_i64), 1_i64..10_000, Just(10_000_i64)],
        walk in prop::collection::vec((happening(), 0_i64..24 * 20), 1..60),
    ) {
        let mut booking = requested(deposit);
        let (mut now, mut paid_in, mut paid_out) = (at(0), 0_i64, 0_i64);
        for (happening, hours) in walk {
            now += TimeDelta::hours(hours);
            let Ok((next, duty)) = booking.after(happening, now) else { continue };
            prop_assert!(!booking.state.is_over(), "over is over: {happening:?}");
            prop_assert_eq!(next.version > booking.version, !matches!(duty, Duty::Collect(_)));
            if happening == Happening::Held(Part::Deposit) {
                paid_in += deposit;
            }
            let both = next.seller_confirmed_at.is_some() && next.buyer_confirmed_at.is_some();
            if happening == Happening::Held(Part::Balance) {
                prop_assert!(both, "the balance is asked for after both confirmed");
                paid_out += booking.escrow_minor;
            }
            if let Duty::PayOut { seller, fee, buyer } = duty {
                prop_assert!(seller >= 0 && fee >= 0 && buyer >= 0);
                prop_assert_eq!(seller + fee + buyer, booking.escrow_minor);
                paid_out += booking.escrow_minor;
                let by_manager = matches!(happening, Happening::Act(Role::Manager, ..));
                let given_up = matches!(happening, Happening::Act(Role::Buyer, BookingAction::Cancel, _));
                prop_assert!(seller + fee == 0 || both || by_manager || given_up, "{happening:?}");
            }
            prop_assert_eq!(paid_in, paid_out + next.escrow_minor, "nothing is lost");
            prop_assert_eq!(next.due_at().is_none(), next.state.is_over());
            prop_assert!(!next.state.is_over() || next.escrow_minor == 0);
            booking = next;
        }
        // Left alone, every booking ends, but for a balance that only the buyer or a manager can end.
        for _ in 0..4 {
            if let Some(due_at) = booking.due_at() {
                booking = booking.after(Happening::TimeUp, due_at).unwrap().0;
            }
        }
        prop_assert!(booking.state.is_over() || booking.reminded_at.is_some());
    }
}
