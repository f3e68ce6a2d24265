//! What must hold for whatever is read. The fuzz targets ask it of everything that the fuzzer thinks of, `tests/fuzzed.rs` of
//! the seeds and of everything that was ever found.

use super::config::{self, Loaded, SourceFile, SourceFiles, Style};
use super::eventbridge::policy::{ArnOrAccount, BusPolicy, PutEventsRequest, Statement};
use super::eventbridge::{Arn, Pattern};
use super::expand::expand;
use super::model::desired::Revision;
use super::model::ids::{Moment, Scope};
use super::model::mark::{Digest, Mark, kept_text};
use super::model::resource::{BusId, ResourceId};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The topology that files are put over: `tests/corpus/sound.txt`.
const SOUND: &str = include_str!("../../tests/corpus/sound.txt");

/// Files as the cases in `tests/corpus/` have them, each after a line `--- PATH`; a text without such a line is one more
/// file. Whatever is in them, the loader gives a topology that expands, or says why not.
pub fn loader(data: &[u8]) {
    let mut files: BTreeMap<String, Vec<u8>> = parts(SOUND.as_bytes()).into_iter().collect();
    match parts(data) {
        own if own.is_empty() => _ = files.insert("topology/teams/fuzzed.toml".to_owned(), data.to_vec()),
        own => files.extend(own),
    }
    let files = SourceFiles::of(files.into_iter().map(|(path, bytes)| SourceFile::of_bytes(path, bytes)));
    let loaded = config::load(&files);
    for style in [Style::Plain, Style::Coloured] {
        let told = config::render(&loaded.diagnostics, &files, style);
        assert_eq!(told.is_empty(), loaded.diagnostics.is_empty());
    }
    for diagnostic in &loaded.diagnostics {
        for label in std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary) {
            let text = files.file(&label.file).map(|file| &*file.text);
            assert!(text.is_none_or(|text| text.get(label.span.clone()).is_some()), "{diagnostic:?}");
        }
    }
    expanded(&loaded);
}

fn expanded(loaded: &Loaded) {
    let Some(topology) = &loaded.topology else { return assert!(loaded.has_errors()) };
    assert_eq!(topology.kept.is_empty(), !loaded.has_errors());
    assert!(!topology.hubs.is_empty());
    let revision = Revision { id: "fuzzed".into(), sequence: 1 };
    let desired = expand(topology, &loaded.settings, revision.clone(), Moment(0));
    let later = expand(topology, &loaded.settings, revision, Moment(u64::MAX));
    assert!(desired.rules.keys().eq(later.rules.keys()), "a stop makes or takes away a rule");
    let subscriptions: usize = topology.teams.values().map(|team| team.subscriptions.len()).sum();
    assert!(desired.rules.len() >= subscriptions, "two subscriptions have one rule");
    for (rule, wanted) in &desired.rules {
        assert!((1..=64).contains(&rule.name.chars().count()), "{rule}");
        let text = wanted.spec.pattern.to_string();
        assert!(Pattern::parse(&text).is_ok_and(|read| read.same_meaning(&wanted.spec.pattern)), "{text}");
    }
    for route in desired.routes.values() {
        assert!(desired.rules.contains_key(&route.rule), "{route:?}");
    }
}

/// The files of a text, by path: each after a line `--- PATH`, with or without how it is stored.
fn parts(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mark = b"\n--- ";
    let starts: Vec<usize> =
        data.windows(mark.len()).enumerate().filter(|(_, at)| at == mark).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let part = |(start, end): (&usize, usize)| {
        let part = data.get(start + mark.len()..end)?;
        let header_end = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        let path = String::from_utf8_lossy(part.get(..header_end)?);
        let path = path.split(" (").next().unwrap_or_default().to_owned();
        Some((path, [part.get(header_end + 1..).unwrap_or_default(), b"\n"].concat()))
    };
    starts.iter().zip(ends).filter_map(part).collect()
}

/// A pattern on the first line, and perhaps an event on the next.
pub fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, event) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(pattern) = Pattern::parse(pattern) {
        same_in_all_spellings(&pattern, serde_json::from_str(event).ok().as_ref());
        let _ = (pattern.wildcard_count(), pattern.or_combinations(), pattern.check_size(2_048));
    }
}

fn same_in_all_spellings(pattern: &Pattern, event: Option<&Value>) {
    assert!(pattern.same_meaning(pattern) && pattern.covers(pattern));
    let spellings = [
        Pattern::parse(&pattern.to_string()),
        Pattern::parse(pattern.canonical_text()),
        Pattern::from_value(&pattern.to_value()),
    ];
    for spelling in spellings {
        // The canonical text has the alternatives multiplied out: it is for digests, and may be more than EventBridge takes.
        if spelling.as_ref().is_err_and(|error| error.reason.starts_with("Rule is too complex")) {
            continue;
        }
        let spelling = spelling.unwrap_or_else(|error| panic!("{pattern} is refused when written again: {error}"));
        assert!(spelling.same_meaning(pattern), "{pattern} means {spelling} when written again");
        assert_eq!(spelling.canonical_text(), pattern.canonical_text());
        if let Some(event) = event {
            assert_eq!(spelling.matches(event), pattern.matches(event), "{pattern} and {spelling} on {event}");
        }
    }
}

