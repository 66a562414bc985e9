//! An authority at work: invites bodies, lets them join and renew, suspends them, and says who is in.
//!
//! Every act reads and writes the folder under a lock, so that a command and the authority's service may run beside each
//! other. What is decided is on disk before anybody hears of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::{Member, Membership, Name, Signed, wire};
use prost::Message;

use super::books::{Books, Invitation};
use super::params::CLOCK_SKEW;
use super::{Authority, Validity};
use crate::anchors::Anchors;
use crate::client::Address;
use crate::credentials::now_of;
use crate::standing::Excluded;
use crate::{Error, Identity, Request, Result, Verified, certificate, files};

/// A node's certificate holds seven days: a long weekend without the authority does not darken the city.
pub(super) const LIFE_SECONDS: u64 = 7 * 24 * 3600;
/// An invitation may be used first within ten minutes.
const INVITATION_SECONDS: u64 = 600;
/// The membership is signed again when it is this old.
const SIGN_AGAIN: Duration = Duration::from_secs(3600);

/// The folder of an authority.
#[derive(Debug, Clone)]
pub struct Office {
    pub(super) dir: PathBuf,
}

/// What a body gets that joins or renews.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Its chain, PEM.
    pub chain: String,
    /// The federation's trust anchors, PEM.
    pub anchors: String,
    /// Who is in.
    pub membership: Signed,
}

