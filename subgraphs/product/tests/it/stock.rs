//! Stock under concurrency and repetition, on SQLite and PostgreSQL.

use std::collections::BTreeMap;

use crate::common::{Shop, codes, error_codes, manager, seeded, seller, shops};
use chrono::{DateTime, Duration, Utc};
use futures::StreamExt;
use futures::future::join_all;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{at_once, rounds};
use kopitiam_kit::{SystemError, Tx, time};
use kopitiam_product::app;
use kopitiam_product::domain::item::LockRejection;
use kopitiam_product::domain::product::STOCK_MAX;
use kopitiam_product::events::Cause;
use kopitiam_product::projections::stock_commands::StockCommands;
use kopitiam_product::store::reservations::{self, Answer, Outcome};
use kopitiam_product::store::{items, stock};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

type Lines = BTreeMap<Uuid, i64>;

async fn reserve(shop: &Shop, id: Uuid, lines: &Lines, until: DateTime<Utc>) -> Outcome {
    let reserve = |tx: Tx| async move {
        Ok::<_, SystemError>(reservations::reserve(&tx, id, lines, until, time::now()).await?)
    };
    shop.db.transaction(reserve).await.unwrap()
}

async fn reserve_now(shop: &Shop, id: Uuid, lines: &Lines) -> Answer {
    reserve(shop, id, lines, Utc::now() + Duration::hours(1)).await.answer
}

async fn release(shop: &Shop, id: Uuid) -> Answer {
    let release =
        |tx: Tx| async move { Ok::<_, SystemError>(reservations::release(&tx, id, time::now()).await?) };
    shop.db.transaction(release).await.unwrap().answer
}

async fn commit(shop: &Shop, id: Uuid) -> Answer {
    let commit =
        |tx: Tx| async move { Ok::<_, SystemError>(reservations::commit(&tx, id, time::now()).await?) };
    shop.db.transaction(commit).await.unwrap().answer
}

async fn restock(shop: &Shop, id: Uuid, saga: Uuid, back: &Lines) -> Answer {
    let restock = |tx: Tx| async move {
        Ok::<_, SystemError>(reservations::restock(&tx, id, saga, back.clone()).await?)
    };
    shop.db.transaction(restock).await.unwrap().answer
}

fn is_reserved(answer: &Answer) -> bool {
    matches!(answer, Answer::Reserved { .. })
}

fn code(answer: &Answer) -> &str {
    match answer {
        Answer::Rejected { code, .. } => code,
        _ => "not rejected",
    }
}

#[tokio::test]
async fn five_hundred_buyers_of_fifty_units_make_fifty_reservations() {
    for shop in shops().await {
        let cup = seeded(3, 2);
        let adjust = |tx: Tx| async move {
            Ok::<_, SystemError>(stock::change(&tx, cup, stock::Change::Adjust(20)).await?)
        };
        shop.db.transaction(adjust).await.unwrap().unwrap();
        let one = Lines::from([(cup, 1)]);
        let answers = join_all((0..500).map(|_| reserve_now(&shop, Uuid::now_v7(), &one))).await;
        assert_eq!(answers.iter().filter(|answer| is_reserved(answer)).count(), 50);
        assert_eq!(answers.iter().filter(|answer| code(answer) == "OUT_OF_STOCK").count(), 450);
        let level = shop.stock(cup).await;
        assert_eq!((level.on_hand, level.reserved), (50, 50));
    }
}