/// Two patterns and an event of small worlds, chosen by the bytes: what comparing says of the patterns, matching must not
/// gainsay. On this rests that no narrowing loses an event of a route that stays.
pub fn pair(data: &[u8]) {
    let mut choices = Choices(data);
    let (one, mut two) = (choices.pattern(), choices.pattern());
    let event = choices.event();
    // Two that have nothing to do with each other hardly ever mean the same, or nearly.
    if choices.below(2) == 1 {
        two = choices.altered(&one);
    }
    let (Ok(one), Ok(two)) = (Pattern::from_value(&one), Pattern::from_value(&two)) else { return };
    same_in_all_spellings(&one, Some(&event));
    same_in_all_spellings(&two, Some(&event));
    let (by_one, by_two) = (one.matches(&event), two.matches(&event));
    assert!(!(one.covers(&two) && by_two) || by_one, "{one} covers {two}, and {event}");
    assert!(!(two.covers(&one) && by_one) || by_two, "{two} covers {one}, and {event}");
    assert!(!one.same_meaning(&two) || by_one == by_two, "{one} means {two}, and {event}");
    assert!(one.may_overlap(&two) || !(by_one && by_two), "{one} does not overlap {two}, and {event}");
    assert_eq!(one.may_overlap(&two), two.may_overlap(&one), "{one} and {two}");
}

/// Bytes as choices; when they are used up, always the first.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    fn text(&mut self) -> Value {
        let texts = ["a", "b", "ab", "ba", "aab", "A", "", "abc", "é", "10.0.0.1", "10.0.0.9", "1"];
        Value::from(texts[self.below(texts.len())])
    }

    fn number(&mut self) -> Value {
        let numbers =
            [json!(1), json!(2), json!(0), json!(-1), json!(1.5), json!(1e2), json!(100), json!(1e-3), json!(3e9)];
        numbers[self.below(numbers.len())].clone()
    }

    fn scalar(&mut self) -> Value {
        match self.below(6) {
            0..=2 => self.text(),
            3 | 4 => self.number(),
            _ => [json!(true), json!(false), json!(null)][self.below(3)].clone(),
        }
    }

    fn wildcard(&mut self) -> Value {
        let texts = ["*", "a*", "*a", "a*b", "*a*", "*a*b", "b*", "\\*"];
        Value::from(texts[self.below(texts.len())])
    }

    fn matcher(&mut self) -> Value {
        match self.below(14) {
            0..=2 => self.scalar(),
            3 => json!({ "prefix": self.text() }),
            4 => json!({ "suffix": self.text() }),
            5 => json!({ "equals-ignore-case": self.text() }),
            6 => json!({ "exists": self.below(2) == 0 }),
            7 => {
                let operators = ["<", "<=", "=", ">=", ">"];
                let operator = operators[self.below(5)];
                json!({ "numeric": [operator, self.number()] })
            }
            8 => {
                let (from, to) = ([">", ">="][self.below(2)], ["<", "<="][self.below(2)]);
                json!({ "numeric": [from, self.number(), to, self.number()] })
            }
            9 => json!({ "wildcard": self.wildcard() }),
            10 => {
                let block = ["10.0.0.0/24", "10.0.0.0/29", "0.0.0.0/0"][self.below(3)];
                json!({ "cidr": block })
            }
            11 => json!({ "anything-but": self.scalar() }),
            12 => json!({ "anything-but": [self.text(), self.text()] }),
            _ => {
                let inner = match self.below(5) {
                    0 => json!({ "prefix": self.text() }),
                    1 => json!({ "suffix": self.text() }),
                    2 => json!({ "wildcard": self.wildcard() }),
                    3 => json!({ "equals-ignore-case": self.text() }),
                    _ => json!({ "prefix": [self.text(), self.text()] }),
                };
                json!({ "anything-but": inner })
            }
        }
    }

    fn matchers(&mut self) -> Value {
        (0..=self.below(3)).map(|_| self.matcher()).collect()
    }

    fn body(&mut self, depth: usize) -> Value {
        let mut members = Map::new();
        for _ in 0..=self.below(2) {
            let name = ["x", "y", "x.y", "z"][self.below(4)];
            let value = match self.below(5) {
                0 if depth > 0 => self.body(depth - 1),
                1 if depth > 0 => {
                    let alternatives: Vec<Value> = (0..2).map(|_| self.body(depth - 1)).collect();
                    members.insert("$or".to_owned(), Value::Array(alternatives));
                    continue;
                }
                _ => self.matchers(),
            };
            members.insert(name.to_owned(), value);
        }
        Value::Object(members)
    }

    fn pattern(&mut self) -> Value {
        let mut members = Map::new();
        if self.below(2) == 0 {
            members.insert("source".to_owned(), self.matchers());
        }
        if self.below(4) == 0 {
            members.insert("resources".to_owned(), self.matchers());
        }
        members.insert("detail".to_owned(), self.body(2));
        Value::Object(members)
    }

    /// The same with something of it otherwise, or in another order.
    fn altered(&mut self, value: &Value) -> Value {
        let mut altered = value.clone();
        match &mut altered {
            Value::Object(members) if !members.is_empty() => {
                let at = self.below(members.len());
                if let Some(member) = members.values_mut().nth(at) {
                    *member = self.altered(member);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let at = self.below(items.len());
                match (self.below(4), items.get_mut(at)) {
                    (0, _) => items.reverse(),
                    (1, Some(item)) if !item.is_object() => *item = self.matcher(),
                    (_, Some(item)) => *item = self.altered(item),
                    (_, None) => {}
                }
            }
            scalar => *scalar = self.scalar(),
        }
        altered
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(8) {
            0 if depth > 0 => self.members(depth - 1),
            1 if depth > 0 => (0..self.below(3)).map(|_| self.value(depth - 1)).collect(),
            _ => self.scalar(),
        }
    }

    fn members(&mut self, depth: usize) -> Value {
        let mut members = Map::new();
        for name in ["x", "y", "z"] {
            if self.below(3) > 0 {
                let value = self.value(depth);
                members.insert(name.to_owned(), value);
            }
        }
        Value::Object(members)
    }

    /// An event in EventBridge's envelope: its source is one text, its resources are a list of texts.
    fn event(&mut self) -> Value {
        let source = self.text();
        let resources: Vec<Value> = (0..self.below(3)).map(|_| self.text()).collect();
        json!({ "source": source, "resources": resources, "detail": self.members(2) })
    }
}

