//! What the driver of a simulation may choose.

/// How strictly PutTargets looks at what a bus target rests on.
///
/// Reports disagree: captures of September 2026 show PutTargets accepting a role and a destination bus that do not
/// exist, while others report `AccessDeniedException` when the destination bus has no grant
/// (<https://github.com/ministryofjustice/modernisation-platform-environments/pull/19002>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetChecks {
    /// The destination bus must exist and, in another account, grant `events:PutEvents` to the caller's account; the
    /// role must exist in the caller's account and trust EventBridge. A client that passes here passes there.
    #[default]
    Strict,
    /// Only the role is demanded; what is wrong shows at delivery.
    AsCaptured,
}

/// What UpdateEventBus makes of what a request leaves out.
///
/// The API reference reads as if an absent key meant AWS's own
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateEventBus.html>). Captures of September 2026
/// show key and dead-letter queue kept, and an empty text clearing them; for the description Terraform's provider found
/// the same (`internal/service/events/bus.go`). Whoever sends every field, empty ones too, is right either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BusUpdates {
    /// What is left out stays; what is sent empty is cleared.
    #[default]
    AsCaptured,
    /// What is left out is cleared, as PutRule does it.
    FullReplace,
}

/// The driver's settings. All of them may change between calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Items on a page of a listing when the request gives no `Limit`. AWS's is 100; it is also the most.
    pub page_size: usize,
    /// How long a write to a rule, a target or a role takes to have an effect on delivery, in milliseconds. Reads
    /// see it at once. EventBridge's documentation gives no figure, only "a short period".
    pub settle_ms: i64,
    /// EventBridge control-plane calls a second for each account and Region, or no limit. AWS's quota is 50.
    pub calls_per_second: Option<u32>,
    /// Whether reads go into the log as well.
    pub log_reads: bool,
    /// How strict PutTargets is about bus targets.
    pub target_checks: TargetChecks,
    /// What UpdateEventBus makes of what a request leaves out.
    pub bus_updates: BusUpdates,
    /// Whether a policy that is put as a document is returned in AWS's own spelling, as captures show: accounts as root
    /// ARNs, lists of one as what is in them. An account that was closed stays a number, and nothing promises the rest.
    pub respells_policies: bool,
    /// Whether an event may be forwarded once in its Region and once to another Region. Captures say it may;
    /// the documentation says that a bus never passes on what it received from another bus
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html>).
    pub allow_mixed_hops: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 100,
            settle_ms: 0,
            calls_per_second: None,
            log_reads: false,
            target_checks: TargetChecks::Strict,
            bus_updates: BusUpdates::AsCaptured,
            respells_policies: true,
            allow_mixed_hops: true,
        }
    }
}
