//! What somebody does to the accounts by hand, and whether it was found and mended, or left.

use super::accounts::Accounts;
use crate::cli::context::Context;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::plan::Plan;
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::route::{Consumer, Route};
use crate::reconcile::sweep::Swept;
use anyhow::Context as _;
use serde_json::{Value, json};

/// An edit that was made.
pub(super) struct Made {
    pub(super) number: usize,
    pub(super) what: String,
    expected: Expected,
}

/// What should come of an edit.
enum Expected {
    /// Found under this code, and mended.
    Mended(ResourceId, FindingCode),
    /// Found under this code, and left: it is not ours.
    Left(ResourceId, FindingCode),
    /// Nothing: it means the same as before.
    NoDrift(ResourceId),
}

/// What came of all edits.
#[derive(Default)]
pub(super) struct Judgement {
    pub(super) found: usize,
    pub(super) mended: usize,
    pub(super) left: usize,
    pub(super) no_drift: usize,
    pub(super) foreign_untouched: bool,
    pub(super) missed: Vec<String>,
}

/// Makes every edit.
pub(super) fn make(context: &Context, accounts: &Accounts) -> anyhow::Result<Vec<Made>> {
    let mut hand = Hand { context, accounts, made: Vec::new() };
    hand.grants()?;
    hand.rules()?;
    hand.targets()?;
    hand.archive()?;
    Ok(hand.made)
}

struct Hand<'a> {
    context: &'a Context,
    accounts: &'a Accounts,
    made: Vec<Made>,
}

