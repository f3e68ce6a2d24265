//! The seams between the pure middle and the edges: what the reconciler needs of the outside.
//!
//! Layer 3. Each is one small trait; the real thing, the simulated one and every decorator implement it.

use crate::call::{Answer, Call, CallError};
use crate::model::ids::{Moment, Scope};
use std::future::Future;

/// Every account's AWS API, one function.
pub trait Fleet: Send + Sync {
    /// Makes `call` in `scope`.
    ///
    /// Guarantees: credentials are those of the account that is meant, checked before the first write there.
    /// Caveats: on [`crate::call::ErrorClass::NoAnswer`] a write may or may not have taken effect.
    fn call(&self, scope: &Scope, call: Call) -> impl Future<Output = Result<Answer, CallError>> + Send;
}

impl<F: Fleet> Fleet for &F {
    fn call(&self, scope: &Scope, call: Call) -> impl Future<Output = Result<Answer, CallError>> + Send {
        (**self).call(scope, call)
    }
}

impl<F: Fleet> Fleet for std::sync::Arc<F> {
    fn call(&self, scope: &Scope, call: Call) -> impl Future<Output = Result<Answer, CallError>> + Send {
        (**self).call(scope, call)
    }
}

/// What came of signing in to an account: its role was assumed, and STS says that the session is that account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// How far our clock is ahead of AWS's, in milliseconds; behind it, if negative. To the second, and as exact as half
    /// of the call's time.
    pub clock_ahead_ms: i64,
}

/// Signing in, for who wants to know whether it works and nothing else.
pub trait SignIn: Send + Sync {
    /// Signs in to the account of `scope` and makes sure whose session it is.
    fn sign_in(&self, scope: &Scope) -> impl Future<Output = Result<SignedIn, CallError>> + Send;
}

impl<F: SignIn> SignIn for &F {
    fn sign_in(&self, scope: &Scope) -> impl Future<Output = Result<SignedIn, CallError>> + Send {
        (**self).sign_in(scope)
    }
}

/// The time of day, and waiting.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
    /// Waits this many milliseconds.
    fn wait_ms(&self, milliseconds: u64) -> impl Future<Output = ()> + Send;
}

impl<C: Clock> Clock for &C {
    fn now(&self) -> Moment {
        (**self).now()
    }
    fn wait_ms(&self, milliseconds: u64) -> impl Future<Output = ()> + Send {
        (**self).wait_ms(milliseconds)
    }
}
