//! Raw shapes to the topology: names resolved, defaults filled in, ARNs made. An entry that cannot be used is left out,
//! and so is, in silence, whatever needs it: its own mistake was reported.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::index::{Index, Resolver};
use super::lower_shared;
use super::lower_team;
use super::raw::{DirectKind, RawBusOptions, RawHub};
use super::source::{Place, Written};
use super::values;
use crate::eventbridge::{Arn, DEFAULT_BUS, quota};
use crate::model::ids::{AccountId, AccountName, HubName, Scope};
use crate::model::topology::{Access, Account, BusOptions, Hub, HubGrant, HubQuotas, Kept, Topology};
use std::collections::BTreeMap;

/// The topology, as far as it can be used.
pub(super) fn lower(index: &Index<'_>, sink: &Sink) -> Topology {
    let resolver = Resolver::new(index, sink);
    let mut topology = Topology {
        organization: index.raw.organizations.first().map(|id| id.value.clone()),
        accounts: accounts(index, sink),
        hubs: BTreeMap::new(),
        teams: BTreeMap::new(),
        tags: index.raw.tags.clone(),
        kept: Kept::default(),
    };
    topology.hubs = hubs(index, &resolver, &topology);
    lower_shared::check_renames(index, &resolver);
    lower_team::lower(index, &resolver, &mut topology);
    topology
}

fn accounts(index: &Index<'_>, sink: &Sink) -> BTreeMap<AccountName, Account> {
    let mut accounts = BTreeMap::new();
    let mut by_id: BTreeMap<AccountId, (&str, &Place)> = BTreeMap::new();
    let mut entries: Vec<_> = index.accounts.values().collect();
    entries.sort_by_key(|entry| (entry.place.file.clone(), entry.place.span.start));
    for entry in entries {
        let (Some(name), Some(raw)) = (&entry.name, &entry.body) else { continue };
        let id = &raw.id;
        if let Some((other, place)) = by_id.get(&id.value) {
            let message = format!("accounts `{other}` and `{name}` are one account");
            sink.push(
                Diagnostic::error(DiagnosticCode::DuplicateAccount, &id.place, message)
                    .label("this id again")
                    .also(place, format!("first as `{other}`"))
                    .help("keep one of the names, and use it in hubs and spokes"),
            );
        } else {
            by_id.insert(id.value, (name.as_str(), &id.place));
        }
        let origin = entry.place.origin(&format!("account.{name}"));
        accounts.insert(name.clone(), Account { id: id.value, access: raw.access, origin });
    }
    accounts
}

fn hubs(index: &Index<'_>, resolver: &Resolver<'_>, topology: &Topology) -> BTreeMap<HubName, Hub> {
    let mut hubs = BTreeMap::new();
    for entry in index.hubs.values() {
        let (Some(name), Some(raw)) = (&entry.name, &entry.body) else { continue };
        if let Some(hub) = hub(raw, &entry.place, name, index, resolver, topology) {
            hubs.insert(name.clone(), hub);
        }
    }
    hubs
}

fn hub(
    raw: &RawHub,
    place: &Place,
    name: &HubName,
    index: &Index<'_>,
    resolver: &Resolver<'_>,
    topology: &Topology,
) -> Option<Hub> {
    let account = resolver.find_account(&raw.account, topology, index)?;
    if account.access == Access::None {
        let message = format!("hub `{name}` is in an account that may not be touched");
        let written = index.accounts.get(raw.account.value.as_str()).map(|entry| &entry.place);
        let diagnostic = Diagnostic::error(DiagnosticCode::HubWithoutAccess, &raw.account.place, message)
            .label("a hub's rules and grants are written here")
            .help("put the hub into an account of your own");
        resolver.sink.push(match written {
            Some(written) => diagnostic.also(written, "`access = \"none\"` is said here"),
            None => diagnostic,
        });
    }
    let organization_is_missing = topology.organization.is_none() && !index.raw.has_broken_organization;
    if raw.grant.value == HubGrant::Organization && organization_is_missing && !resolver.platform_has_holes {
        resolver.sink.push(
            Diagnostic::error(DiagnosticCode::MissingKey, &raw.grant.place, "the organisation's id is not said")
                .label("this lets the whole organisation in")
                .help("add `[organization]` with `id = \"o-…\"`, or write `grant = \"accounts\"`"),
        );
    }
    let scope = Scope { account: account.id, region: raw.region.value.clone() };
    let audit_queue = match &raw.audit_queue {
        None => None,
        Some(queue) => Some(destination(DirectKind::Queue, queue, &scope, &scope, Purpose::Audit, resolver.sink)?),
    };
    let written = format!("hub `{name}`");
    let bus_options = bus_options(&raw.bus_options, Some(raw.bus.value.as_str()), &scope, &written, resolver.sink);
    let region = scope.region.as_str();
    let quotas = HubQuotas {
        rules_max: raw.rules_max.unwrap_or_else(|| quota::rules_per_bus(region)),
        policy_characters_max: raw.policy_characters_max.unwrap_or(quota::POLICY_CHARACTERS),
        pattern_characters_max: raw.pattern_characters_max.unwrap_or(quota::PATTERN_CHARACTERS),
        calls_per_second_max: raw.calls_per_second_max,
    };
    Some(Hub {
        account: raw.account.value.clone(),
        bus: raw.bus.value.clone(),
        description: raw.description.clone(),
        grant: raw.grant.value,
        archive_retention_days: raw.archive_retention_days,
        audit_queue,
        bus_options,
        tags: raw.tags.clone(),
        quotas,
        keeps_grants: raw.keeps_grants,
        origin: place.origin(&format!("hub.{name}")),
        scope,
    })
}

