//! placeholder
use super::diagnostic::DiagnosticCode;
impl DiagnosticCode {
    /// What it means.
    pub fn explanation(self) -> &'static str { "" }
}
