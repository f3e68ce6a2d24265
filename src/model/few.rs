//! Maps of few things.

use litemap::LiteMap;

/// Things of which there are few: the targets of a rule, the rules of a spoke's bus, the tags of both. They are kept in order, one
/// after the other. A `BTreeMap`'s smallest node has room for eleven, and there are many thousands of these maps.
pub type Few<K, V> = LiteMap<K, V>;
