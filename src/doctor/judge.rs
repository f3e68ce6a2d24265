//! What the answers of one scope come to. Pure.

use super::denial::Denial;
use super::mend::Quota;
use super::{
    Answers, Asked, Checkup, Judged, Needs, Note, Patient, Permission, QuotaUse, Trial, Trouble, TroubleCode, Verdict,
    mend, probe, trust,
};
use crate::call::{Call, CallError, CallKind, ErrorClass, QueueSummary, RoleSummary};
use crate::eventbridge::policy::BusPolicy;
use crate::eventbridge::{Pattern, quota};
use crate::model::finding::Severity;
use crate::model::resource::BusId;
use crate::model::world::{Gap, LiveBus, Observation};
use std::collections::{BTreeMap, BTreeSet};

/// How far the clocks may be apart before somebody should know, in milliseconds: the usual drift of a machine that asks a
/// time server is far below.
const CLOCK_WARN_MS: i64 = 60_000;
/// How far before it keeps the operator from its work at any moment: AWS refuses at five minutes
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>).
const CLOCK_ERROR_MS: i64 = 240_000;
/// The share of a quota from which somebody should know, in percent.
pub(super) const QUOTA_WARN_PERCENT: usize = 80;

/// What `answers` say of the scope of `needs`.
pub(super) fn judge(patient: Patient<'_>, needs: &Needs, answers: &Answers) -> Judged {
    let mut judge = Judge { patient, needs, notes: Vec::new(), troubles: Vec::new() };
    let checkup = judge.checkup(answers);
    let Judge { notes, troubles, .. } = judge;
    Judged { checkup, notes, troubles }
}

struct Judge<'a> {
    patient: Patient<'a>,
    needs: &'a Needs,
    notes: Vec<Note>,
    troubles: Vec<Trouble>,
}

