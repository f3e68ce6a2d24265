//! Tests of the core through its one door.
