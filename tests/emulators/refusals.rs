//! Refusals of an emulator that checks roles and signatures, each in one account, through the built program: the other
//! account is done, the one is named with what mends it, nothing of its is taken away, and once the trouble is over all
//! comes in step.
//!
//! The operator role is the shipped template's: its trust, and the actions of its policies, so that they are judged by
//! somebody else's reading of IAM. Each account has a hub of its own, since ministack returns grants that cannot be read
//! ([`divergences`]). It also has no way to let a role lead to another account (`tests/refusals/` tries that).

use crate::emulators::divergences;
use crate::emulators::picture::{Kind, Picture, Scope, picture};
use crate::emulators::server::{Emulator, Server};
use crate::program::{Endpoint, Folder, Ran, wheelwright};
use crate::template::{Stack, Template};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The account in trouble.
const BOOKS: &str = "333333333333";
/// The other one.
const PLATFORM: &str = "111111111111";
const US: &str = "us-east-1";
/// The account of the user that the program signs as: ministack checks no signature of an account's root.
const OPERATOR: &str = "999999999992";
const USER: &str = "wheelwright";
const ROLE: &str = "wheelwright-operator";
const EXTERNAL_ID: &str = "acme/eventbridge";

/// One trouble.
struct Trouble {
    name: &'static str,
    begin: fn(&Server),
    /// What has to be in what it says: where, why, and what to do.
    says: &'static [&'static str],
    end: fn(&Server),
}

const TROUBLES: &[Trouble] = &[
    Trouble {
        name: "the role is not there",
        begin: |server| {
            for policy in operator(BOOKS).policies() {
                server.iam(BOOKS, "DeleteRolePolicy", &[("RoleName", ROLE), ("PolicyName", &policy.name)]);
            }
            server.iam(BOOKS, "DeleteRole", &[("RoleName", ROLE)]);
        },
        says: &["books us-east-1", "role-refused", "in 333333333333", "OperatorPrincipalArns"],
        end: |server| operator(BOOKS).create(server, BOOKS),
    },
    Trouble {
        name: "the role does not trust us",
        begin: |server| {
            trust(server, |statement| statement["Principal"] = json!({"AWS": "arn:aws:iam::999999999999:root"}));
        },
        says: &["books us-east-1", "role-refused", "in 333333333333", "OperatorPrincipalArns"],
        end: |server| trust(server, |_| ()),
    },
    Trouble {
        name: "the role asks for another external id",
        begin: |server| {
            trust(server, |statement| statement["Condition"]["StringEquals"]["sts:ExternalId"] = json!("another"));
        },
        says: &["books us-east-1", "role-refused", "in 333333333333", "ExternalId"],
        end: |server| trust(server, |_| ()),
    },
    Trouble {
        name: "the role may not read rules",
        begin: |server| deny(server, "events:ListRules"),
        says: &["books us-east-1", "events:ListRules", "denied", "in 333333333333"],
        end: undo_deny,
    },
    Trouble {
        name: "the role may not read tags",
        begin: |server| deny(server, "events:ListTagsForResource"),
        says: &["books us-east-1", "events:ListTagsForResource", "denied", "in 333333333333"],
        end: undo_deny,
    },
    Trouble {
        name: "the role may not write rules",
        begin: |server| deny(server, "events:PutRule"),
        says: &["books us-east-1", "events:PutRule", "AllowWrites=no"],
        end: undo_deny,
    },
];

