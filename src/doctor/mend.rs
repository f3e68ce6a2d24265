//! What to do about what is missing: where it comes from (`deploy/`), with the command or the parameter.

use super::denial::Denial;
use super::{Needs, Patient};
use crate::call::CallKind;
use crate::eventbridge::Arn;
use crate::model::ids::Region;
use crate::model::resource::RuleId;
use crate::model::settings::{DeliverySettings, OperatorSettings, Settings};
use serde_json::json;

/// What a command stands for that is not known here.
const OPERATOR_PRINCIPAL: &str = "ARN_OF_THE_ROLE_THAT_WHEELWRIGHT_RUNS_AS";

/// The command that deploys the per-account template, in the account that is meant; these parameters and, where the stack
/// is new, all that it asks for.
pub(super) fn deploy_global(patient: Patient<'_>, region: &Region, parameters: &[String]) -> String {
    let mut all = parameters.to_vec();
    if all.is_empty() {
        let external_id = "ExternalId=EXTERNAL_ID_OF_WHEELWRIGHT_TOML";
        let organization = patient.topology.organization.as_deref().unwrap_or("ORGANIZATION_ID");
        all.push(format!("OperatorPrincipalArns={OPERATOR_PRINCIPAL} {external_id} OrganizationId={organization}"));
        all.extend(names(patient.settings));
    }
    format!(
        "$ aws cloudformation deploy --region {region} --stack-name wheelwright-global --template-file \
         deploy/cloudformation/member-global.yaml --capabilities CAPABILITY_NAMED_IAM --parameter-overrides {}",
        all.join(" ")
    )
}

/// The names that are not the template's own.
fn names(settings: &Settings) -> Vec<String> {
    let usual = Settings::default();
    let (OperatorSettings { role_name: operator, .. }, DeliverySettings { role_name, dead_letter_queue }) =
        (&settings.operator, &settings.delivery);
    let pairs = [
        ("OperatorRoleName", operator, &usual.operator.role_name),
        ("DeliveryRoleName", role_name, &usual.delivery.role_name),
        ("DeadLetterQueueName", dead_letter_queue, &usual.delivery.dead_letter_queue),
    ];
    let other = |(_, is, usual): &(&str, &String, &String)| is != usual;
    pairs.into_iter().filter(other).map(|(parameter, is, _)| format!("{parameter}={is}")).collect()
}

/// The command that deploys the per-Region template.
fn deploy_region(patient: Patient<'_>, needs: &Needs) -> String {
    let queue = &patient.settings.delivery.dead_letter_queue;
    let parameters = if *queue == Settings::default().delivery.dead_letter_queue {
        String::new()
    } else {
        format!(" --parameter-overrides DeadLetterQueueName={queue}")
    };
    format!(
        "$ aws cloudformation deploy --region {} --stack-name wheelwright-region --template-file \
         deploy/cloudformation/member-region.yaml{parameters}",
        needs.scope.region
    )
}

const WITH_ITS_CREDENTIALS: &str = "with credentials of that account:";

pub(super) fn role_refused(patient: Patient<'_>, needs: &Needs) -> Vec<String> {
    let OperatorSettings { role_name, external_id, .. } = &patient.settings.operator;
    let external_id = match external_id {
        Some(_) => "is its ExternalId the `[operator] external-id` of wheelwright.toml?",
        None => "wheelwright.toml has no `[operator] external-id`: does the role ask for one?",
    };
    vec![
        "AWS answers alike for all of these, so look at each:".into(),
        format!("- is the role {role_name} in the account? (OperatorRoleName there, `[operator] role-name` here)"),
        "- does its OperatorPrincipalArns name the role that wheelwright runs as? One that was deleted and made again \
         is another role to AWS"
            .into(),
        format!("- {external_id}"),
        "- may the role that wheelwright runs as do sts:AssumeRole on it?".into(),
        "- is the account suspended or closed?".into(),
        format!("the role comes with the per-account template; {WITH_ITS_CREDENTIALS}"),
        deploy_global(patient, &needs.scope.region, &[]),
    ]
}

pub(super) fn wrong_account() -> Vec<String> {
    vec!["correct the account's id in the roster, or look at what answers instead of STS (proxy, endpoint)".into()]
}

pub(super) fn clock() -> Vec<String> {
    vec!["set this machine's clock (NTP); AWS refuses what is signed five minutes off".into()]
}

/// What to do about denied actions, all reads or all writes, that one thing denies.
pub(super) fn denied(patient: Patient<'_>, needs: &Needs, by: Denial, kinds: &[CallKind]) -> Vec<String> {
    match by {
        Denial::RolePolicy | Denial::Unknown => role_lacks(patient, needs, kinds),
        Denial::RolePolicyDeny => vec![format!(
            "somebody attached a policy with a Deny to role {}: take it off, or except these actions",
            patient.settings.operator.role_name
        )],
        Denial::Boundary => {
            vec!["let the policy that PermissionsBoundaryArn names allow these actions, or name another".into()]
        }
        Denial::ServiceControlPolicy | Denial::ResourceControlPolicy => vec![format!(
            "ask who keeps the organisation's policies to except the role (aws:PrincipalArn \
             arn:{}:iam::*:role/{})",
            needs.scope.region.partition(),
            patient.settings.operator.role_name
        )],
        Denial::ResourcePolicy => vec!["look at the policy of what the message names".into()],
        Denial::SessionPolicy => {
            vec!["wheelwright passes no session policy: look at what stands between it and STS".into()]
        }
        Denial::EndpointPolicy => vec!["let the VPC endpoint's policy allow these actions".into()],
        Denial::KeyPolicy => vec![
            "the bus is encrypted with a key of yours: name the key in KmsKeyArns, and let the key's own policy allow \
             the role"
                .into(),
            deploy_global(patient, &needs.scope.region, &["KmsKeyArns=ARN_OF_THE_KEY".into()]),
        ],
    }
}

