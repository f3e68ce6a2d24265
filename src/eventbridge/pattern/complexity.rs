//! How hard a field's wildcards are to match, counted as EventBridge counts it.
//!
//! The measure is the greatest number of wildcard prefixes that one input can match at the same time: after `aaa`, the
//! pattern `*a*a` is in `*`, `*a`, `*a*` and `*a*a`. More prefixes than [`COMPLEXITY_MAX`] are refused. The measure is
//! public (the evaluator in <https://github.com/aws/event-ruler>); the limit is not, and was inferred from recorded
//! answers: `*:*:*:*:*:event-bus/*` counts 11 and is refused, `*a*a*a*a*a` counts 10 and is accepted.

use std::collections::{BTreeSet, VecDeque};

/// A byte of a wildcard text, or the wildcard itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Byte(u8),
    Any,
}

/// Whether the wildcards of one field are more than EventBridge takes.
pub(super) fn is_too_complex(wildcards: &BTreeSet<Vec<Step>>) -> bool {
    complexity(wildcards, COMPLEXITY_MAX + 1) > COMPLEXITY_MAX
}

/// The measure, cut off at `enough`.
fn complexity(wildcards: &BTreeSet<Vec<Step>>, enough: usize) -> usize {
    let wildcards: Vec<&Vec<Step>> = wildcards.iter().collect();
    let letters: BTreeSet<Step> = wildcards.iter().copied().flatten().copied().collect();
    let starts_with_wildcard = |steps: &[Step]| steps.first() == Some(&Step::Any);
    let start: Positions =
        wildcards.iter().enumerate().map(|(index, steps)| (index, usize::from(starts_with_wildcard(steps)))).collect();
    let mut seen = BTreeSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    let mut greatest = 0;
    while let Some(positions) = queue.pop_front() {
        for letter in &letters {
            let next = advance(&wildcards, &positions, *letter);
            greatest = greatest.max(next.len());
            if greatest >= enough {
                return enough;
            }
            if !next.is_empty() && seen.len() < POSITIONS_MAX && seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    greatest
}

/// Which wildcard, and how many of its steps the input has gone through.
type Positions = BTreeSet<(usize, usize)>;

/// Where the input may be after one more letter; `Any` is a letter that no wildcard names.
fn advance(wildcards: &[&Vec<Step>], positions: &Positions, letter: Step) -> Positions {
    let mut next = Positions::new();
    for (index, position) in positions {
        let Some(steps) = wildcards.get(*index) else {
            continue;
        };
        let at_wildcard = |position: usize| steps.get(position).is_some_and(|step| *step == Step::Any);
        let mut enter = |position: usize| {
            next.insert((*index, position));
            if at_wildcard(position) {
                next.insert((*index, position + 1));
            }
        };
        if position.checked_sub(1).is_some_and(at_wildcard) {
            enter(*position);
        }
        if letter != Step::Any && steps.get(*position) == Some(&letter) {
            enter(position + 1);
        }
    }
    next
}

/// The inferred limit; see the module's text.
const COMPLEXITY_MAX: usize = 10;

/// Sets of positions looked at before the search is content with what it found. A pattern's length keeps honest ones
/// far below; a hostile one that gets here is left to EventBridge to judge.
const POSITIONS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(texts: &[&str]) -> usize {
        let wildcards = texts
            .iter()
            .map(|text| text.bytes().map(|byte| if byte == b'*' { Step::Any } else { Step::Byte(byte) }).collect())
            .collect();
        complexity(&wildcards, 100)
    }

    #[test]
    fn prefixes_that_match_together_are_counted() {
        for (texts, wanted) in [
            (&["*ab"][..], 2),
            (&["*aa"], 3),
            (&["a*b"], 2),
            (&["aa*"], 2),
            (&["a*bcb"], 3),
            (&["*ab*ad"], 4),
            (&["a*b*bb"], 5),
            (&["*ab*b*b*"], 7),
            (&["*a*a*a*a*a*a*a*a*"], 17),
            (&["*abc", "*abcde"], 4),
            (&["ab*cd", "ab*wx", "ab*yz"], 6),
            (&["a*aaa", "aa*aa"], 7),
        ] {
            assert_eq!(measure(texts), wanted, "{texts:?}");
        }
    }

    #[test]
    fn the_recorded_answers_lie_on_both_sides_of_the_limit() {
        assert_eq!(measure(&["\"*:*:*:*:*:event-bus/*\""]), 11);
        assert_eq!(measure(&["\"*a*a*a*a*a\""]), 10);
    }
}
