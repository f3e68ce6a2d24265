//! A [`Spec`] as the TOML that people would write.

use crate::spec::{
    Account, Deliver, Kind, ORGANIZATION, Options, Publication, Spec, Subscription, Tags, Team, Way, key_arn,
};
use std::fmt::Write as _;

impl Spec {
    /// The topology as its files, by path.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![("topology/hubs.toml".to_owned(), self.hubs_toml())];
        let mut settings = String::new();
        if self.owner != "wheelwright" {
            writeln!(settings, "[operator]\nowner = \"{}\"", self.owner).unwrap();
        }
        if !self.left.is_empty() {
            writeln!(settings, "[sweep]\nregions-also = {:?}", self.left.iter().collect::<Vec<_>>()).unwrap();
        }
        if !settings.is_empty() {
            files.push(("wheelwright.toml".to_owned(), settings));
        }
        files
            .extend(self.teams.iter().map(|team| (format!("topology/teams/{}.toml", team.name), self.team_toml(team))));
        files
    }

    fn hubs_toml(&self) -> String {
        let mut text = format!("[organization]\nid = \"{ORGANIZATION}\"\n");
        write_tags(&mut text, &self.tags);
        text.push_str("[account]\n");
        for Account { name, id, managed } in &self.accounts {
            let access = if *managed { "" } else { ", access = \"none\"" };
            writeln!(text, "{name} = {{ id = \"{id}\"{access} }}").unwrap();
        }
        for hub in &self.hubs {
            let account = &self.accounts[hub.account];
            let grant = if hub.organization { "organization" } else { "accounts" };
            writeln!(text, "[hub.{}]\naccount = \"{}\"\nregion = \"{}\"", hub.name, account.name, hub.region).unwrap();
            writeln!(text, "bus = \"{}\"\ngrant = \"{grant}\"", hub.bus).unwrap();
            if let Some(description) = hub.description {
                writeln!(text, "description = \"{description}\"").unwrap();
            }
            if let Some(days) = hub.archive_days {
                writeln!(text, "archive = {{ retention-days = {days} }}").unwrap();
            }
            if let Some(queue) = &hub.audit {
                writeln!(text, "audit = {{ queue = \"{queue}\" }}").unwrap();
            }
            write_options(&mut text, &hub.options, &account.id, hub.region);
            if let Some((rules, characters)) = hub.quotas {
                writeln!(text, "quotas = {{ rules-max = {rules}, policy-characters-max = {characters} }}").unwrap();
            }
        }
        text
    }

    fn team_toml(&self, team: &Team) -> String {
        let mut text = format!("[team]\nname = \"{}\"\ncontact = \"#{}\"\n", team.name, team.name);
        write_tags(&mut text, &team.tags);
        for spoke in &team.spokes {
            let (hub, account) = (&self.hubs[spoke.hub].name, &self.accounts[spoke.account]);
            writeln!(text, "[spoke.{}]\nhub = \"{hub}\"\naccount = \"{}\"", spoke.name, account.name).unwrap();
            writeln!(text, "region = \"{}\"\nbus = \"{}\"", spoke.region, spoke.bus).unwrap();
            write_options(&mut text, &spoke.options, &account.id, spoke.region);
        }
        for publication in &team.publications {
            self.write_publication(&mut text, team, publication);
        }
        for subscription in &team.subscriptions {
            self.write_subscription(&mut text, team, subscription);
        }
        text
    }

    fn write_publication(&self, text: &mut String, team: &Team, publication: &Publication) {
        let names = |accounts: &[usize]| -> Vec<&str> {
            accounts.iter().map(|account| self.accounts[*account].name.as_str()).collect()
        };
        let Publication { name, first, source, kinds, way, gateways } = publication;
        let table = if let Way::Collect { .. } = way { "collect" } else { "publish" };
        writeln!(text, "[{table}.{name}]\nsource = \"{source}\"").unwrap();
        write_kinds(text, kinds);
        match way {
            Way::Hub => text.push_str("via = \"hub\"\n"),
            Way::Spoke => text.push_str("via = \"spoke\"\n"),
            Way::Collect { accounts, regions } => {
                writeln!(text, "accounts = {:?}", names(accounts)).unwrap();
                if !regions.is_empty() {
                    writeln!(text, "regions = {regions:?}").unwrap();
                }
            }
        }
        if !gateways.is_empty() {
            writeln!(text, "accounts = {:?}", names(gateways)).unwrap();
        }
        write_moved(text, &team.name, first.as_ref(), name, "publication");
    }

    fn write_subscription(&self, text: &mut String, team: &Team, subscription: &Subscription) {
        let publisher = &self.teams[subscription.publisher].name;
        let Subscription { name, first, publication, spoke, filter, .. } = subscription;
        writeln!(text, "[subscribe.{name}]\nfrom = \"{publisher}.{publication}\"\nspoke = \"{spoke}\"").unwrap();
        write_kinds(text, &subscription.kinds);
        text.push_str(filter.toml());
        if let Deliver::To(kind, at) = &subscription.deliver {
            let key = match kind {
                Kind::Queue => "queue",
                Kind::Function => "function",
                Kind::Topic => "topic",
                Kind::Stream => "stream",
                Kind::Api => "api",
            };
            let arn = self.mailbox(team, subscription);
            // An API has no name to go by.
            let destination = if *kind == Kind::Api { &arn } else { at };
            writeln!(text, "deliver = {{ {key} = \"{destination}\" }}").unwrap();
        }
        if let Some(queue) = subscription.dead_letters {
            writeln!(text, "dead-letter = \"{queue}\"").unwrap();
        }
        if let Some((attempts, seconds)) = subscription.retry {
            writeln!(text, "retry = {{ attempts-max = {attempts}, event-age-secs-max = {seconds} }}").unwrap();
        }
        if subscription.replays {
            text.push_str("replays = \"deliver\"\n");
        }
        if let Some(until_ms) = subscription.stop {
            let until = jiff::Timestamp::from_millisecond(i64::try_from(until_ms).unwrap()).unwrap();
            writeln!(text, "[stop.{name}]\nsubscription = \"{}.{name}\"\nuntil = {until}", team.name).unwrap();
            text.push_str("reason = \"a stop of the test's\"\n");
        }
        write_moved(text, &team.name, first.as_ref(), name, "subscription");
    }
}

fn write_moved(text: &mut String, team: &str, first: Option<&String>, name: &str, kind: &str) {
    if let Some(first) = first {
        writeln!(text, "[[moved]]\nfrom = \"{team}.{first}\"\nto = \"{team}.{name}\"\nkind = \"{kind}\"").unwrap();
    }
}

fn write_options(text: &mut String, options: &Options, account: &str, region: &str) {
    let Options { key, dead_letters, log, tags } = options;
    if *key {
        writeln!(text, "kms-key = \"{}\"", key_arn(account, region)).unwrap();
    }
    if let Some(queue) = dead_letters {
        writeln!(text, "bus-dead-letter = \"{queue}\"").unwrap();
    }
    if let Some((level, detail)) = log {
        writeln!(text, "log = {{ level = \"{level}\", detail = {detail} }}").unwrap();
    }
    write_tags(text, tags);
}

fn write_tags(text: &mut String, tags: &Tags) {
    if !tags.is_empty() {
        let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key} = \"{value}\"")).collect();
        writeln!(text, "tags = {{ {} }}", pairs.join(", ")).unwrap();
    }
}

fn write_kinds(text: &mut String, kinds: &[&str]) {
    if !kinds.is_empty() {
        writeln!(text, "detail-types = {kinds:?}").unwrap();
    }
}
