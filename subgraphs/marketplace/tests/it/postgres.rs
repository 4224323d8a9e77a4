//! The tests of whole worlds once more, on PostgreSQL, where there is one: each is the test of the same name, its worlds made
//! there. Some of them in every run, all of them, at every point at which a service can be killed, with `KOPITIAM_KILLS=all`.
//!
//! Elsewhere: the binary on PostgreSQL (`kills.rs`), two processes of each service (`limits.rs`), what each service does on
//! its own (its tests run on both).

use crate::kills::are_all_wanted;
use crate::world::on_postgres;

macro_rules! on_postgres {
    ($when:expr => $($module:ident: $($test:ident),+;)+) => {
        $($(
            #[test]
            fn $test() {
                if $when {
                    on_postgres(crate::$module::$test);
                }
            }
        )+)+
    };
}

on_postgres! {
    true =>
    sagas:
        of_many_orders_for_few_units_exactly_as_many_as_units_are_confirmed,
        every_message_delivered_twice_changes_nothing;
    exchanges:
        booking_pays_through_escrow_and_adds_up_whichever_service_is_killed;
    auctions:
        an_auction_is_sold_whichever_service_is_killed_while_its_last_bid_is_decided;
    faults:
        order_service_stopped_between_any_two_effects_loses_and_doubles_nothing;
    retries:
        every_mutation_sent_again_with_its_key_has_one_effect_and_one_answer;
}

on_postgres! {
    are_all_wanted() =>
    sagas:
        one_trace_runs_from_the_request_through_every_message_of_its_saga,
        buyer_without_enough_money_is_rejected_and_the_stock_is_free_again,
        cancelled_after_confirmation_the_money_and_the_units_come_back,
        order_is_confirmed_wherever_all_services_were_killed_on_the_way,
        killing_all_services_again_and_again_loses_and_doubles_nothing,
        orders_and_refunds_end_whichever_service_is_killed_at_whichever_step;
    exchanges:
        ticket_is_reserved_paid_and_handed_over_and_one_that_is_called_off_is_free_again,
        ticket_is_sold_once_whichever_service_is_killed_at_whichever_step;
    auctions:
        the_highest_bid_pays_the_seller_gets_the_item_and_an_order_with_an_invoice,
        a_banned_sellers_auction_gives_back_the_leaders_money_and_the_item;
    faults:
        product_service_stopped_between_any_two_effects_loses_and_doubles_nothing,
        user_service_stopped_between_any_two_effects_loses_and_doubles_nothing,
        orders_are_taken_while_the_broker_is_away_and_decided_when_it_is_back,
        a_broker_that_forgot_its_last_second_is_told_again_and_copies_rebuilt_from_it_equal_the_live_ones,
        history_read_again_from_the_first_message_changes_nothing;
    steps:
        tickets_end_whichever_service_is_killed_at_whichever_step,
        bookings_end_whichever_service_is_killed_at_whichever_step,
        auctions_end_whichever_service_is_killed_at_whichever_step;
    duplicates:
        every_message_of_every_service_that_comes_again_changes_no_table_and_is_told_to_nobody_twice,
        read_models_are_the_live_ones_in_whatever_order_the_events_of_different_aggregates_come;
    crowd:
        of_a_crowd_exactly_as_many_are_confirmed_as_there_are_units;
}
