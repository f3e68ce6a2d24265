//! What people have the program write for them: a new team's file, and files laid out alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // Files are what is written.

mod program;

use program::{Folder, wheelwright};
use std::fs;

const RETURNS: &str = "topology/teams/returns.toml";

fn written(folder: &Folder) -> Option<String> {
    fs::read_to_string(folder.path().join(RETURNS)).ok()
}

#[test]
fn a_new_teams_file_is_right_and_says_what_others_have_to_change() {
    let folder = Folder::worked();
    let words = ["init", "team", "returns", "--contact", "#returns", "--hub", "us", "--account", "shipping-prod"];
    let ran = wheelwright(&folder, None, &[&words[..], &["--publishes", "com.acme.returns"]].concat()).expect(0);
    assert_eq!(Some(ran.out), written(&folder));
    insta::assert_snapshot!(written(&folder).unwrap());
    wheelwright(&folder, None, &["check"]).expect(0);
    wheelwright(&folder, None, &["fmt", "--check"]).expect(0);
    let again = wheelwright(&folder, None, &words).expect(1);
    assert!(again.err.contains("is there already; it is left as it is"), "{}", again.err);

    // Who listens shows in others' expectations.
    let folder = Folder::worked();
    let ran = wheelwright(&folder, None, &[&words[..], &["--subscribes", "payments.settlements"]].concat()).expect(0);
    assert!(ran.err.contains("error[expect-failed]: expectation `large-euro` does not hold"), "{}", ran.err);
    assert!(ran.err.contains("These lines of others do not know of it yet"), "{}", ran.err);
}

#[test]
fn nothing_is_written_that_would_be_wrong_or_that_nobody_said() {
    let cases: [(&[&str], &str); 4] = [
        (&["--contact", "x", "--hub", "us", "--account", "shippin-prod"], "did you mean `shipping-prod`?"),
        (&["--contact", "x", "--hub", "us", "--account", "shipping-prod", "--bus", "not a bus"], "bad-bus-name"),
        (
            &["--contact", "x", "--hub", "us", "--account", "shipping-prod", "--subscribes", "nobody.has-it"],
            "nobody.has-it",
        ),
        (&["--hub", "us"], "say --contact, --hub and --account"),
    ];
    for (words, says) in cases {
        let folder = Folder::worked();
        let ran = wheelwright(&folder, None, &[&["init", "team", "returns"], words].concat()).expect(1);
        assert!(ran.err.contains(says), "{words:?}: {}", ran.err);
        assert_eq!(written(&folder), None, "{words:?}");
    }
}

#[test]
fn files_are_laid_out_alike_and_say_what_they_said() {
    let mut folder = Folder::worked();
    let messy = "# Whose it is.\n[team]\nname=\"returns\"   # ours\ncontact   = '#returns'\n\n\n\n[spoke.us]\nhub = \"us\"\n\
                 account = \"shipping-prod\"\nbus = \"returns\"\n\n[publish.all]\nsource = \"com.acme.returns\"\n\
                 detail-types = [\"ReturnAsked\", # by a customer\n\"ReturnTaken\"]\nsubscribers = [ \"*\" ]\n";
    folder.write(RETURNS, messy);
    let graph = wheelwright(&folder, None, &["graph"]).expect(0).out;
    let checked = wheelwright(&folder, None, &["fmt", "--check"]).expect(1);
    assert!(checked.err.contains(&format!("{RETURNS}: not formatted")), "{}", checked.err);
    assert_eq!(written(&folder).as_deref(), Some(messy));
    wheelwright(&folder, None, &["fmt"]).expect(0);
    insta::assert_snapshot!(written(&folder).unwrap());
    assert_eq!(wheelwright(&folder, None, &["graph"]).expect(0).out, graph);
    wheelwright(&folder, None, &["fmt", "--check"]).expect(0);

    let broken = "[team\nname = \"returns\"\n";
    folder.write(RETURNS, broken);
    let ran = wheelwright(&folder, None, &["fmt"]).expect(1);
    assert!(ran.err.contains("left as it is: it is not TOML"), "{}", ran.err);
    assert_eq!(written(&folder).as_deref(), Some(broken));
}
