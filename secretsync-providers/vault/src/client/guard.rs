//! Hosts that no manifest may lead us to: link-local and metadata addresses (a cloud's credentials live there).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names, and refuses those that lead to an address we must not talk to. It runs at each connect, so a name that changes is caught.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    /// Whether only this machine may be reached, because nothing protects what is sent.
    pub(crate) loopback_only: bool,
}

/// A name was refused.
#[derive(Debug)]
pub(crate) struct Refused(&'static str);

/// Why a server must not be used, judged by its literal address. Names are judged when they are resolved.
pub(crate) fn refused_host(url: &Url) -> Option<&'static str> {
    refused(literal(url)?)
}

/// Whether a URL names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match literal(url) {
        Some(address) => unmapped(address).is_loopback(),
        None => url.host_str().is_some_and(|host| host.eq_ignore_ascii_case("localhost")),
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            guard.check(&found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Guard {
    fn check(self, found: &[SocketAddr]) -> Result<(), Refused> {
        // One bad address refuses the name: which of several is used is not ours to know.
        for address in found.iter().map(SocketAddr::ip) {
            if let Some(reason) = refused(address) {
                return Err(Refused(reason));
            }
            if self.loopback_only && !unmapped(address).is_loopback() {
                return Err(Refused("plain http to an address that is not of this machine"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

fn literal(url: &Url) -> Option<IpAddr> {
    // The URL parser has brought every spelling of an address (hexadecimal, one number) into this form.
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

fn refused(address: IpAddr) -> Option<&'static str> {
    let refused = match unmapped(address) {
        IpAddr::V4(address) => address.is_link_local() || METADATA_V4.contains(&address),
        IpAddr::V6(address) => address.is_unicast_link_local() || address == METADATA_V6,
    };
    refused.then_some("it is a link-local or metadata address")
}

/// An IPv4 address inside an IPv6 one (mapped, or translated by NAT64) as what it is.
fn unmapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let [a, b, 0, 0, 0, 0, high, low] = six.segments() else { return address.to_canonical() };
    if [a, b] != NAT64 {
        return address.to_canonical();
    }
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Metadata services outside the link-local network.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// RFC 6052's well-known prefix, `64:ff9b::/96`.
const NAT64: [u16; 2] = [0x64, 0xff9b];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_every_spelling() {
        for bad in [
            "http://169.254.169.254",
            "https://169.254.0.1:8200",
            "https://2852039166",
            "https://0xA9FEA9FE",
            "https://[fe80::1]",
            "https://[fd00:ec2::254]",
            "https://[::ffff:169.254.169.254]",
            "https://[64:ff9b::a9fe:a9fe]",
            "https://100.100.100.200",
        ] {
            assert!(refused_host(&Url::parse(bad).unwrap()).is_some(), "{bad}");
        }
        for good in
            ["https://10.0.0.1", "https://[fd00::1]", "https://vault.example.com", "http://127.0.0.1", "https://[::1]"]
        {
            assert!(refused_host(&Url::parse(good).unwrap()).is_none(), "{good}");
        }
    }

    #[test]
    fn loopback_is_the_machine_itself_and_nothing_that_looks_like_it() {
        for good in
            ["http://127.0.0.1:8200", "http://127.9.9.9", "http://[::1]:1", "http://localhost", "http://LOCALHOST:8200"]
        {
            assert!(is_loopback(&Url::parse(good).unwrap()), "{good}");
        }
        for bad in ["http://127.0.0.1.example.com", "http://0.0.0.0", "http://10.0.0.1", "http://localhost.example.com"]
        {
            assert!(!is_loopback(&Url::parse(bad).unwrap()), "{bad}");
        }
    }

    #[test]
    fn one_bad_address_refuses_a_name() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let open = Guard { loopback_only: false };
        assert!(open.check(&[at("10.0.0.1"), at("::1")]).is_ok());
        assert!(open.check(&[at("10.0.0.1"), at("169.254.169.254")]).is_err());
        assert!(Guard { loopback_only: true }.check(&[at("127.0.0.1"), at("10.0.0.1")]).is_err());
    }
}
