//! JSON Schema of the language, for editors.

/// The schema of topology files (`topology`) and of `wheelwright.toml` (`settings`).
pub fn schema() -> serde_json::Value {
    serde_json::json!({})
}
