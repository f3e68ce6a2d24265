//! Doing what people tell the daemon, and answering them: what is answered as done is kept, and what cannot be done is said at once.

use super::config::Config;
use super::orders::{Asked, Command, Reply};
use super::turn::{Daemon, ORDER, SIGNAL};
use crate::model::desired::Desired;
use crate::model::ids::{Moment, SubscriptionId};
use crate::model::order::LiveStop;
use crate::model::resource::ResourceId;
use crate::port::{Clock, Fleet};
use crate::store::{Note, OrderEntry, Store, StoreError};

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// Does what a person tells, and answers.
    pub(super) fn obey(&mut self, (command, by, answer): Asked) {
        let now = self.clock.now();
        let reply = match self.carry_out(command, &by, now) {
            Ok(reply) => reply,
            Err(error) => Reply::Refused(format!("it could not be kept, so it is not done: {error}")),
        };
        // Who asked may be gone.
        _ = answer.send(reply);
    }

    fn carry_out(&mut self, command: Command, by: &str, now: Moment) -> Result<Reply, StoreError> {
        let note = |reason: &str| Note { at: now, by: by.to_owned(), reason: reason.to_owned() };
        // What was held may be something that only a full reading sees.
        let mut held_till_now = false;
        let reply = match command {
            Command::Sweep { scopes, full } => {
                let scopes = (!scopes.is_empty()).then_some(scopes);
                // Who asks for a look means the topology's files as well.
                self.next_source = self.next_source.min(now);
                // Who is no person says what set it off.
                let trigger = if [crate::schedule::SCHEDULE, SIGNAL].contains(&by) { by } else { "request" };
                self.ask(trigger, full, scopes, now);
                let log = OrderEntry { at: now, what: "sweep".into(), by: by.to_owned(), reason: String::new() };
                self.store.log_order(&log)?;
                return Ok(Reply::Done("a sweep is asked for".into()));
            }
            Command::Pause(pause) => {
                let told = format!("{} is paused until {}: nothing is written there", pause.reach, pause.order.until);
                self.orders.pause(&self.store, pause)?;
                Reply::Done(told)
            }
            Command::Resume(reach) => match self.orders.resume(&self.store, &reach, &note(""))? {
                true => {
                    held_till_now = true;
                    Reply::Done(format!("{reach} goes on"))
                }
                false => return Ok(Reply::Refused(format!("{reach} is not paused; look at `wheelwright status`"))),
            },
            Command::ResumeStateLost => match self.orders.resume_state(&self.store, &note(""))? {
                true => {
                    held_till_now = true;
                    Reply::Done("the state counts from now on; what mode says `enforce` is written again".into())
                }
                false => return Ok(Reply::Refused("the state is not lost".into())),
            },
            Command::ResumeFight(resource) => return self.resume_fight(&resource, &note("")),
            Command::Stop(stop) => return self.stop(stop, now),
            Command::Start(subscription) => match self.orders.start(&self.store, &subscription, &note(""))? {
                true => Reply::Done(format!("{subscription} goes on: its rule is enabled by the sweep that follows")),
                false => return Ok(Reply::Refused(self.why_not_stopped(&subscription))),
            },
        };
        self.ask(ORDER, held_till_now, None, now);
        Ok(reply)
    }

    fn resume_fight(&mut self, resource: &ResourceId, note: &Note) -> Result<Reply, StoreError> {
        if !self.store.clear_trip(resource, note)? {
            return Ok(Reply::Refused(format!("{resource} is not left alone; look at `wheelwright status`")));
        }
        self.memory.breaker.clear(resource);
        // What it counted before counts no more, after a restart either.
        self.store.set_meta(&cleared_key(resource), &note.at.0.to_string())?;
        self.ask(ORDER, false, None, note.at);
        Ok(Reply::Done(format!("{resource} is mended again")))
    }

    fn why_not_stopped(&self, subscription: &SubscriptionId) -> String {
        let written = self.config.as_ref().and_then(|config| {
            let team = config.topology.teams.get(&subscription.team)?;
            team.subscriptions.get(subscription)?.stop.clone()
        });
        match written {
            Some(stop) => format!(
                "{subscription} is not held off at the daemon but in {} ({}): take the entry out there",
                stop.origin, stop.origin.entry
            ),
            None => format!("{subscription} is not held off"),
        }
    }

    /// Holds a route off, if that can be done at all: a person who is told so must be able to rely on it.
    fn stop(&mut self, stop: LiveStop, now: Moment) -> Result<Reply, StoreError> {
        let Some(config) = self.config.clone() else {
            return Ok(Reply::Refused("there is no good topology yet".into()));
        };
        let subscription = &stop.subscription;
        let known = config
            .topology
            .teams
            .get(&subscription.team)
            .is_some_and(|team| team.subscriptions.contains_key(subscription));
        if !known {
            let kept = config.topology.kept.teams.contains_key(&subscription.team);
            let why = if kept {
                "its team's file has errors, so its rule is left as it is"
            } else {
                "nobody subscribes by that name"
            };
            return Ok(Reply::Refused(format!(
                "{subscription} cannot be held off: {why}; disable its rule by hand if it must stop now"
            )));
        }
        if self.orders.state_lost {
            return Ok(Reply::Refused(
                "nothing is written while the state is lost: `wheelwright resume --state-lost` first, or disable the rule by hand".into(),
            ));
        }
        let (desired, _) = config.desired(std::slice::from_ref(&stop), now);
        if let Some(why) = observed(&desired, &config, subscription) {
            return Ok(Reply::Refused(why));
        }
        let told = format!(
            "{subscription} is held off until {}: its rule is disabled by the sweep that follows, target and grant stay. Its events are \
             dropped meanwhile, not queued",
            stop.order.until
        );
        self.orders.stop(&self.store, stop)?;
        self.ask(ORDER, false, None, now);
        Ok(Reply::Done(told))
    }
}

/// Under which key it is kept when a person had a thing mended again.
fn cleared_key(resource: &ResourceId) -> String {
    format!("fight-cleared {resource}")
}

/// What was mended since `since`, but for what a person has looked at meanwhile.
pub(super) fn reverts_that_count(store: &Store, since: Moment) -> Result<Vec<(ResourceId, Moment)>, StoreError> {
    let mut counted = Vec::new();
    for (resource, at) in store.reverts_since(since)? {
        let cleared = store.meta(&cleared_key(&resource))?.and_then(|at| at.parse().ok()).map(Moment);
        if cleared.is_none_or(|cleared| cleared < at) {
            counted.push((resource, at));
        }
    }
    Ok(counted)
}

/// Why a subscription's rule is not written, if the mode there is observe.
fn observed(desired: &Desired, config: &Config, subscription: &SubscriptionId) -> Option<String> {
    let stopped = desired.stops.iter().find(|stop| stop.route.consumer.is(subscription))?;
    let wanted = desired.rules.get(&stopped.rule)?;
    let resource = ResourceId::Rule(stopped.rule.clone());
    let mode = crate::plan::mode_at(
        &resource,
        Some(&stopped.team),
        &wanted.routes,
        desired,
        &config.places,
        &config.settings.modes,
    );
    (mode == crate::model::settings::Mode::Observe).then(|| {
        format!(
            "{subscription} cannot be held off: the mode there is observe, so nothing is written; disable {} by hand",
            stopped.rule
        )
    })
}
