//! What is in the picture of one hub: its spokes by team, and between which of them each route goes.

use super::super::routes::RouteState;
use super::bits::cut;
use super::filter::Filter;
use super::layout::{self, Form, Side, Wheel};
use super::links;
use super::look::{Look, Row, Thing};
use crate::model::ids::{AccountId, HubName, SpokeName, TeamName};
use crate::model::resource::{BusId, ResourceId};
use crate::model::route::Consumer;
use crate::model::topology::{Hub, Spoke};
use crate::report::count;
use std::collections::{BTreeMap, BTreeSet};

/// Routes of one hub up to which each is drawn for itself; beyond it, those that deliver are one line a team.
const SINGLE_ROUTES_MAX: usize = 90;
/// Routes that are drawn for themselves where there are more, because they do not deliver or are asked for.
const CHOSEN_ROUTES_MAX: usize = 150;
/// Orphans that one picture shows.
const ORPHANS_MAX: usize = 8;

/// One hub, with all that is about it.
pub(super) struct Picture<'a> {
    pub(super) name: &'a HubName,
    pub(super) hub: &'a Hub,
    pub(super) groups: Vec<Group>,
    pub(super) nodes: Vec<Node>,
    pub(super) lines: Vec<Line<'a>>,
    /// Whether lines that deliver are drawn one a team.
    pub(super) bundled: bool,
    /// Routes that do not deliver and are too many to be drawn.
    pub(super) undrawn: usize,
    /// How many routes are in each state.
    pub(super) counts: BTreeMap<RouteState, usize>,
    pub(super) state: Option<RouteState>,
}

/// A team at the rim: its nodes are these.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) first: usize,
    pub(super) nodes: usize,
    pub(super) state: Option<RouteState>,
    pub(super) publishes: usize,
    pub(super) takes: usize,
    pub(super) fades: bool,
    /// Whether the line of all its routes fades: where a filter asks for others, or for some of them.
    pub(super) line_fades: bool,
    pub(super) href: String,
}

/// A spoke, an account that publishes for a team, an audit, or what nobody asks for any more.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) note: String,
    /// All of it, for who cannot see the picture and for who points at it.
    pub(super) told: String,
    pub(super) state: Option<RouteState>,
    pub(super) is_orphan: bool,
    pub(super) fades: bool,
    pub(super) href: String,
    states: BTreeMap<RouteState, usize>,
}

/// A route that is drawn.
pub(super) struct Line<'a> {
    pub(super) row: &'a Row<'a>,
    /// Where it comes from; nothing for an audit, which begins at the hub.
    pub(super) from: Vec<usize>,
    pub(super) to: usize,
    pub(super) fades: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Spoke(TeamName, SpokeName),
    Account(TeamName, AccountId),
    Audit,
}

/// Which of several states is shown: what loses events first.
fn rank(state: RouteState) -> usize {
    const ORDER: [RouteState; 6] = [
        RouteState::Drifted,
        RouteState::Unread,
        RouteState::Stopped,
        RouteState::Held,
        RouteState::Waiting,
        RouteState::Delivering,
    ];
    ORDER.iter().position(|other| *other == state).unwrap_or(ORDER.len())
}

impl<'a> Picture<'a> {
    pub(super) fn of(look: &'a Look<'a>, name: &'a HubName, hub: &'a Hub, filter: &Filter) -> Self {
        let rows: Vec<&Row<'_>> = look.rows.iter().filter(|row| row.path.hub == *name).collect();
        let mut counts = BTreeMap::new();
        for row in &rows {
            *counts.entry(row.state).or_insert(0) += 1;
        }
        let bus = ResourceId::Bus(BusId { scope: hub.scope.clone(), name: hub.bus.clone() });
        let state = state_of(look.thing(&bus));
        let mut picture = Self {
            name,
            hub,
            groups: Vec::new(),
            nodes: Vec::new(),
            lines: Vec::new(),
            bundled: rows.len() > SINGLE_ROUTES_MAX,
            undrawn: 0,
            counts,
            state,
        };
        let keys = picture.add_nodes(look);
        picture.add_lines(look, &rows, &keys, filter);
        picture.add_orphans(look);
        picture.finish(filter);
        picture
    }

