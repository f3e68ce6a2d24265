//! Five deliberate bugs, each around the program and not in it. What the oracle is worth is that it catches them.

use crate::rng::Rng;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::model::ids::Scope;
use wheelwright::model::resource::TargetSpec;
use wheelwright::model::world::LiveTarget;
use wheelwright::port::Fleet;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, Service, SnapshotKind};

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// What goes, goes before what replaces it is there: the plan's breaks are applied first.
    DeleteBeforeCreate,
    /// The first page of a listing is taken for all of it.
    PageForgotten,
    /// PutTargets answered 200, so its targets are taken for written, without looking into the answer or at the rule.
    FailedEntriesIgnored,
    /// A grant is written as a whole policy document, made of what we know of: our own statements.
    ForeignStatementDropped,
    /// Calls are sent with whatever credentials are at hand: now and then another account's of the same Region.
    AccountCheckSkipped,
}

impl Mutant {
    pub const ALL: [Self; 5] = [
        Self::DeleteBeforeCreate,
        Self::PageForgotten,
        Self::FailedEntriesIgnored,
        Self::ForeignStatementDropped,
        Self::AccountCheckSkipped,
    ];
}

/// Scope, bus and rule.
type RuleKey = (Scope, String, String);

/// A fleet with a bug in it, or with none.
pub struct Mutated<F> {
    inner: F,
    mutant: Option<Mutant>,
    /// The scopes of the topology, and the choice among them.
    scopes: Vec<Scope>,
    seed: u64,
    sim: SimFleet,
    /// What was sent and refused, by rule.
    believed: Mutex<BTreeMap<RuleKey, BTreeMap<String, TargetSpec>>>,
}

impl<F: Fleet> Mutated<F> {
    pub fn new(inner: F, mutant: Option<Mutant>, scopes: Vec<Scope>, seed: u64, sim: SimFleet) -> Self {
        Self { inner, mutant, scopes, seed, sim, believed: Mutex::default() }
    }

    async fn believing(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let answer = self.inner.call(scope, call.clone()).await;
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        match (call, answer) {
            (Call::PutTargets { bus, rule, targets }, Ok(Answer::Entries { failed, .. })) if !failed.is_empty() => {
                believed.entry((scope.clone(), bus, rule)).or_default().extend(targets);
                Ok(Answer::Entries { failed: Vec::new(), request_id: None })
            }
            (Call::ListTargetsByRule { bus, rule, .. }, Ok(Answer::Targets(mut page))) if page.next_token.is_none() => {
                for (id, spec) in believed.get(&(scope.clone(), bus, rule)).into_iter().flatten() {
                    page.items.retain(|(found, _)| found != id);
                    page.items.push((id.clone(), LiveTarget { spec: spec.clone(), other: BTreeMap::new() }));
                }
                Ok(Answer::Targets(page))
            }
            (_, answer) => answer,
        }
    }

    /// PutPermission with a document would have left out whatever is not in it.
    fn drop_foreign_statements(&self, scope: &Scope, bus: &str) {
        let (account, region) = (scope.account.to_string(), scope.region.as_str());
        let mut world = self.sim.world();
        let statements = crate::oracle::items(&world, |item| {
            item.kind == SnapshotKind::Statement
                && item.account == account
                && item.region == region
                && item.bus == bus
                && !item.name.starts_with("ww_wheelwright_")
        });
        for sid in statements.values().filter_map(|statement| statement["Sid"].as_str()) {
            let input = serde_json::json!({"EventBusName": bus, "StatementId": sid});
            let caller = Caller::root(&account);
            let _ = world.call(&caller, region, Service::EventBridge, "RemovePermission", &input);
        }
    }

    /// The scope whose credentials are at hand: for one account of the topology, chosen by the seed, another's.
    fn at_hand(&self, scope: &Scope) -> Scope {
        let mut rng = Rng::new(self.seed);
        let confused = rng.pick(&self.scopes).clone();
        let others: Vec<&Scope> =
            self.scopes.iter().filter(|other| other.region == scope.region && *other != scope).collect();
        if *scope == confused && !others.is_empty() { (*rng.pick(&others)).clone() } else { scope.clone() }
    }
}

impl<F: Fleet> Fleet for Mutated<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        match self.mutant {
            None | Some(Mutant::DeleteBeforeCreate) => self.inner.call(scope, call).await,
            Some(Mutant::PageForgotten) => self.inner.call(scope, call).await.map(only_page),
            Some(Mutant::FailedEntriesIgnored) => self.believing(scope, call).await,
            Some(Mutant::ForeignStatementDropped) => {
                let bus = if let Call::PutPermission { bus, .. } = &call { Some(bus.clone()) } else { None };
                let answer = self.inner.call(scope, call).await;
                if let (Some(bus), Ok(_)) = (bus, &answer) {
                    self.drop_foreign_statements(scope, &bus);
                }
                answer
            }
            Some(Mutant::AccountCheckSkipped) => self.inner.call(&self.at_hand(scope), call).await,
        }
    }
}

fn only_page(answer: Answer) -> Answer {
    match answer {
        Answer::Buses(mut page) => {
            page.next_token = None;
            Answer::Buses(page)
        }
        Answer::Rules(mut page) => {
            page.next_token = None;
            Answer::Rules(page)
        }
        Answer::Targets(mut page) => {
            page.next_token = None;
            Answer::Targets(page)
        }
        Answer::Archives(mut page) => {
            page.next_token = None;
            Answer::Archives(page)
        }
        other => other,
    }
}
