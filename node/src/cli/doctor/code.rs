//! The names of what is looked at: programs rely on them, so that one that was given stays as it is.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

/// Makes the codes, and the list of all of them.
macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal;)*) => {
        /// What a finding is about. `good` findings have the code of the fault that is not there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// All of them, in the order in which they are looked at.
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, the same in every version.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What is wrong where it is told.
            pub(super) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

codes! {
    Configuration "configuration" "node.toml can't be used";
    ConfigurationDataset "configuration.dataset" "the file of a dataset can't be used";
    ConfigurationView "configuration.view" "the file of a view can't be used, or its query does not fit its datasets";
    ConfigurationAgreement "configuration.agreement" "the file of an agreement can't be used";
    ConfigurationAlgorithm "configuration.algorithm" "the record of an algorithm lacks what the standard asks for, or can't be used";
    ConfigurationStandard "configuration.standard" "the file of a standard can't be used";
    ConfigurationPermissions "configuration.permissions" "other users of this machine can change what the node goes by";
    User "machine.user" "the node would run as root";
    Memory "machine.memory" "queries may use more memory than the machine has to spare";
    MemoryLimit "machine.memory_limit" "queries may use more memory than the process may have";
    Files "machine.files" "the process may have too few files open";
    Clock "machine.clock" "this machine's clock is wrong, by those of the authority and of other members";
    StateFolder "state.folder" "the state folder is not there, can't be written, or can be entered by others";
    StateOwner "state.owner" "the state folder, or a file in it, belongs to another user";
    StateSpace "state.space" "there is little space where the state folder is";
    StateSecret "state.secret" "the node's secret is gone, or can be read by others";
    StateLock "state.lock" "another process has this state folder";
    Ready "node.ready" "the node runs and answers nothing";
    Health "node.health" "another program has the health port";
    Listen "node.listen" "the Flight SQL port can't be opened";
    Endpoint "node.endpoint" "the node is not where others look for it";
    Telemetry "telemetry" "the collector of traces can't be reached";
    PublicListen "public.listen" "the public port can't be opened, or something else answers there";
    PublicCertificate "public.certificate" "the public certificate and its key can't be used, or don't belong together";
    PublicTime "public.time" "the public certificate has expired, or will soon";
    PublicHost "public.host" "the public certificate is not for the host at which readers find the pages";
    PublicKey "public.key" "the public key can be read by others";
    Certificate "certificate" "the node's certificate or key can't be read";
    CertificateMode "certificate.permissions" "the node's private key can be read by others";
    CertificateKey "certificate.key" "the private key does not belong to the certificate";
    CertificateIssuer "certificate.issuer" "the certificate is not of this federation's authority";
    CertificateTime "certificate.time" "the certificate has expired, is not valid yet, or ends soon";
    CertificateIdentity "certificate.identity" "the certificate is of another body than node.toml says";
    CertificateRenewal "certificate.renewal" "certificate and key are two files, and can't be renewed together";
    CertificateRoot "certificate.root" "the certificate hangs on an old root, which may be retired";
    RootTime "root.time" "a root of the federation has expired, or will within months";
    Analysts "analysts" "the list of analysts can't be read, or certificates of some end soon";
    Membership "membership" "the membership that the node holds can't be used";
    MembershipAge "membership.age" "the membership is old: nothing was heard of the authority";
    MembershipOwn "membership.own" "the node's own body is out, suspended or revoked";
    MembershipVersion "membership.version" "the authority holds a newer membership than the node";
    Authority "authority" "an authority can't be reached";
    AuthorityRoot "authority.root" "whoever answers in the authority's place has another root";
    Members "members" "other members can't be reached";
    MembersVersion "members.version" "another member runs another version of the program";
    FederationRoot "federation.root" "the root of another federation can't be used, or is another's";
    FederationTime "federation.time" "the root of another federation has expired, or will soon";
    FederationMembership "federation.membership" "who is in another federation is not known, or was not heard of for long";
    FederationAuthority "federation.authority" "the authority of another federation can't be reached";
    FederationMembers "federation.members" "members of another federation can't be reached";
    Store "store" "the bucket of an object store can't be listed";
    Engine "engine" "another engine can't be reached, or does not let the node in";
    Workers "workers" "a worker of the body's cluster can't be reached, or is of another version";
    Source "source" "the rows of a dataset can't be read";
    Addresses "addresses" "addresses are not found in their list";
    StandardUnknown "standard.unknown" "a dataset claims a standard that the node does not know";
    Standard "standard" "rows of a dataset do not keep to its standard";
    Snapshot "snapshot" "the rows of this period were not taken";
    Agreement "agreement" "an agreement has ended, or ends soon";
    Allowance "agreement.allowance" "an agreement lets statistics be asked without end";
    Log "log" "the log can't be read, or does not hold";
    Rights "rights" "the list of rights that were exercised can't be read, or is older than the log";
    WitnessEvidence "witness" "the log of another body has said two things";
    WitnessMissing "witness.missing" "too few others have confirmed the log";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A line for each code.
pub(super) fn text(out: &mut dyn Write) -> io::Result<()> {
    Code::ALL.iter().try_for_each(|code| writeln!(out, "{:<26} {}", code.name(), code.meaning()))
}

/// An array of objects with `code` and `meaning`.
pub(super) fn json(out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Listed {
        code: Code,
        meaning: &'static str,
    }
    let listed: Vec<Listed> = Code::ALL.iter().map(|code| Listed { code: *code, meaning: code.meaning() }).collect();
    serde_json::to_writer_pretty(&mut *out, &listed)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_codes_have_one_name() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_')));
    }
}
