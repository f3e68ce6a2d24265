//! Refusals and trouble, each in one account, through the built program over HTTP: the other accounts are done, the one is
//! named with AWS's reason and what mends it, nothing of its is taken away, and once the trouble is over all comes in step.
//!
//! The topology is edited before each trouble so that there is something to break near it: the books' bus moves, which
//! would take the old target, its grant and, for a subscription that goes, a whole rule away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // `WHEELWRIGHT_SHOW` shows what the program said in each row.

#[path = "../program/mod.rs"]
mod program;
mod trouble;
mod world;

use futures_util::stream::{self, StreamExt as _};
use program::Ran;
use trouble::{Row, rows};
use world::{Begun, Server};

/// What the program must have said and done, and what it must have left.
fn judge(row: &Row, server: &Server, ran: &Ran) -> Vec<String> {
    let mut wrong = ran.told_badly(row.says);
    wrong.extend(server.taken_from_the_books(row.regions).into_iter().map(|what| format!("it took away: {what}")));
    if !server.has_rule("ww.shop.refunds.") {
        wrong.push("the other team's new subscription was not made".to_owned());
    }
    wrong
}

/// Rows that are tried side by side: most of a row is waiting.
const ROWS_AT_ONCE: usize = 4;

/// Begins the trouble, applies, ends it, applies again: what was wrong with that.
async fn try_row(row: Row, begun: &Begun) -> Vec<String> {
    let server = Server::start(begun).await;
    (row.begin)(&server);
    let ran = server.run(&["apply", "--yes"]).await;
    let told = |fault: String, ran: &Ran| format!("{}: {fault}\n{}{}", row.name, ran.out, ran.err);
    let mut wrong: Vec<String> = judge(&row, &server, &ran).into_iter().map(|fault| told(fault, &ran)).collect();
    println!("{:56} {}", row.name, row.says.join(" | "));
    (row.end)(&server);
    let after = server.run(&["apply", "--yes"]).await;
    if after.code != 0 {
        wrong.push(told("when it is over it does not come in step".to_owned(), &after));
    }
    let second = server.run(&["plan", "--expect-no-changes"]).await;
    if second.code != 0 {
        wrong.push(told("the second plan is not empty".to_owned(), &second));
    }
    if std::env::var_os("WHEELWRIGHT_SHOW").is_some() {
        println!("{}{}", ran.out, ran.err);
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_is_named_mended_by_its_words_and_takes_nothing_away() {
    let begun = world::converged().await;
    let tried = stream::iter(rows()).map(|row| try_row(row, &begun)).buffered(ROWS_AT_ONCE);
    let wrong: Vec<String> = tried.collect::<Vec<_>>().await.concat();
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_off_and_not_used_keeps_nobody_from_being_in_step() {
    let begun = world::converged().await;
    let server = Server::start_with(&begun, &begun.files).await;
    server.aws(|aws| aws.disable_region("222222222222", "eu-west-1"));
    let ran = server.run(&["plan", "--expect-no-changes"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("unread-idle"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_valid_credentials_of_its_own_it_says_so_once_and_writes_nothing() {
    let begun = world::converged().await;
    let server = Server::start(&begun).await;
    let before = server.writes();
    let ran = server.run_as("AKIAWRONG", &["apply", "--yes"]).await;
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("sign in again") || ran.out.contains("sign in again"), "{}{}", ran.out, ran.err);
    assert_eq!(server.writes(), before);
    assert_eq!(server.taken_from_the_books(&["us-east-1", "eu-west-1"]), Vec::<String>::new());
}
