//! Maps of few things.

use litemap::LiteMap;
use std::fmt;

/// Things of which there are few: the targets of a rule, the rules of a spoke's bus, the tags of both. They are kept in order, one
/// after the other. A `BTreeMap`'s smallest node has room for eleven, and there are many thousands of these maps.
pub type Few<K, V> = LiteMap<K, V>;

/// The same without room for more, for what is kept for long: one that got a single thing has room for four.
pub fn tight<K: Ord, V>(few: Few<K, V>) -> Few<K, V> {
    let mut things = few.into_tuple_vec();
    things.shrink_to_fit();
    Few::from_sorted_store_unchecked(things)
}

/// The map as a `BTreeMap` shows itself, `{"team": "ledger"}`: what marks' digests are made over must be the same for ever.
pub fn shown<K: fmt::Debug, V: fmt::Debug>(few: &Few<K, V>) -> String {
    struct Shown<'a, K, V>(&'a Few<K, V>);
    impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Shown<'_, K, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_map().entries(self.0.iter()).finish()
        }
    }
    format!("{:?}", Shown(few))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_tight_is_the_same_and_has_no_room_for_more() {
        let few: Few<&str, i32> = [("b", 2), ("a", 1)].into_iter().collect();
        let tight = tight(few.clone());
        assert_eq!(tight, few);
        assert_eq!(tight.into_tuple_vec().capacity(), 2);
    }

    #[test]
    fn it_shows_itself_as_other_maps_do() {
        for things in [vec![], vec![("b", 2)], vec![("b", 2), ("a", 1)]] {
            let few: Few<&str, i32> = things.iter().copied().collect();
            assert_eq!(shown(&few), format!("{:?}", things.into_iter().collect::<BTreeMap<_, _>>()));
        }
    }
}
