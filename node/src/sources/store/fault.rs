//! What goes wrong between node and object store, in words that hold no key and nothing of an object.

use std::error::Error;
use std::path::PathBuf;

use object_store::client::{HttpError, HttpErrorKind};

/// What went wrong at or on the way to an object store. Its own messages may repeat keys and signatures: none is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// There is no connection, or it ended.
    #[error("the object store can't be reached: {0}; check `endpoint` in [[stores]], and that it is up")]
    Unreachable(String),
    /// It takes too long.
    #[error(
        "the object store does not answer within {0} s; set `request_seconds` in [[stores]] higher, or find out why it is slow"
    )]
    Slow(u32),
    /// TLS is not spoken, or the server is not who it should be.
    #[error(
        "TLS: {0}; the object store needs a certificate that names its host (subjectAltName) and that `ca` in [[stores]], or \
         an authority that this machine trusts, has signed"
    )]
    Tls(String),
    /// A file that the configuration names.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A variable that the configuration relies on.
    #[error("the environment has no {0}; start the node with it, or give access_key and secret_key_file in [[stores]]")]
    Environment(&'static str),
    /// How it is reached makes no sense to the client.
    #[error("there is no way to reach it like this: {0}; check `endpoint` and `region` in [[stores]]")]
    Address(String),
    /// The key is not accepted.
    #[error(
        "the object store does not accept the key ({0}); check access_key, the file of secret_key_file and `region` in \
         [[stores]], and this machine's clock"
    )]
    Key(String),
    /// The key may not do it.
    #[error(
        "the object store does not let the key read it ({0}); allow it s3:ListBucket on the bucket and s3:GetObject on \
         its objects"
    )]
    Denied(String),
    /// There is no such bucket.
    #[error("there is no such bucket; correct `bucket` in [[stores]], or make it")]
    NoBucket,
    /// There is nothing of that name.
    #[error("there is no such object, and none below it; correct `path`")]
    Nothing,
    /// An object is gone.
    #[error("it is not there any more, and is looked for again")]
    Gone,
    /// An object is another one.
    #[error("it has changed since it was listed, and is read again")]
    Changed,
    /// More than is fetched to memory.
    #[error(
        "it has more than {0} MiB, and this format is fetched to memory; set `fetch_mib` in [[stores]] higher, or publish it \
         as Parquet, which is read in parts"
    )]
    Large(u32),
    /// More objects than a dataset can have.
    #[error("it has more than {0} objects; put fewer and larger ones into it, or several datasets over parts of it")]
    Many(usize),
    /// A key that is no path.
    #[error("it has an object whose key is no path, such as one with `//`; rename that object, or name another prefix")]
    NoPath,
    /// Memory can't be had.
    #[error("its objects can't be fetched to memory: {0}")]
    Memory(String),
    /// Another answer.
    #[error("the object store answers with {0}; its own log says more")]
    Server(String),
}

/// Codes by which servers say that a key is not theirs, its signature wrong, or its time.
const KEY_CODES: [&str; 9] = [
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "XAmzContentSHA256Mismatch",
];

impl StoreFault {
    /// From an error of the client, whose requests take so many seconds at most.
    pub(super) fn of(error: &object_store::Error, seconds: u32) -> Self {
        // It holds the server's words: they are looked at, and none is passed on but a code.
        let text = error.to_string();
        let code = code(&text);
        match (status(&text), code.as_deref()) {
            (_, Some("NoSuchBucket")) => Self::NoBucket,
            (_, Some(code)) if KEY_CODES.contains(&code) => Self::Key(code.to_owned()),
            (Some(401 | 403), code) => Self::Denied(code.unwrap_or("403").to_owned()),
            (Some(404), _) => Self::Gone,
            (Some(412), _) => Self::Changed,
            (Some(status), code) => Self::Server(code.map_or(status.to_string(), str::to_owned)),
            (None, _) => Self::of_way(error, seconds),
        }
    }

    /// No answer came.
    fn of_way(error: &object_store::Error, seconds: u32) -> Self {
        if let object_store::Error::InvalidPath { .. } = error {
            return Self::NoPath;
        }
        let mut kind = None;
        let mut inner: &dyn Error = error;
        while let Some(cause) = inner.source() {
            inner = cause;
            kind = kind.or_else(|| inner.downcast_ref::<HttpError>().map(HttpError::kind));
        }
        // The innermost reason is the operating system's or TLS's.
        let why = inner.to_string();
        match kind {
            _ if why.contains("certificate") || why.contains("TLS") || why.contains("corrupt message") => {
                Self::Tls(why)
            }
            Some(HttpErrorKind::Timeout) => Self::Slow(seconds),
            Some(_) => Self::Unreachable(why),
            None if why.contains("redirect without LOCATION") => {
                Self::Address("the bucket is in another region".into())
            }
            None => Self::Server("what is no answer of S3".into()),
        }
    }

    /// Whether the server has answered.
    pub(super) fn is_answer(&self) -> bool {
        self.is_change() || matches!(self, Self::Server(_))
    }

    /// Whether the objects may be others than those that were listed, or the key another.
    pub(in crate::sources) fn is_change(&self) -> bool {
        matches!(self, Self::Gone | Self::Changed | Self::Denied(_) | Self::Key(_) | Self::NoBucket)
    }
}

/// The code of an answer: `<Code>NoSuchKey</Code>`.
fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once('<')?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| code.to_owned())
}

/// The status of an answer, as the client words it.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod words {
    use super::*;

    #[test]
    fn of_an_answer_only_the_code_is_kept() {
        let text = "…status code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA";
        assert_eq!((code(text).as_deref(), status(text)), (Some("SignatureDoesNotMatch"), Some(403)));
        assert_eq!(code("<Code>no code, but <b>secrets</b></Code>"), None);
        assert_eq!(status("status code: £££"), None);
    }
}
