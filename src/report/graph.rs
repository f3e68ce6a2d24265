//! The topology as a picture: Mermaid for a README or a pull request, DOT for Graphviz.

use crate::model::desired::Desired;
use crate::model::ids::{HubName, TeamName};
use crate::model::route::{Consumer, Route, RouteId};
use crate::model::topology::{Topology, Via};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What is drawn: publishing teams, hubs, and what receives, with the publications on the lines.
struct Picture {
    /// Hub, and its Region.
    hubs: BTreeMap<HubName, String>,
    /// Lines into hubs: team, hub, via, names of publications.
    publishes: BTreeMap<(TeamName, HubName, Via), BTreeSet<String>>,
    /// Lines out of hubs: hub, receiver, names of publications.
    delivers: BTreeMap<(HubName, Receiver), BTreeSet<String>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Receiver {
    Bus(TeamName, String),
    Queue(String),
}

impl Picture {
    fn of(topology: &Topology, desired: &Desired) -> Self {
        let hubs = topology.hubs.iter().map(|(name, hub)| (name.clone(), hub.scope.region.to_string())).collect();
        let mut picture = Self { hubs, publishes: BTreeMap::new(), delivers: BTreeMap::new() };
        for team in topology.teams.values() {
            for (id, publication) in &team.publications {
                for hub in publication.hubs.keys() {
                    let line = (id.team.clone(), hub.clone(), publication.via);
                    picture.publishes.entry(line).or_default().insert(id.name.to_string());
                }
            }
        }
        for (id, route) in &desired.routes {
            let what = id.publication.as_ref().map_or("everything".to_owned(), ToString::to_string);
            picture.delivers.entry((route.hub.clone(), receiver(id, route))).or_default().insert(what);
        }
        picture
    }
}

fn receiver(id: &RouteId, route: &Route) -> Receiver {
    match (&id.consumer, &route.destination_bus) {
        (Consumer::Subscription(subscription), Some(bus)) => Receiver::Bus(subscription.team.clone(), bus.name.clone()),
        _ => Receiver::Queue(route.destination_arn.rsplit(':').next().unwrap_or_default().to_owned()),
    }
}

fn joined(names: &BTreeSet<String>, separator: &str) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(separator)
}

/// A name as an id that both languages take.
fn id(kind: &str, name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{kind}_{clean}")
}

fn receiver_node(receiver: &Receiver) -> (String, String, &'static str) {
    match receiver {
        Receiver::Bus(team, bus) => (id("bus", &format!("{team}_{bus}")), format!("{team}: bus {bus}"), "bus"),
        Receiver::Queue(queue) => (id("queue", queue), format!("queue {queue}"), "queue"),
    }
}

/// As a Mermaid flow chart.
pub fn mermaid(topology: &Topology, desired: &Desired) -> String {
    let picture = Picture::of(topology, desired);
    let mut out = String::from("flowchart LR\n");
    for (hub, region) in &picture.hubs {
        _ = writeln!(out, "  {}(((\"hub {hub}<br/>{region}\")))", id("hub", hub.as_str()));
    }
    let teams: BTreeSet<&TeamName> = picture.publishes.keys().map(|(team, ..)| team).collect();
    for team in teams {
        _ = writeln!(out, "  {}[\"{team}\"]", id("team", team.as_str()));
    }
    let receivers: BTreeSet<&Receiver> = picture.delivers.keys().map(|(_, receiver)| receiver).collect();
    for receiver in receivers {
        let (node, label, kind) = receiver_node(receiver);
        let shape = if kind == "queue" { format!("[(\"{label}\")]") } else { format!("([\"{label}\"])") };
        _ = writeln!(out, "  {node}{shape}");
    }
    for ((team, hub, via), names) in &picture.publishes {
        let (from, to, what) = (id("team", team.as_str()), id("hub", hub.as_str()), joined(names, "<br/>"));
        _ = match via {
            Via::Hub => writeln!(out, "  {from} -- \"{what}\" --> {to}"),
            Via::Spoke => writeln!(out, "  {from} -. \"via spoke: {what}\" .-> {to}"),
        };
    }
    for ((hub, receiver), names) in &picture.delivers {
        _ = writeln!(
            out,
            "  {} -- \"{}\" --> {}",
            id("hub", hub.as_str()),
            joined(names, "<br/>"),
            receiver_node(receiver).0
        );
    }
    out
}

/// As a Graphviz graph.
pub fn dot(topology: &Topology, desired: &Desired) -> String {
    let picture = Picture::of(topology, desired);
    let mut out = String::from("digraph topology {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    for (hub, region) in &picture.hubs {
        _ = writeln!(out, "  {} [shape=doublecircle, label=\"hub {hub}\\n{region}\"];", id("hub", hub.as_str()));
    }
    for team in picture.publishes.keys().map(|(team, ..)| team).collect::<BTreeSet<_>>() {
        _ = writeln!(out, "  {} [shape=box, label=\"{team}\"];", id("team", team.as_str()));
    }
    for receiver in picture.delivers.keys().map(|(_, receiver)| receiver).collect::<BTreeSet<_>>() {
        let (node, label, kind) = receiver_node(receiver);
        let shape = if kind == "queue" { "cylinder" } else { "ellipse" };
        _ = writeln!(out, "  {node} [shape={shape}, label=\"{label}\"];");
    }
    for ((team, hub, via), names) in &picture.publishes {
        let style = if *via == Via::Spoke { ", style=dashed" } else { "" };
        let (from, to) = (id("team", team.as_str()), id("hub", hub.as_str()));
        _ = writeln!(out, "  {from} -> {to} [label=\"{}\"{style}];", joined(names, "\\n"));
    }
    for ((hub, receiver), names) in &picture.delivers {
        let to = receiver_node(receiver).0;
        _ = writeln!(out, "  {} -> {to} [label=\"{}\"];", id("hub", hub.as_str()), joined(names, "\\n"));
    }
    out.push_str("}\n");
    out
}