/// A policy, a description and an ARN, whichever it is.
pub fn texts(data: &[u8]) {
    policy(data);
    mark(data);
    arn(data);
}

/// A policy document: what is read is read the same when it is written as AWS writes it, and can be asked.
fn policy(data: &[u8]) {
    let Ok(policy) = BusPolicy::parse(&String::from_utf8_lossy(data)) else { return };
    let text = policy.to_aws_text();
    let again = BusPolicy::parse(&text).unwrap_or_else(|error| panic!("{text} is refused: {error}"));
    assert_eq!(again, policy, "{text}");
    assert_eq!(again.to_aws_text(), text);
    assert_eq!(policy.normalised_length(), text.chars().count());
    for statement in &policy.statements {
        let read = Statement::from_value(&statement.to_value());
        assert!(read.is_ok_and(|read| read == *statement), "{statement:?}");
    }
    for (organization, source_arn) in
        [(None, None), (Some("o-a1b2c3d4e5"), Some("arn:aws:events:us-east-1:222222222222:rule/a"))]
    {
        let request = PutEventsRequest {
            caller: ArnOrAccount {
                account: "222222222222".into(),
                arn: source_arn.map(|_| "arn:aws:iam::222222222222:role/a".into()),
            },
            organization,
            bus_arn: "arn:aws:events:us-east-1:111111111111:event-bus/org-events",
            source: "com.acme.payments",
            detail_type: "PaymentSettled",
            source_arn,
            forwarded: source_arn.is_some(),
        };
        assert_eq!(policy.evaluate(&request), again.evaluate(&request));
    }
}

/// A description: what its mark says is what was stamped, whatever the text around it.
fn mark(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (before, read) = Mark::read(&text);
    assert!(text.starts_with(before));
    if let Some(read) = read {
        let stamped = read.stamp(before);
        assert_eq!(Mark::read(&stamped).1, Some(read), "{stamped:?}");
    }
    let Ok(account) = "111111111111".parse() else { return };
    let resource = ResourceId::Bus(BusId { scope: Scope::new(account, "us-east-1"), name: "org-events".into() });
    let Ok(owner) = "acme-platform".parse() else { return };
    let sequence = data.iter().fold(0, |sequence: u64, byte| sequence.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let mark = Mark::new(&owner, sequence, &resource, Digest::of(&[&text]));
    let stamped = mark.stamp(&text);
    assert!(stamped.chars().count() <= 512, "{stamped:?}");
    let (kept, read) = Mark::read(&stamped);
    assert_eq!(read.as_ref(), Some(&mark), "{stamped:?}");
    assert_eq!(kept, kept_text(&mark, &text));
    assert_eq!(mark.stamp(kept), stamped, "stamping what was read changes nothing");
    assert!(mark.is_of(&resource));
}

/// An ARN: it is written as it was read.
fn arn(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(arn) = text.parse::<Arn>() else { return };
    assert_eq!(arn.to_string(), text);
    let names = [arn.bus_name(), arn.queue_name(), arn.role_name(), arn.archive_name()];
    assert!(names.iter().flatten().count() <= 1, "{text} is of one kind");
    if let Some((bus, rule)) = arn.bus_and_rule_name() {
        assert_eq!(Arn::rule(&arn.region, &arn.account, bus, rule).resource, arn.resource);
    }
    assert!(!arn.is_account_root() || arn.role_name().is_none());
}