fn role_lacks(patient: Patient<'_>, needs: &Needs, kinds: &[CallKind]) -> Vec<String> {
    let mut lines = Vec::new();
    if kinds.contains(&CallKind::GetRole) {
        let name = &patient.settings.delivery.role_name;
        lines.push(format!("iam:GetRole: DeliveryRoleName there has to be `[delivery] role-name` here ({name})"));
    }
    if kinds.contains(&CallKind::GetQueueAttributes) {
        let name = &patient.settings.delivery.dead_letter_queue;
        lines.push(format!(
            "sqs:GetQueueAttributes: DeadLetterQueueName there has to be `[delivery] dead-letter-queue` here ({name})"
        ));
    }
    let writes = kinds.iter().any(|kind| kind.is_write());
    if writes {
        lines.push("if the account is only to be observed (AllowWrites=no), this is as it is meant".into());
    }
    lines.push(format!("the per-account template gives the role what it needs; {WITH_ITS_CREDENTIALS}"));
    let parameters = if writes { vec!["AllowWrites=yes".to_owned()] } else { Vec::new() };
    lines.push(deploy_global(patient, &needs.scope.region, &parameters));
    lines
}

pub(super) fn delivery_role_missing(patient: Patient<'_>, needs: &Needs) -> Vec<String> {
    vec![
        format!("it comes with the per-account template; {WITH_ITS_CREDENTIALS}"),
        deploy_global(patient, &needs.scope.region, &[]),
    ]
}

/// The trust policy that would do.
pub(super) fn delivery_role_trust(needs: &Needs) -> Vec<String> {
    let account = needs.scope.account;
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    });
    vec!["give its trust policy this statement, as the per-account template does:".into(), statement.to_string()]
}

pub(super) fn dead_letters_missing(patient: Patient<'_>, needs: &Needs) -> Vec<String> {
    vec![format!("it comes with the per-Region template; {WITH_ITS_CREDENTIALS}"), deploy_region(patient, needs)]
}

pub(super) fn dead_letters_fifo(patient: Patient<'_>, needs: &Needs) -> Vec<String> {
    vec![
        "EventBridge takes standard queues alone for dead letters: name one in `[delivery] dead-letter-queue`, as the \
         per-Region template makes it"
            .into(),
        deploy_region(patient, needs),
    ]
}

/// The statement that would do: for our rules alone, those that keep names of their own among them.
pub(super) fn dead_letters_policy(needs: &Needs) -> Vec<String> {
    let region = &needs.scope.region;
    let account = needs.scope.account;
    let rules = |name: &str| Arn::rule(region.as_str(), &account.to_string(), "default", name).to_string();
    let kept: Vec<String> =
        needs.dead_letters_of.iter().filter(|rule| !rule.name.starts_with("ww.")).map(RuleId::arn).collect();
    let sources: Vec<String> = [rules("*/ww.*"), rules("ww.*")].into_iter().chain(kept.clone()).collect();
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": needs.dead_letter_queue,
        "Condition": {"ArnLike": {"aws:SourceArn": sources}},
    });
    let mut words =
        vec!["give the queue's policy this statement, as the per-Region template does:".into(), statement.to_string()];
    if !kept.is_empty() {
        words.push(format!("in that template, rules that keep their names are `AdoptedRuleArns={}`", kept.join(",")));
    }
    words
}

pub(super) fn dead_letters_key() -> Vec<String> {
    vec![
        "the key that AWS manages for SQS lets no service in, and its policy cannot be changed: encrypt the queue with \
         SQS's own key (SqsManagedSseEnabled), or with one of yours (DeadLetterKmsKeyArn)"
            .into(),
    ]
}

/// The statement that a key of the customer's needs for a dead-letter queue
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>).
pub(super) fn key_statement() -> String {
    json!({
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
    })
    .to_string()
}

/// What can be done about a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quota {
    /// The hub's `quotas` say what it is.
    Stated,
    /// What it is is not said anywhere here: AWS's usual one is taken, and AWS may have raised it.
    Usual,
    /// AWS raises it for nobody.
    Final,
}

pub(super) fn quota(kind: Quota) -> Vec<String> {
    vec![match kind {
        Quota::Stated => "ask AWS for more (Service Quotas) and write it to the hub's `quotas`, or ask for less".into(),
        Quota::Usual => {
            "ask AWS for more (Service Quotas), or ask for less; this is AWS's usual quota, a raised one is not known here"
                .into()
        }
        Quota::Final => "AWS raises this one for nobody: ask for less, or spread over more buses".into(),
    }]
}
