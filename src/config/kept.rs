//! Whom a mistake concerns: a team's mistake keeps that team's routes as they are and does not stop the others
//! (promise 3); anybody else's keeps the topology from being used at all.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::index::Index;
use super::lower_shared::Renames;
use super::raw::FileOwner;
use crate::model::finding::Severity;
use crate::model::ids::{PublicationId, SubscriptionId, TeamName};
use crate::model::topology::{Kept, Topology};

/// What of `topology` can be used: all of it, all but the teams whose files have errors, or nothing.
pub(super) fn sound_part(topology: &Topology, index: &Index<'_>, diagnostics: &[Diagnostic]) -> Option<Topology> {
    let mut kept = Kept::default();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        let at = &diagnostic.primary;
        let told = || format!("{}:{}: {}", at.file, at.line, diagnostic.message);
        for team in &diagnostic.concerns {
            kept.teams.entry(team.clone()).or_insert_with(told);
        }
        if !diagnostic.concerns.is_empty() {
            continue;
        }
        let both = diagnostic.secondary.iter().filter(|_| concerns_both(diagnostic.code));
        for label in std::iter::once(at).chain(both) {
            match index.raw.owners.get(&label.file) {
                Some(FileOwner::Team(name)) => {
                    let team: TeamName = name.parse().ok()?;
                    kept.teams.entry(team).or_insert_with(told);
                }
                Some(FileOwner::ByPath(teams)) if !teams.is_empty() => {
                    for team in teams {
                        kept.teams.entry(team.clone()).or_insert_with(told);
                    }
                }
                Some(FileOwner::SomeTeam | FileOwner::ByPath(_)) => _ = kept.unknown.get_or_insert_with(told),
                Some(FileOwner::Platform) | None => return None,
            }
        }
    }
    let mut topology = topology.clone();
    if !kept.is_empty() {
        leave_out(&mut topology, index, &mut kept);
    }
    topology.kept = kept;
    Some(topology)
}

/// Mistakes of two teams at once: which of them was there first, the files do not say.
fn concerns_both(code: DiagnosticCode) -> bool {
    matches!(code, DiagnosticCode::SourceTwoOwners | DiagnosticCode::DuplicateBus | DiagnosticCode::ForwardedTwice)
}

/// Takes broken teams out, and what needs something of theirs; that is kept as it is too.
fn leave_out(topology: &mut Topology, index: &Index<'_>, kept: &mut Kept) {
    let renames = Renames::of(index);
    // A file that was not understood whole and does not say whose it is has its errors told as nobody's.
    topology.teams.retain(|name, _| !kept.teams.contains_key(name) && !index.has_holes(name.as_str()));
    kept.sound = topology.teams.keys().cloned().collect();
    for (name, team) in &mut topology.teams {
        let Some(raw) = index.teams.get(name.as_str()).and_then(|entry| entry.body.as_ref()) else { continue };
        // What has the name of a broken team's rule would be planned in its place.
        let is_kept = |team: &TeamName| team != name && kept.teams.contains_key(team);
        team.subscriptions.retain(|_, subscription| {
            kept.sound.contains(&subscription.from.team) && !is_kept(&subscription.rule_identity.team)
        });
        team.publications.retain(|_, publication| !is_kept(&publication.rule_identity.team));
        // What a sound team declares and what could not be resolved needs something that is broken: its own mistakes
        // would have made the team a broken one.
        for entry in raw.subscriptions.iter().filter_map(|entry| entry.name.as_ref()) {
            let id = SubscriptionId { team: name.clone(), name: entry.clone() };
            if !team.subscriptions.contains_key(&id) {
                let SubscriptionId { team, name } = renames.subscription(&id);
                kept.entries.insert((team, name.to_string()));
            }
        }
        for entry in raw.publications.iter().filter_map(|entry| entry.name.as_ref()) {
            let id = PublicationId { team: name.clone(), name: entry.clone() };
            if !team.publications.contains_key(&id) {
                let PublicationId { team, name } = renames.publication(&id);
                kept.entries.insert((team, name.to_string()));
            }
        }
    }
}
