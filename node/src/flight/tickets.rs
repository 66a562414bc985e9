//! The handles that are out: unguessable, bound to the caller they were given to, few, and short-lived.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_flight::Ticket;
use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use meridian_federation::remote::Receipts;
use prost::Message;
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::status;

/// Time after which a ticket that was not read is forgotten.
pub(super) const TICKET_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Time after which a prepared statement that was not used is forgotten.
pub(super) const PREPARED_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Handles of one kind that one caller may hold.
const HANDLES_PER_CALLER: usize = 512;
/// Handles of one kind that are out in all.
const HANDLES: usize = 8_192;
/// Statements and parameters behind one caller's handles of one kind, in bytes.
const BYTES_PER_CALLER: usize = 64 << 20;
/// Statements and parameters behind all handles of one kind, in bytes.
const BYTES: usize = 256 << 20;

/// 128 bits from the operating system, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Handle([u8; 16]);

impl Handle {
    /// A new one.
    pub(super) fn random() -> Result<Self, Status> {
        let mut bytes = [0; 16];
        OsRng.try_fill_bytes(&mut bytes).map_err(|why| status::fault("ask the system for random bytes", &why))?;
        Ok(Self(bytes))
    }

    /// Reads one back; whatever else a client sends is no handle.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The ticket by which what is behind it is read.
    pub(super) fn ticket(&self) -> Ticket {
        let query = TicketStatementQuery { statement_handle: self.to_string().into() };
        Ticket { ticket: query.as_any().encode_to_vec().into() }
    }
}

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What is held behind handles of one kind.
pub(super) struct Handles<T> {
    what: &'static str,
    lifetime: Duration,
    held: Mutex<HashMap<Handle, Held<T>>>,
}

struct Held<T> {
    owner: String,
    value: T,
    bytes: usize,
    used: Instant,
}

impl<T: Clone> Handles<T> {
    /// None yet; `what` names the kind in messages.
    pub(super) fn new(what: &'static str, lifetime: Duration) -> Self {
        Self { what, lifetime, held: Mutex::default() }
    }

    /// Holds `value`, which takes `bytes`, for `owner` and returns the handle to it.
    pub(super) fn put(&self, now: Instant, owner: String, value: T, bytes: usize) -> Result<Handle, Status> {
        let handle = Handle::random()?;
        let mut held = self.at(now);
        self.room(&held, &owner, handle, bytes)?;
        held.insert(handle, Held { owner, value, bytes, used: now });
        Ok(handle)
    }

    /// What is behind the handle, which stays good.
    pub(super) fn get(&self, now: Instant, owner: &str, handle: &Handle) -> Option<T> {
        let mut held = self.at(now);
        let found = held.get_mut(handle).filter(|held| held.owner == owner)?;
        found.used = now;
        Some(found.value.clone())
    }

    /// What is behind the handle, which is no longer good.
    pub(super) fn take(&self, now: Instant, owner: &str, handle: &Handle) -> Option<T> {
        let mut held = self.at(now);
        held.get(handle).filter(|held| held.owner == owner)?;
        held.remove(handle).map(|held| held.value)
    }

    /// Puts another value, which takes `bytes`, behind the handle; false where there is none of this owner.
    pub(super) fn replace(
        &self,
        now: Instant,
        owner: &str,
        handle: &Handle,
        value: T,
        bytes: usize,
    ) -> Result<bool, Status> {
        let mut held = self.at(now);
        if held.get(handle).is_none_or(|held| held.owner != owner) {
            return Ok(false);
        }
        self.room(&held, owner, *handle, bytes)?;
        held.insert(*handle, Held { owner: owner.to_owned(), value, bytes, used: now });
        Ok(true)
    }

    /// Whether `bytes` can be held behind `handle`, beside all that is held behind others.
    fn room(&self, held: &HashMap<Handle, Held<T>>, owner: &str, handle: Handle, bytes: usize) -> Result<(), Status> {
        let (mut count, mut all, mut own, mut total) = (0, 0, bytes, bytes);
        for (_, other) in held.iter().filter(|(other, _)| **other != handle) {
            all += 1;
            total += other.bytes;
            if other.owner == owner {
                count += 1;
                own += other.bytes;
            }
        }
        if count >= HANDLES_PER_CALLER || own > BYTES_PER_CALLER {
            return Err(Status::resource_exhausted(format!(
                "{count} {} are out to this caller and not used up, which is as many as a node keeps: \
                 use or close them, or wait {} minutes",
                self.what,
                self.lifetime.as_secs() / 60
            )));
        }
        if all >= HANDLES || total > BYTES {
            return Err(Status::resource_exhausted(format!(
                "this node holds as many {} as it can: ask again later",
                self.what
            )));
        }
        Ok(())
    }

    fn at(&self, now: Instant) -> MutexGuard<'_, HashMap<Handle, Held<T>>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, held| now.saturating_duration_since(held.used) < self.lifetime);
        held
    }
}

/// The answers that are under way, so that whoever asked can end them.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<Handle, Entry>>);