/// What is said of a bus; only of one that is ours to make.
pub(super) fn bus_options(
    raw: &RawBusOptions,
    bus: Option<&str>,
    scope: &Scope,
    whose: &str,
    sink: &Sink,
) -> BusOptions {
    let places = [&raw.kms_key, &raw.dead_letter].into_iter().flatten().map(|written| &written.place);
    let said = places.chain(raw.log.as_ref().map(|written| &written.place)).next();
    if let Some(place) = said.filter(|_| bus.is_none_or(|bus| bus == DEFAULT_BUS)) {
        let what = if bus.is_none() { "has no bus" } else { "uses the account's default bus" };
        sink.push(
            Diagnostic::error(DiagnosticCode::NotOurBus, place, format!("{whose} {what}"))
                .label("this is set on buses that are made for it alone")
                .help("give it a bus of its own, or take this out"),
        );
        return BusOptions::default();
    }
    BusOptions {
        kms_key: raw.kms_key.as_ref().and_then(|key| kms_key(key, scope, sink)),
        dead_letter: raw
            .dead_letter
            .as_ref()
            .and_then(|queue| destination(DirectKind::Queue, queue, scope, scope, Purpose::DeadLetters, sink)),
        log: raw.log.as_ref().map(|log| log.value).unwrap_or_default(),
    }
}

/// A KMS key's ARN, in the bus's Region. Aliases are not taken: AWS may answer with another of the key's names, and the
/// comparison would never end.
fn kms_key(key: &Written<String>, scope: &Scope, sink: &Sink) -> Option<String> {
    let fault = match key.value.parse::<Arn>() {
        Err(error) => error.fault.to_owned(),
        Ok(arn) if arn.service != "kms" => format!("this is of `{}`, a key is of `kms`", arn.service),
        Ok(arn) if !arn.resource.starts_with("key/") => "write the key itself, not an alias".to_owned(),
        Ok(arn) if arn.region != scope.region.as_str() => {
            format!("this is in {}, the bus in {}", arn.region, scope.region)
        }
        Ok(arn) if arn.partition != scope.region.partition() => {
            format!("this is in partition `{}`, {} in `{}`", arn.partition, scope.region, scope.region.partition())
        }
        Ok(arn) if quota::valid_account_id(&arn.account).is_err() => "it names no account of 12 digits".to_owned(),
        Ok(_) => return Some(key.value.clone()),
    };
    sink.push(
        Diagnostic::error(
            DiagnosticCode::BadKmsKey,
            &key.place,
            "this is not the ARN of a KMS key that the bus can use",
        )
        .label(fault)
        .help(format!("expected `arn:{}:kms:{}:ACCOUNT:key/…`", scope.region.partition(), scope.region)),
    );
    None
}

/// What a destination is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What a subscription gets.
    Route,
    /// A copy of everything at a hub.
    Audit,
    /// What could not be delivered, or not be encrypted.
    DeadLetters,
}