#[tokio::test]
async fn a_reservation_is_sold_or_given_back_and_never_both() {
    for shop in shops().await {
        let beans = seeded(3, 1);
        let lines = Lines::from([(beans, 1)]);
        let (mut sold, mut released) = (0, 0);
        for round in 0..rounds(100) {
            let id = Uuid::now_v7();
            assert!(is_reserved(&reserve_now(&shop, id, &lines).await));
            // Which of the two is first is not ours to say; begin with another one each time.
            let (committed, given_back) = at_once(round, commit(&shop, id), release(&shop, id)).await;
            match (&committed, code(&given_back)) {
                (Answer::Committed, "RESERVATION_RESOLVED") => sold += 1,
                (Answer::Rejected { .. }, "not rejected") => released += 1,
                other => panic!("round {round}: {other:?}"),
            }
            if committed == Answer::Committed {
                restock(&shop, id, Uuid::now_v7(), &lines).await;
            }
            let level = shop.stock(beans).await;
            assert_eq!((level.on_hand, level.reserved), (200, 0), "round {round}");
        }
        assert!(sold > 0 && released > 0, "no race: {sold} to {released}");
    }
}

#[tokio::test]
async fn orders_of_the_same_products_in_any_order_never_block_each_other_for_good() {
    for shop in shops().await {
        let lines: Lines = (1..=5).map(|number| (seeded(3, number + 4), 1)).collect();
        let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
        let answers = join_all(ids.iter().map(|id| reserve_now(&shop, *id, &lines))).await;
        assert_eq!(
            answers.iter().filter(|answer| is_reserved(answer)).count(),
            14,
            "as many as the scarcest has"
        );
        assert_eq!(shop.stock(seeded(3, 5)).await.reserved, 14, "a refused order leaves nothing reserved");
    }
}

#[tokio::test]
async fn all_lines_or_none_and_the_short_ones_are_named() {
    for shop in shops().await {
        let (beans, shawl) = (seeded(3, 1), seeded(3, 3));
        let lines = Lines::from([(beans, 5), (shawl, 2)]);
        let Answer::Rejected { code, lines: short } = reserve_now(&shop, Uuid::now_v7(), &lines).await else {
            panic!("reserved more than there is");
        };
        assert_eq!(code, "OUT_OF_STOCK");
        assert_eq!(
            short.iter().map(|line| (line.product_id, line.requested, line.available)).collect::<Vec<_>>(),
            [(shawl, 2, 1)]
        );
        assert_eq!(shop.stock(beans).await.reserved, 0);
        let unknown = Lines::from([(beans, 1), (Uuid::now_v7(), 1)]);
        assert_eq!(self::code(&reserve_now(&shop, Uuid::now_v7(), &unknown).await), "UNKNOWN_PRODUCT");
    }
}

#[tokio::test]
async fn each_repeated_command_is_one_effect() {
    for shop in shops().await {
        let beans = seeded(3, 1);
        let id = Uuid::now_v7();
        let lines = Lines::from([(beans, 7)]);
        for _ in 0..2 {
            let Answer::Reserved { lines, .. } = reserve_now(&shop, id, &lines).await else {
                panic!("refused")
            };
            assert_eq!((lines[0].0, lines[0].1.price_minor), (7, 1250));
        }
        assert_eq!(shop.stock(beans).await.reserved, 7);
        for _ in 0..2 {
            assert_eq!(commit(&shop, id).await, Answer::Committed);
        }
        let level = shop.stock(beans).await;
        assert_eq!((level.on_hand, level.reserved), (193, 0));
        assert_eq!(code(&release(&shop, id).await), "RESERVATION_RESOLVED");
        let saga = Uuid::now_v7();
        let back = Lines::from([(beans, 7)]);
        for _ in 0..2 {
            assert_eq!(restock(&shop, id, saga, &back).await, Answer::Restocked(back.clone()));
        }
        assert_eq!(shop.stock(beans).await.on_hand, 200);
        assert_eq!(code(&restock(&shop, id, Uuid::now_v7(), &back).await), "RESTOCK_EXCEEDS_SALE");
        assert_eq!(shop.stock(beans).await.on_hand, 200);
    }
}

