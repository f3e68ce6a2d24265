//! The frame of every page: its head, its first and its last lines.

use super::{assets, trace};
use crate::daemon::Status;
use crate::report::commands;
use maud::{DOCTYPE, Markup, html};

/// A whole page. What is in `main` is what a refresh swaps.
pub(super) fn page(title: &str, status: Option<&Status>, main: &Markup) -> Markup {
    let owner =
        status.and_then(|status| status.config.as_ref()).map(|config| config.settings.operator.owner.to_string());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · wheelwright" }
                link rel="icon" href=(assets::ICON.path()) type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE.path());
                script src=(assets::SCRIPT.path()) defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                header {
                    p.brand { a href="/" { "wheelwright" } @if let Some(owner) = owner { " " span.quiet { (owner) } } }
                    nav aria-label="Parts of the page" {
                        a href="/#wheel" { "Wheel" } a href="/#routes" { "Routes" } a href="/#wrong" { "What is wrong" } a href="/#happened" { "What happened" } a href=(trace::PATH) { "Where would this event go?" }
                    }
                    p #live role="status" aria-live="polite" {}
                }
                main #main tabindex="-1" { (main) }
                footer {
                    p.quiet { "wheelwright " (env!("CARGO_PKG_VERSION")) ". This page only shows; orders are given with the program: " code.command { "wheelwright --help" } ", or " code { (commands::APPLY) } " by a person." }
                }
            }
        }
    }
}

/// A page that says why there is nothing else on it.
pub(super) fn nothing(title: &str, why: &str) -> Markup {
    html! { section { h1 { (title) } p { (why) } p { a href="/" { "Back to the wheel" } } } }
}