/// A direct destination's ARN: the one that is written, or `name` in the scope `own`. The hub at `hub` has to be in its
/// Region: EventBridge delivers to other accounts' queues, functions, topics, streams and APIs in one Region only
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html>).
pub(super) fn destination(
    kind: DirectKind,
    name: &Written<String>,
    own: &Scope,
    hub: &Scope,
    purpose: Purpose,
    sink: &Sink,
) -> Option<String> {
    let arn = if name.value.starts_with("arn:") {
        parse_destination(kind, name, sink)?
    } else {
        named_destination(kind, name, own, sink)?
    };
    if arn.partition != hub.region.partition() {
        let message = format!("nothing in partition `{}` of AWS can be reached from {}", arn.partition, hub.region);
        sink.push(
            Diagnostic::error(DiagnosticCode::CrossPartition, &name.place, message)
                .label(format!("this is in `{}`, {} in `{}`", arn.partition, hub.region, hub.region.partition()))
                .help(format!("ARNs in {} begin with `arn:{}:`", hub.region, hub.region.partition())),
        );
        return None;
    }
    if arn.region == hub.region.as_str() {
        return Some(arn.to_string());
    }
    let message = match purpose {
        Purpose::Route | Purpose::Audit => format!("the hub cannot deliver to {} from {}", arn.region, hub.region),
        Purpose::DeadLetters => format!("dead letters of {} cannot be kept in {}", hub.region, arn.region),
    };
    let diagnostic = Diagnostic::error(DiagnosticCode::DestinationRegion, &name.place, message)
        .label(format!("this is in {}, not in {}", arn.region, hub.region))
        .help(format!("name one in {}", hub.region));
    sink.push(match purpose {
        Purpose::Route => {
            diagnostic.help("or deliver to the spoke's bus, which may be in another Region, and go on from there")
        }
        Purpose::Audit | Purpose::DeadLetters => diagnostic,
    });
    None
}

fn parse_destination(kind: DirectKind, name: &Written<String>, sink: &Sink) -> Option<Arn> {
    let (service, what) = service(kind);
    let fault = match name.value.parse::<Arn>() {
        Err(error) => error.fault.to_owned(),
        Ok(arn) if arn.service != service => {
            format!("this is of `{}`, {what} is of `{service}`", arn.service)
        }
        Ok(arn) if quota::valid_account_id(&arn.account).is_err() => "it names no account of 12 digits".to_owned(),
        Ok(arn) if quota::valid_region(&arn.region).is_err() => "it names no Region".to_owned(),
        Ok(arn) if kind == DirectKind::Queue && !values::is_queue_name(&arn.resource) => QUEUE_RULE.to_owned(),
        Ok(arn) => return Some(arn),
    };
    let message = format!("this is not the ARN of {what}");
    sink.push(Diagnostic::error(DiagnosticCode::BadDestination, &name.place, message).label(fault));
    None
}

fn named_destination(kind: DirectKind, name: &Written<String>, own: &Scope, sink: &Sink) -> Option<Arn> {
    let (service, what) = service(kind);
    let word = |punctuation: &[u8], most: usize| {
        (1..=most).contains(&name.value.len())
            && name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || punctuation.contains(&byte))
    };
    let (fits, rule, resource) = match kind {
        DirectKind::Queue => (values::is_queue_name(&name.value), QUEUE_RULE, name.value.clone()),
        DirectKind::Function => (
            word(b"-_:", 140),
            "expected 1 to 64 letters, digits, `-` and `_`, and perhaps `:alias`",
            format!("function:{}", name.value),
        ),
        DirectKind::Topic => (word(b"-_", 256), "expected 1 to 256 letters, digits, `-` and `_`", name.value.clone()),
        DirectKind::Stream => {
            (word(b"-_.", 128), "expected 1 to 128 letters, digits, `-`, `_` and `.`", format!("stream/{}", name.value))
        }
        DirectKind::Api => (false, "an API has no name to go by: write `arn:aws:execute-api:…`", String::new()),
    };
    if fits {
        let (region, account) = (own.region.to_string(), own.account.to_string());
        let partition = own.region.partition().to_owned();
        return Some(Arn { partition, service: service.to_owned(), region, account, resource });
    }
    let message = format!("`{}` is not the name of {what}", name.value);
    let diagnostic = Diagnostic::error(DiagnosticCode::BadDestination, &name.place, message);
    sink.push(match name.value.strip_prefix("https://").and_then(|url| url.rsplit_once('/')) {
        Some((_, last)) => diagnostic.label("this is a URL").help(format!("write its name, `\"{last}\"`, or its ARN")),
        None => diagnostic.label(rule),
    });
    None
}

fn service(kind: DirectKind) -> (&'static str, &'static str) {
    match kind {
        DirectKind::Queue => ("sqs", "a standard queue"),
        DirectKind::Function => ("lambda", "a function"),
        DirectKind::Topic => ("sns", "a standard topic"),
        DirectKind::Stream => ("kinesis", "a stream"),
        DirectKind::Api => ("execute-api", "an API"),
    }
}

const QUEUE_RULE: &str = "expected 1 to 80 letters, digits, `-` and `_`; `.fifo` queues are not delivered to yet";
