//! Tags of what is ours, told apart again: a hub's, a team's, a spoke's.
//!
//! What a thing bears is the organisation's tags, the hub's or the team's, and the spoke's, later ones over earlier ones. Which of
//! them said a tag cannot be seen, and does not matter as long as each thing gets what it has.

use super::{Builder, told_forward, told_subscription};
use crate::import::draft::Spoke;
use crate::import::facts::Facts;
use crate::model::ids::{Scope, TeamName};
use crate::model::mark::keys_set_by_us;
use crate::model::resource::BusId;
use crate::model::topology::Tags;
use std::collections::BTreeMap;

impl Builder<'_> {
    pub(super) fn add_tags(&mut self) {
        let facts = self.facts;
        for hub in self.draft.hubs.values_mut() {
            hub.options.tags = of_people(facts.buses.get(&hub.bus).and_then(|live| live.tags.as_ref()));
        }
        let mut by_team: BTreeMap<TeamName, Things> = BTreeMap::new();
        for (rule, live) in facts.rules.iter().filter(|(rule, live)| facts.is_marked(rule, live)) {
            let tags = of_people(live.tags.as_ref());
            if let (true, Some((_, to))) = (self.hubs.contains_key(&rule.bus), told_subscription(live)) {
                by_team.entry(to.team).or_default().delivering.push(tags);
            } else if let Some((from, _)) = told_forward(live) {
                // What is collected from default buses bears the team's tags and no spoke's.
                let things = by_team.entry(from.team).or_default();
                let is_collected = rule.bus.is_default();
                if is_collected { things.delivering.push(tags) } else { things.others.push(tags) }
            }
        }
        for (name, team) in &mut self.draft.teams {
            let bus_of = |spoke: &Spoke| {
                let scope = Scope { account: spoke.account_id, region: spoke.region.clone() };
                let bus = BusId { scope, name: spoke.bus.clone()? };
                let live = facts.buses.get(&bus)?;
                facts.marked_bus(&bus).map(|_| of_people(live.tags.as_ref()))
            };
            let mut things = by_team.remove(name).unwrap_or_default();
            things.others.extend(team.spokes.values().filter_map(bus_of));
            team.tags = things.in_common();
            for spoke in team.spokes.values_mut() {
                let mut own = bus_of(spoke).unwrap_or_default();
                own.retain(|key, value| team.tags.get(key) != Some(value));
                spoke.options.tags = own;
            }
        }
    }
}

/// The tags of a team's things.
#[derive(Default)]
struct Things {
    /// Rules on hubs (the team's tags over the hub's) and on default buses: no spoke has a say in them.
    delivering: Vec<Tags>,
    /// Buses, and rules on them: the spoke's tags over the team's.
    others: Vec<Tags>,
}

impl Things {
    /// What the team itself can have said: keys that all things bear, with the value of the rules on hubs, which no spoke says
    /// otherwise; without such rules, with the value that all have.
    fn in_common(&self) -> Tags {
        let all = || self.delivering.iter().chain(&self.others);
        let Some(first) = all().next() else { return Tags::new() };
        let said = if self.delivering.is_empty() { &self.others } else { &self.delivering };
        let is_common = |key: &String, value: &String| {
            all().all(|tags| tags.contains_key(key)) && said.iter().all(|tags| tags.get(key) == Some(value))
        };
        let value = |key: &String| said.first().and_then(|tags| tags.get(key)).cloned();
        let pairs = first.keys().filter_map(|key| Some((key.clone(), value(key)?)));
        pairs.filter(|(key, value)| is_common(key, value)).collect()
    }
}

/// The tags that we set for people on a thing of ours; none on anything else.
fn of_people(live: Option<&Tags>) -> Tags {
    let Some(live) = live.filter(|live| Facts::is_ours_by_tag(Some(live))) else { return Tags::new() };
    let keys = keys_set_by_us(live).filter(|key| !key.starts_with("wheelwright:"));
    keys.filter_map(|key| Some((key.clone(), live.get(key)?.clone()))).collect()
}
