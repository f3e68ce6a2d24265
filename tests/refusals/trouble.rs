//! What can go wrong in one account, and what the program must say of it.

use crate::world::{BOOKS, PLATFORM, SHOP, Server};
use serde_json::json;
use wheelwright::sim::http_faults::{HttpFault, HttpFaultRule};
use wheelwright::sim::{Caller, Permission, Role, Service, Trusted};
use wheelwright::stage::OPERATOR_ACCOUNT;

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";
const BOTH: &[&str] = &[US, EU];
const ROLE: &str = "wheelwright-operator";

/// One trouble.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) begin: fn(&Server),
    /// What has to be in what it says: where, why, and what to do.
    pub(crate) says: &'static [&'static str],
    /// The Regions where nothing may be taken away.
    pub(crate) regions: &'static [&'static str],
    pub(crate) end: fn(&Server),
}

/// The operator role as the templates make it.
fn operator() -> Role {
    let delivery = format!("arn:aws:iam::{BOOKS}:role/wheelwright-delivery");
    Role::named(ROLE)
        .trusting(Trusted::Account(OPERATOR_ACCOUNT.into()))
        .with_external_id("acme/eventbridge")
        .allowing(Permission::on_everything(&["events:*"]))
        .allowing(Permission::on(&["iam:PassRole"], &[&delivery]))
}

fn mend_role(server: &Server) {
    server.aws(|aws| aws.create_role(BOOKS, operator()));
}

fn lift(server: &Server) {
    server.faults.clear();
}

fn books(fault: HttpFault) -> HttpFaultRule {
    HttpFaultRule::new(fault).of(Service::EventBridge).in_account(BOOKS)
}

const TEMPLATE: &str = "in 333333333333";

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = roles();
    rows.extend(denials());
    rows.extend(answers());
    rows.extend(owners());
    rows
}

fn roles() -> Vec<Row> {
    vec![
        Row {
            name: "the role is not there",
            begin: |server| server.aws(|aws| aws.delete_role(BOOKS, ROLE)),
            says: &["books us-east-1", "role-refused", TEMPLATE, "OperatorPrincipalArns"],
            regions: BOTH,
            end: mend_role,
        },
        Row {
            name: "the role does not trust us",
            begin: |server| {
                let role = operator().with_external_id("acme/eventbridge");
                let role = Role { trusts: vec![Trusted::Account("999999999999".into())], ..role };
                server.aws(|aws| aws.create_role(BOOKS, role));
            },
            says: &["books us-east-1", "role-refused", TEMPLATE, "OperatorPrincipalArns"],
            regions: BOTH,
            end: mend_role,
        },
        Row {
            name: "the role asks for another external id",
            begin: |server| server.aws(|aws| aws.create_role(BOOKS, operator().with_external_id("another"))),
            says: &["books us-east-1", "role-refused", TEMPLATE, "ExternalId"],
            regions: BOTH,
            end: mend_role,
        },
        Row {
            name: "another account is behind the role",
            begin: |server| server.aws(|aws| aws.misdirect_role(BOOKS, ROLE, SHOP)),
            says: &[
                "books us-east-1",
                "wrong-account",
                "account 222222222222's",
                "look at the account's id in the roster",
            ],
            regions: BOTH,
            end: |server| server.aws(|aws| aws.undo_misdirect_role(BOOKS, ROLE)),
        },
        Row {
            name: "the account is suspended",
            begin: |server| server.aws(|aws| aws.suspend_account(BOOKS)),
            says: &["books us-east-1", "role-refused", "suspended account"],
            regions: BOTH,
            end: |server| server.aws(|aws| aws.reinstate_account(BOOKS)),
        },
    ]
}

