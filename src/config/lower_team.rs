//! Teams to the topology: spokes at hubs, what is published where, and which spoke a subscription is for.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::index::{Index, Resolver};
use super::lower::{Purpose, bus_options, destination};
use super::lower_shared::{self, Renames};
use super::raw::{DirectKind, Entry, RawDestination, RawPublication, RawSpoke, RawSubscription, RawTeam};
use super::source::{Place, Written};
use crate::model::few::Few;
use crate::model::ids::{
    HubName, PublicationId, PublicationName, Region, Scope, SpokeName, SubscriptionId, SubscriptionName, TeamName,
};
use crate::model::topology::{
    Collect, Destination, Publication, Spoke, Stop, Subscribers, Subscription, Team, Topology, Via,
};
use std::collections::{BTreeMap, BTreeSet};

/// Adds the teams to `topology`, whose accounts and hubs are there: first every spoke, then every publication, then
/// every subscription, as each needs what comes before it.
pub(super) fn lower(index: &Index<'_>, resolver: &Resolver<'_>, topology: &mut Topology) {
    let renames = Renames::of(index);
    let stops = lower_shared::stops(index, resolver);
    let teams: Vec<(&TeamName, &Place, &RawTeam)> = index
        .teams
        .values()
        .filter_map(|entry| Some((entry.name.as_ref()?, &entry.place, entry.body.as_ref()?)))
        .collect();
    for (name, place, raw) in &teams {
        let team = Team {
            contact: raw.contact.clone(),
            spokes: spokes(raw, index, resolver, topology),
            publications: Few::new(),
            subscriptions: Few::new(),
            tags: raw.tags.clone(),
            origin: place.origin("team"),
        };
        topology.teams.insert((*name).clone(), team);
    }
    for (name, _, raw) in &teams {
        let lowering = Lowering { name, raw, index, resolver, topology, renames: &renames, stops: &stops };
        let publications = raw.publications.iter().filter_map(|entry| lowering.publication(entry)).collect();
        if let Some(team) = topology.teams.get_mut(*name) {
            team.publications = publications;
        }
    }
    for (name, _, raw) in &teams {
        let lowering = Lowering { name, raw, index, resolver, topology, renames: &renames, stops: &stops };
        let subscriptions = raw.subscriptions.iter().filter_map(|entry| lowering.subscription(entry)).collect();
        if let Some(team) = topology.teams.get_mut(*name) {
            team.subscriptions = subscriptions;
        }
    }
}

fn spokes(raw: &RawTeam, index: &Index<'_>, resolver: &Resolver<'_>, topology: &Topology) -> Few<SpokeName, Spoke> {
    let lowered = raw.spokes.iter().filter_map(|entry| {
        let (name, raw) = (entry.name.as_ref()?, entry.body.as_ref()?);
        Some((name.clone(), spoke(name, &entry.place, raw, index, resolver, topology)?))
    });
    lowered.collect()
}

fn spoke(
    name: &SpokeName,
    place: &Place,
    raw: &RawSpoke,
    index: &Index<'_>,
    resolver: &Resolver<'_>,
    topology: &Topology,
) -> Option<Spoke> {
    let hub = resolver.find_hub(&raw.hub, topology, index);
    let account = resolver.find_account(&raw.account, topology, index);
    let (hub, account) = (hub?, account?);
    let region = raw.region.as_ref().map_or_else(|| hub.scope.region.clone(), |region| region.value.clone());
    let at = raw.region.as_ref().map_or(&raw.hub.place, |region| &region.place);
    let written = Written { value: region.clone(), place: at.clone() };
    if !reaches(&written, &hub.scope.region, &format!("spoke `{name}`"), resolver) {
        return None;
    }
    let scope = Scope { account: account.id, region };
    let bus = raw.bus.as_ref().map(|bus| bus.value.clone());
    let bus_options = bus_options(&raw.bus_options, bus.as_deref(), &scope, &format!("spoke `{name}`"), resolver.sink);
    Some(Spoke {
        hub: raw.hub.value.clone(),
        scope,
        account: raw.account.value.clone(),
        bus,
        bus_options,
        tags: raw.tags.clone(),
        keeps_grants: raw.keeps_grants,
        origin: place.origin(&format!("spoke.{name}")),
    })
}

