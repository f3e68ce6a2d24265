//! What `wheelwright explain CODE` says: what is wrong, why EventBridge makes it so, how to mend it, wrong and right.

use super::diagnostic::DiagnosticCode;

/// One text for each code: the match has no other arm, so that a new code cannot be explained with another's words.
macro_rules! explanations {
    ($($code:ident => $text:literal;)*) => {
        impl DiagnosticCode {
            /// What the code means and what to do, as text of a few short paragraphs with an example.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)*
                }
            }
        }
    };
}

explanations! {
    // How it is written.
    Syntax => "The file is not TOML, so what stands after the mistake may not have been understood. Until it is mended the routes of the team whose file it is stay exactly as they are (in a file of accounts or hubs: everybody's), and names that may be declared in this file are not reported as missing.
See https://toml.io.

wrong:  name = payments
right:  name = \"payments\"";

    NotText => "Topology files are UTF-8. What Windows PowerShell writes with `>` is UTF-16, what old editors save is Latin-1. What could be made of the file was read, so that its other mistakes show; it counts as one with errors.

wrong:  contact = \"José\", saved as Latin-1
right:  the same, saved as UTF-8";

    FileTooLarge => "A topology file has at most 1,048,576 bytes. A team's has a few thousand; one that is larger is probably something else, as a log or a dump.

wrong:  a database's dump as topology/teams/ledger.toml
right:  a file for each team";

    EmptyFile => "A file with nothing in it, or a team's (in a folder called teams) with nothing but comments, is more probably half a checkout or a slip of the hand than a wish to have everything of that team taken away. So it counts as a file with errors: nothing is taken away. To give a team up, take its file away.

wrong:  topology/teams/ledger.toml with every line a comment
right:  no such file";

    UnknownKey => "Nothing reads this key. It is an error because a misspelt key would otherwise do nothing, in silence: `subscriber = [\"fraud\"]` would offer a publication to everybody.
Write the key as the message proposes, or take it out.

wrong:  [publish.cards]
        subscriber = [\"fraud\"]
right:  [publish.cards]
        subscribers = [\"fraud\"]";

    MissingKey => "The entry cannot mean anything without this key, and there is no default that would be right for everybody.

wrong:  [spoke.prod]
        hub = \"us\"
right:  [spoke.prod]
        hub = \"us\"
        account = \"payments-prod\"";

    WrongType => "The key takes a value of another type. Account ids are texts, in quotes, because some begin with a zero. Patterns are JSON underneath: dates and infinities are not in it.

wrong:  detail-types = \"PaymentSettled\"
right:  detail-types = [\"PaymentSettled\"]";

    UnknownValue => "The key takes one of a few words, and this is none of them.

wrong:  via = \"bus\"
right:  via = \"spoke\"";

    BadAddress => "Where the daemon listens is an address and a port. Where alerts go is an `https` URL, or the ARN of a topic or a bus: what they say of an organisation's accounts is nobody's business on the way. `http` is taken for this machine alone.

wrong:  [alert.chat]
        kind = \"webhook\"
        url = \"http://hooks.example.com/drift\"
right:  [alert.chat]
        kind = \"webhook\"
        url = \"https://hooks.example.com/drift\"";

    BadTimes => "A cron line has five fields: minute, hour, day of the month, month, day of the week. The times are in UTC, so that no change of clocks moves a freeze or leaves one out.

wrong:  [freeze.weekend]
        from = \"fridays at 18\"
right:  [freeze.weekend]
        from = \"0 18 * * FRI\"";

    OutOfReach => "Where wheelwright.toml has a `[path.\"…\"]`, it says for each file or folder of the topology which teams, accounts and sources it may name, and with `platform = true` that it may declare accounts, hubs and the organisation. The nearest entry counts. So a team whose people may merge changes to their own file cannot take another team's account for their spoke, or publish as another team. A file that reaches further is left out as a whole: the team that its path is for keeps its routes as they are, and whoever it speaks for goes on by their own file.

wrong:  # topology/teams/ledger.toml
        [publish.fakes]
        source = \"com.acme.payments\"
right:  # wheelwright.toml, whose reviewers are the platform team
        [path.\"topology/teams/ledger.toml\"]
        teams = [\"ledger\"]
        accounts = [\"ledger-*\"]
        sources = [\"com.acme.ledger\"]";

    OutOfBounds => "The number is outside what AWS takes, or outside what wheelwright can do without harm: more than 50 calls a second would take the whole control-plane quota of an account and Region from its team.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.

wrong:  [pace]
        calls-per-second-max = 500
right:  [pace]
        calls-per-second-max = 25";

    EmptyTopology => "The folder declares no hub. That is a wrong path, an unmounted volume or half a checkout, never a wish: it would ask for every bus rule of the organisation to be taken away. Nothing is.
Give the folder that holds wheelwright.toml and topology/.

right:  [hub.us]
        account = \"platform\"
        region = \"us-east-1\"
        bus = \"org-events\"";

    TeamMissing => "Spokes, publications, subscriptions and expectations belong to a team: its name is in rule names, tags and alerts. A file is of one team, named at its top. Accounts and hubs may be in any file.

wrong:  [spoke.us]
right:  [team]
        name = \"payments\"
        [spoke.us]";

    // Single values.
    BadName => "Names of accounts, hubs, teams, spokes, publications and subscriptions have 1 to 39 lower-case letters, digits and hyphens, with a letter or digit first and last. They go into rule names, which AWS limits to 64 characters.
See https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html.

wrong:  [subscribe.Large_Payments]
right:  [subscribe.large-payments]";

    BadAccountId => "An AWS account id has 12 digits. Write it in quotes: some begin with a zero, which a number would lose.
See https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html.

wrong:  platform = { id = \"1111-1111-1111\" }
right:  platform = { id = \"111111111111\" }";

    BadRegion => "This does not have the shape of a Region's name. Availability zones (us-east-1a) are not Regions.

wrong:  region = \"us-east-1a\"
right:  region = \"us-east-1\"";

    BadOrganizationId => "An organisation's id is `o-` and 10 to 32 lower-case letters and digits. It is not the root (`r-…`) nor a unit (`ou-…`). `aws organizations describe-organization` tells it.
See https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html.

wrong:  id = \"r-a1b2\"
right:  id = \"o-a1b2c3d4e5\"";

    BadBusName => "AWS takes `.`, `-`, `_`, letters and digits; names that start with `aws.` are its partners'. A spoke's bus may be `default`, which is used as it is; a hub's may not, as AWS services put their own events there and a hub's audit would copy them.
See https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html.

wrong:  bus = \"org events\"
right:  bus = \"org-events\"";

    BadSource => "Sources that start with `aws.` are AWS's own: PutEvents refuses them with NotAuthorizedForSourceException.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html.

wrong:  source = \"aws.payments\"
right:  source = \"com.acme.payments\"";

    BadKmsKey => "A bus is encrypted with a customer's key of its own Region, named by the key's ARN. An alias is not taken: it can be pointed at another key without anybody editing the topology.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmk.html.

wrong:  kms-key = \"alias/events\"
right:  kms-key = \"arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab\"";

    NotOurBus => "Encryption, dead letters and logging are set on buses that wheelwright makes. An account's default bus is everybody's there: it is never made, marked or set. A spoke without a bus has none to set.

wrong:  [spoke.prod]
        bus = \"default\"
        log = { level = \"error\" }
right:  [spoke.prod]
        bus = \"payments\"
        log = { level = \"error\" }";

    BadTag => "AWS takes at most 50 tags on a thing, keys of 1 to 128 characters and values of up to 256, made of letters, digits, spaces and `_.:/=+-@`. Keys that start with `aws:` are AWS's, those with `wheelwright:` are the marks that tell whose a rule is. A hub's, a team's and a spoke's tags come together on what is made for them.
See https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html.

wrong:  tags = { \"wheelwright:owner\" = \"me\" }
right:  tags = { cost-center = \"finance\" }";

    BadDestination => "A destination is a name, in the spoke's account and Region, or an ARN of the kind that the key says. Queues are standard ones: a FIFO queue needs a message group, which this version does not set. An API has no name to go by, only an ARN.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html.

wrong:  deliver = { queue = \"arn:aws:sns:us-east-1:333333333333:large\" }
right:  deliver = { topic = \"arn:aws:sns:us-east-1:333333333333:large\" }";

    // Whose, and called what.
    DuplicateName => "One name is written twice. All topology files are one document, so two files cannot declare one hub, account or team; within a team, names are unique for each kind.

wrong:  [hub.us] in hubs.toml, and [hub.us] in us.toml
right:  [hub.us] in one of them";

    DuplicateAccount => "Two names of the roster have one id. One of the ids is probably a slip of the pen; writing to a wrong account is what the roster is there to prevent.

wrong:  ledger-prod = { id = \"222222222222\" }
        payments-prod = { id = \"222222222222\" }
right:  ledger-prod = { id = \"333333333333\" }
        payments-prod = { id = \"222222222222\" }";

    DuplicateBus => "Two hubs, or two spokes, are one bus: same account, Region and name. Each would see the other's rules and grants as its own. Teams that share an account need a bus each.

wrong:  bus = \"events\" in two teams' spokes in one account
right:  bus = \"payments\" and bus = \"ledger\"";

    HubAsSpoke => "A spoke's bus is a hub's bus. What the hub delivers would come in at a hub again: to itself it is a loop, to another it is a second hop, which EventBridge drops.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html.

wrong:  [spoke.us]
        account = \"platform\"
        bus = \"org-events\"
right:  [spoke.us]
        account = \"platform\"
        bus = \"platform-team\"";

    SourceTwoOwners => "Two teams publish the same source at the same hub. A subscription names one publication and its rule is pinned to that team's accounts, so nobody would get what both publish, and a reader of `source` could not tell whose an event is.
Give each team a source of its own. Where one source really has several senders, one team owns it and names the others' accounts.

wrong:  source = \"com.acme.payments\" in two teams
right:  accounts = [\"edge-gateway\"] in the owning team's publication";

    TeamWithoutSpokes => "The team declares nothing. That is harmless, and probably a file that was not finished.

right:  [spoke.us]
        hub = \"us\"
        account = \"payments-prod\"";

    UnusedAccount => "An account with `access = \"none\"` is a partner's: it is never read or written, and plans print what it must add. No spoke and no publication uses this one, so naming it does nothing. (An account of your own stays in the roster when nothing uses it any more: it is swept until nothing of ours is left.)

wrong:  partner = { id = \"999999999999\", access = \"none\" }, used by nothing
right:  take the line out";

    NotYours => "A team's file holds off and renames what is the team's own. What is another's is written in that team's file; the platform team may write a `[stop]` for anybody, in a file without `[team]`.

wrong:  [stop.inc-4411] with subscription = \"ledger.large\" in the file of team payments
right:  the same in the file of team ledger, or in topology/stops.toml";

    MovedStillThere => "`[[moved]]` tells what a thing was called before, so that it keeps its rule. Here the old name is declared as well, and one rule cannot be both.

wrong:  [subscribe.big], [subscribe.large], and [[moved]] from big to large
right:  [subscribe.large], and [[moved]] from big to large";

    MovedTwice => "Each thing had one name before. Two renames of one thing, to one thing, or in a circle leave it open which rule is kept.

wrong:  [[moved]] from = \"ledger.big\" twice, to two names
right:  one [[moved]] for each thing; a chain (a to b, b to c) is fine";

    UnknownAccount => "No `[account]` of any file has this name. Spokes, hubs and publications name accounts by the roster, so that an id is written once.

wrong:  account = \"payment-prod\"
right:  account = \"payments-prod\"";

    UnknownHub => "No `[hub.NAME]` of any file has this name. It is the hub's name, not its bus's or its Region's.

wrong:  hub = \"us-east-1\"
right:  hub = \"us\"";

    UnknownTeam => "No file has a `[team]` of this name. Whoever is named as a subscriber or publisher has to be in the topology.

wrong:  subscribers = [\"frauds\"]
right:  subscribers = [\"fraud\"]";

    UnknownSpoke => "The team has no `[spoke.NAME]` of this name. A subscription is for a spoke of its own team.

wrong:  spoke = \"prod\"
right:  spoke = \"us\"";

    UnknownPublication => "The team has no `[publish.NAME]` of this name, so nothing would ever come. `from` is `team.publication`; it is not the event's source.

wrong:  from = \"payments.settlement\"
right:  from = \"payments.settlements\"";

    UnknownSubscription => "No team has a subscription of this name. It is `team.subscription`, also within the same team.

wrong:  reaches = [\"large\"]
right:  reaches = [\"ledger.large\"]";

    // Does it arrive.
    HubWithoutAccess => "The hub is in an account with `access = \"none\"`, where nothing is written; but a hub is made of rules and grants that are written there.

wrong:  partner = { id = \"999999999999\", access = \"none\" }
        [hub.us]
        account = \"partner\"
right:  account = \"platform\"";

    CrossPartition => "AWS's partitions (aws, aws-cn, aws-us-gov, …) do not know each other's accounts: no rule delivers and no role is assumed from one to another. An operator's credentials are of one of them, so each needs a topology of its own.
See https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html.

wrong:  region = \"cn-north-1\" in a spoke of a hub in us-east-1
right:  a hub in cn-north-1, with its own operator";

    CrossRegion => "EventBridge delivers from one Region's buses to another's, but not into or out of those of China.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html.

wrong:  region = \"cn-northwest-1\" in a spoke of a hub in cn-north-1
right:  a hub in cn-northwest-1";

    NotOffered => "The publication names who may subscribe, and this team is not among them. That is the publishing team's decision, so it is their file that has to change.

wrong:  subscribers = [\"fraud\"], and team ledger subscribes
right:  subscribers = [\"fraud\", \"ledger\"]";

    NotPublishedHere => "Events come to the hubs where they are published, and hubs are not connected: an event that was forwarded from bus to bus cannot be forwarded again. The subscribing team has no spoke at any hub where this is published.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html.

wrong:  at = [\"eu\"] in the publication, and only a spoke at hub us
right:  a second spoke: [spoke.eu] with hub = \"eu\"";

    NoSpoke => "A team is attached to a hub by a spoke: an account and, to receive on it, a bus. Without one there is no account to let in and none to deliver to.

right:  [spoke.eu]
        hub = \"eu\"
        account = \"orders-prod-eu\"
        bus = \"orders\"";

    AmbiguousSpoke => "The team has two spokes that could take these events: at two hubs where they are published, or two at one hub. To deliver to both in silence would double the events; to choose would be a guess.

wrong:  [subscribe.parcels]
        from = \"shipping.parcels\"
right:  [subscribe.parcels-us]
        from = \"shipping.parcels\"
        spoke = \"us\"";

    SpokeWithoutBus => "A spoke may leave `bus` out if its team only publishes to the hub and receives in queues. Here its bus is needed: to deliver to, or to forward from.

wrong:  [spoke.us] without bus, and a subscription with deliver = \"bus\"
right:  bus = \"ledger\"";

    Loop => "The subscription delivers to the very bus that forwards these events to the hub: each would come back to where it was published. EventBridge drops it at the second forward; were it not to, it would go round for ever, at your cost.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html.

wrong:  via = \"spoke\" in payments.settlements, and team payments subscribes to it on the same bus
right:  a rule of your own on that bus: the events are there already";

    ForwardedTwice => "Two rules on one bus would forward the same events to one hub, and every subscriber would get each of them twice. What AWS services say is collected once, by one team, and offered to the others.

wrong:  [collect.findings] with the same source and accounts in the files of two teams
right:  one of them, with subscribers = [\"*\"]";

    SecondHop => "EventBridge forwards an event from one bus to another once. An event that came to the hub from a spoke's bus (`via = \"spoke\"`) is not forwarded from there to a subscriber's bus: the rule looks healthy, the event is dropped, and FailedInvocations or a dead letter is the only trace.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html.
There are two ways out. Deliver from the hub to something that is no bus: a queue, function, topic, stream or API. Or let the publisher call PutEvents on the hub's bus itself; its code then names the hub's bus ARN.

wrong:  [publish.steps]
        via = \"spoke\"
        [subscribe.steps]
        deliver = \"bus\"
right:  [subscribe.steps]
        deliver = { queue = \"checkout-steps\" }";

    AccountsViaSpoke => "`accounts` names further accounts that publish, and they have no spoke here: there is no bus of theirs to forward from. They call PutEvents on the hub's bus.

wrong:  via = \"spoke\"
        accounts = [\"edge-gateway\"]
right:  accounts = [\"edge-gateway\"]";

    DestinationRegion => "EventBridge delivers to queues, functions, topics, streams and APIs (and keeps dead letters) in the rule's own Region only; a bus may be in another. A bare name is in the spoke's Region.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html.

wrong:  a spoke in eu-west-1 of a hub in us-east-1, with deliver = { queue = \"large\" }
right:  deliver = \"bus\", and a rule of your own from that bus to the queue";

    DeadLetterIsDestination => "An event that could not be delivered to a queue would be sent to the same queue again as a dead letter, in another shape, and be lost if that fails too.

wrong:  deliver = { queue = \"large\" }
        dead-letter = \"large\"
right:  dead-letter = \"large-dead-letters\"";

    RetryOnBus => "A bus target takes no retry policy: PutTargets refuses it. Delivery from bus to bus is retried by EventBridge itself, and what is given up goes to the dead-letter queue.
See https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html.

wrong:  deliver = \"bus\"
        retry = { attempts-max = 5 }
right:  deliver = { queue = \"large\" }
        retry = { attempts-max = 5 }";

    // Does it match, does it fit.
    UnknownDetailType => "The publication says which detail-types it has, and this is none of them, so the subscription would wait for ever.

wrong:  detail-types = [\"PaymentSetled\"]
right:  detail-types = [\"PaymentSettled\"]";

    WhereKey => "`where` narrows by the event's `detail`, `resources`, `region` or `replay-name`. Account and source are pinned to who publishes, so that an account which claims another team's source matches nobody's rule; a condition on them, or an `$or` at the top, could undo that. detail-type is a key of its own.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html.

wrong:  where.amount = [{ numeric = [\">\", 100] }]
right:  where.detail.amount = [{ numeric = [\">\", 100] }]";

    BadPattern => "EventBridge would refuse this pattern with InvalidEventPatternException, for the reason that the message gives. Every value stands in a list, and an operator is an object in it.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.

wrong:  where.detail.amount = [{ numeric = [\"=>\", 100] }]
right:  where.detail.amount = [{ numeric = [\">=\", 100] }]";

    OperatorAsField => "An operator stands in a list. Without the list EventBridge takes its name for a field of the event: `amount = { numeric = [\">\", 100] }` asks for an `amount` that is an object with a field `numeric`, is accepted, and never matches. If the event really has such a field, this warning can stand.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.

wrong:  where.detail.amount = { numeric = [\">\", 100] }
right:  where.detail.amount = [{ numeric = [\">\", 100] }]";

    PatternTooLong => "A pattern has at most 2,048 characters, 4,096 where AWS raised the quota. The publishing accounts and detail-types count too.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.

right:  quotas = { pattern-characters-max = 4096 } in the hub, once it is raised";

    TooManyRules => "A bus has at most 300 rules (100 in af-south-1 and eu-south-1) unless AWS raised the quota. Each subscription takes one on the hub's bus, an audit one, and a forwarded publication one on each spoke's bus.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.

right:  quotas = { rules-max = 500 } in the hub, once it is raised";

    TooManyWildcards => "A bus has at most 30 rules whose pattern uses `wildcard`; AWS does not raise it.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.

wrong:  where.detail.path = [{ wildcard = \"/orders/*\" }]
right:  where.detail.path = [{ prefix = \"/orders/\" }]";

    PolicyTooLong => "A bus policy has at most 10,240 characters unless AWS raised the quota, and each publishing account takes a statement of some 250. Beyond it one statement lets the whole organisation in, for which its id has to be known. That opens the bus, not the rules: they are pinned to the publishing accounts either way.
See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.

right:  [organization]
        id = \"o-a1b2c3d4e5\"";

    BadKeeps => "`keeps` says what a rule that was there before wheelwright keeps of its own, so that it is taken over in place: its name, its target's Id, a pattern that takes more, the target's role and dead-letter queue. Each line can be taken out by itself; the rule then gets what the topology asks for.
A kept pattern takes at least what the entry asks for, since routes and expectations go by that. A rule is kept by one entry. A publication whose publishers put events on the hub has no rule.

wrong:  detail-types = [\"Placed\", \"Paid\"]
        keeps.pattern = '{\"source\": [\"com.acme.orders\"], \"detail-type\": [\"Placed\"]}'
right:  detail-types = [\"Placed\"]
        keeps.pattern = '{\"source\": [\"com.acme.orders\"], \"detail-type\": [\"Placed\"]}'";

    BadRelease => "A release names one thing that another tool keeps and that may be taken over: the ARN of a bus or of a rule, whole. Patterns and stars are not taken, so that nothing is released that nobody looked at.

wrong:  resource = \"arn:aws:events:us-east-1:111111111111:rule/*\"
right:  resource = \"arn:aws:events:us-east-1:111111111111:rule/org-events/OrdersToBilling\"";

    UnusedRelease => "The topology asks for no bus and no rule with this ARN, so there is nothing to take over. Releases may be taken out once the thing bears our marks.

wrong:  [release.orders] of a rule that no `keeps.rule` names
right:  take the entry out, or write `keeps.rule` into the subscription";

    BadExpect => "The expectation describes an event that its publication does not publish, so it would prove nothing.

wrong:  event = { detail-type = \"OrderPlaced\" }
        published-by = \"payments.settlements\"
right:  event = { detail-type = \"PaymentSettled\" }";

    ExpectFailed => "An expectation is a unit test of the routes: the event, published by the publication's accounts, is run through the patterns that would be written. `reaches` names every subscription that gets it, of all teams, and no other.
If the change was meant, write the new list; if not, the change is wrong.

wrong:  reaches = [\"ledger.large\"], and analytics gets it too
right:  reaches = [\"ledger.large\", \"analytics.settlements\"]";
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use crate::model::finding::FindingCode;
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator;

    #[test]
    fn codes_are_unique_and_all_explained() {
        let mut names = BTreeSet::new();
        let mut texts = BTreeSet::new();
        let diagnostics = DiagnosticCode::iter().map(|code| (code.to_string(), code.explanation()));
        for (name, text) in diagnostics.chain(FindingCode::iter().map(|code| (code.to_string(), code.explanation()))) {
            assert!(text.len() > 60, "{name} is not explained");
            assert!(texts.insert(text), "{name} is explained with another's words");
            assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{name}");
            assert!(names.insert(name.clone()), "two codes are called {name}");
        }
    }

    /// Mistakes of leaving something out, or of too much of something right: there is nothing wrong to show.
    const OF_LACK: [DiagnosticCode; 6] = [
        DiagnosticCode::EmptyTopology,
        DiagnosticCode::TeamWithoutSpokes,
        DiagnosticCode::NoSpoke,
        DiagnosticCode::PatternTooLong,
        DiagnosticCode::TooManyRules,
        DiagnosticCode::PolicyTooLong,
    ];

    #[test]
    fn every_mistake_is_explained_with_what_is_wrong_and_what_is_right() {
        for code in DiagnosticCode::iter() {
            let text = code.explanation();
            assert!(text.contains("\nright:  "), "{code} has nothing right");
            assert_eq!(text.contains("\nwrong:  "), !OF_LACK.contains(&code), "{code}");
            let examples = text.split("\nwrong:  ").nth(1).and_then(|examples| examples.split_once("\nright:  "));
            assert!(examples.is_none_or(|(wrong, right)| wrong.trim() != right.trim()), "{code}: both are one");
        }
    }
}
