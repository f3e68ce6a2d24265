//! Hubs, spokes that are known by their marks, and what is said of a bus.

use super::{Builder, Names};
use crate::eventbridge::Arn;
use crate::import::draft::{Hub, Options, Spoke};
use crate::model::ids::{HubName, SpokeName, TeamName};
use crate::model::mark::{Mark, archive_name};
use crate::model::resource::{BusId, ResourceId};
use crate::plan::Ownership;
use std::collections::BTreeSet;

impl Builder<'_> {
    pub(super) fn add_hubs(&mut self) {
        let hubs = self.facts.hubs(self.request);
        for (name, bus) in &self.request.hubs {
            self.takes(Names::Hubs, name.as_str());
            if !self.facts.buses.contains_key(bus) {
                let why = format!("hub `{name}` is not there, or its scope was not read");
                self.leave(
                    ResourceId::Bus(bus.clone()),
                    why,
                    "look at the ARN, and whether its account and Region are given",
                );
            }
        }
        // Names that live things tell come first, so that nothing else takes them.
        let mut told: Vec<Option<HubName>> = hubs.iter().map(|bus| self.told_hub(bus)).collect();
        self.by_elimination(&hubs, &mut told);
        for name in told.iter().flatten() {
            self.takes(Names::Hubs, name.as_str());
        }
        for (bus, told) in hubs.into_iter().zip(told) {
            let resource = ResourceId::Bus(bus.clone());
            match self.facts.bus_owner(&bus) {
                Ownership::Marked(_) | Ownership::MarkLost | Ownership::Unmarked | Ownership::Copied => {}
                Ownership::Other(owner) | Ownership::Managed(owner) => {
                    let tags = self.facts.buses.get(&bus).and_then(|live| live.tags.as_ref());
                    self.leave_to(
                        resource,
                        &bus.arn(),
                        &format!("{owner}, and what stands on it is not looked at"),
                        tags,
                    );
                    continue;
                }
                Ownership::Unknown => {
                    self.leave(
                        resource,
                        "its tags could not be read, so whose it is is not known",
                        "see what was not read",
                    );
                    continue;
                }
            }
            let region = bus.scope.region.to_string();
            let by_region = format!("{}-{region}", bus.name);
            let name = match told {
                Some(name) => name,
                None => match self.named(Names::Hubs, &[&bus.name, &by_region], "hub").parse() {
                    Ok(name) => name,
                    Err(_) => continue,
                },
            };
            self.add_hub(bus, name);
        }
    }

    /// The name that a hub has by a flag, or by what its marks, its archive, its audit and the rules that forward to it say.
    fn told_hub(&self, bus: &BusId) -> Option<HubName> {
        if let Some((name, _)) = self.request.hubs.iter().find(|(_, hub)| *hub == bus) {
            return Some(name.clone());
        }
        self.facts.marked_bus(bus)?;
        let arn = bus.arn();
        let here = |rule: &&crate::model::world::LiveRule| {
            rule.targets.iter().flatten().any(|(_, target)| target.spec.arn == arn)
        };
        let forwards = self.facts.rules.values().copied().filter(here).filter_map(super::told_forward);
        let audits = self.facts.rules_on(bus).filter_map(|(_, live)| {
            let text = Mark::read(&live.description).0;
            text.strip_prefix("Everything that is published at hub ")?
                .strip_suffix(", to its audit queue")?
                .parse()
                .ok()
        });
        let archive = || {
            let view = self.facts.world.view(&bus.scope)?;
            let archives = view.archives.values().filter(|live| live.spec.source == *bus);
            archives.into_iter().find_map(|live| live.spec.description.strip_prefix("Archive of hub ")?.parse().ok())
        };
        let own = || self.facts.text_of(bus).strip_prefix("Hub ")?.parse().ok();
        let subscribers = || {
            let targets = self.facts.rules_on(bus).flat_map(|(_, live)| live.targets.iter().flatten());
            let mut buses = targets.filter_map(|(_, target)| BusId::of_arn(&target.spec.arn));
            buses.find_map(|bus| self.told_spoke(&bus)).map(|(_, _, hub)| hub)
        };
        let first = forwards.map(|(_, hub)| hub).next().or_else(|| audits.into_iter().next());
        first.or_else(archive).or_else(own).or_else(subscribers)
    }

    /// Where one hub has no name and spokes speak of one that no hub has, that is its name.
    fn by_elimination(&self, hubs: &BTreeSet<BusId>, told: &mut [Option<HubName>]) {
        let known: BTreeSet<HubName> = told.iter().flatten().cloned().collect();
        let spoken = self.facts.buses.keys().filter_map(|bus| self.told_spoke(bus)).map(|(_, _, hub)| hub);
        let unknown: BTreeSet<HubName> = spoken.filter(|hub| !known.contains(hub)).collect();
        let mut nameless: Vec<&mut Option<HubName>> = hubs
            .iter()
            .zip(told)
            .filter(|(bus, name)| name.is_none() && self.facts.marked_bus(bus).is_some())
            .map(|(_, name)| name)
            .collect();
        if let ([nameless], 1) = (nameless.as_mut_slice(), unknown.len()) {
            **nameless = unknown.into_iter().next();
        }
    }

    /// What a spoke's bus of ours says of itself: team, spoke and hub.
    fn told_spoke(&self, bus: &BusId) -> Option<(TeamName, SpokeName, HubName)> {
        let team: TeamName = self.facts.marked_bus(bus)??.parse().ok()?;
        let rest = self.facts.text_of(bus).strip_prefix(&format!("Events of {team} (spoke "))?;
        let (spoke, hub) = rest.strip_suffix(')')?.split_once(" of hub ")?;
        Some((team, spoke.parse().ok()?, hub.parse().ok()?))
    }

    fn add_hub(&mut self, bus: BusId, name: HubName) {
        let Some(account) = self.account_name(bus.scope.account) else { return };
        let text = self.facts.text_of(&bus).to_owned();
        let description = (!text.is_empty() && text != format!("Hub {name}")).then_some(text);
        let mut options = self.options(&bus);
        let grants = self.facts.grants(&bus);
        let organization = grants.iter().find(|grant| grant.organization.is_some());
        let by_organization = organization.is_some();
        if let Some(id) = organization.and_then(|grant| grant.organization.clone()) {
            self.draft.organization.get_or_insert(id);
        }
        options.keeps_grants = grants.iter().any(|grant| !grant.is_ours);
        let mut notes = Vec::new();
        if !self.request.hubs.contains_key(&name) && self.facts.marked_bus(&bus).is_none() {
            notes.push("Taken for a hub, as events go on from here to others.".to_owned());
        }
        let archive_days = self.archive(&bus);
        let hub = Hub {
            bus: bus.clone(),
            account,
            description,
            by_organization,
            archive_days,
            audit_queue: None,
            options,
            notes,
        };
        self.draft.hubs.insert(name.clone(), hub);
        self.hubs.insert(bus, name);
    }

    /// How long our archive of a hub keeps events; archives of other names are told, as an archive cannot be renamed.
    fn archive(&mut self, bus: &BusId) -> Option<u32> {
        let view = self.facts.world.view(&bus.scope)?;
        let ours = archive_name(&self.facts.settings.operator.owner, bus.scope.account, &bus.name);
        for (name, live) in view.archives.iter().filter(|(name, live)| live.spec.source == *bus && **name != ours) {
            let archive = crate::model::resource::ArchiveId { scope: bus.scope.clone(), name: name.clone() };
            let days = live.spec.retention_days;
            let why = format!("an archive keeps its name, and ours would be `{ours}`");
            let what_to_do = format!(
                "leave it; for one of ours beside it write `archive = {{ retention-days = {days} }}` in the hub"
            );
            self.leave(ResourceId::Archive(archive), why, what_to_do);
        }
        Some(view.archives.get(&ours)?.spec.retention_days)
    }

    /// What is said of a bus beyond its name.
    pub(super) fn options(&mut self, bus: &BusId) -> Options {
        let Some(live) = self.facts.buses.get(bus) else { return Options::default() };
        let keeps_grants = self.facts.grants(bus).iter().any(|grant| !grant.is_ours);
        let Some(settings) = live.settings.as_ref().filter(|_| !bus.is_default()) else {
            return Options { keeps_grants, ..Options::default() };
        };
        let is_key = |arn: &String| {
            arn.parse::<Arn>()
                .is_ok_and(|arn| arn.resource.starts_with("key/") && arn.region == bus.scope.region.as_str())
        };
        if let Some(key) = settings.kms_key.as_ref().filter(|key| !is_key(key)) {
            let why = format!("it is encrypted with {key}, and only the ARN of a key in its Region can be said");
            self.leave(
                ResourceId::Bus(bus.clone()),
                why,
                "give the bus that key by its ARN, then write it as `kms-key`",
            );
        }
        Options {
            kms_key: settings.kms_key.clone().filter(is_key),
            dead_letter: settings.dead_letter_arn.clone(),
            log: settings.log,
            tags: crate::model::topology::Tags::new(),
            keeps_grants,
        }
    }

    /// Spokes whose buses say of themselves what they are.
    pub(super) fn add_marked_spokes(&mut self) {
        let facts = self.facts;
        for bus in facts.buses.keys() {
            let Some((team, name, hub)) = self.told_spoke(bus) else { continue };
            if !self.draft.hubs.contains_key(&hub) {
                continue;
            }
            let Some(account) = self.account_name(bus.scope.account) else { continue };
            let spoke = Spoke {
                hub,
                account,
                account_id: bus.scope.account,
                region: bus.scope.region.clone(),
                bus: Some(bus.name.clone()),
                options: self.options(bus),
            };
            self.takes(Names::Spokes(team.clone()), name.as_str());
            self.team(&team).spokes.insert(name, spoke);
        }
    }
}
