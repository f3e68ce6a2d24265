//! The program. Everything is in the library; see [`wheelwright::cli`].

use std::process::ExitCode;

/// A daemon that reads a thousand accounts every minute for months: glibc's allocator spends a third of its time and keeps
/// several times the memory (`benches/`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wheelwright::cli::run()
}
