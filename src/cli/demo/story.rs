//! The telling: chapters and lines, at a person's pace on a terminal.

use crate::cli::clock::MachineClock;
use crate::cli::context::Screen;
use crate::port::Clock;
use crate::report::Style;

/// How long a line stands before the next one comes.
const LINE_MS: u64 = 350;
/// How long a chapter's end stands.
const CHAPTER_MS: u64 = 1_800;

/// Tells lines, with pauses where somebody watches.
pub(super) struct Story {
    screen: Screen,
    pauses: bool,
}

impl Story {
    pub(super) fn new(screen: Screen, once: bool) -> Self {
        Self { screen, pauses: screen.is_terminal && !once }
    }

    pub(super) fn style(&self) -> Style {
        self.screen.out
    }

    async fn pause(&self, milliseconds: u64) {
        if self.pauses {
            MachineClock.wait_ms(milliseconds).await;
        }
    }

    pub(super) async fn chapter(&self, title: &str) -> anyhow::Result<()> {
        self.pause(CHAPTER_MS).await;
        self.screen.print(&format!("\n{}\n", self.style().strong(&format!("== {title}"))))
    }

    pub(super) async fn tell(&self, line: &str) -> anyhow::Result<()> {
        self.screen.print(&format!("{line}\n"))?;
        self.pause(LINE_MS).await;
        Ok(())
    }

    pub(super) async fn good(&self, line: &str) -> anyhow::Result<()> {
        self.tell(&self.style().good(line)).await
    }

    /// Many lines, one after the other.
    pub(super) async fn block(&self, text: &str) -> anyhow::Result<()> {
        for line in text.trim_end().lines() {
            self.screen.print(&format!("{line}\n"))?;
            self.pause(LINE_MS / 4).await;
        }
        Ok(())
    }

    /// Lines out of a file.
    pub(super) async fn quote(&self, text: &str) -> anyhow::Result<()> {
        for line in text.trim().lines() {
            self.screen.print(&format!("    {}\n", self.style().dim(line)))?;
            self.pause(LINE_MS / 4).await;
        }
        Ok(())
    }

    pub(super) fn last(&self, line: &str) -> anyhow::Result<()> {
        self.screen.print(&format!("{line}\n"))
    }
}
