//! What a change does by itself: `plan --base`, and what a team lead reads of it in a pull request.
//!
//! The comments are snapshots to read: each has to say who starts to receive what, who stops, whether there are duplicates, what is
//! held, and what a publisher must do, to somebody who has nothing but the comment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod program;

use program::{Folder, wheelwright};

/// The comment on a pull request that makes these edits (file, from, to) in the worked example; and how the command ends.
fn comment(code: i32, edits: &[(&str, &str, &str)]) -> String {
    comment_from(&Folder::worked(), code, edits)
}

/// The same where the base is this.
fn comment_from(base: &Folder, code: i32, edits: &[(&str, &str, &str)]) -> String {
    let mut head = Folder::worked();
    for (path, from, to) in edits {
        head.replace(&format!("topology/{path}.toml"), from, to);
    }
    let base = base.path().to_str().unwrap();
    let ran = wheelwright(&head, None, &["plan", "--base", base, "--format", "markdown"]).expect(code);
    // Other mistakes would be told there, and this is what a workflow shows beside the comment.
    assert_eq!(ran.err, "");
    ran.out
}

#[test]
fn nothing_is_said_of_a_change_that_changes_nothing() {
    let edits = [("teams/ledger", "# Large payments are booked by hand as well.", "# Large ones are booked by hand.")];
    insta::assert_snapshot!(comment(0, &edits), @r"
    <!-- wheelwright plan -->
    ### wheelwright plan: this change by itself

    In step: 22 routes, nothing to do.
    ");
}

#[test]
fn somebody_subscribes() {
    let edits = [(
        "teams/shipping",
        "[team]\n",
        "[subscribe.lost-money]\nfrom = \"payments.settlements\"\ndetail-types = [\"PaymentReversed\"]\nspoke = \"us\"\n\n[team]\n",
    )];
    insta::assert_snapshot!(comment(0, &edits));
}

#[test]
fn somebody_wants_less_of_what_they_get() {
    let edits = [("teams/ledger", "numeric = [\">\", 10000]", "numeric = [\">\", 15000]")];
    insta::assert_snapshot!(comment(0, &edits));
}

#[test]
fn a_destination_moves_and_another_subscription_goes() {
    let edits = [
        ("teams/ledger", "deliver = { queue = \"large-payments\" }", "deliver = { queue = \"booking-by-hand\" }"),
        (
            "teams/ledger",
            "[subscribe.callbacks]\nfrom = \"payments.provider-callbacks\"\nwhere.detail.provider = [{ prefix = \"bank-\" }]\n",
            "",
        ),
        (
            "teams/ledger",
            "[expect.only-banks-call-the-ledger]\nevent = { detail-type = \"CallbackReceived\", detail = { provider = \"wallet-7\" } }\npublished-by = \"payments.provider-callbacks\"\nreaches = []\n",
            "",
        ),
    ];
    insta::assert_snapshot!(comment(0, &edits));
}

#[test]
fn a_publisher_has_to_move() {
    let edits = [("teams/orders", "via = \"spoke\"\n", "")];
    insta::assert_snapshot!(comment(1, &edits));
}

#[test]
fn a_subscription_goes() {
    let euro = r#"reaches = ["analytics.settlements", "fraud.settled", "ledger.large", "#;
    let yen = r#"reaches = ["analytics.settlements", "fraud.settled", "ledger.settlements""#;
    let edits = [
        (
            "teams/fraud",
            "[subscribe.settled]\nfrom = \"payments.settlements\"\ndetail-types = [\"PaymentSettled\"]\n",
            "",
        ),
        ("teams/ledger", euro, r#"reaches = ["analytics.settlements", "ledger.large", "#),
        ("teams/ledger", yen, r#"reaches = ["analytics.settlements", "ledger.settlements""#),
    ];
    insta::assert_snapshot!(comment(0, &edits));
}

#[test]
fn a_team_begins_to_publish_and_another_to_listen() {
    let edits = [
        (
            "teams/shipping",
            "[team]\n",
            "[publish.customs]\nsource = \"com.acme.shipping.customs\"\nsubscribers = [\"ledger\"]\nat = [\"us\"]\n\n[team]\n",
        ),
        (
            "teams/ledger",
            "[subscribe.callbacks]",
            "[subscribe.customs]\nfrom = \"shipping.customs\"\n\n[subscribe.callbacks]",
        ),
    ];
    insta::assert_snapshot!(comment(0, &edits));
}

#[test]
fn a_base_with_mistakes_is_told() {
    let mut base = Folder::worked();
    base.replace("topology/hubs.toml", "[hub.us]", "[hubb.us]");
    let base_path = base.path().to_str().unwrap().to_owned();
    let ran = wheelwright(&Folder::worked(), None, &["plan", "--base", &base_path]).expect(1);
    assert!(ran.err.contains("The base has errors") && ran.err.contains("did you mean `hub`"), "{}", ran.err);
}

/// The bus stays, as no plan takes a bus away; what forwards from it goes, and the comment says so.
#[test]
fn the_last_spoke_in_a_region_goes() {
    let mut base = Folder::worked();
    let team = "[team]\nname = \"sydney\"\ncontact = \"#sydney\"\n\n\
        [spoke.apac]\nhub = \"us\"\naccount = \"shipping-prod\"\nregion = \"ap-southeast-2\"\nbus = \"sydney\"\n\n\
        [publish.orders]\nsource = \"com.acme.sydney\"\nsubscribers = [\"ledger\"]\nvia = \"spoke\"\n";
    base.write("topology/teams/sydney.toml", team);
    insta::assert_snapshot!(comment_from(&base, 0, &[]));
}