#[tokio::test]
async fn sold_units_come_back_even_to_a_full_shelf() {
    for shop in shops().await {
        let beans = seeded(3, 1);
        let (id, one) = (Uuid::now_v7(), Lines::from([(beans, 1)]));
        reserve_now(&shop, id, &one).await;
        assert_eq!(commit(&shop, id).await, Answer::Committed);
        let free = STOCK_MAX - shop.stock(beans).await.on_hand;
        let fill = |tx: Tx| async move {
            Ok::<_, SystemError>(stock::change(&tx, beans, stock::Change::Adjust(free)).await?)
        };
        shop.db.transaction(fill).await.unwrap().unwrap();
        assert_eq!(restock(&shop, id, Uuid::now_v7(), &one).await, Answer::Restocked(one.clone()));
        assert_eq!(shop.stock(beans).await.on_hand, STOCK_MAX + 1);
    }
}

/// Others have units of the same product: what resolves a reservation twice would take from theirs.
#[tokio::test]
async fn commit_and_release_of_one_reservation_race_to_a_single_outcome() {
    for shop in shops().await {
        let beans = seeded(3, 1);
        reserve_now(&shop, Uuid::now_v7(), &Lines::from([(beans, 50)])).await;
        let (mut sold, mut freed) = (0, 0);
        for round in 0..rounds(40) {
            let id = Uuid::now_v7();
            reserve_now(&shop, id, &Lines::from([(beans, 1)])).await;
            let (committed, released) = at_once(round, commit(&shop, id), release(&shop, id)).await;
            let outcomes = [committed == Answer::Committed, released == Answer::Released];
            assert_eq!(outcomes.iter().filter(|won| **won).count(), 1, "{committed:?} {released:?}");
            sold += i64::from(outcomes[0]);
            freed += i64::from(outcomes[1]);
            let level = shop.stock(beans).await;
            assert_eq!((level.on_hand, level.reserved), (200 - sold, 50), "round {round}");
            // Enough for any number of rounds.
            if sold == 100 {
                shop.deliver(beans, 100).await;
                sold = 0;
            }
        }
        assert!(freed > 0, "it was no race");
    }
}

/// A reservation that the clock releases while it is sold, and one that is released while the clock does so.
#[tokio::test]
async fn the_clock_and_a_command_on_one_reservation_race_to_a_single_outcome() {
    for shop in shops().await {
        let beans = seeded(3, 1);
        reserve_now(&shop, Uuid::now_v7(), &Lines::from([(beans, 50)])).await;
        let over = Utc::now() - Duration::minutes(1);
        let mut sold = 0;
        for round in 0..rounds(20).min(100) {
            let [wanted, unwanted] = [Uuid::now_v7(), Uuid::now_v7()];
            reserve(&shop, wanted, &Lines::from([(beans, 1)]), over).await;
            let sweep = async || app::sweep(&shop.commands).await.unwrap();
            let (answer, ()) = Box::pin(at_once(round, commit(&shop, wanted), sweep())).await;
            if answer != Answer::Committed {
                assert_eq!(code(&answer), "RESERVATION_RESOLVED", "round {round}");
                assert_eq!(commit(&shop, wanted).await, Answer::Committed, "round {round}");
            }
            sold += 1;
            reserve(&shop, unwanted, &Lines::from([(beans, 1)]), over).await;
            Box::pin(at_once(round, release(&shop, unwanted), sweep())).await;
            let level = shop.stock(beans).await;
            assert_eq!((level.on_hand, level.reserved), (200 - sold, 50), "round {round}");
        }
    }
}

#[tokio::test]
async fn a_release_before_its_reservation_makes_the_reservation_impossible() {
    for shop in shops().await {
        let id = Uuid::now_v7();
        assert_eq!(release(&shop, id).await, Answer::Released);
        assert_eq!(
            code(&reserve_now(&shop, id, &Lines::from([(seeded(3, 1), 1)])).await),
            "RESERVATION_RESOLVED"
        );
        assert_eq!(code(&commit(&shop, id).await), "RESERVATION_RESOLVED");
        assert_eq!(shop.stock(seeded(3, 1)).await.reserved, 0);
    }
}

