//! Whether an event matches a branch: values by path, and arrays kept consistent.
//!
//! A field that lies in an array of objects takes its values from any element, but the fields of one match have to
//! agree on the element wherever they share an array. The join goes field by field over *places*, the elements chosen
//! so far; arrays that no later field lies in are forgotten, so that independent arrays do not multiply.

use super::Branch;
use super::matcher::{Leaf, Matcher};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Which element was chosen of which array; arrays are numbered as they are met, outer ones first.
type Place = Vec<(usize, usize)>;

/// A value with the place it lies in.
struct Found<'a> {
    leaf: Leaf<'a>,
    value: &'a Value,
    place: Arc<Place>,
}

/// Whether a branch matches, as far as the event's outermost fields say: `None` where it takes a look inside. A path of
/// one step leads to one value, so a text or number there, or nothing, is all that there is to ask about.
pub(super) fn at_the_top(event: &Value, branch: &Branch) -> Option<bool> {
    let mut decided = event.is_object();
    for (path, matchers) in branch {
        if path.contains('.') {
            decided = false;
            continue;
        }
        let holds = match event.get(path.as_ref()) {
            None => matchers.contains(&Matcher::Absent),
            Some(value) => match Leaf::of(value) {
                Some(leaf) => matchers.iter().any(|one| one.matches(leaf)),
                None => {
                    decided = false;
                    continue;
                }
            },
        };
        if !holds && event.is_object() {
            return Some(false);
        }
    }
    decided.then_some(true)
}

/// An event's values at the paths of interest.
pub(super) struct Values<'a>(BTreeMap<Arc<str>, Vec<Found<'a>>>);

impl<'a> Values<'a> {
    /// Walks only along the wanted paths. A key with dots counts as that many steps, as in patterns.
    pub(super) fn collect(event: &'a Value, wanted: &BTreeSet<&str>) -> Self {
        let mut values: BTreeMap<Arc<str>, Vec<Found<'a>>> = BTreeMap::new();
        let mut arrays = 0;
        let mut pending = vec![(event, None::<Arc<str>>, Arc::new(Place::new()))];
        while let Some((value, path, place)) = pending.pop() {
            match value {
                Value::Object(fields) => {
                    for (key, value) in fields {
                        let path = match &path {
                            None => Cow::Borrowed(key.as_str()),
                            Some(path) => Cow::Owned(format!("{path}.{key}")),
                        };
                        if leads_to(wanted, &path) {
                            pending.push((value, Some(path.into()), Arc::clone(&place)));
                        }
                    }
                }
                Value::Array(elements) => {
                    arrays += 1;
                    for (index, element) in elements.iter().enumerate() {
                        let mut inner = Arc::clone(&place);
                        if Leaf::of(element).is_none() {
                            Arc::make_mut(&mut inner).push((arrays, index));
                        }
                        pending.push((element, path.clone(), inner));
                    }
                }
                _ => {
                    let (Some(leaf), Some(path)) = (Leaf::of(value), path) else {
                        continue;
                    };
                    if wanted.contains(path.as_ref()) {
                        values.entry(path).or_default().push(Found { leaf, value, place });
                    }
                }
            }
        }
        Self(values)
    }

    /// What the event has at a path, wherever in its arrays.
    pub(super) fn at(&self, path: &str) -> Vec<(Leaf<'a>, &'a Value)> {
        self.0.get(path).into_iter().flatten().map(|found| (found.leaf, found.value)).collect()
    }

    /// Whether one choice of elements lets every field of the branch match.
    pub(super) fn match_branch(&self, branch: &Branch) -> bool {
        let mut last_use: BTreeMap<usize, usize> = BTreeMap::new();
        let mut fields = Vec::with_capacity(branch.len());
        for (index, (path, matchers)) in branch.iter().enumerate() {
            let found = self.0.get(path).map(Vec::as_slice).unwrap_or_default();
            for (array, _) in found.iter().flat_map(|found| found.place.iter()) {
                last_use.insert(*array, index);
            }
            let matched: Vec<&Arc<Place>> = found
                .iter()
                .filter(|found| matchers.iter().any(|one| one.matches(found.leaf)))
                .map(|found| &found.place)
                .collect();
            let may_be_absent = matchers.contains(&Matcher::Absent);
            if matched.is_empty() && !may_be_absent {
                return false;
            }
            fields.push((found, Choices::new(matched), may_be_absent));
        }
        let mut places = BTreeSet::from([Place::new()]);
        for (index, (found, choices, may_be_absent)) in fields.iter().enumerate() {
            let mut next = BTreeSet::new();
            for place in &places {
                let mut keep = |mut joined: Place| {
                    joined.retain(|(array, _)| last_use.get(array).is_some_and(|use_| *use_ > index));
                    if next.len() < PLACES_MAX {
                        next.insert(joined);
                    }
                };
                choices.consistent_with(place, |choice| {
                    if let Some(joined) = join(place, choice) {
                        keep(joined);
                    }
                });
                if *may_be_absent && !found.iter().any(|found| agree(place, &found.place)) {
                    keep(place.clone());
                }
            }
            places = next;
            if places.is_empty() {
                return false;
            }
        }
        true
    }
}

/// The places where a field matches, by outermost array and element, so that a join need not try them all.
struct Choices<'a> {
    anywhere: bool,
    by_array: BTreeMap<usize, BTreeMap<usize, Vec<&'a Place>>>,
}

impl<'a> Choices<'a> {
    fn new(places: Vec<&'a Arc<Place>>) -> Self {
        let mut anywhere = false;
        let mut by_array: BTreeMap<usize, BTreeMap<usize, Vec<&'a Place>>> = BTreeMap::new();
        for place in places {
            match place.first() {
                None => anywhere = true,
                Some((array, index)) => by_array.entry(*array).or_default().entry(*index).or_default().push(place),
            }
        }
        Self { anywhere, by_array }
    }

    fn consistent_with(&self, place: &Place, mut visit: impl FnMut(&Place)) {
        if self.anywhere {
            visit(&Place::new());
        }
        for (array, elements) in &self.by_array {
            match element_of(place, *array) {
                Some(index) => elements.get(&index).into_iter().flatten().for_each(|place| visit(place)),
                None => elements.values().flatten().for_each(|place| visit(place)),
            }
        }
    }
}

fn element_of(place: &Place, array: usize) -> Option<usize> {
    place.binary_search_by_key(&array, |(array, _)| *array).ok().and_then(|at| place.get(at)).map(|(_, index)| *index)
}

fn agree(one: &Place, two: &Place) -> bool {
    two.iter().all(|(array, index)| element_of(one, *array).is_none_or(|chosen| chosen == *index))
}

fn join(one: &Place, two: &Place) -> Option<Place> {
    if !agree(one, two) {
        return None;
    }
    let both: BTreeSet<_> = one.iter().chain(two).copied().collect();
    Some(both.into_iter().collect())
}

/// Whether the path is wanted or is the beginning of a wanted one.
fn leads_to(wanted: &BTreeSet<&str>, path: &str) -> bool {
    let from = wanted.range::<str, _>((Bound::Included(path), Bound::Unbounded));
    let mut beginnings = from.map_while(|next| next.strip_prefix(path));
    beginnings.any(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Places kept at a time. Only an event made to multiply arrays gets there; it is then matched by what was kept.
const PLACES_MAX: usize = 65_536;