/// Why somebody got nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// They may not; the text is for them.
    #[error("{0}")]
    Refused(String),
    /// The authority could not; the text is for its operator.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Office {
    /// Makes the authority of a new federation in a folder, and its first membership, in which nobody is.
    pub fn found(federation: &Name, dir: &Path, now: SystemTime) -> Result<Self> {
        let authority = Authority::create(federation, dir)?;
        let office = Self { dir: dir.into() };
        let roots = files::certificates_of(&authority.anchors()?).unwrap_or_default();
        let empty = Membership {
            federation: federation.clone(),
            version: 1,
            signed_at: 0,
            members: Vec::new(),
            roots: roots.iter().map(|der| der.to_vec()).collect(),
            links: Vec::new(),
        };
        office.publish(&authority, &empty, now)?;
        Ok(office)
    }

    /// The authority in a folder.
    pub fn open(dir: &Path) -> Result<Self> {
        Authority::open(dir)?;
        Ok(Self { dir: dir.into() })
    }

    /// Its keys.
    pub fn authority(&self) -> Result<Authority> {
        Authority::open(&self.dir)
    }

    /// Invites a body whose node will be reached at `endpoint` (`https://host:port`); its certificate will name that host and
    /// `hosts`. Returns the token, which can be used once within ten minutes.
    pub fn invite(&self, body: &Name, endpoint: &str, hosts: &[String], now: SystemTime) -> Result<String> {
        let host = host_of(endpoint)?;
        let token = hex::encode(&super::random::<20>().map_err(|problem| super::issue(body, problem))?);
        let mut names = vec![host];
        names.extend(hosts.iter().filter(|host| !names.contains(host)).cloned().collect::<Vec<_>>());
        self.act::<_, Error>(now, |desk| {
            desk.is_free(endpoint, body)?;
            desk.books.invitations.push(Invitation {
                token_sha256: files::sha256(token.as_bytes()),
                body: body.clone(),
                endpoint: endpoint.into(),
                hosts: names,
                expires: desk.now.saturating_add(INVITATION_SECONDS),
                spent_by: None,
            });
            Ok(())
        })?;
        Ok(token)
    }

    /// Lets the invited body join with a key: it is a member from now on. The same key may try again. Certificates that
    /// the body had before are revoked: whoever is invited again has lost its key.
    pub fn join(&self, token: &str, request: &str, now: SystemTime) -> Result<Joined, Refusal> {
        let request = Request::from_pem(request).map_err(|error| Refusal::Refused(error.to_string()))?;
        let key = request.key_sha256();
        self.act(now, |desk| {
            let wanted = files::sha256(token.as_bytes());
            let found = desk.books.invitations.iter_mut().find(|invitation| invitation.token_sha256 == wanted);
            let Some(invitation) = found else {
                return Err(Refusal::Refused("no such invitation is known: ask the authority for a new one".into()));
            };
            match &invitation.spent_by {
                Some(first) if *first != key => {
                    tracing::warn!(body = %invitation.body, "an invitation that was used is tried with another key");
                    let text = "the invitation was used with another key. If that was not you, tell the authority at once; \
                                if the key is lost, ask for a new invitation";
                    return Err(Refusal::Refused(text.into()));
                }
                // Neither later nor again: whoever got hold of key and token would have a certificate anew.
                Some(_) | None if invitation.expires < desk.now => {
                    let text = "the invitation has expired: ask the authority for a new one";
                    return Err(Refusal::Refused(text.into()));
                }
                Some(_) | None => {}
            }
            let again = invitation.spent_by.replace(key).is_some();
            let Invitation { body, endpoint, hosts, .. } = invitation.clone();
            if !again {
                let valid_from = desk.from_now_on(&body);
                desk.membership.members.retain(|member| member.body != body);
                desk.membership.members.push(Member { body: body.clone(), endpoint, suspended: false, valid_from });
                desk.membership.members.sort_by(|a, b| a.body.cmp(&b.body));
            }
            desk.issue(&request, &body, &hosts).map_err(Refusal::Failed)
        })
        .and_then(|chain| Ok(self.joined(chain, now)?))
    }

    /// Gives a member a new certificate for the key of a request that it signed (`Signed` over a `RenewRequest`) with a
    /// certificate that still holds.
    pub fn renew(&self, signed: &Signed, now: SystemTime) -> Result<Joined, Refusal> {
        self.act(now, |desk| {
            let refused = |why: String| Refusal::Refused(format!("the request to renew is not accepted: {why}"));
            let anchors = Anchors::load(&desk.dir.join("ca.pem"))?;
            anchors.standing().set(Excluded::from(&*desk.membership));
            let verified = Verified::by_signature(signed, &anchors, now_of(now)).map_err(refused)?;
            let Identity::Node { body, .. } = verified.identity() else {
                return Err(refused("it was not signed by a node".into()));
            };
            let request = wire::RenewRequest::decode(signed.payload.as_slice());
            let request = request.map_err(|error| refused(error.to_string()))?.request;
            let request = Request::from_pem(&request).map_err(|error| refused(error.to_string()))?;
            // As the certificate that still holds names them: an authority signed that, perhaps another one.
            let mut hosts =
                signed.chain.first().map(|der| certificate::hosts(&der.as_slice().into())).unwrap_or_default();
            let Some(member) = desk.membership.member(body) else {
                return Err(refused(format!("{body} is no member; ask to be invited")));
            };
            // It may have moved since.
            hosts.extend(host_of(&member.endpoint).ok().filter(|host| !hosts.contains(host)));
            desk.issue(&request, body, &hosts).map_err(Refusal::Failed)
        })
        .and_then(|chain| Ok(self.joined(chain, now)?))
    }

    /// Shuts a member out, until it is resumed.
    pub fn suspend(&self, body: &Name, now: SystemTime) -> Result<()> {
        self.act(now, |desk| {
            desk.member(body)?.suspended = true;
            desk.uninvite(body);
            Ok(())
        })
    }

    /// Lets a suspended member in again.
    pub fn resume(&self, body: &Name, now: SystemTime) -> Result<()> {
        self.act(now, |desk| {
            desk.member(body)?.suspended = false;
            Ok(())
        })
    }

    /// Revokes every certificate that a member has, whichever issuing key signed it; it joins again by an invitation. Until
    /// then it is out: an authority that has not heard of it may renew the key that was lost.
    pub fn revoke(&self, body: &Name, now: SystemTime) -> Result<()> {
        self.act(now, |desk| {
            let valid_from = desk.from_now_on(body);
            let member = desk.member(body)?;
            (member.valid_from, member.suspended) = (valid_from, true);
            desk.uninvite(body);
            Ok(())
        })
    }

    /// Says that a member's node is reached at another endpoint from now on; the next certificate that it gets names its host.
    pub fn relocate(&self, body: &Name, endpoint: &str, now: SystemTime) -> Result<()> {
        host_of(endpoint)?;
        self.act::<_, Error>(now, |desk| {
            desk.is_free(endpoint, body)?;
            desk.member(body)?.endpoint = endpoint.into();
            Ok(())
        })
    }

    /// Ends a membership; its certificates do not count again where it joins anew.
    pub fn remove(&self, body: &Name, now: SystemTime) -> Result<()> {
        self.act(now, |desk| {
            desk.member(body)?;
            desk.uninvite(body);
            desk.membership.members.retain(|member| member.body != *body);
            Ok(())
        })
    }

    /// The membership as it is signed, signed again where it is an hour old.
    pub fn membership(&self, now: SystemTime) -> Result<Signed> {
        self.act(now, |_| Ok::<_, Error>(()))?;
        self.signed()
    }

    /// Takes the membership that another issuing key of the federation signed, where it is newer; returns whether it was.
    pub fn adopt(&self, signed: &Signed, now: SystemTime) -> Result<bool> {
        let lock = self.lock()?;
        let anchors = Arc::new(Anchors::load(&self.dir.join("ca.pem"))?);
        crate::signed::by_authority(signed, &anchors, now_of(now)).map_err(|reason| Error::Signature { reason })?;
        let invalid = |error: meridian_proto::Invalid| Error::Signature { reason: error.to_string() };
        let newer = Membership::decode(&signed.payload).map_err(invalid)?;
        let known = fs::exists(self.path()).map_err(|source| self.unreadable(source))?;
        let own = if known { Some(self.read_membership()?) } else { None };
        if own.as_ref().is_some_and(|own| !newer.is_after(own)) {
            return Ok(false);
        }
        let says = |it: &Membership| (it.members.clone(), it.roots.clone());
        if own.is_some_and(|own| own.version == newer.version && says(&own) != says(&newer)) {
            tracing::error!(
                version = newer.version,
                "another authority acted in the same moment, and later: what this one did last is undone; look at `meridian \
                 authority list`, and do it again"
            );
        }
        let mut succession = anchors.succession(signed, &newer, now_of(now))?;
        succession.bring_in()?;
        files::replace(&self.path(), &signed.encode())?;
        succession.let_go()?;
        drop(lock);
        Ok(true)
    }

    /// Who is in, and the invitations that are open at `now`.
    pub fn list(&self, now: SystemTime) -> Result<(Membership, Vec<Invitation>)> {
        let now = seconds(now);
        let open = |invitation: &Invitation| invitation.spent_by.is_none() && invitation.expires >= now;
        let _lock = self.lock()?;
        let invitations = Books::read(&self.dir)?.invitations.into_iter().filter(open).collect();
        Ok((self.read_membership()?, invitations))
    }

    fn joined(&self, chain: String, now: SystemTime) -> Result<Joined> {
        Ok(Joined { chain, anchors: self.authority()?.anchors()?, membership: self.membership(now)? })
    }

    /// Does something under the lock; what it changed is written, the books first, and signed.
    pub(super) fn act<T, E: From<Error>>(
        &self,
        now: SystemTime,
        act: impl FnOnce(&mut Desk<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = self.lock()?;
        let authority = Authority::open(&self.dir)?;
        let (before, known) = (self.read_membership()?, Books::read(&self.dir)?);
        let (mut membership, mut books) = (before.clone(), known.clone());
        let now_seconds = seconds(now);
        books.forget(now_seconds);
        let (dir, membership_, books_) = (self.dir.as_path(), &mut membership, &mut books);
        let mut desk = Desk { dir, authority: &authority, books: books_, membership: membership_, now: now_seconds };
        let done = act(&mut desk)?;
        if books != known {
            books.write(&self.dir)?;
        }
        let age = millis(now).saturating_sub(before.signed_at);
        if membership != before {
            // Not the time: an authority that went back to a backup is behind what its nodes hold, and learns of it from them.
            membership.version = membership.version.saturating_add(1);
            self.publish(&authority, &membership, now)?;
        } else if u128::from(age) > SIGN_AGAIN.as_millis() {
            // No newer version: another authority may have made one meanwhile, which this must not replace.
            self.publish(&authority, &membership, now)?;
        }
        Ok(done)
    }

    fn publish(&self, authority: &Authority, membership: &Membership, now: SystemTime) -> Result<()> {
        let signed = Membership { signed_at: millis(now), ..membership.clone() };
        let signed = authority.sign_payload(signed.encode())?;
        files::replace(&self.path(), &signed.encode())
    }

    fn signed(&self) -> Result<Signed> {
        let bytes = fs::read(self.path()).map_err(|source| self.unreadable(source))?;
        Signed::decode(&bytes).map_err(|error| self.broken(&error))
    }

    fn read_membership(&self) -> Result<Membership> {
        Membership::decode(&self.signed()?.payload).map_err(|error| self.broken(&error))
    }

    fn unreadable(&self, source: std::io::Error) -> Error {
        Error::Read { what: "the membership", path: self.path(), source }
    }

    fn broken(&self, error: &meridian_proto::Invalid) -> Error {
        let problem = error.to_string();
        Error::File { what: "the membership", path: self.path(), problem, remedy: super::RESTORE }
    }

    fn path(&self) -> PathBuf {
        self.dir.join("membership")
    }

    /// Nobody else acts in the folder until what is returned is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        files::lock(&self.dir.join("lock"))
    }
}

