//! How many of a few places each of those who come has, so that nobody takes all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Places in use by whom.
#[derive(Debug)]
pub(crate) struct Shares<K>(Arc<Mutex<HashMap<K, usize>>>);

/// A place in use until it is dropped.
#[derive(Debug)]
pub(crate) struct Share<K: Hash + Eq> {
    shares: Shares<K>,
    whose: K,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// One place more for somebody; none where they have `most` already.
    pub(crate) fn take(&self, whose: K, most: usize) -> Option<Share<K>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(whose.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Share { shares: self.clone(), whose })
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_leaves_room_for_others() {
        let shares = Shares::<&str>::default();
        let first = shares.take("gla", 1).unwrap();
        assert!(shares.take("gla", 1).is_none());
        assert!(shares.take("lfb", 1).is_some());
        drop(first);
        assert!(shares.0.lock().unwrap().is_empty());
        assert!(shares.take("gla", 1).is_some());
    }
}
