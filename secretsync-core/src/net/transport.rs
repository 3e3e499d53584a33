//! Why no answer came: the failures below HTTP, told apart. For provider crates, whatever their HTTP client is.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::CertificateError;

use super::RefusedAddress;

/// A failure of the connection to a server.
#[derive(Clone, Debug)]
pub struct Transport {
    cause: Cause,
    /// The words of the part that failed, where it is one of ours.
    words: String,
}

/// What failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The certificate has ended, or has not begun.
    CertificateExpired,
    /// The certificate is for another name.
    CertificateName,
    /// Nobody we trust vouches for the certificate.
    CertificateUnknown,
    /// The connection ended before the answer did.
    Closed,
    /// The name could not be resolved.
    Dns,
    /// The other side does not speak TLS.
    NotTls,
    /// Something else.
    Other,
    /// Nobody listens there.
    Refused,
    /// The address is one that we do not talk to.
    RefusedAddress,
    /// The time was over.
    TimedOut,
    /// Something else about TLS.
    Tls,
    /// There is no way there.
    Unreachable,
}

impl Transport {
    /// Reads the failure out of an error and what caused it. `foreign` recognises errors of the HTTP client's own types.
    pub fn read(
        error: &(dyn StdError + 'static),
        foreign: impl Fn(&(dyn StdError + 'static)) -> Option<Cause>,
    ) -> Self {
        let mut found = Self::from(Cause::Other);
        let mut next = Some(error);
        while let Some(error) = next {
            // Name resolvers report their failures as I/O errors of any kind.
            let cause = foreign(error).or_else(|| recognise(error));
            if let Some(cause) = cause.filter(|cause| found.cause != Cause::Dns || *cause == Cause::RefusedAddress) {
                found.cause = cause;
            }
            if speaks_for_us(error) {
                found.words = error.to_string();
            }
            next = inner(error);
        }
        found
    }

    /// What failed.
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

impl Cause {
    /// Whether the trust between us and the server is broken, as after a change of certificates: trying again does not mend it.
    pub fn is_distrust(self) -> bool {
        matches!(self, Self::CertificateExpired | Self::CertificateName | Self::CertificateUnknown | Self::Tls)
    }
}

/// A failure that somebody noticed without an error.
impl From<Cause> for Transport {
    fn from(cause: Cause) -> Self {
        Self { cause, words: String::new() }
    }
}

impl StdError for Transport {}

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
        io::ErrorKind::TimedOut => Some(Cause::TimedOut),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(error: impl StdError + 'static) -> Transport {
        Transport::read(&error, |_| None)
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_inside_of_other_errors() {
        for (error, cause) in [
            (CertificateError::Expired, Cause::CertificateExpired),
            (CertificateError::NotValidForName, Cause::CertificateName),
            (CertificateError::BadSignature, Cause::CertificateUnknown),
            (CertificateError::UnknownRevocationStatus, Cause::Tls),
        ] {
            let found = read(io::Error::other(io::Error::other(rustls::Error::InvalidCertificate(error))));
            assert_eq!(found.cause(), cause);
            assert!(found.cause().is_distrust());
        }
        assert!(!read(io::Error::from(io::ErrorKind::ConnectionRefused)).cause().is_distrust());
    }

    #[test]
    fn what_a_resolver_says_stays_a_matter_of_names_unless_the_address_is_refused() {
        let resolving = |inner: io::Error| {
            Transport::read(&inner, |error| {
                let foreign = error.downcast_ref::<io::Error>().is_some_and(|error| error.get_ref().is_some());
                foreign.then_some(Cause::Dns)
            })
        };
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(resolving(io::Error::other(refused)).cause(), Cause::Dns);
        let address = RefusedAddress("it is a link-local or metadata address");
        assert_eq!(resolving(io::Error::other(address)).cause(), Cause::RefusedAddress);
    }

    #[test]
    fn only_this_machine_is_quoted() {
        let theirs = read(io::Error::other("hunter2"));
        assert_eq!(theirs.to_string(), "the request failed on its way");
        let ours = read(io::Error::from_raw_os_error(111)).to_string();
        assert!(ours.starts_with("nobody listens at the server's address ("), "{ours}");
    }
}