/// What an act works on.
pub(super) struct Desk<'a> {
    pub(super) dir: &'a Path,
    pub(super) authority: &'a Authority,
    pub(super) books: &'a mut Books,
    pub(super) membership: &'a mut Membership,
    /// Seconds since the Unix epoch.
    now: u64,
}

impl Desk<'_> {
    /// Takes back the invitations of a body, used or not.
    fn uninvite(&mut self, body: &Name) {
        self.books.invitations.retain(|invitation| invitation.body != *body);
    }

    /// Whether no other member is at an endpoint.
    fn is_free(&self, endpoint: &str, body: &Name) -> Result<()> {
        let taken = |member: &&Member| member.body != *body && member.endpoint == endpoint;
        match self.membership.members.iter().find(taken) {
            Some(other) => {
                let problem = format!("{} is there; write another host or port", other.body);
                Err(Error::Endpoint { endpoint: endpoint.into(), problem })
            }
            None => Ok(()),
        }
    }

    fn member(&mut self, body: &Name) -> Result<&mut Member> {
        let found = self.membership.members.iter_mut().find(|member| member.body == *body);
        found.ok_or_else(|| super::issue(body, "is no member of the federation: `meridian authority list` says who is"))
    }

    fn issue(&mut self, request: &Request, body: &Name, hosts: &[String]) -> Result<String> {
        let identity = Identity::Node { federation: self.authority.federation().clone(), body: body.clone() };
        let valid_from = self.membership.member(body).map_or(0, |member| member.valid_from);
        let validity = Validity::from_now(Duration::from_secs(LIFE_SECONDS));
        let validity = validity.from_at_least(UNIX_EPOCH + Duration::from_secs(valid_from));
        let chain = self.authority.sign(request, &identity, hosts, validity)?;
        self.books.issued.insert(body.clone(), self.authority.issuing_sha256()?);
        Ok(chain)
    }

    /// The time from which certificates of a body are valid that are signed from now on, and no earlier one is: all are
    /// back-dated alike, for clocks that are slow.
    fn from_now_on(&self, body: &Name) -> u64 {
        let before = self.membership.member(body).map_or(0, |member| member.valid_from);
        self.now.saturating_sub(CLOCK_SKEW.as_secs()).max(before).saturating_add(1)
    }
}

/// The host of a node's endpoint: `https://host:port`.
fn host_of(endpoint: &str) -> Result<String> {
    let refused = |problem: String| Error::Endpoint { endpoint: endpoint.into(), problem };
    Ok(Address::parse(endpoint).map_err(refused)?.host().to_owned())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn millis(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
