//! Reading `[path."…"]`: which file may speak for whom.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use crate::model::settings::{Claims, PathReach};
use std::collections::BTreeMap;

/// The keys of `[path."…"]`.
pub(super) const PATH_KEYS: &[&str] = &["teams", "accounts", "sources", "platform"];

/// What each path may declare, by path without a `/` at its end.
pub(super) fn paths(file: &Fields<'_>) -> BTreeMap<String, PathReach> {
    let mut paths = BTreeMap::new();
    for (name, value) in file.entries("path") {
        let fields = file.as_table(&format!("path.\"{}\"", name.value), &name.place, value, PATH_KEYS);
        let Some(fields) = fields else { continue };
        let path = name.value.trim_end_matches('/').to_owned();
        let is_below = path == "topology" || path.starts_with("topology/");
        if !is_below || path.split('/').any(|part| part.is_empty() || part == "..") {
            fields.fail(
                Diagnostic::error(
                    DiagnosticCode::BadName,
                    &name.place,
                    format!("`{}` is no file or folder of the topology", name.value),
                )
                .label(
                    "expected from the config folder, as `topology/teams/payments.toml` or `topology/teams/payments`",
                ),
            );
        }
        let reach = PathReach {
            teams: claims(&fields, "teams"),
            accounts: claims(&fields, "accounts"),
            sources: claims(&fields, "sources"),
            platform: fields.truth("platform").unwrap_or(false),
        };
        if paths.contains_key(&path) {
            let message = format!("`{path}` is there twice, once with a `/` at its end");
            fields.fail(Diagnostic::error(DiagnosticCode::DuplicateName, &name.place, message).label("take one out"));
        }
        file.absorb(&fields);
        paths.insert(path, reach);
    }
    paths
}

fn claims(fields: &Fields<'_>, key: &str) -> Claims {
    let written = fields.texts(key).map(|list| list.value).unwrap_or_default();
    for text in &written {
        if text.value.is_empty() || text.value.trim_end_matches('*').contains('*') {
            fields.fail(
                Diagnostic::error(DiagnosticCode::BadName, &text.place, format!("`{}` matches nothing", text.value))
                    .label("expected a name, or its beginning with one `*` at the end"),
            );
        }
    }
    Claims(written.into_iter().map(|text| text.value).collect())
}