fn denials() -> Vec<Row> {
    vec![
        Row {
            name: "one Region is not enabled",
            begin: |server| server.aws(|aws| aws.disable_region(BOOKS, EU)),
            says: &["books eu-west-1", "UnrecognizedClientException", "enable-region --region-name eu-west-1"],
            regions: &[EU],
            end: |server| server.aws(|aws| aws.enable_region(BOOKS, EU)),
        },
        Row {
            name: "an SCP denies reading rules",
            begin: |server| server.aws(|aws| aws.deny_by_organization(BOOKS, "events:ListRules")),
            says: &[
                "books us-east-1",
                "events:ListRules",
                "denied",
                "a service control policy of the organisation denies",
            ],
            regions: BOTH,
            end: |server| server.aws(|aws| aws.undo_deny_by_organization(BOOKS, "events:ListRules")),
        },
        Row {
            name: "an SCP denies making buses",
            begin: |server| server.aws(|aws| aws.deny_by_organization(BOOKS, "events:CreateEventBus")),
            says: &["books us-east-1", "events:CreateEventBus", "a service control policy of the organisation denies"],
            regions: BOTH,
            end: |server| server.aws(|aws| aws.undo_deny_by_organization(BOOKS, "events:CreateEventBus")),
        },
        Row {
            name: "the role may not read tags",
            begin: |server| server.aws(|aws| aws.deny(BOOKS, "events:ListTagsForResource")),
            says: &["books us-east-1", "events:ListTagsForResource", "denied", TEMPLATE],
            regions: BOTH,
            end: |server| server.aws(|aws| aws.undo_deny(BOOKS, "events:ListTagsForResource")),
        },
        Row {
            name: "the role may not grant",
            begin: |server| server.aws(|aws| aws.deny(BOOKS, "events:PutPermission")),
            says: &["books us-east-1", "events:PutPermission", "AllowWrites=no"],
            regions: BOTH,
            end: |server| server.aws(|aws| aws.undo_deny(BOOKS, "events:PutPermission")),
        },
        Row {
            name: "a key of the customer's keeps the rules from being read",
            begin: |server| {
                server.aws(|aws| {
                    let key = aws.create_key(BOOKS, US);
                    let input = json!({"Name": "books", "KmsKeyIdentifier": key});
                    aws.call(&Caller::root(BOOKS), US, Service::EventBridge, "UpdateEventBus", &input).unwrap();
                });
            },
            says: &["books us-east-1", "KmsKeyArns of member-global.yaml in 333333333333"],
            regions: &[US],
            end: |server| {
                server.aws(|aws| {
                    let input = json!({"Name": "books", "KmsKeyIdentifier": ""});
                    aws.call(&Caller::root(BOOKS), US, Service::EventBridge, "UpdateEventBus", &input).unwrap();
                });
            },
        },
    ]
}

fn answers() -> Vec<Row> {
    let row = |name, begin: fn(&Server), says| Row { name, begin, says, regions: BOTH, end: lift };
    vec![
        row(
            "throttled without end",
            |server| server.fault(books(HttpFault::Throttled)),
            &["books us-east-1", "throttled", "lower calls-per-second"],
        ),
        row(
            "AWS fails (500)",
            |server| server.fault(books(HttpFault::InternalError)),
            &["books us-east-1", "server-error", "AWS is in trouble"],
        ),
        row(
            "AWS is not there (503)",
            |server| server.fault(books(HttpFault::Unavailable)),
            &["books us-east-1", "server-error", "AWS is in trouble"],
        ),
        row(
            "no answer",
            |server| server.fault(books(HttpFault::NoAnswer)),
            &["books us-east-1", "deadline", "scope-deadline-secs"],
        ),
        row(
            "a page of a proxy's",
            |server| server.fault(books(HttpFault::HtmlPage)),
            &["books us-east-1", "not-aws", "look at proxies"],
        ),
        row(
            "a gateway's page (502)",
            |server| server.fault(books(HttpFault::BadGateway)),
            &["books us-east-1", "not-aws", "look at proxies"],
        ),
        row(
            "half an answer",
            |server| server.fault(books(HttpFault::CutBody)),
            &["books us-east-1", "the next sweep tries again"],
        ),
        row("an empty answer", |server| server.fault(books(HttpFault::EmptyBody)), &["books us-east-1", "not-aws"]),
        row(
            "an answer without its fields",
            |server| server.fault(books(HttpFault::NoFields)),
            &["books us-east-1", "not-aws", "no list of buses"],
        ),
        row(
            "an answer of another shape",
            |server| server.fault(books(HttpFault::WrongShape)),
            &["books us-east-1", "not-aws"],
        ),
        row(
            "a listing of rules that never ends",
            |server| server.fault(books(HttpFault::RepeatedToken).on(Service::EventBridge, "ListRules")),
            &["books us-east-1", "did not end"],
        ),
        row(
            "the second page of rules is cut off",
            |server| server.fault(books(HttpFault::CutBody).on(Service::EventBridge, "ListRules").after(1)),
            &["books", "the next sweep tries again"],
        ),
        row(
            "somebody else is changing the policy",
            |server| server.fault(books(HttpFault::ConcurrentModification).on(Service::EventBridge, "PutPermission")),
            &["books us-east-1", "concurrent-modification", "somebody else is writing there"],
        ),
        row(
            "a quota is used up",
            |server| server.fault(books(HttpFault::LimitExceeded).on(Service::EventBridge, "CreateEventBus")),
            &["books us-east-1", "limit-exceeded", "L-658A4FD9"],
        ),
        row(
            "STS is throttled for the account",
            |server| server.fault(HttpFaultRule::new(HttpFault::Throttled).of(Service::Sts).in_account(BOOKS)),
            &["books us-east-1", "sts:AssumeRole", "throttled"],
        ),
    ]
}

