//! What came, as the check of signatures wants it.

use std::collections::BTreeMap;

pub(crate) struct Sent {
    pub(crate) authorization: String,
    pub(crate) uri: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}