    fn add_nodes(&mut self, look: &Look<'_>) -> BTreeMap<Key, usize> {
        let mut keys = BTreeMap::new();
        for (team_name, team) in &look.topology.teams {
            let first = self.nodes.len();
            let here: Vec<_> = team.spokes.iter().filter(|(_, spoke)| spoke.hub == *self.name).collect();
            for (spoke_name, spoke) in &here {
                keys.insert(Key::Spoke(team_name.clone(), (*spoke_name).clone()), self.nodes.len());
                self.nodes.push(spoke_node(look, team_name, spoke_name, spoke, here.len() > 1));
            }
            let published = team.publications.values().filter(|publication| publication.hubs.contains_key(self.name));
            let accounts: BTreeSet<AccountId> =
                published.flat_map(|publication| publication.accounts.clone()).collect();
            for account in accounts {
                if here.iter().any(|(_, spoke)| spoke.scope.account == account) {
                    continue;
                }
                keys.insert(Key::Account(team_name.clone(), account), self.nodes.len());
                let account = look.account(account);
                let told = format!("Account {account}, which publishes for team {team_name}");
                self.nodes.push(Node {
                    href: links::team(team_name.as_str()),
                    ..Node::new(account, team_name.to_string(), told)
                });
            }
            self.group(team_name.to_string(), first, links::team(team_name.as_str()));
        }
        if let Some(queue) = &self.hub.audit_queue {
            let first = self.nodes.len();
            keys.insert(Key::Audit, first);
            let queue = queue.rsplit(':').next().unwrap_or(queue);
            let told = format!("Audit queue {queue} of hub {}", self.name);
            self.nodes.push(Node { href: self.href(), ..Node::new("audit".to_owned(), queue.to_owned(), told) });
            self.group("audit".to_owned(), first, self.href());
        }
        keys
    }

    fn group(&mut self, name: String, first: usize, href: String) {
        let nodes = self.nodes.len() - first;
        if nodes > 0 {
            let group = Group {
                name,
                first,
                nodes,
                state: None,
                publishes: 0,
                takes: 0,
                fades: false,
                line_fades: false,
                href,
            };
            self.groups.push(group);
        }
    }

    /// The first page with this hub alone.
    pub(super) fn href(&self) -> String {
        links::filtered(&Filter { hub: Some(self.name.to_string()), ..Filter::default() })
    }

    fn add_lines(&mut self, look: &Look<'_>, rows: &[&'a Row<'a>], keys: &BTreeMap<Key, usize>, filter: &Filter) {
        let asked = rows.iter().filter(|row| filter.takes(row)).count();
        let shows_asked = filter.is_on() && asked <= CHOSEN_ROUTES_MAX;
        let mut drawn = 0;
        for row in rows {
            let (from, to) = ends(look, row, keys);
            let Some(to) = to else { continue };
            for (node, group_of) in from.iter().map(|node| (*node, true)).chain([(to, false)]) {
                if let Some(node) = self.nodes.get_mut(node) {
                    *node.states.entry(row.state).or_default() += 1;
                }
                if let Some(group) =
                    self.groups.iter_mut().find(|group| (group.first..group.first + group.nodes).contains(&node))
                {
                    if group_of { group.publishes += 1 } else { group.takes += 1 }
                }
            }
            let takes = filter.takes(row);
            let is_chosen = row.state != RouteState::Delivering || (shows_asked && takes);
            if self.bundled && (!is_chosen || drawn >= CHOSEN_ROUTES_MAX) {
                self.undrawn += usize::from(is_chosen);
                continue;
            }
            drawn += 1;
            // Among many spokes one line stands for those that publish the same.
            let from = if self.bundled { from.get(from.len() / 2).into_iter().copied().collect() } else { from };
            self.lines.push(Line { row, from, to, fades: !takes });
        }
        // What is wrong is drawn over what is not, and what fades below both.
        self.lines.sort_by_key(|line| (!line.fades, std::cmp::Reverse(rank(line.row.state))));
    }

