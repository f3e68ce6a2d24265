//! What the daemon makes of what a sweep found: pure, given incidents, settings and the time.

pub mod alert;
