//! What people do to our things behind our back, one row each: what it is called, and what becomes of it.
//!
//! Every edit is made by raw calls as a person of that account would make it. The worked example has converged before,
//! and each team has a rule of its own on its bus, which is foreign to wheelwright. Each row is run by the Call door and
//! by the SDK door. `cargo test --release --test drift -- --nocapture` prints the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use After::{Allowed, Left, Mended};
use FindingCode as Found;
use Outcome::{Held, Left as Leaves, Mend};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use support::probes::{EU, FRAUD, LEDGER, Mail, PAYMENTS, PLATFORM, US, misdelivered, probes};
use support::{Bench, Example, Hands, difference, is_ours};
use wheelwright::model::desired::Desired;
use wheelwright::model::finding::{Finding, FindingCode, Outcome, Severity};
use wheelwright::model::ids::Scope;
use wheelwright::model::mark::{statement_prefix, target_prefix};
use wheelwright::model::plan::Guard;
use wheelwright::model::resource::{Grantee, ResourceId, RuleId};
use wheelwright::plan::Approval;
use wheelwright::port::Fleet;
use wheelwright::sim::{SimulatedAws, SnapshotItem};
use wheelwright::stage;

/// One kind of drift.
struct Row {
    name: &'static str,
    edit: fn(&mut Edit<'_>),
    /// What the plan finds beyond what it found before the edit, and what becomes of each.
    finds: &'static [(FindingCode, Outcome)],
    after: After,
    /// Whether some event does not arrive as long as the edit stands.
    cuts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// A sweep sets everything of ours back to the byte.
    Mended,
    /// A sweep writes nothing at all.
    Left,
    /// A sweep writes nothing, until a person allows the takeover: then as `Mended`.
    Allowed,
}

const ROWS: &[Row] = &[
    Row {
        name: "bus deleted",
        edit: delete_bus,
        finds: &[(Found::BusMissing, Mend), (Found::GrantMissing, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "bus description lost",
        edit: |edit| _ = edit.call(LEDGER, US, "UpdateEventBus", json!({"Name": "ledger", "Description": ""})),
        finds: &[(Found::MarkLost, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "publisher's statement removed",
        edit: |edit| edit.remove_grant(PLATFORM, "org-events", PAYMENTS),
        finds: &[(Found::GrantMissing, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "hub's statement on a spoke removed",
        edit: |edit| edit.remove_grant(LEDGER, "ledger", PLATFORM),
        finds: &[(Found::GrantMissing, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "whole policy removed",
        edit: |edit| {
            let input = json!({"EventBusName": "org-events", "RemoveAllPermissions": true});
            edit.call(PLATFORM, US, "RemovePermission", input);
        },
        finds: &[(Found::GrantMissing, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "statement widened to everybody",
        edit: |edit| {
            let sid = edit.sid(PLATFORM, "org-events", PAYMENTS);
            edit.put_permission(PLATFORM, "org-events", &sid, "*");
        },
        finds: &[(Found::GrantChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "statement names another organisation",
        edit: other_organization,
        finds: &[(Found::GrantChanged, Mend)],
        after: Mended,
        cuts: true,
    },
    // What bears our name and nobody asks for cannot be told from what an earlier topology asked for: it goes, as a
    // step of the plan and without a finding.
    Row {
        name: "statement added under our name",
        edit: |edit| {
            let sid = format!("{}999999999999-0badcafe", statement_prefix(&edit.desired.owner));
            edit.put_permission(PLATFORM, "org-events", &sid, "999999999999");
        },
        finds: &[],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "foreign statement added",
        edit: |edit| edit.put_permission(PLATFORM, "org-events", "partner", "999999999999"),
        finds: &[(Found::ForeignGrant, Leaves)],
        after: Left,
        cuts: false,
    },
    Row {
        name: "foreign statement denies everybody",
        edit: deny_everybody,
        finds: &[(Found::ForeignDeny, Leaves)],
        after: Left,
        cuts: true,
    },
    Row {
        name: "policy overwritten by another tool",
        edit: |edit| {
            let statement = json!({
                "Sid": "theirs", "Effect": "Allow", "Principal": {"AWS": FRAUD}, "Action": "events:PutEvents",
                "Resource": support::probes::hub_arn(US),
            });
            edit.put_policy(&json!({"Version": "2012-10-17", "Statement": [statement]}));
        },
        finds: &[(Found::GrantMissing, Mend), (Found::ForeignGrant, Leaves)],
        after: Mended,
        cuts: true,
    },
    Row { name: "statements re-ordered", edit: reorder_policy, finds: &[], after: Left, cuts: false },
    Row {
        name: "rule deleted",
        edit: |edit| {
            let rule = edit.rule("ledger.settlements");
            edit.remove_targets(&rule);
            edit.on_rule("DeleteRule", &rule);
        },
        finds: &[(Found::RuleMissing, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "forwarding rule deleted",
        edit: |edit| {
            let rule = edit.forward_rule("analytics.checkout");
            edit.remove_targets(&rule);
            edit.on_rule("DeleteRule", &rule);
        },
        finds: &[(Found::RuleMissing, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "rule disabled",
        edit: |edit| {
            let rule = edit.rule("fraud.cards");
            edit.on_rule("DisableRule", &rule);
        },
        finds: &[(Found::RuleDisabled, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "pattern changed",
        edit: |edit| edit.put_rule("ledger.large", |rule| rule["EventPattern"] = json!(r#"{"source":["nobody"]}"#)),
        finds: &[(Found::PatternChanged, Mend)],
        after: Mended,
        cuts: true,
    },
    Row { name: "pattern re-formatted", edit: reformat_pattern, finds: &[], after: Left, cuts: false },
    Row {
        name: "description lost in the console",
        edit: |edit| edit.put_rule("ledger.large", |rule| drop_field(rule, "Description")),
        finds: &[(Found::MarkLost, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "description edited, mark kept",
        edit: |edit| {
            edit.put_rule("ledger.large", |rule| {
                let text = rule["Description"].as_str().unwrap();
                rule["Description"] = json!(format!("ask Ann first: {text}"));
            });
        },
        finds: &[(Found::DescriptionChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "description and a team's tag lost",
        edit: |edit| {
            edit.put_rule("ledger.large", |rule| drop_field(rule, "Description"));
            edit.untag("ledger.large", "wheelwright:team");
        },
        finds: &[(Found::MarkLost, Mend), (Found::TagsChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "both marks lost",
        edit: |edit| {
            edit.put_rule("ledger.large", |rule| drop_field(rule, "Description"));
            edit.untag("ledger.large", "wheelwright:owner");
        },
        finds: &[(Found::Adopt, Held)],
        after: Allowed,
        cuts: false,
    },
    // Tags of a rule whose description bears our mark are not read: a call for each rule, in every sweep, for
    // something that cuts no route.
    Row {
        name: "owner's tag lost, mark kept",
        edit: |edit| edit.untag("ledger.large", "wheelwright:owner"),
        finds: &[(Found::TagsChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "rule copied, marks and all",
        edit: copy_rule,
        finds: &[(Found::MarkCopied, Outcome::Left)],
        after: Left,
        cuts: false,
    },
    Row {
        name: "foreign rule added on the hub",
        edit: |edit| {
            let queue = edit.queue(PLATFORM, US, "curious");
            let rule = json!({"Name": "curious", "EventBusName": "org-events", "EventPattern": EVERYTHING});
            edit.call(PLATFORM, US, "PutRule", rule);
            let targets = json!([{"Id": "1", "Arn": queue}]);
            edit.call(
                PLATFORM,
                US,
                "PutTargets",
                json!({"Rule": "curious", "EventBusName": "org-events", "Targets": targets}),
            );
        },
        finds: &[(Found::ForeignRule, Leaves)],
        after: Left,
        cuts: false,
    },
    Row {
        name: "only target removed",
        edit: |edit| {
            let rule = edit.rule("orders.settled");
            edit.remove_targets(&rule);
        },
        finds: &[(Found::Incomplete, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "target replaced by a foreign one",
        edit: |edit| {
            let rule = edit.rule("orders.settled");
            let queue = edit.queue(PLATFORM, US, "curious");
            edit.put_target(&rule, json!({"Id": "curious", "Arn": queue}));
            let ours = edit.desired.rules[&rule].spec.targets.keys().next().unwrap().clone();
            let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Ids": [ours]});
            edit.call_at(&rule.bus.scope, "RemoveTargets", input);
        },
        finds: &[(Found::TargetMissing, Mend), (Found::ForeignTarget, Leaves)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "target re-pointed",
        edit: |edit| {
            let queue = edit.queue(PLATFORM, US, "curious");
            edit.edit_target("orders.settled", |target| {
                *target = json!({"Id": target["Id"], "Arn": queue});
            });
        },
        finds: &[(Found::TargetChanged, Mend)],
        after: Mended,
        cuts: true,
    },
    Row {
        name: "dead-letter queue dropped",
        edit: |edit| edit.edit_target("orders.settled", |target| drop_field(target, "DeadLetterConfig")),
        finds: &[(Found::TargetChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "retry policy dropped",
        edit: |edit| edit.edit_target("ledger.large", |target| drop_field(target, "RetryPolicy")),
        finds: &[(Found::TargetChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "target's input replaced",
        edit: |edit| edit.edit_target("ledger.large", |target| target["Input"] = json!("{}")),
        finds: &[(Found::TargetChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "target added under our name",
        edit: |edit| {
            let (rule, queue) = (edit.rule("fraud.cards"), edit.queue(PLATFORM, US, "curious"));
            let id = format!("{}0badcafe", target_prefix(&edit.desired.owner));
            edit.put_target(&rule, json!({"Id": id, "Arn": queue}));
        },
        finds: &[],
        after: Mended,
        cuts: false,
    },
    Row {
        name: "extra target added",
        edit: |edit| {
            let (rule, queue) = (edit.rule("fraud.cards"), edit.queue(PLATFORM, US, "curious"));
            edit.put_target(&rule, json!({"Id": "curious", "Arn": queue}));
        },
        finds: &[(Found::ForeignTarget, Leaves)],
        after: Left,
        cuts: false,
    },
    Row {
        name: "archive keeps events for less long",
        edit: |edit| edit.retention(7),
        finds: &[(Found::ArchiveChanged, Mend)],
        after: Mended,
        cuts: false,
    },
    // Setting it back would delete events.
    Row {
        name: "archive keeps events for longer",
        edit: |edit| edit.retention(90),
        finds: &[(Found::ArchiveChanged, Leaves)],
        after: Left,
        cuts: false,
    },
    Row {
        name: "archive keeps events for ever",
        edit: |edit| edit.retention(0),
        finds: &[(Found::ArchiveChanged, Leaves)],
        after: Left,
        cuts: false,
    },
    Row {
        name: "archive deleted",
        edit: |edit| {
            let name = edit.archive(US);
            edit.call(PLATFORM, US, "DeleteArchive", json!({"ArchiveName": name}));
        },
        finds: &[(Found::ArchiveMissing, Mend)],
        after: Mended,
        cuts: false,
    },
];

const EVERYTHING: &str = r#"{"source":[{"prefix":""}]}"#;

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_mended_or_left_by_the_call_door() {
    let example = Example::worked();
    let converged = converged(&Bench::by_call(&example, example.stage())).await;
    println!("{:38} {:58} {:8} routes", "drift", "found", "then");
    for row in ROWS {
        let bench = Bench::by_call(&example, converged.clone());
        check(row, &bench).await;
        let mut found: Vec<String> = row.finds.iter().map(|(code, outcome)| format!("{code} ({outcome})")).collect();
        if row.finds.is_empty() {
            found.push(if row.after == Mended { "a step that takes it away" } else { "-" }.to_owned());
        }
        let cut = if row.cuts { "cut" } else { "" };
        println!("{:38} {:58} {:8} {cut}", row.name, found.join(", "), format!("{:?}", row.after).to_lowercase());
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_mended_or_left_by_the_sdk_door() {
    let example = Example::worked();
    let converged = converged(&Bench::by_sdk(&example, example.stage())).await;
    for row in ROWS {
        check(row, &Bench::by_sdk(&example, converged.clone())).await;
    }
}

/// The example in step, with each team's own rule on its bus.
async fn converged<F: Fleet>(bench: &Bench<F>) -> SimulatedAws {
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let mut aws = bench.aws().clone();
    stage::furnish(&mut aws, &bench.example.desired).unwrap();
    aws
}

async fn check<F: Fleet>(row: &Row, bench: &Bench<F>) {
    let name = row.name;
    let desired = &bench.example.desired;
    let before = bench.aws().snapshot(is_ours);
    let (_, plan) = bench.plan().await;
    assert!(plan.is_empty(), "{name}: drift before the edit\n{}", bench.shown(&plan));
    let known = plan.findings;

    (row.edit)(&mut Edit { aws: &mut bench.aws(), desired });
    let edited = Picture::of(&bench.aws());
    let missing = missing(&bench.aws(), desired);
    assert_eq!(!missing.is_empty(), row.cuts, "{name}: events that do not arrive: {missing:?}");

    let (_, plan) = bench.plan().await;
    let found = new_findings(&plan.findings, &known);
    assert_eq!(found, row.finds.iter().copied().collect(), "{name}: found\n{}", bench.shown(&plan));

    let swept = bench.sweep().await;
    if row.after == Allowed {
        let written = difference(&edited.all(), &Picture::of(&bench.aws()).all());
        assert_eq!(written, Vec::<String>::new(), "{name}: written without leave");
        let approval = Approval { allow: [Guard::Adopt].into(), plan_id: None };
        let swept = bench.sweep_with(&bench.clock, &approval).await.unwrap();
        bench.assert_in_step(&swept);
    } else if row.finds.iter().any(|(code, outcome)| *outcome == Leaves && code.severity() == Severity::Error) {
        // Nothing to do, and an error that only a person can mend: that is not "in step".
        assert!(!swept.in_step() && swept.after.is_empty(), "{name}: {}", bench.shown(&swept.after));
    } else {
        bench.assert_in_step(&swept);
    }
    let (_, second) = bench.plan().await;
    assert!(second.is_empty(), "{name}: the second plan\n{}", bench.shown(&second));

    let after = Picture::of(&bench.aws());
    assert_eq!(difference(&edited.foreign, &after.foreign), Vec::<String>::new(), "{name}: foreign, and written");
    if row.after == Left {
        assert_eq!(difference(&edited.ours, &after.ours), Vec::<String>::new(), "{name}: written");
        assert_eq!(self::missing(&bench.aws(), desired), missing, "{name}: events that do not arrive");
        return;
    }
    assert_eq!(difference(&before, &after.ours), Vec::<String>::new(), "{name}: ours is not as it was");
    // A team whose bus was deleted puts its own rule back; only then can it be seen what arrives there.
    stage::furnish(&mut bench.aws(), desired).unwrap();
    let wrong = match row.finds.iter().any(|(code, _)| *code == Found::ForeignTarget) {
        true => self::missing(&bench.aws(), desired),
        false => misdelivered(&mut bench.aws().clone(), desired),
    };
    assert_eq!(wrong, Vec::<String>::new(), "{name}: after mending");
}

/// Everything that lives, ours and others'.
struct Picture {
    ours: Value,
    foreign: Value,
}

impl Picture {
    fn of(aws: &SimulatedAws) -> Self {
        Self { ours: aws.snapshot(is_ours), foreign: aws.snapshot(|item: &SnapshotItem<'_>| !is_ours(item)) }
    }

    fn all(&self) -> Value {
        json!(
            [&self.ours, &self.foreign].into_iter().filter_map(Value::as_object).flatten().collect::<BTreeMap<_, _>>()
        )
    }
}

/// The probes that miss a queue in which they must be; that they are elsewhere too does not count.
fn missing(aws: &SimulatedAws, desired: &Desired) -> Vec<String> {
    let mut aws = aws.clone();
    let mut mail = Mail::of(&aws);
    let mut missing = Vec::new();
    for probe in probes() {
        let published = probe.publish(&mut aws);
        let arrived = mail.arrived(&aws);
        if published.is_err() || probe.queues(desired).iter().any(|(queue, count)| arrived.get(queue) != Some(count)) {
            missing.push(probe.name.to_owned());
        }
    }
    missing
}

fn new_findings(found: &[Finding], known: &[Finding]) -> BTreeSet<(FindingCode, Outcome)> {
    let known: BTreeSet<(FindingCode, &ResourceId)> =
        known.iter().map(|finding| (finding.code, &finding.resource)).collect();
    let new = found.iter().filter(|finding| !known.contains(&(finding.code, &finding.resource)));
    new.map(|finding| (finding.code, finding.outcome)).collect()
}

/// Somebody at a console.
struct Edit<'a> {
    aws: &'a mut SimulatedAws,
    desired: &'a Desired,
}

impl Edit<'_> {
    fn call(&mut self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        Hands { aws: self.aws }.call(account, region, operation, input)
    }

    fn call_at(&mut self, scope: &Scope, operation: &str, input: Value) -> Value {
        self.call(&scope.account.to_string(), scope.region.as_str(), operation, input)
    }

    /// The hub's rule of a subscription.
    fn rule(&self, subscription: &str) -> RuleId {
        let found = self.desired.routes.iter().find(|(id, _)| id.consumer.to_string() == subscription);
        found.unwrap_or_else(|| panic!("no route to {subscription}")).1.rule.clone()
    }

    /// The rule that forwards to the hub what a subscription takes.
    fn forward_rule(&self, subscription: &str) -> RuleId {
        let found = self.desired.routes.iter().find(|(id, _)| id.consumer.to_string() == subscription);
        found.and_then(|(_, route)| route.forward_rules.first()).unwrap().clone()
    }

    fn on_rule(&mut self, operation: &str, rule: &RuleId) -> Value {
        self.call_at(&rule.bus.scope, operation, json!({"Name": rule.name, "EventBusName": rule.bus.name}))
    }

    /// Edits a rule in the console: everything is written again, as the form has it then.
    fn put_rule(&mut self, subscription: &str, change: fn(&mut Value)) {
        let rule = self.rule(subscription);
        let mut form = self.on_rule("DescribeRule", &rule);
        drop_field(&mut form, "Arn");
        drop_field(&mut form, "CreatedBy");
        change(&mut form);
        self.call_at(&rule.bus.scope, "PutRule", form);
    }

    fn untag(&mut self, subscription: &str, key: &str) {
        let rule = self.rule(subscription);
        self.call_at(&rule.bus.scope, "UntagResource", json!({"ResourceARN": rule.arn(), "TagKeys": [key]}));
    }

    fn targets(&mut self, rule: &RuleId) -> Vec<Value> {
        let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name});
        self.call_at(&rule.bus.scope, "ListTargetsByRule", input)["Targets"].as_array().cloned().unwrap_or_default()
    }

    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    fn put_target(&mut self, rule: &RuleId, target: Value) {
        let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Targets": [target]});
        self.call_at(&rule.bus.scope, "PutTargets", input);
    }

    fn edit_target(&mut self, subscription: &str, change: impl Fn(&mut Value)) {
        let rule = self.rule(subscription);
        let mut target = self.targets(&rule).remove(0);
        change(&mut target);
        self.put_target(&rule, target);
    }

    fn remove_targets(&mut self, rule: &RuleId) {
        let ids: Vec<Value> = self.targets(rule).into_iter().map(|target| target["Id"].clone()).collect();
        let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Ids": ids});
        self.call_at(&rule.bus.scope, "RemoveTargets", input);
    }

    /// The id of our statement on an American bus that lets `grantee` in.
    fn sid(&self, account: &str, bus: &str, grantee: &str) -> String {
        let grantee = Grantee::Account(grantee.parse().unwrap());
        let found = self.desired.grants.iter().find(|((id, _), wanted)| {
            id.name == bus && id.scope == Scope::new(account.parse().unwrap(), US) && wanted.spec == grantee
        });
        found.unwrap_or_else(|| panic!("no grant on {bus} for {grantee}")).0.1.clone()
    }

    fn remove_grant(&mut self, account: &str, bus: &str, grantee: &str) {
        let sid = self.sid(account, bus, grantee);
        self.call(account, US, "RemovePermission", json!({"EventBusName": bus, "StatementId": sid}));
    }

    fn put_permission(&mut self, account: &str, bus: &str, sid: &str, principal: &str) {
        let input = json!({
            "EventBusName": bus, "StatementId": sid, "Action": "events:PutEvents", "Principal": principal,
        });
        self.call(account, US, "PutPermission", input);
    }

    fn policy(&mut self) -> Value {
        let bus = self.call(PLATFORM, US, "DescribeEventBus", json!({"Name": "org-events"}));
        serde_json::from_str(bus["Policy"].as_str().unwrap()).unwrap()
    }

    fn put_policy(&mut self, policy: &Value) {
        self.call(PLATFORM, US, "PutPermission", json!({"EventBusName": "org-events", "Policy": policy.to_string()}));
    }

    /// A queue that EventBridge may send to.
    fn queue(&mut self, account: &str, region: &str, name: &str) -> String {
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn,
        }]});
        self.aws.create_queue_with_policy(account, region, name, &policy);
        arn
    }

    fn archive(&self, region: &str) -> String {
        let found = self.desired.archives.keys().find(|archive| archive.scope.region.as_str() == region);
        found.unwrap().name.clone()
    }

    fn retention(&mut self, days: u32) {
        let name = self.archive(US);
        let described = self.call(PLATFORM, US, "DescribeArchive", json!({"ArchiveName": name}));
        let description = described["Description"].clone();
        let input = json!({"ArchiveName": name, "Description": description, "RetentionDays": days});
        self.call(PLATFORM, US, "UpdateArchive", input);
    }
}

fn drop_field(value: &mut Value, field: &str) {
    value.as_object_mut().unwrap().remove(field);
}

fn delete_bus(edit: &mut Edit<'_>) {
    let own = json!({"Rule": stage::INBOX_RULE, "EventBusName": "ledger", "Ids": ["inbox"]});
    edit.call(LEDGER, US, "RemoveTargets", own);
    edit.call(LEDGER, US, "DeleteRule", json!({"Name": stage::INBOX_RULE, "EventBusName": "ledger"}));
    edit.call(LEDGER, US, "DeleteEventBus", json!({"Name": "ledger"}));
}

fn other_organization(edit: &mut Edit<'_>) {
    let sid = edit.desired.grants.keys().find(|(bus, _)| bus.scope.region.as_str() == EU && bus.name == "org-events");
    let input = json!({
        "EventBusName": "org-events", "StatementId": sid.unwrap().1, "Action": "events:PutEvents", "Principal": "*",
        "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-someoneelse"},
    });
    edit.call(PLATFORM, EU, "PutPermission", input);
}

fn deny_everybody(edit: &mut Edit<'_>) {
    let mut policy = edit.policy();
    let resource = policy["Statement"][0]["Resource"].clone();
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "lockdown", "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": resource,
    }));
    edit.put_policy(&policy);
}

fn reorder_policy(edit: &mut Edit<'_>) {
    let mut policy = edit.policy();
    let statements = policy["Statement"].as_array_mut().unwrap();
    assert!(statements.len() > 1);
    statements.reverse();
    edit.put_policy(&policy);
}

/// Other white space, another order of keys and of alternatives.
fn reformat_pattern(edit: &mut Edit<'_>) {
    edit.put_rule("ledger.large", |rule| {
        let mut pattern: Value = serde_json::from_str(rule["EventPattern"].as_str().unwrap()).unwrap();
        pattern["detail"]["currency"].as_array_mut().unwrap().reverse();
        let turned: serde_json::Map<String, Value> = pattern.as_object().cloned().unwrap().into_iter().rev().collect();
        let text = serde_json::to_string_pretty(&turned).unwrap();
        assert_ne!(rule["EventPattern"], json!(text));
        rule["EventPattern"] = json!(text);
    });
}

fn copy_rule(edit: &mut Edit<'_>) {
    let rule = edit.rule("fraud.settled");
    let described = edit.on_rule("DescribeRule", &rule);
    let tags = edit.call_at(&rule.bus.scope, "ListTagsForResource", json!({"ResourceARN": rule.arn()}));
    let queue = edit.queue(FRAUD, US, "fraud-test");
    let copy = json!({
        "Name": "ww.fraud.settled-copy", "EventBusName": rule.bus.name, "EventPattern": described["EventPattern"],
        "Description": described["Description"], "Tags": tags["Tags"],
    });
    edit.call_at(&rule.bus.scope, "PutRule", copy);
    let mut target = edit.targets(&rule).remove(0);
    target["Arn"] = json!(queue);
    let input = json!({"Rule": "ww.fraud.settled-copy", "EventBusName": rule.bus.name, "Targets": [target]});
    edit.call_at(&rule.bus.scope, "PutTargets", input);
}
