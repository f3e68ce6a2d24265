//! Archives, each with the managed rule that AWS puts on the bus for it. Replays are not simulated.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::SimulatedAws;
use super::buses::{NamedBus, put, seconds};
use super::errors::AwsError;
use super::paging::page;
use super::request::{Constraints, NAME, Request};
use super::rules::parse_pattern;
use super::state::{Archive, Rule};
use crate::eventbridge::Arn;

/// Who manages the rules of archives, as DescribeRule shows it.
pub(super) const ARCHIVE_MANAGER: &str = "prod.vhs.events.aws.internal";

/// The state of every archive here: making and changing them takes no time.
const STATE: &str = "ENABLED";

impl SimulatedAws {
    pub(super) fn create_archive(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_archive_name(request)?;
        self.authorize_archive(request, name)?;
        let source = request.text("EventSourceArn").unwrap_or_default();
        let bus = self.source_bus(request, source)?;
        let region = self.region(request.account(), request.region).ok_or_else(AwsError::internal)?;
        if region.archives.contains_key(name) {
            return Err(AwsError::already_exists(format!("Archive {name} already exists.")));
        }
        let event_pattern = request.non_empty("EventPattern");
        let pattern = event_pattern.as_deref().map(parse_pattern).transpose()?;
        let archive = Archive {
            name: name.to_owned(),
            arn: Arn::archive(request.region, request.account(), name).to_string(),
            source_arn: source.to_owned(),
            description: request.non_empty("Description"),
            event_pattern,
            pattern: pattern.map(Arc::new),
            kms_key: request.non_empty("KmsKeyIdentifier"),
            retention_days: request.number("RetentionDays").unwrap_or(0),
            created_ms: self.now_ms,
            events: Vec::new(),
            size_bytes: 0,
        };
        self.store_managed_rule(request, &bus, &archive)?;
        let answer = created(&archive);
        self.store_archive(request, archive)?;
        Ok(answer)
    }

    pub(super) fn update_archive(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_archive_name(request)?;
        let given = ["EventPattern", "RetentionDays", "Description", "KmsKeyIdentifier"];
        if given.iter().all(|field| request.structure(field).is_none()) {
            return Err(AwsError::validation(
                "At least one of EventPattern, RetentionDays or Description must be provided.",
            ));
        }
        self.authorize_archive(request, name)?;
        let mut archive = self.archive(request, name)?.clone();
        if let Some(text) = request.text("EventPattern") {
            archive.pattern = Some(Arc::new(parse_pattern(text)?));
            archive.event_pattern = Some(text.to_owned());
        }
        if request.text("Description").is_some() {
            archive.description = request.non_empty("Description");
        }
        if request.text("KmsKeyIdentifier").is_some() {
            archive.kms_key = request.non_empty("KmsKeyIdentifier");
        }
        if let Some(days) = request.number("RetentionDays") {
            archive.retention_days = days;
        }
        let answer = created(&archive);
        self.store_archive(request, archive)?;
        Ok(answer)
    }

    pub(super) fn delete_archive(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_archive_name(request)?;
        self.authorize_archive(request, name)?;
        let source: Option<Arn> = self.archive(request, name)?.source_arn.parse().ok();
        if let Some(bus) = source.as_ref().and_then(Arn::bus_name) {
            self.erase_rule(request.account(), request.region, bus, &managed_rule_name(name));
        }
        if let Some(region) = self.region_mut(request.account(), request.region) {
            region.archives.remove(name);
        }
        Ok(json!({}))
    }

    pub(super) fn describe_archive(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_archive_name(request)?;
        self.authorize_archive(request, name)?;
        let archive = self.archive(request, name)?;
        let mut answer = summary(archive);
        put(&mut answer, "ArchiveArn", Some(json!(archive.arn)));
        for (field, text) in [
            ("Description", &archive.description),
            ("EventPattern", &archive.event_pattern),
            ("KmsKeyIdentifier", &archive.kms_key),
        ] {
            put(&mut answer, field, text.as_ref().map(|text| json!(text)));
        }
        Ok(Value::Object(answer))
    }

    pub(super) fn list_archives(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        self.authorize(request, "events:ListArchives", "*")?;
        let source = request.text("EventSourceArn");
        if let Some(source) = source {
            self.source_bus(request, source)?;
        }
        let prefix = request.text("NamePrefix").unwrap_or_default();
        let region = self.region(request.account(), request.region).ok_or_else(AwsError::internal)?;
        let items = region
            .archives
            .values()
            .filter(|_| request.text("State").is_none_or(|state| state == STATE))
            .filter(|archive| archive.name.starts_with(prefix))
            .filter(|archive| source.is_none_or(|source| archive.source_arn == source))
            .map(|archive| Value::Object(summary(archive)))
            .collect();
        page(request, &self.settings, "Archives", items)
    }

    /// The events that an archive has caught, oldest first.
    #[must_use]
    pub fn archived_events(&self, account: &str, region: &str, archive: &str) -> &[Arc<Value>] {
        self.region(account, region)
            .and_then(|region| region.archives.get(archive))
            .map_or(&[], |archive| archive.events.as_slice())
    }