#[tokio::test]
async fn a_forgotten_reservation_is_released_and_a_late_commit_sells_while_there_is_stock() {
    for shop in shops().await {
        let (beans, shawl) = (seeded(3, 1), seeded(3, 3));
        let over = Utc::now() - Duration::minutes(1);
        let [kept, lost] = [Uuid::now_v7(), Uuid::now_v7()];
        reserve(&shop, kept, &Lines::from([(beans, 2)]), over).await;
        reserve(&shop, lost, &Lines::from([(shawl, 1)]), over).await;
        app::sweep(&shop.commands).await.unwrap();
        assert_eq!(shop.stock(beans).await.reserved, 0);
        assert_eq!(commit(&shop, kept).await, Answer::Committed);
        assert_eq!(shop.stock(beans).await.on_hand, 198);
        assert!(is_reserved(&reserve_now(&shop, Uuid::now_v7(), &Lines::from([(shawl, 1)])).await));
        assert_eq!(code(&commit(&shop, lost).await), "OUT_OF_STOCK");
        let level = shop.stock(shawl).await;
        assert_eq!((level.on_hand, level.reserved), (1, 1));
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_oversell() {
    for shop in shops().await {
        for sql in [
            "UPDATE stock SET reserved = on_hand + 1",
            "UPDATE stock SET reserved = -1",
            "UPDATE stock SET on_hand = -1",
        ] {
            let tamper = |tx: Tx| async move {
                tx.execute_unprepared(sql).await?;
                Ok::<_, SystemError>(())
            };
            assert!(shop.db.transaction(tamper).await.is_err(), "{sql}");
        }
    }
}

#[tokio::test]
async fn stock_is_adjusted_once_per_key_and_never_below_what_is_reserved() {
    const ADJUST: &str = "mutation($id: ID!, $d: Int!, $r: String!, $k: ID!) { adjustStock(productId: $id, delta: $d, reason: $r, idempotencyKey: $k) {
        product { availability { available } } userErrors { code } } }";
    for shop in shops().await {
        let cup = seeded(3, 2);
        reserve_now(&shop, Uuid::now_v7(), &Lines::from([(cup, 10)])).await;
        let adjust = |by: Viewer, delta: i32, reason: &'static str, key: &'static str| {
            let shop = &shop;
            async move { shop.ask(&by, ADJUST, json!({ "id": cup, "d": delta, "r": reason, "k": key })).await }
        };
        for _ in 0..2 {
            let answer = adjust(manager(), 0, "Recount", "k0").await;
            assert_eq!(codes(&answer["data"]["adjustStock"]), ["DELTA_INVALID"]);
        }
        let siti = seller(5);
        for _ in 0..2 {
            let answer = adjust(siti.clone(), 5, "Delivery", "k1").await;
            assert_eq!(answer["data"]["adjustStock"]["product"]["availability"]["available"], 25, "{answer}");
        }
        let answer = adjust(siti.clone(), -26, "Breakage", "k2").await;
        assert_eq!(codes(&answer["data"]["adjustStock"]), ["DELTA_INVALID"]);
        let answer = adjust(siti.clone(), 1, " ", "k3").await;
        assert_eq!(codes(&answer["data"]["adjustStock"]), ["REASON_INVALID"]);
        let answer = adjust(seller(6), 1, "Sabotage", "k4").await;
        assert_eq!(codes(&answer["data"]["adjustStock"]), ["NOT_YOUR_PRODUCT"]);
        let answer = adjust(Viewer::anonymous(), 1, "Sabotage", "k5").await;
        assert_eq!(error_codes(&answer), ["UNAUTHENTICATED"]);
        assert_eq!(shop.stock(cup).await.on_hand, 35);
    }
}

