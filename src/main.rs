//! The program. Everything is in the library; see [`wheelwright::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    wheelwright::cli::run()
}