impl Hand<'_> {
    fn note(&mut self, what: impl Into<String>, expected: Expected) {
        self.made.push(Made { number: self.made.len() + 1, what: what.into(), expected });
    }

    fn call(&self, bus: &BusId, operation: &str, input: &Value) -> anyhow::Result<Value> {
        self.accounts.by_hand(bus.scope.account, bus.scope.region.as_str(), operation, input)
    }

    fn route(&self, consumer: &str) -> anyhow::Result<&Route> {
        let is_it = |found: &Consumer| found.to_string() == consumer;
        let (_, route) = self
            .context
            .desired
            .routes
            .iter()
            .find(|(id, _)| is_it(&id.consumer))
            .with_context(|| format!("the example has no {consumer}"))?;
        Ok(route)
    }

    fn rule(&self, consumer: &str) -> anyhow::Result<RuleId> {
        Ok(self.route(consumer)?.rule.clone())
    }

    fn described(&self, rule: &RuleId) -> anyhow::Result<Value> {
        self.call(&rule.bus, "DescribeRule", &json!({"Name": rule.name, "EventBusName": rule.bus.name}))
    }

    /// PutRule with the rule as it is, but for what `change` changes: what a console does.
    fn put_rule(&self, rule: &RuleId, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
        let live = self.described(rule)?;
        let field = |name: &str| live.get(name).cloned().unwrap_or_default();
        let mut input = json!({
            "Name": rule.name, "EventBusName": rule.bus.name, "State": field("State"),
            "EventPattern": field("EventPattern"), "Description": field("Description"),
        });
        change(&mut input);
        self.call(&rule.bus, "PutRule", &input).map(drop)
    }

    fn grants(&mut self) -> anyhow::Result<()> {
        let hub = self.route("ledger.large")?.hub_bus.clone();
        let ours = |bus: &BusId| {
            let mut grants = self.context.desired.grants.keys().filter(|(on, _)| on == bus);
            grants.next().map(|(_, sid)| sid.clone()).context("a grant of ours")
        };
        let lost = ours(&hub)?;
        let spoke = self.route("ledger.settlements")?.destination_bus.clone().context("a spoke's bus")?;
        let widened = ours(&spoke)?;
        self.call(&hub, "RemovePermission", &json!({"EventBusName": hub.name, "StatementId": lost}))?;
        self.note(
            format!("removes a publisher's statement from the policy of bus {}", hub.name),
            Expected::Mended(ResourceId::Grant(hub.clone(), lost), FindingCode::GrantMissing),
        );
        let everybody =
            json!({"EventBusName": spoke.name, "StatementId": widened, "Action": "events:PutEvents", "Principal": "*"});
        self.call(&spoke, "PutPermission", &everybody)?;
        self.note(
            format!("opens bus {} of the ledger to everybody, under our statement's id", spoke.name),
            Expected::Mended(ResourceId::Grant(spoke, widened), FindingCode::GrantChanged),
        );
        let partner = json!({"EventBusName": hub.name, "StatementId": "partner-trial", "Action": "events:PutEvents", "Principal": "999999999999"});
        self.call(&hub, "PutPermission", &partner)?;
        self.note(
            "lets a partner's account publish, with a statement of their own",
            Expected::Left(ResourceId::Grant(hub, "partner-trial".into()), FindingCode::ForeignGrant),
        );
        Ok(())
    }

    fn rules(&mut self) -> anyhow::Result<()> {
        let disabled = self.rule("ledger.large")?;
        self.call(&disabled.bus, "DisableRule", &json!({"Name": disabled.name, "EventBusName": disabled.bus.name}))?;
        self.note(
            "disables the rule of ledger.large",
            Expected::Mended(ResourceId::Rule(disabled), FindingCode::RuleDisabled),
        );

        let narrowed = self.rule("fraud.settled")?;
        self.put_rule(&narrowed, |rule| rule["EventPattern"] = json!(r#"{"source":["com.acme.payments.test"]}"#))?;
        self.note(
            "changes the pattern of fraud.settled",
            Expected::Mended(ResourceId::Rule(narrowed), FindingCode::PatternChanged),
        );

        let formatted = self.rule("orders.settled")?;
        self.put_rule(&formatted, |rule| {
            let text = rule["EventPattern"].as_str().unwrap_or_default().replace(':', " : ").replace("arn : ", "arn:");
            rule["EventPattern"] = json!(text);
        })?;
        self.note("re-formats the pattern of orders.settled", Expected::NoDrift(ResourceId::Rule(formatted)));

        let cleared = self.rule("analytics.parcels-eu")?;
        self.put_rule(&cleared, |rule| {
            rule.as_object_mut().map(|fields| fields.remove("Description"));
        })?;
        self.note(
            "saves the rule of analytics.parcels-eu in the console, which clears its description and our mark",
            Expected::Mended(ResourceId::Rule(cleared), FindingCode::MarkLost),
        );

        let deleted = self.rule("payments.verdicts")?;
        let ids = self.target_ids(&deleted)?;
        self.call(
            &deleted.bus,
            "RemoveTargets",
            &json!({"Rule": deleted.name, "EventBusName": deleted.bus.name, "Ids": ids}),
        )?;
        self.call(&deleted.bus, "DeleteRule", &json!({"Name": deleted.name, "EventBusName": deleted.bus.name}))?;
        self.note(
            "deletes the rule of payments.verdicts",
            Expected::Mended(ResourceId::Rule(deleted.clone()), FindingCode::RuleMissing),
        );

        let bus = deleted.bus;
        let debug = json!({"Name": "debug-everything", "EventBusName": bus.name, "EventPattern": r#"{"source":[{"prefix":"com.acme"}]}"#});
        self.call(&bus, "PutRule", &debug)?;
        let rule = RuleId { bus, name: "debug-everything".into() };
        self.note(
            "adds a rule of their own to the hub",
            Expected::Left(ResourceId::Rule(rule), FindingCode::ForeignRule),
        );
        Ok(())
    }

    fn target_ids(&self, rule: &RuleId) -> anyhow::Result<Vec<String>> {
        let targets =
            self.call(&rule.bus, "ListTargetsByRule", &json!({"Rule": rule.name, "EventBusName": rule.bus.name}))?;
        let targets = targets.get("Targets").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(targets.iter().filter_map(|target| target.get("Id")?.as_str().map(str::to_owned)).collect())
    }

    fn targets(&mut self) -> anyhow::Result<()> {
        let route = self.route("analytics.settlements")?.clone();
        let rule = route.rule.clone();
        let target = self
            .context
            .desired
            .rules
            .get(&rule)
            .and_then(|wanted| wanted.spec.targets.get(&route.target_id))
            .context("its target")?;
        let elsewhere = self.route("fraud.settled")?.destination_arn.clone();
        let moved = json!({"Rule": rule.name, "EventBusName": rule.bus.name,
            "Targets": [{"Id": route.target_id, "Arn": elsewhere, "RoleArn": target.role_arn}]});
        self.call(&rule.bus, "PutTargets", &moved)?;
        self.note(
            "points the target of analytics.settlements at fraud's bus",
            Expected::Mended(ResourceId::Target(rule, route.target_id), FindingCode::TargetChanged),
        );

        let rule = self.rule("ledger.settlements")?;
        let queue = self.route("audit of hub us")?.destination_arn.clone();
        let extra = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Targets": [{"Id": "tap", "Arn": queue}]});
        self.call(&rule.bus, "PutTargets", &extra)?;
        self.note(
            "taps ledger.settlements with a target of their own",
            Expected::Left(ResourceId::Target(rule, "tap".into()), FindingCode::ForeignTarget),
        );
        Ok(())
    }

    fn archive(&mut self) -> anyhow::Result<()> {
        let archive = self.context.desired.archives.keys().next().cloned().context("an archive")?;
        let input = json!({"ArchiveName": archive.name, "RetentionDays": 1});
        self.accounts.by_hand(archive.scope.account, archive.scope.region.as_str(), "UpdateArchive", &input)?;
        self.note(
            "cuts an archive's retention to one day",
            Expected::Mended(ResourceId::Archive(archive), FindingCode::ArchiveChanged),
        );
        Ok(())
    }
}

/// Holds what was made against what was found and done.
pub(super) fn judge(made: &[Made], plan: &Plan, swept: &Swept, foreign_untouched: bool) -> Judgement {
    let mut judged = Judgement { foreign_untouched, ..Judgement::default() };
    let found = |plan: &Plan, resource: &ResourceId, code: FindingCode, outcome: Outcome| {
        plan.findings
            .iter()
            .any(|finding| finding.resource == *resource && finding.code == code && finding.outcome == outcome)
    };
    let any = |plan: &Plan, resource: &ResourceId| plan.findings.iter().any(|finding| finding.resource == *resource);
    for edit in made {
        let right = match &edit.expected {
            Expected::Mended(resource, code) => {
                judged.mended += 1;
                found(plan, resource, *code, Outcome::Mend) && !any(&swept.after, resource)
            }
            Expected::Left(resource, code) => {
                judged.left += 1;
                found(plan, resource, *code, Outcome::Left) && found(&swept.after, resource, *code, Outcome::Left)
            }
            Expected::NoDrift(resource) => {
                judged.no_drift += 1;
                !any(plan, resource)
            }
        };
        if right {
            judged.found += 1;
        } else {
            judged.missed.push(edit.what.clone());
        }
    }
    if !swept.in_step() {
        judged.missed.push("the plan after the mending is not empty".into());
    }
    judged
}
