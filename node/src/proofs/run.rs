//! Runs many cases on all cores, and prints how one that fails is run again.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;

/// How a seed fails, in words.
pub(super) type Failure = String;

/// Runs `cases` seeds, or what the environment variable says: `7` is that seed alone, `0..50000` are these. Says
/// how many they were.
pub(super) fn all<F, R>(variable: &'static str, cases: u64, check: F) -> u64
where
    F: Fn(u64) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Option<Failure>> + Send + 'static,
{
    let seeds = match std::env::var(variable) {
        Err(_) => 0..cases,
        Ok(text) => match text.split_once("..") {
            Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
            None => text.parse().unwrap()..text.parse::<u64>().unwrap() + 1,
        },
    };
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    let next = Arc::new(AtomicU64::new(seeds.start));
    let end = seeds.end;
    let work = (0..workers).map(|_| {
        let (next, check) = (Arc::clone(&next), check.clone());
        runtime.spawn(async move {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return None;
                }
                // A case that panics is told by its seed as well.
                let checked = AssertUnwindSafe(async { check(seed).await }).catch_unwind().await;
                if let Some(failure) = checked.unwrap_or_else(|_| Some("it panics: see above".into())) {
                    next.store(end, Ordering::Relaxed);
                    return Some((seed, failure));
                }
            }
        })
    });
    let work: Vec<_> = work.collect();
    let failed: Vec<_> = work.into_iter().filter_map(|worker| runtime.block_on(worker).unwrap()).collect();
    let told = failed.iter().map(|(seed, failure)| format!("{variable}={seed} fails:\n{failure}"));
    assert!(failed.is_empty(), "{}", told.collect::<Vec<_>>().join("\n"));
    end - seeds.start
}

/// Runs one check that was written down.
pub(super) fn one(check: impl Future<Output = Option<Failure>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(failure) = runtime.block_on(check) {
        panic!("{failure}");
    }
}