/// Whether buses in `region` and in the hub's deliver to each other; reports it if not. Neither of China's Regions takes
/// events from another (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html>).
fn reaches(region: &Written<Region>, hub: &Region, what: &str, resolver: &Resolver<'_>) -> bool {
    let Written { value: region, place } = region;
    if region.partition() != hub.partition() {
        let message = format!("{what} and the hub are in different partitions of AWS");
        resolver.sink.push(
            Diagnostic::error(DiagnosticCode::CrossPartition, place, message)
                .label(format!("{region} is in `{}`", region.partition()))
                .help(format!(
                    "the hub is in {hub}, in `{}`: {region} needs a hub in its own partition",
                    hub.partition()
                )),
        );
        return false;
    }
    if region != hub && region.partition() == "aws-cn" {
        let message = format!("EventBridge does not deliver between {hub} and {region}");
        resolver.sink.push(
            Diagnostic::error(DiagnosticCode::CrossRegion, place, message)
                .label("buses in China take events from their own Region alone")
                .help(format!("give {region} a hub of its own")),
        );
        return false;
    }
    true
}

struct Lowering<'a> {
    name: &'a TeamName,
    raw: &'a RawTeam,
    index: &'a Index<'a>,
    resolver: &'a Resolver<'a>,
    topology: &'a Topology,
    renames: &'a Renames<'a>,
    stops: &'a BTreeMap<SubscriptionId, Stop>,
}

