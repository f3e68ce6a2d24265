//! The whole story on one emulator: what it does otherwise than AWS shows itself, the built program brings the small
//! example in step, and the table of drift is tried on it.

use super::divergences;
use super::example;
use super::server::{Emulator, Server};
use super::table::Table;
use crate::program::{Folder, Ran, wheelwright};
use crate::rows::{Row, TABLE};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The modification time of a test's own folder, which is the topology's sequence.
const SEQUENCE: u64 = 1_790_000_000;

/// Starts an emulator and tells the story; without one it says so.
pub(crate) fn tell(emulator: Emulator) {
    let Some(mut server) = Server::start(emulator) else { return };
    let divergences = divergences::of(emulator);
    divergences::assert_shown(&server);
    let folder = Folder::of(&example::files(&divergences));
    let run = |server: &Server, args: &[&str]| -> Ran { wheelwright(&folder, Some(&server.endpoint), args) };
    run(&server, &["plan", "--expect-no-changes"]).expect(3);
    run(&server, &["apply", "--yes"]).expect(0);
    run(&server, &["plan", "--expect-no-changes"]).expect(0);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows: Vec<&Row> = TABLE.iter().flat_map(|(_, rows)| *rows).collect();
    for name in divergences.iter().flat_map(|divergence| divergence.rows) {
        assert!(rows.iter().any(|row| row.name == *name), "no row is called {name:?}");
    }
    let (mut tried, mut wrong) = (0, Vec::new());
    let mut table = runtime.block_on(Table::new(server, SEQUENCE));
    for row in &rows {
        if let Some(why) = table.excuse(row) {
            println!("{:50} not tried: {why}", row.name);
            continue;
        }
        tried += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(table.try_one(row))));
        let word = if outcome.is_ok() { format!("{:?}", row.after).to_lowercase() } else { "WRONG".to_owned() };
        println!("{:50} {word}", row.name);
        if let Err(panic) = outcome {
            let text = panic.downcast_ref::<String>().cloned();
            wrong.push(format!("{}: {}", row.name, text.unwrap_or_default()));
            // Whatever it left there: the next row starts anew.
            server = Server::start(emulator).unwrap();
            run(&server, &["apply", "--yes"]).expect(0);
            table = runtime.block_on(Table::new(server, SEQUENCE));
        }
    }
    let excused = rows.len() - tried;
    println!(
        "{emulator:?}: {tried} of {} kinds of drift tried, {excused} excused by what it does otherwise",
        rows.len()
    );
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    table.assert_as_before();
    run(table.server(), &["plan", "--expect-no-changes"]).expect(0);
}
