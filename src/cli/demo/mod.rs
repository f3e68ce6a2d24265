//! `wheelwright demo`: the whole story on a simulated AWS, through the real AWS SDK, without an account.
//!
//! The example topology → the plan → the apply → an event on its way → somebody's edits out of band → what was found →
//! the mending → the event again. `--once` runs without pauses and judges itself: every edit must be found and mended,
//! and everything foreign left byte for byte. Without it the daemon goes on afterwards (`live.rs`).

mod accounts;
mod edits;
mod events;
mod example;
mod live;
mod story;

use super::Exit;
use super::clock::MachineClock;
use super::context::{Context, Screen};
use crate::config;
use crate::model::plan::Plan;
use crate::model::world::World;
use crate::plan::Approval;
use crate::port::Fleet;
use crate::reconcile::sweep::{Silent, SweepSettings, Sweeper};
use crate::report::text;
use accounts::Accounts;
use anyhow::{Context as _, bail};
use story::Story;

/// Tells the story.
pub(super) async fn run(screen: Screen, once: bool) -> anyhow::Result<Exit> {
    let story = Story::new(screen, once);
    let context = example()?;
    let accounts = Accounts::open(&context).await;
    let demo = Demo { story, settings: settings(&context), context, accounts };
    let told = demo.tell().await?;
    if once || told != Exit::Done { Ok(told) } else { demo.live().await }
}

/// The example in `config/`, as it was when the program was built.
fn example() -> anyhow::Result<Context> {
    let files = example::files();
    let loaded = config::load(&files);
    let told = config::render(&loaded.diagnostics, &files, config::Style::Plain);
    let topology = loaded.topology.with_context(|| format!("the built-in example has errors:\n{told}"))?;
    Ok(Context::new(loaded.settings, topology, example::revision()))
}

/// The context's settings, without the settle time: the simulated AWS takes effect at once.
fn settings(context: &Context) -> SweepSettings {
    SweepSettings { settle_ms: 0, ..context.sweep_settings() }
}

struct Demo {
    story: Story,
    context: Context,
    settings: SweepSettings,
    accounts: Accounts,
}

impl Demo {
    async fn tell(&self) -> anyhow::Result<Exit> {
        self.introduce().await?;
        self.converge().await?;
        self.accounts.furnish(&self.context.desired)?;
        let delivered = self.publish("1", "An event goes through").await?;
        let broken = self.break_things().await?;
        let found = self.find(&broken).await?;
        let again = self.publish("2", "The event again").await?;
        self.close(&found, &broken, delivered && again).await
    }

    async fn introduce(&self) -> anyhow::Result<()> {
        let topology = &self.context.topology;
        let subscriptions: usize = topology.teams.values().map(|team| team.subscriptions.len()).sum();
        self.story.chapter("The topology").await?;
        self.story.tell(&format!(
            "acme runs {} hubs (central buses) and {} accounts. {} teams say in TOML what they publish and what they need:
{subscriptions} subscriptions. One of them, from config/topology/teams/ledger.toml:",
            topology.hubs.len(),
            topology.accounts.len(),
            topology.teams.len(),
        )).await?;
        self.story.quote(example::EXCERPT).await
    }

    async fn converge(&self) -> anyhow::Result<()> {
        self.story.chapter("The plan, from empty accounts (wheelwright plan)").await?;
        let (world, plan) = self.look().await;
        self.story.block(&text::routes_only(&plan, self.story.style())).await?;
        self.story.tell(&text::summary(&plan)).await?;
        self.story.chapter("The apply (wheelwright apply)").await?;
        let calls_before = self.accounts.writes();
        let swept = self.sweeper().apply(world, &plan, &Approval::default()).await?;
        for (key, outcome) in swept.failures() {
            self.story.tell(&format!("{key}: {outcome:?}")).await?;
        }
        let writes = self.accounts.writes() - calls_before;
        self.story
            .tell(&format!(
                "{} steps done in {} accounts, {writes} writes, each read before and after.",
                swept.outcomes.len(),
                self.context.topology.accounts.len(),
            ))
            .await?;
        self.story.tell(&format!("A second plan: {}", text::summary(&swept.after))).await?;
        if !swept.in_step() {
            bail!("the example did not converge");
        }
        Ok(())
    }