#[tokio::test]
async fn a_watcher_sees_the_stock_now_and_after_each_change() {
    for shop in shops().await {
        let cup = seeded(3, 2);
        let watch = format!(
            "subscription {{ stockChanged(productId: \"{cup}\") {{ availability {{ available }} }} }}"
        );
        let request = kopitiam_product::graphql::attach(&shop.commands, async_graphql::Request::new(watch));
        let mut stream = Box::pin(shop.schema().execute_stream(request));
        let available = |response: Option<async_graphql::Response>| {
            let data = serde_json::to_value(response.unwrap()).unwrap();
            data["data"]["stockChanged"]["availability"]["available"].clone()
        };
        assert_eq!(available(stream.next().await), 30);
        let handler = &StockCommands { stock: shop.commands.stock.clone() };
        let lines = &Lines::from([(cup, 4)]);
        let reserve = |tx: Tx| async move {
            let id = Uuid::now_v7();
            let outcome =
                reservations::reserve(&tx, id, lines, Utc::now() + Duration::hours(1), time::now()).await?;
            handler.answer(&tx, Cause::Service, id, outcome).await
        };
        shop.db.transaction(reserve).await.unwrap();
        assert_eq!(available(stream.next().await), 26);
    }
}

/// Each listing reads that the item is free before any of them has it.
#[tokio::test]
async fn of_many_listings_that_lock_an_item_at_the_same_moment_one_has_it() {
    for shop in shops().await {
        let (item, owner) = (seeded(4, 1), seeded(1, 5));
        for round in 0..rounds(20) {
            let listings: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
            let lock = |listing: Uuid| {
                let lock = move |tx: Tx| async move {
                    Ok::<_, SystemError>(items::lock(&tx, item, listing, owner, None).await?)
                };
                shop.db.transaction(lock)
            };
            let answers = join_all(listings.iter().map(|listing| lock(*listing))).await;
            let answers = answers.into_iter().map(Result::unwrap);
            let told: Vec<Uuid> = listings
                .iter()
                .zip(answers)
                .filter(|(_, answer)| answer.is_ok())
                .map(|(id, _)| *id)
                .collect();
            assert_eq!(told.len(), 1, "round {round}");
            let holder = items::find(shop.db.read(), item).await.unwrap().unwrap().locked_by;
            assert_eq!(holder, Some(told[0]), "round {round}");
            let free = |tx: Tx| async move { items::unlock(&tx, item, holder.unwrap()).await };
            assert!(shop.db.transaction(free).await.unwrap());
        }
    }
}

#[tokio::test]
async fn of_two_listings_that_lock_an_item_one_gets_it_and_only_that_one_hands_it_over() {
    for shop in shops().await {
        let (item, owner, winner) = (seeded(4, 1), seeded(1, 5), seeded(1, 3));
        let listings = [Uuid::now_v7(), Uuid::now_v7()];
        let lock = |listing: Uuid, owner: Uuid| {
            let lock = move |tx: Tx| async move {
                Ok::<_, SystemError>(items::lock(&tx, item, listing, owner, None).await?)
            };
            shop.db.transaction(lock)
        };
        let outcomes = join_all(listings.map(|listing| lock(listing, owner))).await;
        let won: Vec<bool> = outcomes.into_iter().map(|outcome| outcome.unwrap().is_ok()).collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        let (holder, loser) = if won[0] { (listings[0], listings[1]) } else { (listings[1], listings[0]) };
        assert_eq!(lock(loser, owner).await.unwrap(), Err(LockRejection::Locked));
        assert!(lock(holder, owner).await.unwrap().is_ok(), "asking again changes nothing");
        let transfer = |listing: Uuid| {
            let transfer = move |tx: Tx| async move {
                Ok::<_, SystemError>(items::transfer(&tx, item, listing, winner, time::now()).await?)
            };
            shop.db.transaction(transfer)
        };
        assert_eq!(transfer(loser).await.unwrap(), None);
        assert_eq!(transfer(holder).await.unwrap(), Some(owner));
        let now = items::find(shop.db.read(), item).await.unwrap().unwrap();
        assert_eq!((now.owner_id, now.locked_by), (winner, None));
        assert_eq!(lock(loser, owner).await.unwrap(), Err(LockRejection::NotOwner));
        assert_eq!(items::histories(shop.db.read(), &[item]).await.unwrap()[&item].len(), 2);
    }
}