/// One of them.
struct Entry {
    owner: String,
    token: CancellationToken,
    /// Where what arrives for it is counted, once it has begun.
    receipts: Option<Arc<Receipts>>,
}

/// An answer that is under way; it no longer is when this is dropped.
pub(super) struct UnderWay {
    running: Arc<Running>,
    handle: Handle,
    token: CancellationToken,
}

impl Running {
    /// The answer to the ticket with this handle begins.
    pub(super) fn begin(self: &Arc<Self>, owner: String, handle: Handle) -> UnderWay {
        let token = CancellationToken::new();
        self.all().insert(handle, Entry { owner, token: token.clone(), receipts: None });
        UnderWay { running: Arc::clone(self), handle, token }
    }

    /// Ends an answer of this owner; false where there is none.
    pub(super) fn cancel(&self, owner: &str, handle: &Handle) -> bool {
        match self.all().get(handle) {
            Some(entry) if entry.owner == owner => {
                entry.token.cancel();
                true
            }
            _ => false,
        }
    }

    /// Where what arrives for an answer of this owner is counted; none where it has not begun or has ended.
    pub(super) fn receipts(&self, owner: &str, handle: &Handle) -> Option<Arc<Receipts>> {
        self.all().get(handle).filter(|entry| entry.owner == owner)?.receipts.clone()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Handle, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// It has begun: what arrives for it is counted there.
    pub(super) fn watch(&self, receipts: Arc<Receipts>) {
        if let Some(entry) = self.running.all().get_mut(&self.handle) {
            entry.receipts = Some(receipts);
        }
    }

    /// Waits until the answer is cancelled.
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.running.all().remove(&self.handle);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tickets() -> Handles<&'static str> {
        Handles::new("tickets", TICKET_LIFETIME)
    }

    #[test]
    fn a_ticket_is_good_once_and_for_its_owner_alone() {
        let (tickets, now) = (tickets(), Instant::now());
        let handle = tickets.put(now, "asha".into(), "q", 1).unwrap();
        assert_eq!(tickets.take(now, "bola", &handle), None);
        assert_eq!(tickets.get(now, "bola", &handle), None);
        assert!(!tickets.replace(now, "bola", &handle, "z", 1).unwrap());
        assert_eq!(tickets.take(now, "asha", &handle), Some("q"));
        assert_eq!(tickets.take(now, "asha", &handle), None);
    }

    #[test]
    fn a_handle_lives_as_long_as_it_is_used() {
        let (tickets, now) = (tickets(), Instant::now());
        let handle = tickets.put(now, "asha".into(), "q", 1).unwrap();
        let later = now + TICKET_LIFETIME - Duration::from_secs(1);
        assert_eq!(tickets.get(later, "asha", &handle), Some("q"));
        assert_eq!(tickets.get(now + TICKET_LIFETIME, "asha", &handle), Some("q"));
        assert_eq!(tickets.get(now + TICKET_LIFETIME * 3, "asha", &handle), None);
        assert_eq!(tickets.at(now).len(), 0, "what is forgotten takes no memory");
    }

    #[test]
    fn one_caller_can_hold_so_many_and_starves_nobody() {
        let (tickets, now) = (tickets(), Instant::now());
        for _ in 0..HANDLES_PER_CALLER {
            tickets.put(now, "asha".into(), "q", 1).unwrap();
        }
        let refused = tickets.put(now, "asha".into(), "q", 1).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        assert!(tickets.put(now, "bola".into(), "q", 1).is_ok());
        assert!(tickets.put(now, "bola".into(), "q", BYTES_PER_CALLER).is_err());
        let handle = tickets.put(now, "cleo".into(), "q", 1).unwrap();
        assert!(tickets.replace(now, "cleo", &handle, "z", BYTES_PER_CALLER).unwrap(), "what it held makes room");
        assert!(tickets.replace(now, "cleo", &handle, "z", BYTES_PER_CALLER + 1).is_err());
        assert!(tickets.put(now + TICKET_LIFETIME, "asha".into(), "q", 1).is_ok());
    }

    #[test]
    fn handles_are_read_back_exactly() {
        let handle = Handle::random().unwrap();
        assert_ne!(handle, Handle::random().unwrap());
        assert_eq!(Handle::parse(handle.to_string().as_bytes()), Some(handle));
        for bad in ["", "00", "zz", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32)] {
            assert_eq!(Handle::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_cancelled_by_its_owner_while_it_is_under_way() {
        let (running, handle) = (Arc::new(Running::default()), Handle::random().unwrap());
        let under_way = running.begin("asha".into(), handle);
        assert!(running.receipts("asha", &handle).is_none(), "it has not begun");
        under_way.watch(Receipts::new(Arc::new(|_| Err("nobody signs here".into()))));
        assert!(running.receipts("asha", &handle).is_some() && running.receipts("bola", &handle).is_none());
        assert!(!running.cancel("bola", &handle));
        assert!(running.cancel("asha", &handle));
        under_way.cancelled().await;
        drop(under_way);
        assert!(!running.cancel("asha", &handle));
    }
}