impl Judge<'_> {
    fn trouble(&mut self, code: TroubleCode, severity: Severity, what: String, mend: Vec<String>) {
        self.troubles.push(Trouble { code, severity, scope: self.needs.scope.clone(), what, mend });
    }

    fn error(&mut self, code: TroubleCode, what: String, mend: Vec<String>) {
        self.trouble(code, Severity::Error, what, mend);
    }

    fn note(&mut self, text: String) {
        self.notes.push(Note { scope: self.needs.scope.clone(), text });
    }

    fn checkup(&mut self, answers: &Answers) -> Checkup {
        let mut checkup = Checkup {
            account: self.needs.account.clone(),
            scope: self.needs.scope.clone(),
            is_hub: self.needs.is_hub,
            role: Verdict::NotSeen,
            identity: Verdict::NotSeen,
            permissions: BTreeMap::new(),
            delivery_role: self.where_needed(!self.needs.rules.is_empty()),
            dead_letters: self.where_needed(!self.needs.dead_letters_of.is_empty()),
            quotas: Vec::new(),
            clock_ahead_ms: None,
        };
        match &answers.signed_in {
            Err(error) => (checkup.role, checkup.identity) = self.not_signed_in(error),
            Ok(signed_in) => {
                (checkup.role, checkup.identity) = (Verdict::Fine, Verdict::Fine);
                checkup.clock_ahead_ms = Some(signed_in.clock_ahead_ms);
                self.clock(signed_in.clock_ahead_ms);
                match &answers.asked {
                    Some(asked) => self.inside(asked, &mut checkup),
                    None => self.late(),
                }
            }
        }
        if checkup.permissions.is_empty() {
            let unanswered = Permission::Unanswered { why: "nothing could be asked".into() };
            checkup.permissions = Call::ACTIONS.into_iter().map(|action| (action, unanswered.clone())).collect();
        }
        checkup
    }

    fn late(&mut self) {
        let seconds = self.patient.settings.pace.scope_deadline_secs;
        let what = format!("the role was assumed, and not everything was answered within {seconds} s");
        let mend = "look whether the Region answers; raise scope-deadline-secs if the account is large".into();
        self.error(TroubleCode::NoAnswer, what, vec![mend]);
    }

    fn where_needed(&self, is_needed: bool) -> Verdict {
        if is_needed { Verdict::NotSeen } else { Verdict::NotNeeded }
    }

    /// The verdicts on role and identity where signing in failed.
    fn not_signed_in(&mut self, error: &CallError) -> (Verdict, Verdict) {
        match error.class {
            ErrorClass::RoleRefused => {
                let mend = mend::role_refused(self.patient, self.needs);
                self.error(TroubleCode::RoleRefused, error.message.clone(), mend);
                (Verdict::Wrong("refused"), Verdict::NotSeen)
            }
            ErrorClass::WrongAccount => {
                self.error(TroubleCode::WrongAccount, error.message.clone(), mend::wrong_account());
                (Verdict::Fine, Verdict::Wrong("other"))
            }
            ErrorClass::Credentials if is_about_time(&error.message) => {
                self.error(TroubleCode::Clock, error.message.clone(), mend::clock());
                (Verdict::NotSeen, Verdict::NotSeen)
            }
            ErrorClass::Credentials if error.action == "sts:GetCallerIdentity" => {
                let what = format!("the role was assumed, and AWS does not know the session: {}", error.message);
                let mend = "look whether the Region whose STS is asked (`[operator] region`) is enabled in the account";
                self.error(TroubleCode::NoAnswer, what, vec![mend.into()]);
                (Verdict::Fine, Verdict::NotSeen)
            }
            ErrorClass::Credentials => {
                let what = format!("there is nobody to assume roles as: {}", error.message);
                self.error(TroubleCode::Credentials, what, vec![error.class.mend().into()]);
                (Verdict::NotSeen, Verdict::NotSeen)
            }
            _ => {
                let what = format!("{}: {}: {}", error.action, error.class, error.message);
                self.error(TroubleCode::NoAnswer, what, vec![error.class.mend().into()]);
                (Verdict::NotSeen, Verdict::NotSeen)
            }
        }
    }

    fn clock(&mut self, ahead_ms: i64) {
        let seconds = ahead_ms.unsigned_abs() / 1_000;
        let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
        let what = format!("this machine's clock is {seconds} s {side} AWS's");
        if ahead_ms.abs() > CLOCK_ERROR_MS {
            self.error(TroubleCode::Clock, what, mend::clock());
        } else if ahead_ms.abs() > CLOCK_WARN_MS {
            self.trouble(TroubleCode::Clock, Severity::Warning, what, mend::clock());
        }
    }

    fn inside(&mut self, asked: &Asked, checkup: &mut Checkup) {
        checkup.permissions = permissions(asked);
        self.not_answered(asked);
        self.gaps(&asked.observation, &mut checkup.permissions);
        self.denials(&checkup.permissions);
        if checkup.delivery_role == Verdict::NotSeen {
            checkup.delivery_role = self.delivery_role(&asked.role);
        }
        if checkup.dead_letters == Verdict::NotSeen {
            checkup.dead_letters = self.dead_letters(&asked.queue);
        }
        checkup.quotas = self.quotas(&asked.observation);
    }

    /// Denied permissions, one trouble for each thing that denies reads, and that denies writes.
    fn denials(&mut self, permissions: &BTreeMap<&'static str, Permission>) {
        let mut found: BTreeMap<(bool, Denial), (Vec<CallKind>, &str)> = BTreeMap::new();
        for (action, permission) in permissions {
            let (Permission::Denied { by, message }, Some(kind)) = (permission, probe::kind_of(action)) else {
                continue;
            };
            found.entry((kind.is_write(), *by)).or_insert_with(|| (Vec::new(), message)).0.push(kind);
        }
        for ((_, by), (kinds, message)) in found {
            let actions: Vec<&str> = kinds.iter().map(|kind| kind.action()).collect();
            let what = format!("{}: {}; AWS says: {message}", actions.join(", "), by.in_words());
            let mend = mend::denied(self.patient, self.needs, by, &kinds);
            self.error(TroubleCode::Denied, what, mend);
        }
    }

    /// Calls that got no usable answer, one trouble for each class.
    fn not_answered(&mut self, asked: &Asked) {
        let mut found: BTreeMap<ErrorClass, (BTreeSet<&str>, String)> = BTreeMap::new();
        let errors = asked.trials.values().filter_map(|trial| match trial {
            Trial::Answered(Err(error)) => Some(error),
            Trial::Answered(Ok(())) | Trial::NotTried(_) => None,
        });
        for error in errors.chain(asked.role.as_ref().err()).chain(asked.queue.as_ref().err()) {
            let told_elsewhere = [ErrorClass::NotFound, ErrorClass::Denied].contains(&error.class);
            let is_trial_of_a_write = probe::kind_of(&error.action).is_some_and(CallKind::is_write);
            if !told_elsewhere && !is_trial_of_a_write {
                let entry = found.entry(error.class).or_insert_with(|| (BTreeSet::new(), error.message.clone()));
                entry.0.insert(&error.action);
            }
        }
        for (class, (actions, message)) in found {
            let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
            let mend = match class {
                ErrorClass::Credentials => {
                    "AWS does not know the session here: look whether the Region is enabled in the account"
                }
                _ => class.mend(),
            };
            self.error(TroubleCode::NoAnswer, format!("{actions}: {class}: {message}"), vec![mend.into()]);
        }
    }

    /// What a full reading could not read of what is there, where the harmless calls told nothing of it.
    fn gaps(&mut self, observation: &Observation, permissions: &mut BTreeMap<&'static str, Permission>) {
        let gaps: Vec<&Gap> = match observation {
            Observation::Complete { .. } | Observation::NoAccess => Vec::new(),
            Observation::Partial { missing, .. } => missing.iter().collect(),
            Observation::Unreachable { why, .. } => vec![why],
        };
        let mut told = BTreeSet::new();
        for gap in gaps {
            let Some((action, permission)) = permissions
                .iter_mut()
                .find(|(action, _)| **action == gap.action)
                .map(|(action, found)| (*action, found))
            else {
                self.unread(gap);
                continue;
            };
            match permission {
                Permission::Ok if gap.class.starts_with("denied") => {
                    let code = gap.class.split(['(', ')']).nth(1);
                    let by = Denial::of(code, &gap.message);
                    *permission = Permission::Denied { by, message: gap.message.clone() };
                }
                Permission::Ok if told.insert(action) => self.unread(gap),
                // Told already.
                Permission::Ok
                | Permission::Denied { .. }
                | Permission::Unproven { .. }
                | Permission::Unanswered { .. } => {}
            }
        }
    }

    fn unread(&mut self, gap: &Gap) {
        self.error(TroubleCode::Unread, gap.to_string(), vec![gap.mend.clone()]);
    }

    fn delivery_role(&mut self, answer: &Result<RoleSummary, CallError>) -> Verdict {
        let needs = self.needs;
        let role = match answer {
            Ok(role) => role,
            Err(error) if error.class == ErrorClass::NotFound => {
                let what =
                    format!("the delivery role {} is not there: no rule delivers without it", needs.delivery_role);
                self.error(TroubleCode::DeliveryRoleMissing, what, mend::delivery_role_missing(self.patient, needs));
                return Verdict::Wrong("missing");
            }
            Err(_) => return Verdict::NotSeen,
        };
        if role.arn != needs.delivery_role {
            let what = format!("the delivery role is {}, and rules would name {}", role.arn, needs.delivery_role);
            let mend = vec!["write its name with its path in `[delivery] role-name`: `path/name`".into()];
            self.error(TroubleCode::DeliveryRoleMissing, what, mend);
            return Verdict::Wrong("path");
        }
        let objection = match BusPolicy::parse_trust(&role.trust_policy) {
            Ok(policy) => trust::objection(&policy, "sts:AssumeRole", &role.arn, needs.rules.iter()),
            Err(error) => Some(error.to_string()),
        };
        let Some(objection) = objection else { return Verdict::Fine };
        let what = format!("the delivery role's trust policy keeps EventBridge out: {objection}");
        self.error(TroubleCode::DeliveryRoleTrust, what, mend::delivery_role_trust(needs));
        Verdict::Wrong("trust")
    }

    fn dead_letters(&mut self, answer: &Result<QueueSummary, CallError>) -> Verdict {
        let needs = self.needs;
        let queue = match answer {
            Ok(queue) => queue,
            Err(error) if error.class == ErrorClass::NotFound => {
                let what = format!(
                    "the dead-letter queue {} is not there: what cannot be delivered is lost",
                    needs.dead_letter_queue
                );
                self.error(TroubleCode::DeadLettersMissing, what, mend::dead_letters_missing(self.patient, needs));
                return Verdict::Wrong("missing");
            }
            Err(_) => return Verdict::NotSeen,
        };
        if queue.messages > 0 {
            self.note(format!("{} dead letters are in {}: events that did not arrive", queue.messages, queue.arn));
        }
        if queue.arn.ends_with(".fifo") {
            let what = format!("the dead-letter queue {} is a FIFO queue", queue.arn);
            self.error(TroubleCode::DeadLettersFifo, what, mend::dead_letters_fifo(self.patient, needs));
            return Verdict::Wrong("fifo");
        }
        let objection = match queue.policy.as_deref().map(BusPolicy::parse) {
            Some(Ok(policy)) => trust::objection(&policy, "sqs:SendMessage", &queue.arn, needs.dead_letters_of.iter()),
            Some(Err(error)) => Some(error.to_string()),
            None => Some("it has no policy".into()),
        };
        if let Some(objection) = &objection {
            let what = format!("the dead-letter queue {} keeps EventBridge out: {objection}", queue.arn);
            self.error(TroubleCode::DeadLettersPolicy, what, mend::dead_letters_policy(needs));
        }
        let key = self.dead_letter_key(queue);
        if objection.is_some() { Verdict::Wrong("policy") } else { key }
    }

    fn dead_letter_key(&mut self, queue: &QueueSummary) -> Verdict {
        match queue.kms_key.as_deref() {
            None => Verdict::Fine,
            Some(key) if key.ends_with("alias/aws/sqs") => {
                let what = format!(
                    "the dead-letter queue {} is encrypted with {key}, which EventBridge cannot use",
                    queue.arn
                );
                self.error(TroubleCode::DeadLettersKey, what, mend::dead_letters_key());
                Verdict::Wrong("key")
            }
            Some(key) => {
                self.note(format!(
                    "{} is encrypted with {key}, whose policy cannot be seen from here; it has to have {}",
                    queue.arn,
                    mend::key_statement()
                ));
                Verdict::Fine
            }
        }
    }

    fn quotas(&mut self, observation: &Observation) -> Vec<QuotaUse> {
        let Some(view) = observation.view() else { return Vec::new() };
        let mut found = Vec::new();
        if view.buses_read {
            found.push((Quota::Usual, use_of("buses".into(), view.buses.len(), quota::BUSES_PER_SCOPE)));
        }
        for id in &self.needs.buses {
            if let Some(bus) = view.buses.get(&id.name) {
                found.extend(self.bus_quotas(id, bus));
            }
        }
        for (kind, used) in &found {
            // More than there is: AWS raised it, and by how much nobody says here.
            let is_raised = *kind == Quota::Usual && used.used > used.most;
            if used.percent() >= QUOTA_WARN_PERCENT && !is_raised {
                let QuotaUse { what, used: count, most } = used;
                let what = format!("{what}: {count} of {most} are used, {} are left", used.left());
                self.trouble(TroubleCode::Quota, Severity::Warning, what, mend::quota(*kind));
            }
        }
        found.into_iter().map(|(_, used)| used).collect()
    }

    /// Each with what can be done about it.
    fn bus_quotas(&self, id: &BusId, bus: &LiveBus) -> Vec<(Quota, QuotaUse)> {
        let stated = self.patient.desired.quotas.get(id);
        let rules_max =
            stated.map_or_else(|| quota::rules_per_bus(id.scope.region.as_str()), |stated| stated.rules_max);
        let policy_max = stated.map_or(quota::POLICY_CHARACTERS, |stated| stated.policy_characters_max);
        let kind = if stated.is_some() { Quota::Stated } else { Quota::Usual };
        let name = &id.name;
        let mut found = Vec::new();
        if bus.rules_read {
            let parsed = bus.rules.values().filter_map(|rule| rule.pattern.as_ref()?.parsed.as_ref());
            let wildcards = parsed.filter(|pattern| Pattern::wildcard_count(pattern) > 0).count();
            found.push((kind, use_of(format!("rules on {name}"), bus.rules.len(), rules_max)));
            found.push((
                Quota::Final,
                use_of(format!("wildcard rules on {name}"), wildcards, quota::WILDCARD_RULES_PER_BUS),
            ));
        }
        if let Some(Ok(policy)) = &bus.policy {
            found.push((kind, use_of(format!("policy characters of {name}"), policy.normalised_length(), policy_max)));
        }
        let targets = bus.rules.iter().filter_map(|(rule, live)| Some((live.targets.as_ref()?.len(), rule)));
        if let Some((most_targets, rule)) = targets.max() {
            let what = format!("targets of {name}/{rule}");
            found.push((Quota::Final, use_of(what, most_targets, quota::TARGETS_PER_RULE)));
        }
        found
    }
}