/// Somebody else made a bus of the name that is wanted, and keeps it with another tool.
fn taken_by(server: &Server, key: &str, value: &str) {
    let input = json!({"Name": "books-new", "Tags": [{"Key": key, "Value": value}]});
    server.aws(|aws| aws.call(&Caller::root(BOOKS), US, Service::EventBridge, "CreateEventBus", &input).unwrap());
}

/// The same with a CloudFormation stack, whose tags AWS puts and nobody else can.
fn taken_by_a_stack(server: &Server) {
    let input = json!({"Name": "books-new"});
    server.aws(|aws| {
        aws.call(&Caller::root(BOOKS), US, Service::EventBridge, "CreateEventBus", &input).unwrap();
        aws.tag_by_aws(
            &format!("arn:aws:events:{US}:{BOOKS}:event-bus/books-new"),
            &[("aws:cloudformation:stack-name", "books-bus"), ("aws:cloudformation:logical-id", "Bus")],
        );
    });
}

fn give_up(server: &Server) {
    let input = json!({"Name": "books-new"});
    server.aws(|aws| aws.call(&Caller::root(BOOKS), US, Service::EventBridge, "DeleteEventBus", &input).unwrap());
}

fn owners() -> Vec<Row> {
    vec![
        Row {
            name: "CloudFormation keeps the bus",
            begin: taken_by_a_stack,
            says: &["other-owner", "CloudFormation stack `books-bus`"],
            regions: &[US],
            end: give_up,
        },
        Row {
            name: "ACK keeps the bus",
            begin: |server| taken_by(server, "services.k8s.aws/controller-version", "eventbridge-1.0"),
            says: &["other-owner", "ACK controller `eventbridge-1.0`"],
            regions: &[US],
            end: give_up,
        },
        Row {
            name: "Crossplane keeps the bus",
            begin: |server| taken_by(server, "crossplane-name", "books-bus"),
            says: &["other-owner", "Crossplane resource `books-bus`"],
            regions: &[US],
            end: give_up,
        },
        Row {
            name: "Terraform keeps the bus",
            begin: |server| taken_by(server, "ManagedBy", "terraform"),
            says: &["other-owner", "terraform (tag `ManagedBy`)"],
            regions: &[US],
            end: give_up,
        },
        Row {
            name: "the hub's account refuses",
            begin: |server| server.aws(|aws| aws.deny(PLATFORM, "events:DeleteRule")),
            says: &["platform us-east-1", "events:DeleteRule", "AllowWrites=no"],
            regions: &[],
            end: |server| server.aws(|aws| aws.undo_deny(PLATFORM, "events:DeleteRule")),
        },
    ]
}
