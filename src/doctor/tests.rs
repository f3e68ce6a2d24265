//! The judgement by itself: answers in, verdicts and troubles out.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::call::ErrorClass;
use crate::config::{self, SourceFiles};
use crate::eventbridge::Pattern;
use crate::expand::expand;
use crate::model::desired::Revision;
use crate::model::few::Few;
use crate::model::ids::Moment;
use crate::model::world::{Gap, LiveBus, LivePattern, LiveRule, ScopeView};

const TOPOLOGY: &str = r#"
[account]
platform = { id = "111111111111" }
books = { id = "333333333333" }
[hub.prod]
account = "platform"
region = "us-east-1"
bus = "org-events"
quotas = { rules-max = 200 }
[team]
name = "books"
contact = "x"
[spoke.prod]
hub = "prod"
account = "books"
bus = "books"
[publish.facts]
source = "com.acme.books"
subscribers = ["*"]
[subscribe.facts]
from = "books.facts"
"#;

struct Case {
    topology: Topology,
    desired: Desired,
    settings: Settings,
}

impl Case {
    fn new() -> Self {
        let (shared, team) = TOPOLOGY.split_once("[team]").unwrap();
        let team = format!("[team]{team}");
        let files = SourceFiles::new([("topology/hubs.toml", shared), ("topology/teams/books.toml", team.as_str())]);
        let loaded = config::load(&files);
        let topology = loaded.topology.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let revision = Revision { id: "test".into(), sequence: 1 };
        let desired = expand(&topology, &loaded.settings, revision, Moment(0));
        Self { topology, desired, settings: loaded.settings }
    }

    fn patient(&self) -> Patient<'_> {
        Patient { topology: &self.topology, desired: &self.desired, settings: &self.settings }
    }

    /// The hub's scope, which needs everything.
    fn needs(&self) -> Needs {
        needs(&self.desired, &self.settings).into_values().find(|needs| needs.is_hub).unwrap()
    }

    fn judge(&self, answers: &Answers) -> Judged {
        judge::judge(self.patient(), &self.needs(), answers)
    }

    /// Answers of a scope in which all is well.
    fn healthy(&self) -> Answers {
        let needs = self.needs();
        let statement = |action: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"Service":"events.amazonaws.com"}},"Action":"{action}","Resource":"*"}}]}}"#
            )
        };
        let role = RoleSummary { arn: needs.delivery_role.clone(), trust_policy: statement("sts:AssumeRole") };
        let queue = QueueSummary {
            arn: needs.dead_letter_queue.clone(),
            policy: Some(statement("sqs:SendMessage")),
            ..QueueSummary::default()
        };
        let reads = probe::reads(&needs, &self.desired.owner);
        let asked = Asked {
            trials: reads.into_iter().map(|call| (call.action(), Trial::Answered(Ok(())))).collect(),
            second_trials: BTreeMap::new(),
            observation: Observation::Complete { at: Moment(0), view: view(1).into() },
            role: Ok(role),
            queue: Ok(queue),
        };
        Answers { signed_in: Ok(SignedIn { clock_ahead_ms: 0 }), asked: Some(asked) }
    }

    fn with(&self, change: impl FnOnce(&mut Asked)) -> Judged {
        let mut answers = self.healthy();
        change(answers.asked.as_mut().unwrap());
        self.judge(&answers)
    }
}