    fn add_orphans(&mut self, look: &Look<'_>) {
        let is_here = |resource: &ResourceId| {
            let hubs = look.topology.hubs.iter();
            let own = hubs.clone().find(|(_, hub)| hub.scope.region == resource.scope().region);
            own.or_else(|| hubs.clone().next()).is_some_and(|(name, _)| name == self.name)
        };
        let first = self.nodes.len();
        for (resource, incident) in look.orphans().filter(|(resource, _)| is_here(resource)).take(ORPHANS_MAX) {
            let name = resource.local_name();
            let told =
                format!("{} {name} in {}: nobody asks for it any more", resource.kind(), look.scope(resource.scope()));
            let note = format!("orphaned {}", resource.kind());
            self.nodes.push(Node {
                href: links::incident(&incident.id),
                is_orphan: true,
                state: Some(RouteState::Held),
                ..Node::new(name, note, told)
            });
        }
        self.group("orphaned".to_owned(), first, "/#wrong".to_owned());
    }

    /// Says of each spoke and team how its routes stand, and what fades.
    fn finish(&mut self, filter: &Filter) {
        let lit: BTreeSet<usize> = self
            .lines
            .iter()
            .filter(|line| !line.fades)
            .flat_map(|line| line.from.iter().copied().chain([line.to]))
            .collect();
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let worst = node.states.keys().copied().min_by_key(|state| rank(*state));
            let worst = worst.filter(|state| *state != RouteState::Delivering);
            if let (None, Some(worst)) = (node.state, worst) {
                node.state = Some(worst);
                node.note = told_counts(&node.states, &[worst]);
            }
            let all = told_counts(&node.states, &[]);
            if !all.is_empty() {
                node.told = format!("{}; routes: {all}", node.told);
            }
            node.fades = filter.is_on() && !lit.contains(&number);
        }
        for group in &mut self.groups {
            let nodes = self.nodes.get(group.first..group.first + group.nodes).unwrap_or_default();
            group.state = nodes.iter().filter_map(|node| node.state).min_by_key(|state| rank(*state));
            let is_asked = filter.team.as_deref().is_none_or(|team| team == group.name)
                && filter.hub.as_deref().is_none_or(|hub| hub == self.name.as_str());
            let has_lit = nodes.iter().any(|node| !node.fades);
            let is_whole = is_asked && filter.source.is_none() && filter.state.is_none();
            group.fades = filter.is_on() && !has_lit && !(self.bundled && is_whole);
            group.line_fades = filter.is_on() && !is_whole;
        }
    }

    /// Where all of it stands.
    pub(super) fn layout(&self, form: Form) -> Wheel {
        let groups: Vec<layout::Group> = self
            .groups
            .iter()
            .map(|group| layout::Group { nodes: group.nodes, matters: group.state.is_some() && !group.fades })
            .collect();
        layout::wheel(form, &groups)
    }

    /// Each node's side and where it is on the rim.
    pub(super) fn spots(&self, wheel: &Wheel) -> Vec<(Side, (f64, f64))> {
        wheel.places.iter().flat_map(|place| place.nodes.iter().map(move |at| (place.side, *at))).collect()
    }
}

impl Node {
    fn new(name: String, note: String, told: String) -> Self {
        Self {
            name,
            note,
            told,
            state: None,
            is_orphan: false,
            fades: false,
            href: String::new(),
            states: BTreeMap::new(),
        }
    }
}

fn spoke_node(look: &Look<'_>, team: &TeamName, name: &SpokeName, spoke: &Spoke, has_others: bool) -> Node {
    let account = spoke.account.to_string();
    let shown = if has_others { format!("{team}.{name}") } else { team.to_string() };
    let bus = spoke.bus.as_ref().map(|bus| ResourceId::Bus(BusId { scope: spoke.scope.clone(), name: bus.clone() }));
    let mut state = if look.is_unread(&spoke.scope) { Some(RouteState::Unread) } else { None };
    let mut note = if state.is_some() { "not read".to_owned() } else { account.clone() };
    if let Some(Thing::Found(incident)) = bus.as_ref().map(|bus| look.thing(bus)) {
        state = Some(RouteState::Drifted);
        note = incident.concern.code.to_string();
    }
    let bus = spoke.bus.as_deref().map_or(String::new(), |bus| format!(", bus {bus}"));
    let told = format!("Spoke {name} of team {team}: account {account} {}{bus}", spoke.scope.region);
    Node { state, href: links::team(team.as_str()), ..Node::new(shown, note, told) }
}

