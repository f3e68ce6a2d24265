//! Promise 3, attacked: one team's file is broken in every way that a hand, an editor or a torn write breaks it, and nothing
//! of that team is written or taken away, no sound team is blamed, and the others' routes are what they were.
//!
//! The topology is the worked example with what it lacks: a hub that one team alone publishes at, a collection, a stop of
//! the platform's, a rename from a team that is gone. It is applied to simulated accounts; then a file is broken, and what
//! `plan` would do to those accounts is looked at: every step of it, held ones as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use support::probes::{Mail, probes};
use support::{Bench, Example, SEQUENCE, is_ours};
use wheelwright::config::{self, Diagnostic, Loaded, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::finding::Severity;
use wheelwright::model::ids::{Moment, TeamName};
use wheelwright::model::plan::{Action, Guard, Plan, PlanSettings, Step};
use wheelwright::model::resource::RuleId;
use wheelwright::model::topology::{Kept, Topology};
use wheelwright::model::world::World;
use wheelwright::plan::{Approval, plan};
use wheelwright::port::Clock as _;
use wheelwright::sim::SimulatedAws;
use wheelwright::sim::call_door::SimFleet;

type Texts = BTreeMap<String, String>;

/// The worked example and what it lacks.
fn texts() -> Texts {
    let mut texts = Example::worked().texts;
    let mut add = |path: &str, more: &str| texts.entry(format!("topology/{path}.toml")).or_default().push_str(more);
    add("accounts", "solo-prod = { id = \"121212121212\" }\n");
    add(
        "hubs",
        "\n[hub.ap]\naccount = \"platform\"\nregion = \"ap-southeast-2\"\nbus = \"org-events\"\naudit = { queue = \"audit-log\" }\n",
    );
    add(
        "stops",
        "[stop.inc-4411]\nsubscription = \"shipping.customs\"\nuntil = 2100-01-01T00:00:00Z\nreason = \"INC-4411\"\n",
    );
    add(
        "teams/solo",
        "[team]\nname = \"solo\"\ncontact = \"#solo\"\n\n[spoke.ap]\nhub = \"ap\"\naccount = \"solo-prod\"\nbus = \"solo\"\n\n\
         [publish.readings]\nsource = \"com.acme.solo\"\n\n[[moved]]\nfrom = \"soil.own\"\nto = \"solo.own\"\n\n\
         [subscribe.own]\nfrom = \"solo.readings\"\ndeliver = { queue = \"own\" }\n",
    );
    add(
        "teams/fraud",
        "\n[spoke.ap]\nhub = \"ap\"\naccount = \"fraud-prod\"\nbus = \"fraud\"\n\n[subscribe.readings]\nfrom = \"solo.readings\"\n\
         spoke = \"ap\"\n\n[collect.findings]\nsource = \"aws.guardduty\"\naccounts = [\"payments-prod\", \"ledger-prod\"]\n\
         at = [\"us\"]\n\n[subscribe.findings]\nfrom = \"fraud.findings\"\ndeliver = { queue = \"findings\" }\n",
    );
    // With a spoke at a third hub it says where it publishes.
    let fraud = texts.get_mut("topology/teams/fraud.toml").unwrap();
    *fraud = fraud.replace("source = \"com.acme.fraud\"\n", "source = \"com.acme.fraud\"\nat = [\"us\"]\n");
    texts
}

/// The sound topology, and the accounts after it was applied.
struct Applied {
    example: Example,
    aws: SimulatedAws,
    world: World,
    now: Moment,
}

fn applied() -> &'static Applied {
    static APPLIED: OnceLock<Applied> = OnceLock::new();
    APPLIED.get_or_init(|| {
        runtime().block_on(async {
            let example = Example::of(texts(), SEQUENCE);
            assert!(example.topology.kept.is_empty());
            let bench = Bench::by_call(&example, example.stage());
            bench.assert_in_step(&bench.sweep().await);
            wheelwright::stage::furnish(&mut bench.aws(), &example.desired).unwrap();
            let (world, nothing) = bench.plan().await;
            assert!(nothing.steps.is_empty());
            let aws = bench.aws().clone();
            Applied { example, aws, world, now: bench.clock.now() }
        })
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// The teams' files, and whose each is.
fn teams_files(texts: &Texts) -> Vec<(&str, &str)> {
    texts
        .keys()
        .filter_map(|path| Some((path.as_str(), path.strip_prefix("topology/teams/")?.strip_suffix(".toml")?)))
        .collect()
}

fn load(texts: &Texts) -> Loaded {
    config::load(&SourceFiles::new(texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))))
}

fn errors(loaded: &Loaded) -> Vec<&Diagnostic> {
    loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect()
}

fn desired_of(loaded: &Loaded, topology: &Topology, now: Moment) -> Desired {
    expand(topology, &loaded.settings, Revision { id: "broken".into(), sequence: SEQUENCE + 1 }, now)
}

/// What a variant came to: everything that was wrong with how it was taken, a line each; none if it is not broken.
fn faults(broken: &str, team: &str, texts: &Texts, seen: &mut Vec<(Topology, Vec<String>)>) -> Option<Vec<String>> {
    let loaded = load(texts);
    let errors = errors(&loaded);
    if errors.is_empty() {
        return None;
    }
    let mut faults = Vec::new();
    let is_own = |error: &&&Diagnostic| &*error.primary.file == broken;
    let is_broken = errors.iter().any(|error| is_own(&error));
    // A name that is another is a new name, as far as anybody can tell: what names the old one is told.
    let is_renamed = !texts.get(broken).is_some_and(|text| text.contains(&format!("name = \"{team}\"")));
    let is_of_the_old_name = |error: &Diagnostic| {
        is_renamed && error.message.contains(&format!("`{team}")) && error.code.to_string().starts_with("unknown-")
    };
    for error in errors.iter().filter(|error| is_broken && !is_own(error) && !is_of_the_old_name(error)) {
        faults.push(format!("{} is blamed: {}", error.primary.file, error.message));
    }
    match &loaded.topology {
        // A stop of the platform's for a team that called itself something else: only the platform can say what it means.
        None if !is_broken && errors.iter().any(|error| &*error.primary.file == "topology/stops.toml") => {}
        None => faults.push(format!("everybody is stopped: {}", errors[0].message)),
        Some(topology) => faults.extend(planned_faults(is_broken, team, &loaded, topology, seen)),
    }
    Some(faults)
}

/// What a plan for `topology` would do that it must not. The same topology is planned once.
fn planned_faults(
    is_broken: bool,
    team: &str,
    loaded: &Loaded,
    topology: &Topology,
    seen: &mut Vec<(Topology, Vec<String>)>,
) -> Vec<String> {
    let told = Kept {
        teams: topology.kept.teams.keys().map(|team| (team.clone(), String::new())).collect(),
        unknown: topology.kept.unknown.as_ref().map(|_| String::new()),
        ..topology.kept.clone()
    };
    let topology = Topology { kept: told, ..topology.clone() };
    if let Some((_, faults)) = seen.iter().rev().find(|(other, _)| *other == topology) {
        return faults.clone();
    }
    let Applied { world, now, example, .. } = applied();
    let desired = desired_of(loaded, &topology, *now);
    let Plan { steps, .. } = plan(&desired, world, &PlanSettings::default(), *now);
    let owners = Owners::of(example);
    let mut faults: Vec<String> =
        steps.iter().filter_map(|step| owners.fault(step, is_broken, team, &topology.kept, &desired)).collect();
    if is_broken {
        faults.extend(changed(&example.desired, &desired, &topology.kept));
    }
    seen.push((topology, faults.clone()));
    faults
}

/// Whose everything is that the sound topology asks for.
struct Owners(BTreeMap<String, String>);

impl Owners {
    fn of(example: &Example) -> Self {
        let buses = example.desired.buses.iter().map(|(bus, wanted)| (format!("bus {bus}"), &wanted.team));
        let rules = example.desired.rules.iter().map(|(rule, wanted)| (format!("rule {rule}"), &wanted.team));
        let grants =
            example.desired.grants.iter().map(|((bus, sid), wanted)| (format!("grant {bus} {sid}"), &wanted.team));
        let team = |team: &Option<_>| team.as_ref().map_or("the hubs".to_owned(), ToString::to_string);
        Self(buses.chain(rules).chain(grants).map(|(thing, owner)| (thing, team(owner))).collect())
    }

    /// Why a step must not be in the plan, if it must not.
    fn fault(&self, step: &Step, is_broken: bool, broken: &str, kept: &Kept, desired: &Desired) -> Option<String> {
        let thing = match &step.action {
            Action::CreateBus { bus, .. }
            | Action::UpdateBus { bus, .. }
            | Action::TagBus { bus, .. }
            | Action::UntagBus { bus, .. } => format!("bus {bus}"),
            Action::PutGrant { bus, statement_id, .. } => format!("grant {bus} {statement_id}"),
            Action::RemoveGrant { .. } => return Some(format!("takes a grant away: {:?}", step.key())),
            Action::PutRule { rule, .. }
            | Action::TagRule { rule, .. }
            | Action::UntagRule { rule, .. }
            | Action::PutTargets { rule, .. }
            | Action::RemoveTargets { rule, .. }
            | Action::DeleteRule { rule } => format!("rule {rule}"),
            Action::CreateArchive { .. } | Action::UpdateArchive { .. } => return Some(format!("{:?}", step.key())),
        };
        let owner = self.0.get(&thing).map_or("nobody", String::as_str);
        let is_kept = kept.teams.keys().any(|team| team.as_str() == owner) || is_broken && owner == broken;
        let loses = step.is_break()
            && (owner == "the hubs"
                || !kept.sound.iter().any(|team| team.as_str() == owner)
                || rule_of(&step.action).is_some_and(|rule| feeds_hub(rule, desired)));
        (is_kept || loses).then(|| format!("writes what is {owner}'s: {:?}", step.key()))
    }
}

fn rule_of(action: &Action) -> Option<&RuleId> {
    match action {
        Action::RemoveTargets { rule, .. } | Action::DeleteRule { rule } | Action::PutRule { rule, .. } => Some(rule),
        _ => None,
    }
}

/// Whether a rule is live that brings events to a hub.
fn feeds_hub(rule: &RuleId, desired: &Desired) -> bool {
    let hubs: Vec<String> =
        desired.buses.iter().filter(|(_, wanted)| wanted.team.is_none()).map(|(bus, _)| bus.arn()).collect();
    let live = applied().world.rule(rule);
    let mut targets = live.iter().flat_map(|live| live.targets.iter().flatten());
    targets.any(|(_, target)| hubs.contains(&target.spec.arn))
}

/// Rules of sound teams that are asked for otherwise than before, or not at all though they need nothing of a broken one.
fn changed(before: &Desired, now: &Desired, kept: &Kept) -> Vec<String> {
    let is_sound = |team: &Option<TeamName>| team.as_ref().is_some_and(|team| kept.sound.contains(team));
    let needs = |rule: &RuleId| {
        before
            .routes
            .values()
            .any(|route| route.rule == *rule && route.publisher.is_some() && !is_sound(&route.publisher))
    };
    let others = before.rules.iter().filter(|(_, wanted)| is_sound(&wanted.team));
    let other_than = |(rule, wanted): (&RuleId, &wheelwright::model::desired::Wanted<_>)| match now.rules.get(rule) {
        None => (!needs(rule)).then(|| format!("{rule} is not asked for any more")),
        Some(now) => (now.spec != wanted.spec).then(|| format!("{rule} is asked for otherwise")),
    };
    others.filter_map(other_than).collect()
}

/// `texts` with `path` as `text`.
fn with(texts: &Texts, path: &str, text: &str) -> Texts {
    let mut texts = texts.clone();
    texts.insert(path.to_owned(), text.to_owned());
    texts
}

#[test]
fn a_file_that_is_cut_anywhere_is_nobody_elses_trouble() {
    let texts = texts();
    let (mut broken, mut wrong) = (0, Vec::new());
    for (path, team) in teams_files(&texts) {
        let text = &texts[path];
        let mut seen = Vec::new();
        // Every byte of what says whose it is and of the first entries; beyond, entries are like entries.
        let ends = (0..text.len()).filter(|end| text.is_char_boundary(*end) && (*end < 400 || end % 3 == 0));
        for end in ends {
            if let Some(faults) = faults(path, team, &with(&texts, path, &text[..end]), &mut seen) {
                broken += 1;
                wrong.extend(faults.into_iter().map(|fault| format!("{team} cut at {end}: {fault}")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {broken}:\n{}",
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
    assert!(broken > 3_000, "{broken} cuts broke a file");
}

/// What slips in at a place, in place of what was there or before it.
const SLIPS: [&str; 20] =
    ["", "x", "X", "0", "-", "_", " ", "\n", "\"", "'", "'''", "\"\"\"", "[", "]", "{", "}", "=", "#", ".", "\u{feff}"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_slip_of_one_character_is_nobody_elses_trouble(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        slip in prop::sample::select(&SLIPS[..]),
        replaces: bool,
    ) {
        let texts = texts();
        let files = teams_files(&texts);
        let (path, team) = files[file.index(files.len())];
        let mut characters: Vec<char> = texts[path].chars().collect();
        let at = place.index(characters.len());
        characters.splice(at..at + usize::from(replaces), slip.chars());
        let text: String = characters.into_iter().collect();
        let faults = faults(path, team, &with(&texts, path, &text), &mut Vec::new()).unwrap_or_default();
        prop_assert!(faults.is_empty(), "{team}: {slip:?} at {at}:\n{}", faults.join("\n"));
    }
}

/// Larger mistakes, each as an edit of all files.
fn mistakes() -> Vec<(&'static str, &'static str, Texts)> {
    let texts = texts();
    let file = |team: &str| format!("topology/teams/{team}.toml");
    let edited = |team: &str, edit: &dyn Fn(&str) -> String| {
        let text = edit(&texts[&file(team)]);
        assert_ne!(text, texts[&file(team)]);
        with(&texts, &file(team), &text)
    };
    let renamed = |team: &str, to: &str| {
        edited(team, &|text| text.replace(&format!("name = \"{team}\""), &format!("name = \"{to}\"")))
    };
    let without = |path: &str| {
        let mut texts = texts.clone();
        texts.remove(path).unwrap();
        texts
    };
    vec![
        ("emptied", "orders", edited("orders", &|_| String::new())),
        ("emptied, the only one at its hub", "solo", edited("solo", &|_| "\n".to_owned())),
        ("commented out", "orders", edited("orders", &|text| text.lines().map(|line| format!("# {line}\n")).collect())),
        ("a web page", "fraud", edited("fraud", &|_| "<html>502</html>".to_owned())),
        ("without its team", "ledger", edited("ledger", &|text| text.replace("[team]\nname = \"ledger\"\n", ""))),
        ("its name misspelt, and expectations that name it", "ledger", renamed("ledger", "ledgr")),
        ("its name misspelt, the only one at its hub", "solo", renamed("solo", "soto")),
        ("its name in capitals", "payments", renamed("payments", "Payments")),
        ("its name another team's", "ledger", renamed("ledger", "payments")),
        ("its name another team's, and a subscriber of everybody", "orders", renamed("orders", "analytics")),
        ("its table misspelt", "orders", edited("orders", &|text| text.replace("[team]", "[tem]"))),
        ("its publications misspelt", "orders", edited("orders", &|text| text.replace("[publish.", "[publsh."))),
        ("its spokes misspelt", "shipping", edited("shipping", &|text| text.replace("[spoke.", "[spokes."))),
        (
            "its publications' names in capitals",
            "payments",
            edited("payments", &|text| text.replace("[publish.s", "[publish.S")),
        ),
        (
            "`[team]` with a key too many",
            "shipping",
            edited("shipping", &|text| text.replace("contact =", "owner = \"x\"\ncontact =")),
        ),
        (
            "a publication gone, whose events are forwarded",
            "orders",
            edited("orders", &|text| {
                text.replace(
                    &text[text.find("[publish.checkout-steps]").unwrap()..text.find("[subscribe.settled]").unwrap()],
                    "",
                )
            }),
        ),
        (
            "fewer detail-types of what is forwarded",
            "orders",
            edited("orders", &|text| {
                text.replace("\"CheckoutStepReached\", ", "").replace("CheckoutAbandoned", "CheckoutStepReached")
            }),
        ),
        (
            "what is forwarded, from another spoke",
            "orders",
            edited("orders", &|text| text.replace("via = \"spoke\"\nat = [\"us\"]", "via = \"spoke\"\nat = [\"eu\"]")),
        ),
        ("its file gone", "orders", without("topology/teams/orders.toml")),
        ("its file gone, the only one at its hub", "solo", without("topology/teams/solo.toml")),
        (
            "a subscription gone that the platform holds off",
            "shipping",
            edited("shipping", &|text| {
                text.replace(&text[text.find("[subscribe.customs]").unwrap()..text.find("[expect.").unwrap()], "")
            }),
        ),
        (
            "a collection that another collects too",
            "ledger",
            edited("ledger", &|text| {
                format!("{text}\n[collect.findings]\nsource = \"aws.guardduty\"\naccounts = [\"payments-prod\"]\n")
            }),
        ),
        (
            "another's bus",
            "ledger",
            edited("ledger", &|text| {
                text.replace(
                    "account = \"ledger-prod\"\nbus = \"ledger\"",
                    "account = \"payments-prod\"\nbus = \"payments\"",
                )
            }),
        ),
        ("another's source", "ledger", edited("ledger", &|text| text.replace("com.acme.ledger", "com.acme.payments"))),
        (
            "another's subscription renamed",
            "ledger",
            edited("ledger", &|text| format!("{text}\n[[moved]]\nfrom = \"fraud.old\"\nto = \"fraud.cards\"\n")),
        ),
        (
            "another's subscription stopped",
            "ledger",
            edited("ledger", &|text| {
                format!(
                    "{text}\n[stop.x]\nsubscription = \"fraud.cards\"\nuntil = 2100-01-01T00:00:00Z\nreason = \"x\"\n"
                )
            }),
        ),
    ]
}

#[test]
fn larger_mistakes_are_nobody_elses_trouble_either() {
    let mut wrong = Vec::new();
    for (name, team, texts) in mistakes() {
        let loaded = load(&texts);
        assert!(loaded.has_errors(), "{name}: nothing is wrong");
        let Some(topology) = &loaded.topology else {
            wrong.push(format!("{team}: {name}: everybody is stopped: {}", errors(&loaded)[0].message));
            continue;
        };
        let path = format!("topology/teams/{team}.toml");
        let is_broken = errors(&loaded).iter().any(|error| *error.primary.file == *path);
        let faults = planned_faults(is_broken, team, &loaded, topology, &mut Vec::new());
        wrong.extend(
            faults
                .into_iter()
                .filter(|fault| !fault.contains("asked for otherwise"))
                .map(|fault| format!("{team}: {name}: {fault}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An operator with the broken topology before the accounts as they were left.
fn bench_of(desired: Desired, topology: Topology, texts: Texts) -> Bench<SimFleet> {
    let Applied { example, aws, .. } = applied();
    let broken = Example { texts, topology, desired, ..example.clone() };
    Bench::by_call(&broken, aws.clone())
}

/// The same mistakes to the end: the plan is applied with guards let go, and events are published.
#[test]
fn whatever_is_applied_meanwhile_every_event_arrives_as_before() {
    let Applied { aws, now, .. } = applied();
    let before = arrived(&mut aws.clone());
    assert!(before.len() > 60, "{} arrivals", before.len());
    for (name, team, texts) in mistakes() {
        runtime().block_on(async {
            let loaded = load(&texts);
            let topology = loaded.topology.clone().unwrap_or_else(|| panic!("{name}: everybody is stopped"));
            let bench = bench_of(desired_of(&loaded, &topology, *now), topology, texts);
            // All but that publishers have moved, which is not so.
            let allow = [Guard::TooManyBreaks, Guard::TooManyChanges, Guard::Adopt].into();
            let approval = Approval { allow, plan_id: None };
            let swept = bench.sweep_with(&bench.clock, &approval).await.unwrap();
            let failures: Vec<String> = swept.failures().map(|(key, outcome)| format!("{key}: {outcome:?}")).collect();
            assert_eq!(failures, [""; 0], "{team}: {name}");
            let lost = lost(&aws.snapshot(is_ours), &bench.aws().snapshot(is_ours));
            assert_eq!(lost, [""; 0], "{team}: {name}: taken away");
            let arrived = arrived(&mut bench.aws().clone());
            // Who takes all that a publication has takes less when it has less.
            let takes_all =
                |queue: &str| name == "fewer detail-types of what is forwarded" && queue.ends_with(":checkout-steps");
            let missing = before
                .iter()
                .filter(|((_, queue), _)| !takes_all(queue))
                .filter(|(which, count)| arrived.get(which).is_none_or(|now| now < count));
            assert_eq!(missing.collect::<Vec<_>>(), [], "{team}: {name}: events that do not arrive any more");
        });
    }
}

/// What is in `before` and not in `after`.
fn lost(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    before.keys().filter(|key| !after.contains_key(*key)).cloned().collect()
}

/// How often each of the example's events arrives at each queue. More than before is what a rename gives: the old rule stays
/// while a file is broken.
fn arrived(aws: &mut SimulatedAws) -> BTreeMap<(&'static str, String), usize> {
    let mut mail = Mail::of(aws);
    let mut arrived = BTreeMap::new();
    for probe in probes() {
        probe.publish(aws).unwrap();
        arrived.extend(mail.arrived(aws).into_iter().map(|(queue, count)| ((probe.name, queue), count)));
    }
    arrived
}

/// Who may write one team's path writes there whatever they like.
#[tokio::test(start_paused = true)]
async fn what_one_team_writes_in_its_path_takes_nothing_away_and_changes_nothing_of_another() {
    let reach = "\n[path.\"topology\"]\nplatform = true\n\n[path.\"topology/teams\"]\nteams = [\"*\"]\naccounts = [\"*\"]\nsources = [\"*\"]\n\n\
                 [path.\"topology/teams/ledger.toml\"]\nteams = [\"ledger\"]\naccounts = [\"ledger-*\"]\nsources = [\"com.acme.ledger\"]\n\n\
                 [path.\"topology/teams/ledger\"]\nteams = [\"ledger\"]\naccounts = [\"ledger-*\"]\nsources = [\"com.acme.ledger\"]\n";
    let base = Example::worked().with("wheelwright.toml", reach);
    let bench = Bench::by_call(&base, base.stage());
    bench.assert_in_step(&bench.sweep().await);
    let (own, more) = ("topology/teams/ledger.toml", "topology/teams/ledger/more.toml");
    let (ledger, payments) = (base.texts[own].clone(), base.texts["topology/teams/payments.toml"].clone());
    let named = |name: &str| ledger.replace("name = \"ledger\"", &format!("name = \"{name}\""));
    let hub = "\n[hub.us]\naccount = \"ledger-prod\"\nregion = \"us-east-1\"\nbus = \"org-events\"\n";
    let second = |rest: &str| format!("[team]\nname = \"ledger\"\n{rest}");
    let attacks: Vec<(&str, &str, String)> = vec![
        ("another team's name", own, named("payments")),
        ("a name that nobody has", own, named("nobody")),
        ("another team's file", own, payments.clone()),
        ("the same beside its own", "topology/teams/ledger/a.toml", payments),
        ("a hub", own, format!("{ledger}{hub}")),
        ("a hub beside its own", more, hub.into()),
        ("everybody's tags", more, "[organization]\ntags = { mine = \"yes\" }\n".into()),
        ("an account", more, "[account]\npayments-prod = { id = \"333333333333\" }\n".into()),
        ("another's source", own, ledger.replace("\"com.acme.ledger\"", "\"com.acme.payments\"")),
        (
            "another's bus",
            own,
            ledger.replace(
                "account = \"ledger-prod\"\nbus = \"ledger\"",
                "account = \"payments-prod\"\nbus = \"payments\"",
            ),
        ),
        (
            "a stop of another's",
            more,
            "[stop.x]\nsubscription = \"fraud.settled\"\nuntil = 2100-01-01T00:00:00Z\nreason = \"x\"\n".into(),
        ),
        ("another's rule", more, "[[moved]]\nfrom = \"fraud.settled\"\nto = \"ledger.settlements\"\n".into()),
        ("a second file", more, second("contact = \"#x\"\n")),
        ("a second file of another", more, second("contact = \"#x\"\n").replace("ledger", "payments")),
        ("half a line", own, format!("{}\n[spoke", named("payments"))),
        ("a quote", own, named("payments").replacen("contact = \"", "contact = \"\"", 1)),
        ("a hub in what is no TOML", own, format!("[hub.us\n{}", named("payments"))),
        ("no TOML", own, "{\"team\": \"payments\"}".into()),
        ("nothing", own, String::new()),
        ("nothing beside its own", more, String::new()),
    ];
    for (what, path, text) in attacks {
        let mut texts = base.texts.clone();
        texts.insert(path.to_owned(), text);
        let after = Example::of(texts, base.desired.revision.sequence + 1);
        let kept: Vec<&str> = after.topology.kept.teams.keys().map(TeamName::as_str).collect();
        assert_eq!((kept, &after.topology.kept.unknown), (vec!["ledger"], &None), "{what}");
        let sound = after.topology.kept.sound.len();
        assert_eq!(sound + 1, base.topology.teams.len(), "{what}");
        let bench = Bench::by_call(&after, bench.aws().clone());
        let (_, plan) = bench.plan().await;
        assert!(plan.steps.is_empty(), "{what}: {}", bench.shown(&plan));
    }
}