fn use_of(what: String, used: usize, most: usize) -> QuotaUse {
    QuotaUse { what, used, most }
}

/// Whether AWS refused a signature for its time: too old, or of the future.
fn is_about_time(message: &str) -> bool {
    ["Signature expired", "Signature not yet current", "not yet valid"].iter().any(|words| message.contains(words))
}

/// What the harmless calls say of each permission.
fn permissions(asked: &Asked) -> BTreeMap<&'static str, Permission> {
    let is_narrowed = asked.second_trials.values().any(|trial| matches!(of_trial(trial), Permission::Ok));
    let prove_writes = asked.trials.keys().any(|action| probe::kind_of(action).is_some_and(CallKind::is_write));
    let judged = |action: &'static str| {
        let kind = probe::kind_of(action)?;
        let permission = match kind {
            CallKind::GetRole => of_result(asked.role.as_ref().map(|_| ())),
            CallKind::GetQueueAttributes => of_result(asked.queue.as_ref().map(|_| ())),
            _ => match asked.trials.get(action) {
                Some(trial) => of_trial(trial),
                None => Permission::Unproven { why: probe::why_not_tried(kind, prove_writes).into() },
            },
        };
        let permission = match permission {
            // A write that AWS refused for another reason, its arguments say: that proves nothing, and no harm is done.
            Permission::Unanswered { why } if kind.is_write() => Permission::Unproven { why },
            other => other,
        };
        let second = asked.second_trials.get(action).map(of_trial);
        let permission = match (permission, second) {
            (Permission::Denied { .. }, Some(second)) => second,
            (Permission::Denied { by: Denial::RolePolicy, .. }, None) if is_narrowed && kind.is_write() => {
                let why = format!(
                    "the role is narrowed to certain names of buses (BusNamePattern), and {} is none of them",
                    probe::NOTHING_BUS
                );
                Permission::Unproven { why }
            }
            (first, _) => first,
        };
        Some((action, permission))
    };
    Call::ACTIONS.into_iter().filter_map(judged).collect()
}

fn of_trial(trial: &Trial) -> Permission {
    match trial {
        Trial::Answered(result) => of_result(result.as_ref().copied()),
        Trial::NotTried(why) => Permission::Unproven { why: why.clone() },
    }
}

/// AWS asks whether a caller may before it looks whether the thing is there.
fn of_result(result: Result<(), &CallError>) -> Permission {
    match result {
        Ok(()) => Permission::Ok,
        Err(error) if error.class == ErrorClass::NotFound => Permission::Ok,
        Err(error) if error.class == ErrorClass::Denied => {
            Permission::Denied { by: Denial::of(error.code.as_deref(), &error.message), message: error.message.clone() }
        }
        Err(error) => Permission::Unanswered { why: format!("{}: {}", error.class, error.message) },
    }
}
