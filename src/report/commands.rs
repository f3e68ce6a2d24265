//! Commands that let go what is held, as they are typed: one place, so that a terminal, a comment and a page say the same.
//! A test of `cli/` has the program read each.

use crate::model::ids::SubscriptionId;
use crate::model::order::Reach;
use crate::model::plan::Guard;
use crate::model::resource::ResourceId;

/// Goes on after the state was lost.
pub const RESUME_STATE_LOST: &str = "wheelwright resume --state-lost";
/// What a person does where the daemon does not write by itself.
pub const APPLY: &str = "wheelwright apply";

/// Lets what `guard` holds go; none if no command does.
pub fn allow(guard: Guard) -> Option<String> {
    match guard {
        guard if guard.may_be_allowed() => Some(format!("{APPLY} --allow {guard}")),
        // These hold the daemon, and no person.
        Guard::Observe | Guard::OnDrift => Some(APPLY.to_owned()),
        Guard::StateLost => Some(RESUME_STATE_LOST.to_owned()),
        _ => None,
    }
}

/// Ends a pause before its time.
pub fn resume(reach: &Reach) -> String {
    match reach {
        Reach::All => "wheelwright resume --all".to_owned(),
        Reach::Scope(scope) => format!("wheelwright resume --scope {scope}"),
        Reach::Team(team) => format!("wheelwright resume --team {team}"),
        Reach::Hub(hub) => format!("wheelwright resume --hub {hub}"),
    }
}

/// Mends a thing again that somebody else kept taking back.
pub fn resume_fight(resource: &ResourceId) -> String {
    format!("wheelwright resume --fight {}", quoted(&resource.to_string()))
}

/// Lets a route go on that a person held off at the daemon.
pub fn start(subscription: &SubscriptionId) -> String {
    format!("wheelwright start {subscription}")
}

/// One argument for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