    fn authorize_archive(&self, request: &Request<'_>, name: &str) -> Result<(), AwsError> {
        let arn = Arn::archive(request.region, request.account(), name).to_string();
        self.authorize(request, &format!("events:{}", request.operation), &arn)
    }

    fn archive(&self, request: &Request<'_>, name: &str) -> Result<&Archive, AwsError> {
        self.region(request.account(), request.region)
            .and_then(|region| region.archives.get(name))
            .map(Arc::as_ref)
            .ok_or_else(|| AwsError::archive_not_found(name))
    }

    fn store_archive(&mut self, request: &Request<'_>, archive: Archive) -> Result<(), AwsError> {
        self.region_mut(request.account(), request.region)
            .ok_or_else(AwsError::internal)?
            .archives
            .insert(archive.name.clone(), Arc::new(archive));
        Ok(())
    }

    /// The name of the bus that an archive's source ARN names in the caller's own account and Region.
    fn source_bus(&self, request: &Request<'_>, source: &str) -> Result<String, AwsError> {
        let invalid =
            || AwsError::validation("Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.");
        let arn: Arn = source.parse().map_err(|_| invalid())?;
        let name = arn.bus_name().ok_or_else(invalid)?;
        if arn.account != request.account() || arn.region != request.region {
            return Err(AwsError::bus_not_found(name));
        }
        self.bus(request.account(), request.region, name)?;
        Ok(name.to_owned())
    }

    fn store_managed_rule(&mut self, request: &Request<'_>, bus: &str, archive: &Archive) -> Result<(), AwsError> {
        let name = managed_rule_name(&archive.name);
        let mut pattern = archive
            .event_pattern
            .as_deref()
            .and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok())
            .unwrap_or_default();
        pattern.insert("replay-name".to_owned(), json!([{"exists": false}]));
        let target = json!({
            "Id": name,
            "Arn": format!("arn:aws:events:{}:::", request.region),
            "InputTransformer": {
                "InputPathsMap": {},
                "InputTemplate": format!("{{\"archive-arn\": \"{}\", \"event\": <aws.events.event.json>}}", archive.arn),
            },
        });
        let named = NamedBus { account: request.account().to_owned(), name: bus.to_owned(), other_region: false };
        let rule = Rule {
            arn: Arn::rule(request.region, request.account(), bus, &name).to_string(),
            description: None,
            event_pattern: Some(Value::Object(pattern).to_string()),
            // The archive itself catches events, so the rule that stands for it needs no pattern to match.
            pattern: None,
            schedule: None,
            state: "ENABLED".to_owned(),
            role_arn: None,
            managed_by: Some(ARCHIVE_MANAGER.to_owned()),
            created_by: request.account().to_owned(),
            tags: BTreeMap::new(),
            targets: BTreeMap::from([(name.clone(), Arc::new(target))]),
            name,
        };
        self.store_rule(request.region, &named, rule)
    }
}

/// The rule that AWS makes with an archive.
pub(super) fn managed_rule_name(archive: &str) -> String {
    format!("Events-Archive-{archive}")
}

/// The archive for a snapshot.
pub(super) fn archive_snapshot(archive: &Archive) -> Value {
    json!({
        "ArchiveArn": archive.arn,
        "EventSourceArn": archive.source_arn,
        "Description": archive.description,
        "EventPattern": archive.event_pattern,
        "KmsKeyIdentifier": archive.kms_key,
        "RetentionDays": archive.retention_days,
    })
}

fn checked_archive_name<'a>(request: &Request<'a>) -> Result<&'a str, AwsError> {
    let name = request.text("ArchiveName");
    let mut constraints = Constraints::default();
    constraints
        .required("archiveName", name)
        .length("archiveName", name, 1, 48)
        .characters("archiveName", name, NAME)
        .length("description", request.text("Description"), 0, 512)
        .range("retentionDays", request.number("RetentionDays"), 0, i64::MAX);
    if request.operation == "CreateArchive" {
        constraints.required("eventSourceArn", request.text("EventSourceArn"));
    }
    constraints.check()?;
    name.ok_or_else(AwsError::internal)
}

fn created(archive: &Archive) -> Value {
    json!({
        "ArchiveArn": archive.arn,
        "State": STATE,
        "CreationTime": seconds(archive.created_ms),
    })
}

fn summary(archive: &Archive) -> Map<String, Value> {
    let mut map = Map::new();
    for (field, value) in [
        ("ArchiveName", json!(archive.name)),
        ("EventSourceArn", json!(archive.source_arn)),
        ("State", json!(STATE)),
        ("RetentionDays", json!(archive.retention_days)),
        ("SizeBytes", json!(archive.size_bytes)),
        ("EventCount", json!(archive.events.len())),
        ("CreationTime", seconds(archive.created_ms)),
    ] {
        map.insert(field.to_owned(), value);
    }
    map
}
