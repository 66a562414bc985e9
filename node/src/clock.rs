//! What time it is: the system's time, or what a test says.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Tells the time by which agreements begin and end and snapshots are renewed.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self::by(Utc::now)
    }

    /// Whatever time `now` says.
    pub fn by(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