    /// Publishes the event, and a spoofed one; whether they came where they should and nowhere else.
    async fn publish(&self, mark: &str, title: &str) -> anyhow::Result<bool> {
        self.story.chapter(title).await?;
        let event = events::settled(mark);
        self.story.tell("payments-prod calls PutEvents on hub us: PaymentSettled, 20,000 EUR").await?;
        let came = self.accounts.publish(&self.context, &event, "payments-prod")?;
        let mut right = came.arrived == events::expected();
        for (consumer, place) in &came.places {
            self.story.good(&format!("-> {consumer:24} {place}")).await?;
        }
        self.story
            .tell(&format!(
                "in {} of {} mailboxes, as the topology asks; in no other",
                came.arrived.len(),
                came.mailboxes
            ))
            .await?;
        let spoofed =
            self.accounts.publish(&self.context, &events::settled(&format!("{mark}-spoofed")), "orders-prod")?;
        // The audit keeps what every publishing account sent, a spoofed source too: that is what it is for.
        let reached: Vec<&String> = spoofed.arrived.iter().filter(|consumer| !consumer.starts_with("audit")).collect();
        right &= reached.is_empty();
        self.story.tell(&format!(
            "orders-prod claims the same source: in {} subscribers' mailboxes (publishing accounts are pinned in every rule)",
            reached.len()
        )).await?;
        Ok(right)
    }

    async fn break_things(&self) -> anyhow::Result<Vec<edits::Made>> {
        self.story.chapter("Somebody edits the accounts by hand").await?;
        let made = edits::make(&self.context, &self.accounts)?;
        for edit in &made {
            self.story.tell(&format!("  {:2}. {}", edit.number, edit.what)).await?;
        }
        Ok(made)
    }

    async fn find(&self, made: &[edits::Made]) -> anyhow::Result<edits::Judgement> {
        self.story.chapter("What is found, and mended").await?;
        let foreign = self.accounts.foreign(&self.context.desired);
        let (world, plan) = self.look().await;
        let mut findings = String::new();
        text::findings(&mut findings, &plan.findings, &self.context.names, self.story.style());
        self.story.block(&findings).await?;
        self.story.tell(&text::summary(&plan)).await?;
        let swept = self.sweeper().apply(world, &plan, &Approval::default()).await?;
        let same_foreign = foreign == self.accounts.foreign(&self.context.desired);
        self.story.tell(&format!("Applied. A second plan: {}", text::summary(&swept.after))).await?;
        Ok(edits::judge(made, &plan, &swept, same_foreign))
    }

    async fn close(&self, judged: &edits::Judgement, made: &[edits::Made], delivered: bool) -> anyhow::Result<Exit> {
        self.story.chapter("In the end").await?;
        for missed in &judged.missed {
            self.story.tell(&format!("not as it should be: {missed}")).await?;
        }
        let events =
            if delivered { "events delivered as asked before and after" } else { "events NOT delivered as asked" };
        let foreign = if judged.foreign_untouched { "byte for byte" } else { "NOT as it was" };
        let line = format!(
            "{} of {} edits found: {} mended, {} foreign left alone ({foreign}), {} no drift; {events}.",
            judged.found,
            made.len(),
            judged.mended,
            judged.left,
            judged.no_drift
        );
        self.story.last(&line)?;
        Ok(if judged.missed.is_empty() && judged.foreign_untouched && delivered {
            Exit::Done
        } else {
            Exit::UserCanMend
        })
    }

    fn sweeper(&self) -> Sweeper<'_, impl Fleet, MachineClock, Silent> {
        Sweeper {
            fleet: self.accounts.fleet(),
            clock: &MachineClock,
            listener: &Silent,
            desired: &self.context.desired,
            settings: &self.settings,
        }
    }

    async fn look(&self) -> (World, Plan) {
        let sweeper = self.sweeper();
        let world = sweeper.look().await;
        let plan = sweeper.plan(&world);
        (world, plan)
    }
}
