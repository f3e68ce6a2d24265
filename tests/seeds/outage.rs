//! What does not work for the length of a sweep: an action that is denied, a role that is deleted and made again, an account
//! that is suspended, a Region that is switched off, a role that leads elsewhere.

use crate::rng::Rng;
use crate::spec::{REGIONS, Spec};
use wheelwright::sim::{Permission, Role, SimulatedAws, Trusted};
use wheelwright::stage::OPERATOR_ACCOUNT;

const OPERATOR: &str = "wheelwright-operator";
const DELIVERY: &str = "wheelwright-delivery";

/// Something that does not work for now.
#[derive(Clone, Debug)]
pub enum Outage {
    /// An account denies an action to everybody in it.
    Denied { account: String, action: &'static str },
    /// The operator's role is deleted, and later made again.
    OperatorGone(String),
    /// The delivery role is deleted, and later made again: nothing is delivered from the account meanwhile.
    DeliveryGone(String),
    /// Nobody is anybody in the account.
    Suspended(String),
    /// The account has switched a Region off.
    RegionOff(String, &'static str),
    /// The operator's role in one account gives a session in another.
    Misdirected(String, String),
    /// The operator's calls into the account are not answered; whoever makes one gives up at last.
    Hangs(String),
}

impl Outage {
    /// Denials of something to the operator, in one account or another.
    pub fn denial(rng: &mut Rng, spec: &Spec) -> Self {
        let account = rng.pick(&spec.accounts).id.clone();
        let actions = [
            "events:*",
            "events:List*",
            "events:ListRules",
            "events:PutTargets",
            "events:PutPermission",
            "events:Remove*",
            "events:UpdateEventBus",
            "events:*TagResource",
            "events:DescribeEventBus",
        ];
        Self::Denied { account, action: rng.pick::<&str>(&actions) }
    }

    /// Any other outage.
    pub fn some(rng: &mut Rng, spec: &Spec) -> Self {
        let managed: Vec<&str> =
            spec.accounts.iter().filter(|account| account.managed).map(|account| account.id.as_str()).collect();
        let account = (*rng.pick(&managed)).to_owned();
        match rng.below(6) {
            0 | 1 => Self::OperatorGone(account),
            2 => Self::DeliveryGone(account),
            3 => Self::Suspended(account),
            4 => Self::RegionOff(account, rng.pick::<&str>(&REGIONS)),
            _ => {
                let other = managed.iter().find(|other| **other != account).copied().unwrap_or(OPERATOR_ACCOUNT);
                Self::Misdirected(account, other.to_owned())
            }
        }
    }

    pub fn begin(&self, aws: &mut SimulatedAws) {
        match self {
            Self::Denied { account, action } => aws.deny(account, action),
            Self::OperatorGone(account) => aws.delete_role(account, OPERATOR),
            Self::DeliveryGone(account) => aws.delete_role(account, DELIVERY),
            Self::Suspended(account) => aws.suspend_account(account),
            Self::RegionOff(account, region) => aws.disable_region(account, region),
            // Its calls end where they are made, and never come here.
            Self::Hangs(_) => {}
            Self::Misdirected(account, other) => aws.misdirect_role(account, OPERATOR, other),
        }
    }

    pub fn end(&self, aws: &mut SimulatedAws) {
        match self {
            Self::Denied { account, action } => aws.undo_deny(account, action),
            Self::OperatorGone(account) => made(aws, account, operator(account)),
            Self::DeliveryGone(account) => made(aws, account, delivery(account)),
            Self::Suspended(account) => aws.reinstate_account(account),
            Self::RegionOff(account, region) => aws.enable_region(account, region),
            Self::Hangs(_) => {}
            Self::Misdirected(account, _) => aws.undo_misdirect_role(account, OPERATOR),
        }
    }
}

/// A role that takes effect at once: how long roles take is AWS's business and not the operator's.
fn made(aws: &mut SimulatedAws, account: &str, role: Role) {
    let settle_ms = std::mem::take(&mut aws.settings.settle_ms);
    aws.create_role(account, role);
    aws.settings.settle_ms = settle_ms;
}

/// The roles as `stage` makes them.
fn operator(account: &str) -> Role {
    let delivery = format!("arn:aws:iam::{account}:role/{DELIVERY}");
    let queues = format!("arn:aws:sqs:*:{account}:wheelwright-dead-letters");
    Role::named(OPERATOR)
        .trusting(Trusted::Account(OPERATOR_ACCOUNT.to_owned()))
        .allowing(Permission::on_everything(&["events:*"]))
        .allowing(Permission::on(&["iam:PassRole", "iam:GetRole"], &[&delivery]))
        .allowing(Permission::on(&["sqs:GetQueueAttributes"], &[&queues]))
}

fn delivery(account: &str) -> Role {
    let actions = [
        "events:PutEvents",
        "sqs:SendMessage",
        "lambda:InvokeFunction",
        "sns:Publish",
        "kinesis:PutRecord*",
        "execute-api:Invoke",
    ];
    Role::named(DELIVERY)
        .trusting(Trusted::Service("events.amazonaws.com".to_owned()))
        .with_source_account(account)
        .allowing(Permission::on_everything(&actions))
}
