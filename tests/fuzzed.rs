//! What the fuzz targets ask (`fuzz/src/checks.rs`), of their seeds, of everything that they ever found, and of a few thousand
//! changes of those: always the same ones, so that this fails or passes for what was changed in the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // Seeds are files.

#[path = "../fuzz/src/checks.rs"]
#[allow(unreachable_pub)] // It is the fuzz targets' as well.
mod checks;

use std::path::Path;
use wheelwright::{config, eventbridge, expand, model};

/// The files of these folders of the repository.
fn files(folders: &[&str]) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that look like none in particular, and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count.max(1)
    }
}

/// Asks `check` of the seeds, and of `changes` changes of each: bytes taken out, put in, and taken from another seed.
fn ask(seeds: &[Vec<u8>], changes: usize, check: fn(&[u8])) {
    assert!(!seeds.is_empty());
    let mut dice = Dice(1);
    for seed in seeds {
        check(seed);
        for _ in 0..changes {
            let mut bytes = seed.clone();
            for _ in 0..=dice.below(3) {
                let at = dice.below(bytes.len() + 1);
                let end = (at + dice.below(6)).min(bytes.len());
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(12)).min(other.len());
                let own = [u8::try_from(dice.below(256)).unwrap()];
                let put: &[u8] = if dice.below(2) == 0 { &own } else { &other[from..to] };
                bytes.splice(at..end, put.iter().copied());
            }
            check(&bytes);
        }
    }
}

#[test]
fn whatever_files_say_is_read_or_refused() {
    ask(&files(&["tests/corpus", "fuzz/regressions/loader"]), 4, checks::loader);
}

#[test]
fn a_pattern_means_the_same_in_all_its_spellings() {
    ask(&files(&["fuzz/seeds/pattern", "fuzz/regressions/pattern"]), 400, checks::pattern);
}

#[test]
fn comparing_patterns_agrees_with_matching_events() {
    let mut dice = Dice(2);
    let mut bytes = || (0..96).map(|_| u8::try_from(dice.below(256)).unwrap()).collect::<Vec<u8>>();
    let mut seeds: Vec<Vec<u8>> = (0..500).map(|_| bytes()).collect();
    seeds.extend(files(&["fuzz/seeds/pair", "fuzz/regressions/pair"]));
    ask(&seeds, 10, checks::pair);
}

#[test]
fn policies_marks_and_arns_are_written_as_they_were_read() {
    ask(&files(&["fuzz/seeds/texts", "fuzz/regressions/texts"]), 400, checks::texts);
}