/// The nodes that a route's events come from, and the one that they go to.
fn ends(look: &Look<'_>, row: &Row<'_>, keys: &BTreeMap<Key, usize>) -> (Vec<usize>, Option<usize>) {
    let hub = &row.path.hub;
    let mut from = BTreeSet::new();
    if let Some(id) = &row.id.publication
        && let Some(publication) = look.topology.teams.get(&id.team).and_then(|team| team.publications.get(id))
    {
        for spoke in publication.hubs.get(hub).into_iter().flatten() {
            from.extend(keys.get(&Key::Spoke(id.team.clone(), spoke.clone())));
        }
        for account in &publication.accounts {
            let of_account = keys.get(&Key::Account(id.team.clone(), *account)).copied();
            let of_spoke = || {
                let spokes = &look.topology.teams.get(&id.team)?.spokes;
                let (name, _) =
                    spokes.iter().find(|(_, spoke)| spoke.hub == *hub && spoke.scope.account == *account)?;
                keys.get(&Key::Spoke(id.team.clone(), name.clone())).copied()
            };
            from.extend(of_account.or_else(of_spoke));
        }
    }
    let to = match &row.id.consumer {
        Consumer::Audit(_) => keys.get(&Key::Audit),
        Consumer::Subscription(id) => {
            let team = look.topology.teams.get(&id.team);
            let subscription = team.and_then(|team| team.subscriptions.get(id));
            subscription.and_then(|entry| keys.get(&Key::Spoke(id.team.clone(), entry.spoke.clone())))
        }
    };
    (from.into_iter().collect(), to.copied())
}

fn state_of(thing: Thing<'_>) -> Option<RouteState> {
    match thing {
        Thing::Right | Thing::Partners => None,
        Thing::Unread => Some(RouteState::Unread),
        Thing::Found(_) => Some(RouteState::Drifted),
        Thing::Held => Some(RouteState::Held),
        Thing::Waiting => Some(RouteState::Waiting),
    }
}

/// `2 drifted, 1 stopped`: of these states, or of all.
pub(super) fn told_counts(counts: &BTreeMap<RouteState, usize>, only: &[RouteState]) -> String {
    let mut told: Vec<(&RouteState, &usize)> =
        counts.iter().filter(|(state, _)| only.is_empty() || only.contains(state)).collect();
    told.sort_by_key(|(state, _)| rank(**state));
    let words: Vec<String> = told.iter().map(|(state, number)| format!("{number} {}", <&str>::from(**state))).collect();
    words.join(", ")
}

/// What a team's line stands for.
pub(super) fn bundle(group: &Group) -> String {
    let mut parts = Vec::new();
    if group.publishes > 0 {
        parts.push(format!("{} from it", count(group.publishes, "route")));
    }
    if group.takes > 0 {
        parts.push(format!("{} to it", count(group.takes, "route")));
    }
    format!("Team {}: {}, {}", group.name, count(group.nodes, "spoke"), parts.join(", "))
}

/// Pixels that a letter of a name takes at most on average, in the widest of the usual fonts: 13 px, bold.
const NAME_LETTER: f64 = 8.8;
/// The same of a note: 12 px.
const NOTE_LETTER: f64 = 7.6;

/// A name that fits.
pub(super) fn name_that_fits(wheel: &Wheel, side: Side, y: f64, name: &str) -> String {
    cut(name, wheel.letters(side, y, NAME_LETTER))
}

/// A note that fits.
pub(super) fn note_that_fits(wheel: &Wheel, side: Side, y: f64, note: &str) -> String {
    cut(note, wheel.letters(side, y, NOTE_LETTER))
}