#[tokio::test]
async fn only_the_lock_that_ran_out_is_taken_and_its_listing_loses_its_claim_to_the_next_one() {
    for shop in shops().await {
        let (item, owner, winner) = (seeded(4, 1), seeded(1, 5), seeded(1, 3));
        let (late, next, now) = (Uuid::now_v7(), Uuid::now_v7(), time::now());
        let lock = async |listing: Uuid, until: DateTime<Utc>| {
            let lock = |tx: Tx| async move { items::lock(&tx, item, listing, owner, Some(until)).await };
            shop.db.transaction(lock).await.unwrap().unwrap()
        };
        let overdue = async || {
            let overdue = |tx: Tx| async move { items::overdue(&tx, 10, now).await };
            shop.db.transaction(overdue).await.unwrap()
        };
        let expire = async |listing: Uuid| {
            let expire = |tx: Tx| async move { items::expire(&tx, item, listing, now).await };
            shop.db.transaction(expire).await.unwrap()
        };
        lock(late, now + Duration::milliseconds(1)).await;
        assert_eq!(overdue().await, []);
        assert!(!expire(late).await, "its time has not come");
        shop.db.transaction(|tx| async move { items::unlock(&tx, item, late).await }).await.unwrap();
        lock(late, now).await;
        assert_eq!(overdue().await, [(item, late)]);
        assert!(!expire(next).await, "who looked may have seen an earlier holder");
        assert!(expire(late).await);
        assert!(!expire(late).await, "once");

        // The next one had it, and gave it back: what the first one sold is no longer its own to hand over.
        lock(next, now + Duration::hours(1)).await;
        shop.db.transaction(|tx| async move { items::unlock(&tx, item, next).await }).await.unwrap();
        let transfer = |tx: Tx| async move { items::transfer(&tx, item, late, winner, now).await };
        assert_eq!(shop.db.transaction(transfer).await.unwrap(), None);
        assert_eq!(items::find(shop.db.read(), item).await.unwrap().unwrap().owner_id, owner);
    }
}

#[tokio::test]
async fn a_lock_runs_out_by_itself_and_its_listing_may_still_hand_the_item_over() {
    for shop in shops().await {
        let (item, owner, winner) = (seeded(4, 1), seeded(1, 5), seeded(1, 3));
        let (late, other) = (Uuid::now_v7(), Uuid::now_v7());
        let lock = |listing: Uuid, until: DateTime<Utc>| {
            let lock = move |tx: Tx| async move {
                Ok::<_, SystemError>(items::lock(&tx, item, listing, owner, Some(until)).await?)
            };
            shop.db.transaction(lock)
        };
        let holder = || async { items::find(shop.db.read(), item).await.unwrap().unwrap().locked_by };
        let transfer = |listing: Uuid| {
            let transfer = move |tx: Tx| async move {
                Ok::<_, SystemError>(items::transfer(&tx, item, listing, winner, time::now()).await?)
            };
            shop.db.transaction(transfer)
        };
        lock(other, time::now() + Duration::hours(1)).await.unwrap().unwrap();
        app::sweep(&shop.commands).await.unwrap();
        assert_eq!(holder().await, Some(other), "its time has not come");
        shop.db.transaction(|tx| async move { items::unlock(&tx, item, other).await }).await.unwrap();

        lock(late, time::now() - Duration::seconds(1)).await.unwrap().unwrap();
        app::sweep(&shop.commands).await.unwrap();
        assert_eq!(holder().await, None);
        assert_eq!(transfer(other).await.unwrap(), None, "another listing has no claim on it");
        assert_eq!(transfer(late).await.unwrap(), Some(owner));
        assert_eq!(transfer(late).await.unwrap(), None, "once");
    }
}
