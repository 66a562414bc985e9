//! Why a handshake did not succeed, in words that lead to the remedy.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};
use time::OffsetDateTime;

use crate::certificate::{EndEntity, Unfit};

/// Why reading, writing or shaking hands did not work. `own` is our certificate, for when the other side refuses it.
pub(crate) fn of_io(error: &io::Error, own: Option<&EndEntity>) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => of_tls(tls, own),
        None if error.kind() == io::ErrorKind::UnexpectedEof => CLOSED.into(),
        None => error.to_string(),
    }
}

/// What is said where the other side hangs up without a word.
pub(crate) const CLOSED: &str = "the other side closed the connection during the TLS handshake; its log may say why";

/// Why TLS refused, or was refused.
pub(crate) fn of_tls(error: &rustls::Error, own: Option<&EndEntity>) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => of_alert(*alert, own),
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::NoCertificatesPresented => {
            "it presented no certificate; every caller needs one from the federation's authority".into()
        }
        rustls::Error::PeerIncompatible(why) => format!("it does not speak TLS 1.3 as needed here ({why:?})"),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; is it plain HTTP, or another port?".into(),
        rustls::Error::NoApplicationProtocol => "it does not speak HTTP/2 (ALPN h2)".into(),
        other => other.to_string(),
    }
}

/// A time as people read it, UTC.
pub(crate) fn date(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let date = i64::try_from(since).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    match date {
        Some(date) => format!("{} {:02}:{:02} UTC", date.date(), date.hour(), date.minute()),
        None => format!("{since} s after 1970"),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired on {}; its holder needs a new one", date(system_time(*not_after)))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is valid from {} only; are the clocks right?", date(system_time(*not_before)))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate was not signed by this federation's authority".into()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not made for this use (extended key usage)".into()
        }
        CertificateError::Other(ours) if ours.0.is::<Unfit>() => ours.to_string(),
        other => format!("the certificate or its chain is refused ({other})"),
    }
}

fn of_alert(alert: AlertDescription, own: Option<&EndEntity>) -> String {
    let ours = match alert {
        AlertDescription::CertificateExpired => {
            let validity =
                own.map(|own| format!(", valid from {} until {}", date(own.not_before), date(own.not_after)));
            format!("as expired or not yet valid{}; renew it, or set the clock", validity.unwrap_or_default())
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "as signed by another authority than its own; are both of one federation?".into()
        }
        AlertDescription::UnsupportedCertificate => "as not made for this use (extended key usage)".into(),
        AlertDescription::CertificateRevoked => "as revoked".into(),
        AlertDescription::CertificateRequired => "because we presented none".into(),
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => {
            "; its log says why".into()
        }
        AlertDescription::ProtocolVersion => return "the other side does not speak TLS 1.3".into(),
        AlertDescription::NoApplicationProtocol => return "the other side does not speak HTTP/2 (ALPN h2)".into(),
        other => return format!("the other side ended the TLS handshake with the alert {other:?}"),
    };
    let space = if ours.starts_with(';') { "" } else { " " };
    format!("the other side refused our certificate{space}{ours}")
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).unwrap_or(UNIX_EPOCH)
}