/// The hub's bus with so many rules.
fn view(rules: usize) -> ScopeView {
    let rule = |number: usize| {
        let text = if number.is_multiple_of(10) { r#"{"source":[{"wildcard":"a*"}]}"# } else { r#"{"source":["a"]}"# };
        let pattern = LivePattern { text: text.into(), parsed: Pattern::parse(text).ok() };
        (format!("r{number}"), LiveRule { pattern: Some(pattern), ..LiveRule::default() })
    };
    let bus = LiveBus { rules_read: true, rules: (0..rules).map(rule).collect(), ..LiveBus::default() };
    ScopeView { buses_read: true, buses: Few::from_iter([("org-events".to_owned(), bus)]), ..ScopeView::default() }
}

fn error(class: ErrorClass, action: &str, code: Option<&str>, message: &str) -> CallError {
    CallError {
        class,
        scope: Scope::new("111111111111".parse().unwrap(), "us-east-1"),
        action: action.into(),
        code: code.map(str::to_owned),
        message: message.into(),
        request_id: None,
    }
}

fn codes(judged: &Judged) -> Vec<TroubleCode> {
    judged.troubles.iter().map(|trouble| trouble.code).collect()
}

#[test]
fn all_is_well_where_all_is_answered() {
    let judged = Case::new().judge(&Case::new().healthy());
    assert_eq!(judged.troubles, []);
    assert_eq!((judged.checkup.delivery_role, judged.checkup.dead_letters), (Verdict::Fine, Verdict::Fine));
}

#[test]
fn a_clock_is_warned_of_from_a_minute_and_wrong_from_four() {
    let case = Case::new();
    for (ahead_ms, severity) in [
        (60_000, None),
        (60_001, Some(Severity::Warning)),
        (-60_001, Some(Severity::Warning)),
        (240_000, Some(Severity::Warning)),
        (240_001, Some(Severity::Error)),
        (-240_001, Some(Severity::Error)),
    ] {
        let answers = Answers { signed_in: Ok(SignedIn { clock_ahead_ms: ahead_ms }), ..case.healthy() };
        let troubles = case.judge(&answers).troubles;
        assert_eq!(troubles.first().map(|trouble| trouble.severity), severity, "{ahead_ms}");
        assert!(troubles.iter().all(|trouble| trouble.code == TroubleCode::Clock));
    }
    // Beyond five minutes AWS refuses the signature, and says why.
    let expired =
        "Signature expired: 20260921T000000Z is now earlier than 20260921T001000Z (20260921T001500Z - 5 min.)";
    let refused = error(ErrorClass::Credentials, "sts:AssumeRole", Some("SignatureDoesNotMatch"), expired);
    let judged = case.judge(&Answers { signed_in: Err(refused), asked: None });
    assert_eq!(codes(&judged), [TroubleCode::Clock]);
}

#[test]
fn quotas_are_told_from_four_fifths_on_against_what_the_hub_states() {
    let case = Case::new();
    let with = |rules: usize| {
        case.with(|asked| asked.observation = Observation::Complete { at: Moment(0), view: view(rules).into() })
    };
    assert_eq!(with(159).troubles, []);
    let told: Vec<String> = with(160).troubles.into_iter().map(|trouble| trouble.what).collect();
    assert_eq!(told, ["rules on org-events: 160 of 200 are used, 40 are left"]);
    let told: Vec<String> = with(231).troubles.into_iter().map(|trouble| trouble.what).collect();
    assert_eq!(
        told,
        [
            "rules on org-events: 231 of 200 are used, 0 are left",
            "wildcard rules on org-events: 24 of 30 are used, 6 are left"
        ]
    );
}

/// Nothing says here how far AWS raised what it raised.
#[test]
fn more_buses_than_aws_allows_are_a_quota_that_was_raised() {
    let case = Case::new();
    let with = |buses: usize| {
        let mut view = view(1);
        view.buses.extend((1..buses).map(|number| (format!("b{number}"), LiveBus::default())));
        case.with(|asked| asked.observation = Observation::Complete { at: Moment(0), view: view.into() })
    };
    assert_eq!(with(79).troubles, []);
    assert_eq!((codes(&with(80)), codes(&with(100))), (vec![TroubleCode::Quota], vec![TroubleCode::Quota]));
    assert_eq!(with(101).troubles, []);
}

#[test]
fn a_dead_letter_queue_has_to_be_a_standard_one_that_eventbridge_can_use() {
    let case = Case::new();
    let queue = |change: fn(&mut QueueSummary)| case.with(|asked| change(asked.queue.as_mut().unwrap()));
    let fifo = queue(|queue| queue.arn += ".fifo");
    assert_eq!((codes(&fifo), fifo.checkup.dead_letters), (vec![TroubleCode::DeadLettersFifo], Verdict::Wrong("fifo")));
    let bare = queue(|queue| queue.policy = None);
    assert_eq!(
        (codes(&bare), bare.checkup.dead_letters),
        (vec![TroubleCode::DeadLettersPolicy], Verdict::Wrong("policy"))
    );
    let odd = queue(|queue| queue.policy = Some("{}".into()));
    assert!(odd.troubles[0].what.contains("the policy cannot be read"), "{:?}", odd.troubles);
    let awss = queue(|queue| queue.kms_key = Some("alias/aws/sqs".into()));
    assert_eq!((codes(&awss), awss.checkup.dead_letters), (vec![TroubleCode::DeadLettersKey], Verdict::Wrong("key")));
    // A key of the customer's cannot be judged, and dead letters that wait are no trouble of the doctor's: both are told.
    let keyed = queue(|queue| {
        queue.kms_key = Some("arn:aws:kms:us-east-1:111111111111:key/1".into());
        queue.messages = 3;
    });
    assert_eq!((keyed.troubles.len(), keyed.checkup.dead_letters), (0, Verdict::Fine));
    let notes: Vec<&str> = keyed.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(notes[0].starts_with("3 dead letters are in ") && notes[1].contains("kms:GenerateDataKey"), "{notes:?}");
}

#[test]
fn a_delivery_role_has_to_be_the_one_that_rules_name() {
    let case = Case::new();
    let elsewhere = case.with(|asked| {
        asked.role.as_mut().unwrap().arn = "arn:aws:iam::111111111111:role/ops/wheelwright-delivery".into();
    });
    assert_eq!(codes(&elsewhere), [TroubleCode::DeliveryRoleMissing]);
    assert_eq!(elsewhere.checkup.delivery_role, Verdict::Wrong("path"));
    let doubtful = case.with(|asked| {
        let policy = &mut asked.role.as_mut().unwrap().trust_policy;
        *policy = policy.replace(r#""Resource":"*""#, r#""Condition":{"StringEquals":{"aws:ResourceTag/x":"y"}}"#);
    });
    assert_eq!(codes(&doubtful), [TroubleCode::DeliveryRoleTrust]);
    assert!(doubtful.troubles[0].what.contains("aws:ResourceTag/x StringEquals y"), "{:?}", doubtful.troubles);
}

#[test]
fn what_is_not_there_proves_a_permission_and_what_is_not_answered_proves_nothing() {
    let case = Case::new();
    let trial = |action: &'static str, class: ErrorClass| {
        let failed = Trial::Answered(Err(error(class, action, None, "what AWS says")));
        case.with(|asked| _ = asked.trials.insert(action, failed))
    };
    let missing = trial("events:DescribeRule", ErrorClass::NotFound);
    assert_eq!((missing.troubles.len(), &missing.checkup.permissions["events:DescribeRule"]), (0, &Permission::Ok));
    let throttled = trial("events:DescribeRule", ErrorClass::Throttled);
    assert_eq!(codes(&throttled), [TroubleCode::NoAnswer]);
    assert!(matches!(throttled.checkup.permissions["events:DescribeRule"], Permission::Unanswered { .. }));
    // A write that AWS does not take for another reason was only a try.
    let invalid = trial("events:PutRule", ErrorClass::Invalid);
    assert_eq!(invalid.troubles, []);
    assert!(matches!(invalid.checkup.permissions["events:PutRule"], Permission::Unproven { .. }));
    let denied = trial("events:PutRule", ErrorClass::Denied);
    assert_eq!(codes(&denied), [TroubleCode::Denied]);
}

#[test]
fn what_a_full_reading_could_not_read_is_told_once() {
    let case = Case::new();
    let gap = |action: &str, class: &str, message: &str| Gap {
        action: action.into(),
        class: class.into(),
        message: message.into(),
        mend: "mend it".into(),
    };
    let read = |missing: Vec<Gap>| {
        case.with(|asked| asked.observation = Observation::Partial { at: Moment(0), view: view(1).into(), missing })
    };
    // The default bus can be read, one with a key cannot.
    let message = "User: x is not authorized to perform: kms:Decrypt on resource: k because no resource-based policy allows the kms:Decrypt action";
    let keyed = read(vec![gap("events:ListRules", "denied (AccessDeniedException)", message)]);
    assert_eq!(codes(&keyed), [TroubleCode::Denied]);
    assert!(keyed.troubles[0].what.contains("KMS key's policy"), "{:?}", keyed.troubles);
    assert!(keyed.troubles[0].mend.iter().any(|line| line.contains("KmsKeyArns")), "{:?}", keyed.troubles);
    let slow = gap("events:ListRules", "throttled", "Rate exceeded");
    assert_eq!(codes(&read(vec![slow.clone(), slow.clone()])), [TroubleCode::Unread]);
    // What the harmless call was denied, too, is told by that.
    let both = case.with(|asked| {
        let denied = error(ErrorClass::Denied, "events:ListRules", None, "no");
        asked.trials.insert("events:ListRules", Trial::Answered(Err(denied)));
        let missing = vec![gap("events:ListRules", "denied", "no")];
        asked.observation = Observation::Partial { at: Moment(0), view: view(1).into(), missing };
    });
    assert_eq!(codes(&both), [TroubleCode::Denied]);
}

#[test]
fn an_account_that_nothing_is_asked_for_is_signed_in_to_all_the_same() {
    let mut case = Case::new();
    let idle = Scope::new("444444444444".parse().unwrap(), "us-east-1");
    case.desired.account_names.insert(idle.account, "idle".parse().unwrap());
    case.desired.scopes.extend([idle.clone(), Scope::new(idle.account, "eu-west-1")]);
    let all = needs(&case.desired, &case.settings);
    let of_idle: Vec<&Needs> = all.values().filter(|needs| needs.scope.account == idle.account).collect();
    assert_eq!(of_idle.len(), 1, "in one of its Regions");
    assert!(of_idle[0].rules.is_empty() && of_idle[0].buses.is_empty());
}

#[test]
fn each_kind_of_destination_is_told_what_its_policy_needs() {
    let mut case = Case::new();
    let (rule, wanted) = case.desired.rules.pop_first().unwrap();
    for (number, resource) in [
        "sns:us-east-1:111111111111:own",
        "kinesis:us-east-1:111111111111:stream/own",
        "kinesis:us-east-1:333333333333:stream/theirs",
        "execute-api:us-east-1:333333333333:a1b2c3/prod/POST/events",
        "lambda:us-east-1:111111111111:function:own",
    ]
    .into_iter()
    .enumerate()
    {
        let mut wanted = wanted.clone();
        wanted.spec.targets.iter_mut().for_each(|(_, target)| target.arn = format!("arn:aws:{resource}"));
        let mut rule = rule.clone();
        rule.name = format!("ww.books.facts.{number}");
        case.desired.rules.insert(rule, wanted);
    }
    let accounts = case.desired.account_names.keys().copied().collect();
    let found = policies::destinations(case.patient(), &accounts);
    let by_name: BTreeMap<String, &Destination> = found.iter().map(|found| (found.name(), found)).collect();
    let role = "arn:aws:iam::111111111111:role/wheelwright-delivery";
    let rule = |number: u32| format!("arn:aws:events:us-east-1:111111111111:rule/org-events/ww.books.facts.{number}");

    let topic = &by_name["topic own"].statements[0];
    assert_eq!(topic["Principal"]["Service"], "events.amazonaws.com");
    assert_eq!(
        (&topic["Action"], &topic["Condition"]["ArnEquals"]["aws:SourceArn"]),
        (&"sns:Publish".into(), &rule(0).into())
    );
    // Within an account a stream knows roles alone, and the delivery role has its right by its own policy.
    assert_eq!(by_name["stream own"].statements, Vec::<serde_json::Value>::new());
    let stream = &by_name["stream theirs"].statements[0];
    assert_eq!((&stream["Principal"]["AWS"], &stream["Action"]), (&role.into(), &"kinesis:PutRecord".into()));
    assert_eq!(stream.get("Condition"), None);
    let api = &by_name["API a1b2c3/prod/POST/events"].statements[0];
    assert_eq!((&api["Principal"]["AWS"], &api["Action"]), (&role.into(), &"execute-api:Invoke".into()));
    let command = &by_name["function own"].commands[0];
    assert!(command.ends_with(&format!("--principal events.amazonaws.com --source-arn {}", rule(4))), "{command}");
    let rights = policies::delivery_rights(case.patient(), &found);
    let command = &rights.values().next().unwrap();
    for parameter in ["TopicArns=", "StreamArns=", "ApiArns=", "FunctionArns="] {
        assert!(command.contains(parameter), "{command}");
    }
}

#[test]
fn a_rule_that_keeps_its_name_is_let_into_the_dead_letter_queue_by_it() {
    let mut case = Case::new();
    let mended = |case: &Case| {
        let all = needs(&case.desired, &case.settings);
        let of_hub = all.values().find(|needs| !needs.dead_letters_of.is_empty()).unwrap();
        super::mend::dead_letters_policy(of_hub)
    };
    let statement = |words: &[String]| -> serde_json::Value { serde_json::from_str(&words[1]).unwrap() };
    let sources =
        |words: &[String]| statement(words)["Condition"]["ArnLike"]["aws:SourceArn"].as_array().unwrap().len();
    let words = mended(&case);
    assert_eq!((words.len(), sources(&words)), (2, 2));
    let (mut rule, wanted) = case.desired.rules.pop_first().unwrap();
    rule.name = "OrdersToBilling".into();
    let arn = rule.arn();
    case.desired.rules.insert(rule, wanted);
    let words = mended(&case);
    assert_eq!(sources(&words), 3);
    assert_eq!(statement(&words)["Condition"]["ArnLike"]["aws:SourceArn"][2], arn.as_str());
    assert!(words[2].ends_with(&format!("`AdoptedRuleArns={arn}`")), "{}", words[2]);
}
