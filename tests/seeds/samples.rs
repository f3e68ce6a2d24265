//! What events carry, and what subscriptions ask of it.

use serde_json::{Value, json};

/// A condition in EventBridge's pattern language, and the same in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Everything,
    Large,
    Euro,
    NotDollar,
    Important,
    Unflagged,
    LargeEuro,
}

pub const FILTERS: [Filter; 7] = [
    Filter::Everything,
    Filter::Large,
    Filter::Euro,
    Filter::NotDollar,
    Filter::Important,
    Filter::Unflagged,
    Filter::LargeEuro,
];

impl Filter {
    pub fn toml(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::Large => "where.detail.amount = [{ numeric = [\">\", 1000] }]\n",
            Self::Euro => "where.detail.currency = [\"EUR\"]\n",
            Self::NotDollar => "where.detail.currency = [{ anything-but = [\"USD\"] }]\n",
            Self::Important => "where.detail.customer = [{ prefix = \"vip-\" }]\n",
            Self::Unflagged => "where.detail.flag = [{ exists = false }]\n",
            Self::LargeEuro => {
                "where.detail.amount = [{ numeric = [\">\", 1000] }]\nwhere.detail.currency = [\"EUR\"]\n"
            }
        }
    }

    pub fn takes(self, sample: &Sample) -> bool {
        match self {
            Self::Everything => true,
            Self::Large => sample.amount > 1_000,
            Self::Euro => sample.currency == "EUR",
            Self::NotDollar => sample.currency != "USD",
            Self::Important => sample.customer.starts_with("vip-"),
            Self::Unflagged => !sample.flag,
            Self::LargeEuro => sample.amount > 1_000 && sample.currency == "EUR",
        }
    }
}

/// What events can carry; every filter takes some of these and, but for `Everything`, not all.
pub struct Sample {
    amount: u32,
    currency: &'static str,
    customer: &'static str,
    flag: bool,
}

pub const SAMPLES: [Sample; 4] = [
    Sample { amount: 5, currency: "GBP", customer: "std-1", flag: true },
    Sample { amount: 5_000, currency: "EUR", customer: "vip-2", flag: false },
    Sample { amount: 5_000, currency: "USD", customer: "vip-3", flag: true },
    Sample { amount: 7, currency: "EUR", customer: "std-4", flag: false },
];

impl Sample {
    /// The event's detail, with a number to know it by.
    pub fn detail(&self, probe: usize) -> Value {
        let mut detail = json!({
            "probe": probe, "amount": self.amount, "currency": self.currency, "customer": self.customer,
        });
        if self.flag {
            detail["flag"] = json!(true);
        }
        detail
    }
}

pub const KINDS: [&str; 4] = ["Opened", "Changed", "Closed", "Reversed"];
/// A detail-type that no publication lists.
pub const UNLISTED: &str = "Unlisted";

/// Whether a list of detail-types has this one; none lists all.
pub fn lists(kinds: &[&str], kind: &str) -> bool {
    kinds.is_empty() || kinds.contains(&kind)
}
