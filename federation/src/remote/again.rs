//! A request whose connection could not be made is made again: a node that restarts is back within moments.
//!
//! Nothing was sent, so that nothing was received. How long it goes on is bounded in number here, and by the query's patience
//! above.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tonic::Status;

/// Times that a request is made at most.
const TIMES: u32 = 3;
/// The pause before it is made for the second time; before the third it is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes a request until there is a connection to make it on.
pub(super) async fn again<T, F>(request: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    paced(request, |time| tokio::time::sleep(pause(time))).await
}

/// The same with `wait` between two times.
async fn paced<T, F, W>(mut request: impl FnMut() -> F, wait: impl Fn(u32) -> W) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
    W: Future<Output = ()>,
{
    let mut time = 1;
    loop {
        match request().await {
            Err(status) if time < TIMES && is_unconnected(&status) => {
                wait(time).await;
                time += 1;
            }
            other => return other,
        }
    }
}

/// Twice as long each time, and from half of that to one and a half, so that many who wait do not come back at once.
fn pause(time: u32) -> Duration {
    // Each state has keys of its own: of random numbers this needs no better.
    let number = u32::try_from(RandomState::new().hash_one(time) >> 32).unwrap_or_default();
    let share = f64::from(number) / f64::from(u32::MAX);
    (PAUSE * 2_u32.saturating_pow(time.saturating_sub(1))).mul_f64(0.5 + share)
}

/// Whether a call ended since there was no connection for it.
pub(super) fn is_unconnected(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(meridian_certs::Error::Connection { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::*;

    fn unconnected() -> Status {
        let refused = meridian_certs::Error::Connection { peer: "camden".into(), reason: "connection refused".into() };
        Status::from_error(Box::new(refused))
    }

    /// How often a request is made that is answered so.
    async fn made(answers: impl Fn(u32) -> Result<(), Status>) -> (u32, Result<(), Status>) {
        let times = Cell::new(0);
        let request = || {
            times.set(times.get() + 1);
            std::future::ready(answers(times.get()))
        };
        let answer = paced(request, |_| std::future::ready(())).await;
        (times.get(), answer)
    }

    #[tokio::test]
    async fn a_request_without_a_connection_is_made_again_a_few_times() {
        let (times, answer) = made(|time| if time < 3 { Err(unconnected()) } else { Ok(()) }).await;
        assert!(times == 3 && answer.is_ok());
        let (times, answer) = made(|_| Err(unconnected())).await;
        assert!(times == 3 && is_unconnected(&answer.unwrap_err()));
    }

    #[tokio::test]
    async fn what_a_node_answers_is_its_answer() {
        for status in [Status::unavailable("busy"), Status::permission_denied("no"), Status::unknown("it broke")] {
            let (times, answer) = made(|_| Err(status.clone())).await;
            assert_eq!((times, answer.unwrap_err().code()), (1, status.code()));
        }
    }

    #[test]
    fn pauses_grow_within_bounds() {
        for _ in 0..100 {
            assert!((PAUSE / 2..=PAUSE * 3 / 2).contains(&pause(1)));
            assert!((PAUSE..=PAUSE * 3).contains(&pause(2)));
        }
    }
}