/// Tries every trouble on a server of its own; without the emulator it says so.
pub(crate) fn try_all() {
    let mut wrong = Vec::new();
    for trouble in TROUBLES {
        let Some(begun) = Begun::start() else { return };
        println!("{:50} {}", trouble.name, trouble.says.join(" | "));
        wrong.extend(begun.try_one(trouble).into_iter().map(|fault| format!("{}: {fault}", trouble.name)));
    }
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A wrong secret: nobody can be asked anything, so it is said once and nothing is written.
pub(crate) fn try_a_bad_signature() {
    let Some(begun) = Begun::start() else { return };
    let wrong_key = Endpoint { secret_access_key: "wrong".to_owned(), ..begun.endpoint.clone() };
    let ran = wheelwright(&begun.folder, Some(&wrong_key), &["apply", "--yes"]);
    let says = &["SignatureDoesNotMatch", "sign in again"];
    assert_eq!(ran.told_badly(says), Vec::<String>::new(), "{}{}", ran.out, ran.err);
    assert_eq!(begun.before, everything(&begun.server), "{}{}", ran.out, ran.err);
    begun.run(&["apply", "--yes"]).expect(0);
    begun.run(&["plan", "--expect-no-changes"]).expect(0);
}

/// Both accounts in step, and a topology edited since: there is something to make in each, and in the books' something
/// to take away.
struct Begun {
    server: Server,
    endpoint: Endpoint,
    folder: Folder,
    before: Picture,
}

impl Begun {
    fn start() -> Option<Self> {
        let server = Server::start(Emulator::MinistackWithAuth)?;
        divergences::assert_shown(&server);
        let key = server.user(OPERATOR, USER, "sts:AssumeRole", "*");
        let endpoint = Endpoint { access_key_id: key.id, secret_access_key: key.secret, ..server.endpoint.clone() };
        for account in [PLATFORM, BOOKS] {
            operator(account).create(&server, account);
        }
        let files = FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let mut folder = Folder::of(&files.collect::<BTreeMap<_, _>>());
        wheelwright(&folder, Some(&endpoint), &["apply", "--yes"]).expect(0);
        let before = everything(&server);
        assert!(before.keys().any(|path| path.scope.0 == BOOKS && path.kind == Kind::Target), "{before:?}");
        folder.replace(BOOKS_FILE, "[subscribe.old]", "[subscribe.new]");
        folder.replace(SHOP_FILE, "[subscribe.own]", "[subscribe.refunds]\nfrom = \"shop.orders\"\n[subscribe.own]");
        Some(Self { server, endpoint, folder, before })
    }

    fn run(&self, args: &[&str]) -> Ran {
        wheelwright(&self.folder, Some(&self.endpoint), args)
    }

    /// Begins the trouble, applies, ends it, applies again: what was wrong with that.
    fn try_one(&self, trouble: &Trouble) -> Vec<String> {
        (trouble.begin)(&self.server);
        let ran = self.run(&["apply", "--yes"]);
        let mut wrong = ran.told_badly(trouble.says);
        let now = everything(&self.server);
        let taken = self.before.keys().filter(|path| !now.contains_key(path));
        wrong.extend(taken.map(|path| format!("it took away: {path:?}")));
        let is_new = |name: &String| name.starts_with("ww.shop.refunds.");
        if !now.keys().any(|path| path.kind == Kind::Target && path.names.iter().any(is_new)) {
            wrong.push("the other account's new subscription was not made".to_owned());
        }
        (trouble.end)(&self.server);
        let after = self.run(&["apply", "--yes"]);
        if after.code != 0 {
            wrong.push(format!("when it is over it does not come in step: {}{}", after.out, after.err));
        }
        let second = self.run(&["plan", "--expect-no-changes"]);
        if second.code != 0 {
            wrong.push(format!("the second plan is not empty: {}{}", second.out, second.err));
        }
        let end = everything(&self.server);
        if self.before.keys().all(|path| end.contains_key(path)) {
            wrong.push("in the end what nobody asks for is not taken away".to_owned());
        }
        wrong.into_iter().map(|fault| format!("{fault}\n{}{}", ran.out, ran.err)).collect()
    }
}

fn everything(server: &Server) -> Picture {
    let scopes: BTreeSet<Scope> =
        [PLATFORM, BOOKS].iter().map(|account| ((*account).to_owned(), US.to_owned())).collect();
    picture(server, &scopes)
}

/// The operator role as the template makes it.
struct Operator {
    stack: Stack,
}

/// A policy of the role's own.
struct Policy {
    name: String,
    document: Value,
}

fn operator(account: &str) -> Operator {
    let principal = format!("arn:aws:iam::{OPERATOR}:user/{USER}");
    let given = [
        ("OperatorPrincipalArns", principal.as_str()),
        ("ExternalId", EXTERNAL_ID),
        ("OrganizationId", "o-a1b2c3d4e5"),
    ];
    Operator { stack: Template::read("member-global.yaml").deploy(account, US, &given) }
}

impl Operator {
    fn trust(&self) -> Value {
        self.stack.properties("OperatorRole")["AssumeRolePolicyDocument"].clone()
    }

    fn policies(&self) -> Vec<Policy> {
        let names: Vec<&String> = self.stack.resources.keys().filter(|name| name.starts_with("Operator")).collect();
        let properties = names.iter().map(|name| self.stack.properties(name));
        let of_role = properties.filter(|properties| properties.get("PolicyDocument").is_some());
        let policies: Vec<Policy> = of_role
            .map(|properties| Policy {
                name: properties["PolicyName"].as_str().unwrap().to_owned(),
                document: on_everything(properties["PolicyDocument"].clone()),
            })
            .collect();
        assert!(policies.len() >= 2, "to look and to write: {names:?}");
        policies
    }

    fn create(&self, server: &Server, account: &str) {
        let trust = self.trust().to_string();
        server.iam(account, "CreateRole", &[("RoleName", ROLE), ("AssumeRolePolicyDocument", &trust)]);
        for Policy { name, document } in self.policies() {
            put_policy(server, account, &name, &document);
        }
    }
}

/// The same for every resource: ministack takes one thing for another there ([`divergences`]).
fn on_everything(mut document: Value) -> Value {
    for statement in document["Statement"].as_array_mut().unwrap() {
        statement["Resource"] = json!("*");
    }
    document
}

fn put_policy(server: &Server, account: &str, name: &str, document: &Value) {
    let document = document.to_string();
    server.iam(account, "PutRolePolicy", &[("RoleName", ROLE), ("PolicyName", name), ("PolicyDocument", &document)]);
}

/// Sets the books' role's trust to the template's with this change.
fn trust(server: &Server, change: fn(&mut Value)) {
    let mut trust = operator(BOOKS).trust();
    change(&mut trust["Statement"][0]);
    let trust = trust.to_string();
    server.iam(BOOKS, "UpdateAssumeRolePolicy", &[("RoleName", ROLE), ("PolicyDocument", &trust)]);
}

fn deny(server: &Server, action: &str) {
    let statement = json!({"Effect": "Deny", "Action": action, "Resource": "*"});
    put_policy(server, BOOKS, "denied", &json!({"Version": "2012-10-17", "Statement": [statement]}));
}

fn undo_deny(server: &Server) {
    server.iam(BOOKS, "DeleteRolePolicy", &[("RoleName", ROLE), ("PolicyName", "denied")]);
}

const SHOP_FILE: &str = "topology/teams/shop.toml";
const BOOKS_FILE: &str = "topology/teams/books.toml";

const FILES: &[(&str, &str)] = &[
    (
        "wheelwright.toml",
        r#"[operator]
external-id = "acme/eventbridge"
region = "us-east-1"
[pace]
settle-secs = 0
calls-per-second-max = 50
calls-burst-max = 100
"#,
    ),
    (
        "topology/base.toml",
        r#"[account]
platform = { id = "111111111111" }
books = { id = "333333333333" }
[hub.shop]
account = "platform"
region = "us-east-1"
bus = "shop-events"
[hub.books]
account = "books"
region = "us-east-1"
bus = "books-events"
"#,
    ),
    (
        SHOP_FILE,
        r#"[team]
name = "shop"
[spoke.home]
hub = "shop"
account = "platform"
bus = "shop"
[publish.orders]
source = "com.acme.shop"
[subscribe.own]
from = "shop.orders"
detail-types = ["OrderPlaced"]
"#,
    ),
    (
        BOOKS_FILE,
        r#"[team]
name = "books"
[spoke.home]
hub = "books"
account = "books"
bus = "books"
[publish.postings]
source = "com.acme.books"
[subscribe.own]
from = "books.postings"
[subscribe.old]
from = "books.postings"
detail-types = ["Posted"]
"#,
    ),
];
