//! Why no answer came: the failures below HTTP, told apart.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::CertificateError;
use secretsync_core::net::RefusedAddress;

use crate::error::Failure;

/// A failure of the connection.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) cause: Cause,
    /// The words of the part that failed, where it is one of ours.
    words: String,
}

/// What failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    CertificateExpired,
    CertificateName,
    CertificateUnknown,
    /// The connection ended before the answer did.
    Closed,
    Dns,
    /// The other side does not speak TLS.
    NotTls,
    Other,
    /// Nobody listens there.
    Refused,
    /// The address is one that we do not talk to.
    RefusedAddress,
    TimedOut,
    Tls,
    Unreachable,
}

impl Transport {
    /// A failure that we noticed ourselves.
    pub(crate) fn of(cause: Cause) -> Self {
        Self { cause, words: String::new() }
    }
}

impl std::error::Error for Transport {}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.cause {
            Cause::CertificateExpired => "the server's certificate has expired or is not valid yet",
            Cause::CertificateName => "the server's certificate is for another name",
            Cause::CertificateUnknown => "the server's certificate comes from an unknown authority",
            Cause::Closed => "the connection ended before the answer was complete",
            Cause::Dns => "the server's name could not be resolved",
            Cause::NotTls => "the server does not speak TLS",
            Cause::Other => "the request failed on its way",
            Cause::Refused => "nobody listens at the server's address",
            Cause::RefusedAddress => "the server's name leads to an address that is refused",
            Cause::TimedOut => "no answer came in time",
            Cause::Tls => "no secure connection could be made",
            Cause::Unreachable => "the server's network cannot be reached",
        })?;
        if self.words.is_empty() { Ok(()) } else { write!(f, " ({})", self.words) }
    }
}

/// The failure behind an error of the HTTP stack.
pub(crate) fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Transport(Transport::of(Cause::TimedOut));
    }
    let mut found = Transport::of(if error.is_dns() { Cause::Dns } else { Cause::Other });
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = next {
        // The name resolver reports its failures as I/O errors of any kind.
        if let Some(cause) =
            recognise(error).filter(|cause| found.cause != Cause::Dns || *cause == Cause::RefusedAddress)
        {
            found.cause = cause;
        }
        if speaks_for_us(error) {
            found.words = error.to_string();
        }
        next = inner(error);
    }
    if found.cause == Cause::Other && (error.is_body() || error.is_decode()) {
        found.cause = Cause::Closed;
    }
    Failure::Transport(found)
}

/// Whether the words of an error are those of this machine. HTTP/2 lets the other side put text of its own into an error.
fn speaks_for_us(error: &(dyn StdError + 'static)) -> bool {
    let system = error.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error().is_some());
    system || error.is::<rustls::Error>() || error.is::<RefusedAddress>()
}

/// The next cause. An I/O error names what it wraps only to those who ask for it.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source())
}

fn recognise(error: &(dyn StdError + 'static)) -> Option<Cause> {
    if error.is::<RefusedAddress>() {
        return Some(Cause::RefusedAddress);
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    let Some(error) = error.downcast_ref::<io::Error>() else {
        // hyper does not let others name this error by its type without depending on it.
        return (error.to_string() == "connection closed before message completed").then_some(Cause::Closed);
    };
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::UnexpectedEof => Some(Cause::Closed),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Cause::Unreachable),
        _ => None,
    }
}

fn tls(error: &rustls::Error) -> Cause {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => Cause::CertificateExpired,
            NotValidForName | NotValidForNameContext { .. } => Cause::CertificateName,
            // A signature by another key of the same name: the authority was made anew.
            UnknownIssuer | BadSignature => Cause::CertificateUnknown,
            _ => Cause::Tls,
        },
        rustls::Error::InvalidMessage(_) => Cause::NotTls,
        _ => Cause::Tls,
    }
}