impl<'a> Lowering<'a> {
    fn team(&self) -> Option<&'a Team> {
        self.topology.teams.get(self.name)
    }

    /// Whether every spoke that the team declares could be used: if not, one that seems missing is merely broken.
    fn has_all_spokes(&self, team: &TeamName) -> bool {
        let declared = self.index.teams.get(team.as_str()).and_then(|entry| entry.body.as_ref());
        let lowered = self.topology.teams.get(team).map(|team| team.spokes.len());
        !self.index.has_holes(team.as_str()) && declared.map(|team| team.spokes.len()) == lowered
    }

    fn spoke_place(&self, name: &SpokeName) -> Option<&'a Place> {
        self.index.spokes.get(&format!("{}.{name}", self.name)).map(|entry| &entry.place)
    }

    fn publication(&self, entry: &Entry<PublicationName, RawPublication>) -> Option<(PublicationId, Publication)> {
        let (name, raw) = (entry.name.as_ref()?, entry.body.as_ref()?);
        let mut sound = true;
        let subscribers = self.subscribers(raw);
        let mut accounts = BTreeSet::new();
        for name in &raw.accounts {
            let found = self.resolver.find_account(name, self.topology, self.index);
            match found {
                Some(account) => {
                    accounts.insert(account.id);
                }
                None => sound = false,
            }
        }
        if raw.via.value == Via::Spoke
            && raw.collect.is_none()
            && let Some(first) = raw.accounts.first()
        {
            self.resolver.sink.push(
                Diagnostic::error(
                    DiagnosticCode::AccountsViaSpoke,
                    &first.place,
                    "further accounts have no spoke to publish through",
                )
                .label("this account has no bus here that could forward")
                .also(&raw.via.place, "events come through the spokes' buses")
                .help("write `via = \"hub\"`, or a second publication for these accounts"),
            );
            return None;
        }
        let hubs = self.publication_hubs(entry, raw)?;
        for region in raw.collect.iter().flatten() {
            let scopes = hubs.keys().filter_map(|hub| self.topology.hubs.get(hub)).map(|hub| &hub.scope);
            sound &=
                scopes.fold(true, |sound, hub| sound & reaches(region, &hub.region, "these events", self.resolver));
        }
        let id = PublicationId { team: self.name.clone(), name: name.clone() };
        let kind = if raw.collect.is_some() { "collect" } else { "publish" };
        let publication = Publication {
            source: raw.source.value.clone(),
            detail_types: raw.detail_types.iter().map(|text| text.value.clone()).collect(),
            subscribers,
            via: raw.via.value,
            hubs,
            accounts,
            collect: raw
                .collect
                .as_ref()
                .map(|regions| Collect { regions: regions.iter().map(|region| region.value.clone()).collect() }),
            rule_identity: self.renames.publication(&id),
            keeps: raw.keeps.keeps.clone(),
            origin: entry.place.origin(&format!("{kind}.{name}")),
        };
        sound.then_some((id, publication))
    }

    fn subscribers(&self, raw: &RawPublication) -> Subscribers {
        let Some(teams) = &raw.subscribers else { return Subscribers::Everyone };
        let mut all_known = true;
        for team in teams {
            let found =
                self.resolver.find("team", DiagnosticCode::UnknownTeam, team, &self.topology.teams, &self.index.teams);
            all_known &= found.is_some() || self.resolver.teams_have_holes;
        }
        if !all_known {
            return Subscribers::Everyone; // A subscriber that is misspelt here is not told that it is not offered.
        }
        Subscribers::Teams(teams.iter().map(|team| team.value.clone()).collect())
    }

    /// The hubs where it is published, with the team's spokes there.
    fn publication_hubs(
        &self,
        entry: &Entry<PublicationName, RawPublication>,
        raw: &RawPublication,
    ) -> Option<Few<HubName, BTreeSet<SpokeName>>> {
        let team = self.team()?;
        let mut hubs: Few<HubName, BTreeSet<SpokeName>> = Few::new();
        match &raw.at {
            None => {
                for (name, spoke) in &team.spokes {
                    let spokes = hubs.entry(spoke.hub.clone()).or_default();
                    // A collection comes by default buses, whatever the team's own spokes are.
                    spokes.extend(raw.collect.is_none().then(|| name.clone()));
                }
                if hubs.is_empty() {
                    self.no_spoke(&entry.place, "is published nowhere: its team has no spoke", "publish");
                    return None;
                }
            }
            Some(at) => {
                for hub in at {
                    self.resolver.find_hub(hub, self.topology, self.index)?;
                    let spokes: BTreeSet<SpokeName> = team
                        .spokes
                        .iter()
                        .filter(|(_, spoke)| spoke.hub == hub.value && raw.collect.is_none())
                        .map(|(name, _)| name.clone())
                        .collect();
                    if spokes.is_empty() && raw.accounts.is_empty() {
                        self.no_spoke(&hub.place, &format!("cannot be published at `{}`", hub.value), "publish");
                        return None;
                    }
                    hubs.insert(hub.value.clone(), spokes);
                }
            }
        }
        if raw.via.value == Via::Spoke {
            for name in hubs.values().flatten() {
                self.needs_bus(name, &raw.via.place, "`via = \"spoke\"` forwards from the spoke's bus")?;
            }
        }
        Some(hubs)
    }

    fn no_spoke(&self, place: &Place, what: &str, verb: &str) {
        if !self.has_all_spokes(self.name) {
            return;
        }
        let spokes: Vec<String> = self
            .team()
            .map(|team| {
                team.spokes.iter().map(|(name, spoke)| format!("spoke `{name}` at hub `{}`", spoke.hub)).collect()
            })
            .unwrap_or_default();
        let has = if spokes.is_empty() { "no spoke".to_owned() } else { spokes.join(", ") };
        self.resolver.sink.push(
            Diagnostic::error(DiagnosticCode::NoSpoke, place, format!("this {what}"))
                .label(format!("team `{}` has {has}", self.name))
                .help(format!("add `[spoke.NAME]` with the hub to {verb} at and the team's account")),
        );
    }

    fn needs_bus(&self, name: &SpokeName, place: &Place, why: &str) -> Option<()> {
        let spoke = self.team()?.spokes.get(name)?;
        if spoke.bus.is_some() {
            return Some(());
        }
        let diagnostic =
            Diagnostic::error(DiagnosticCode::SpokeWithoutBus, place, format!("spoke `{name}` has no bus")).label(why);
        let diagnostic = match self.spoke_place(name) {
            Some(spoke) => diagnostic.also(spoke, "no `bus` is named here"),
            None => diagnostic,
        };
        self.resolver.sink.push(diagnostic.help(format!("name the bus: `bus = \"{}\"`", self.name)));
        None
    }

    fn subscription(&self, entry: &Entry<SubscriptionName, RawSubscription>) -> Option<(SubscriptionId, Subscription)> {
        let (name, raw) = (entry.name.as_ref()?, entry.body.as_ref()?);
        let publication = self.publication_of(raw);
        if let Some((publication, written)) = publication {
            self.check_offered(raw, publication, written);
        }
        let publication = publication.map(|(publication, _)| publication)?;
        let (spoke_name, spoke) = self.choose_spoke(&entry.place, raw, publication)?;
        let hub = self.topology.hubs.get(&spoke.hub)?;
        let deliver = match &raw.deliver.value {
            RawDestination::Bus => {
                self.needs_bus(spoke_name, &raw.deliver.place, "this is delivered to the spoke's bus")?;
                Destination::Bus
            }
            RawDestination::Direct(kind, text) => {
                let written = raw.deliver.with(text.clone());
                let arn = destination(*kind, &written, &spoke.scope, &hub.scope, Purpose::Route, self.resolver.sink)?;
                match kind {
                    DirectKind::Queue => Destination::Queue(arn),
                    DirectKind::Function => Destination::Function(arn),
                    DirectKind::Topic => Destination::Topic(arn),
                    DirectKind::Stream => Destination::Stream(arn),
                    DirectKind::Api => Destination::Api(arn),
                }
            }
        };
        let dead_letter = match &raw.dead_letter {
            None => None,
            Some(queue) => {
                let (kind, purpose) = (DirectKind::Queue, Purpose::DeadLetters);
                Some(destination(kind, queue, &hub.scope, &hub.scope, purpose, self.resolver.sink)?)
            }
        };
        if let Some(queue) = raw.dead_letter.as_ref().filter(|_| dead_letter.as_deref() == deliver.arn()) {
            self.resolver.sink.push(
                Diagnostic::error(
                    DiagnosticCode::DeadLetterIsDestination,
                    &queue.place,
                    "what cannot be delivered would go where it could not be delivered",
                )
                .label("the same queue")
                .also(&raw.deliver.place, "as the destination")
                .help("name another queue, or leave `dead-letter` out for the usual one"),
            );
        }
        if let (Destination::Bus, Some(retry)) = (&deliver, &raw.retry) {
            self.resolver.sink.push(
                Diagnostic::error(DiagnosticCode::RetryOnBus, &retry.place, "a bus takes no retry policy")
                    .label("EventBridge refuses it on a bus target")
                    .help("leave `retry` out, or deliver to a queue, function, topic, stream or API"),
            );
        }
        let id = SubscriptionId { team: self.name.clone(), name: name.clone() };
        let subscription = Subscription {
            from: raw.from.value.clone(),
            hub: spoke.hub.clone(),
            spoke: spoke_name.clone(),
            detail_types: raw.detail_types.iter().map(|text| text.value.clone()).collect(),
            filter: raw.filter.clone(),
            deliver,
            replays: raw.replays,
            dead_letter,
            retry: raw.retry.as_ref().map(|retry| retry.value),
            stop: self.stops.get(&id).cloned(),
            rule_identity: self.renames.subscription(&id),
            keeps: raw.keeps.keeps.clone(),
            origin: entry.place.origin(&format!("subscribe.{name}")),
        };
        Some((id, subscription))
    }

    fn publication_of(&self, raw: &RawSubscription) -> Option<(&'a Publication, Option<&'a RawPublication>)> {
        let PublicationId { team, .. } = &raw.from.value;
        if self.index.has_holes(team.as_str()) {
            return None; // What its file says is not known, so that nobody else is judged by it.
        }
        let written_team = Written { value: team.clone(), place: raw.from.place.clone() };
        let publisher = self.resolver.find(
            "team",
            DiagnosticCode::UnknownTeam,
            &written_team,
            &self.topology.teams,
            &self.index.teams,
        )?;
        let text = raw.from.value.to_string();
        if !self.index.publications.contains_key(&text) {
            let (code, known) = (DiagnosticCode::UnknownPublication, &self.index.publications);
            let unknown = Resolver::unknown("publication", code, &raw.from.place, &text, known);
            self.resolver.sink.push(unknown.resting_on(team));
        }
        let publication = publisher.publications.get(&raw.from.value)?;
        Some((publication, self.index.publication(&raw.from.value).map(|(_, raw)| raw)))
    }

    fn check_offered(&self, raw: &RawSubscription, publication: &Publication, written: Option<&RawPublication>) {
        if publication.subscribers.allows(self.name, &raw.from.value.team) {
            return;
        }
        let message = format!("`{}` is not offered to team `{}`", raw.from.value, self.name);
        let diagnostic = Diagnostic::error(DiagnosticCode::NotOffered, &raw.from.place, message)
            .label("wanted here")
            .help(format!("ask team `{}` to add \"{}\" to its `subscribers`", raw.from.value.team, self.name))
            .resting_on(&raw.from.value.team);
        self.resolver.sink.push(match written {
            Some(written) if written.subscribers.as_ref().is_some_and(Vec::is_empty) => {
                diagnostic.also(&written.subscribers_place, "offered to no other team")
            }
            Some(written) => diagnostic.also(&written.subscribers_place, "offered to these only"),
            None => diagnostic,
        });
    }

    /// The spoke that a subscription is for: the one that it names, or the only one at a hub where the events are.
    fn choose_spoke(
        &self,
        place: &Place,
        raw: &RawSubscription,
        publication: &Publication,
    ) -> Option<(&'a SpokeName, &'a Spoke)> {
        let team = self.team()?;
        if let Some(at) = &raw.at {
            self.resolver.find_hub(at, self.topology, self.index)?;
        }
        if let Some(spoke) = &raw.spoke
            && !team.spokes.contains_key(&spoke.value)
        {
            let declared: BTreeMap<String, &()> =
                self.raw.spokes.iter().map(|entry| (entry.text.clone(), &())).collect();
            if !self.index.has_holes(self.name.as_str()) {
                let lowered = BTreeMap::<SpokeName, ()>::new(); // It was looked for just now.
                self.resolver.find("spoke", DiagnosticCode::UnknownSpoke, spoke, &lowered, &declared);
            }
            return None;
        }
        let here: Vec<(&SpokeName, &Spoke)> = team
            .spokes
            .iter()
            .filter(|(name, _)| raw.spoke.as_ref().is_none_or(|wanted| wanted.value == **name))
            .filter(|(_, spoke)| raw.at.as_ref().is_none_or(|at| at.value == spoke.hub))
            .collect();
        if here.is_empty() {
            let asked = raw.at.as_ref().map_or(place, |at| &at.place);
            self.no_spoke(asked, "can be delivered to no spoke", "receive");
            return None;
        }
        let eligible: Vec<(&SpokeName, &Spoke)> =
            here.iter().copied().filter(|(_, spoke)| publication.hubs.contains_key(&spoke.hub)).collect();
        match eligible.as_slice() {
            [] => {
                self.not_published_here(raw, publication, &here);
                None
            }
            [only] => Some(*only),
            [first, second, ..] => {
                let message = "more than one spoke could take this";
                let mut diagnostic = Diagnostic::error(DiagnosticCode::AmbiguousSpoke, place, message)
                    .label("say which spoke it is for");
                for (name, spoke) in [first, second] {
                    if let Some(place) = self.spoke_place(name) {
                        diagnostic = diagnostic.also(place, format!("`{name}`, at hub `{}`", spoke.hub));
                    }
                }
                let diagnostic = diagnostic
                    .help(format!("add `spoke = \"{}\"` or `spoke = \"{}\"`", first.0, second.0))
                    .help("for both, write a subscription for each")
                    .resting_on(&raw.from.value.team);
                self.resolver.sink.push(diagnostic);
                None
            }
        }
    }

    fn not_published_here(&self, raw: &RawSubscription, publication: &Publication, here: &[(&SpokeName, &Spoke)]) {
        if !self.has_all_spokes(&raw.from.value.team) || !self.has_all_spokes(self.name) {
            return;
        }
        let list =
            |names: BTreeSet<&HubName>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let wanted = list(here.iter().map(|(_, spoke)| &spoke.hub).collect());
        let published = list(publication.hubs.keys().collect());
        let message = format!("`{}` is not published at hub {wanted}", raw.from.value);
        let mut diagnostic =
            Diagnostic::error(DiagnosticCode::NotPublishedHere, &raw.from.place, message).label("wanted here");
        if let Some((place, _)) = self.index.publication(&raw.from.value) {
            diagnostic = diagnostic.also(place, format!("published at {published} only"));
        }
        self.resolver.sink.push(
            diagnostic
                .help(format!("add a spoke of team `{}` at {published}", self.name))
                .help(format!("or ask team `{}` to publish it at {wanted} too", raw.from.value.team))
                .resting_on(&raw.from.value.team),
        );
    }
}
