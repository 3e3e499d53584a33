//! Addresses that no manifest may lead us to: link-local and metadata addresses, where a cloud's credentials live (design 9.2). And, for those who connect, why that failed.

#[cfg(feature = "transport")]
mod transport;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(feature = "transport")]
#[cfg_attr(docsrs, doc(cfg(feature = "transport")))]
pub use transport::{Cause, Transport};

/// Judges what a name was resolved to. Ask it at each connect, so that a name that changes is caught.
///
/// ```
/// use secretsync_core::net::AddressGuard;
///
/// let guard = AddressGuard::new();
/// assert!(guard.check(&["10.0.0.1".parse().unwrap()]).is_ok());
/// assert!(guard.check(&["10.0.0.1".parse().unwrap(), "169.254.169.254".parse().unwrap()]).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressGuard {
    loopback_only: bool,
}

/// An address was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RefusedAddress(&'static str);

impl AddressGuard {
    /// Refuses link-local and metadata addresses.
    pub const fn new() -> Self {
        Self { loopback_only: false }
    }

    /// Refuses everything but this machine, too: for connections that nothing protects.
    #[must_use]
    pub const fn loopback_only(mut self, only: bool) -> Self {
        self.loopback_only = only;
        self
    }

    /// Refuses a name of which one address is bad: which of several is used is not ours to know.
    pub fn check(self, addresses: &[IpAddr]) -> Result<(), RefusedAddress> {
        for &address in addresses {
            if let Some(reason) = refused(address) {
                return Err(RefusedAddress(reason));
            }
            if self.loopback_only && !is_loopback(address) {
                return Err(RefusedAddress("plain http to an address that is not of this machine"));
            }
        }
        Ok(())
    }
}

/// Why an address must not be used, if so.
pub fn refused(address: IpAddr) -> Option<&'static str> {
    let refused = match unmapped(address) {
        IpAddr::V4(address) => address.is_link_local() || METADATA_V4.contains(&address),
        IpAddr::V6(address) => address.is_unicast_link_local() || METADATA_V6.contains(&address),
    };
    refused.then_some("it is a link-local or metadata address")
}

/// Whether an address is of this machine.
pub fn is_loopback(address: IpAddr) -> bool {
    unmapped(address).is_loopback()
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for RefusedAddress {}

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
/// Those of EC2: the instance's, and the pod identity agent's.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)];
/// RFC 6052's well-known prefix, `64:ff9b::/96`.
const NAT64: [u16; 2] = [0x64, 0xff9b];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_every_family() {
        for bad in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "100.100.100.200",
        ] {
            assert!(refused(at(bad)).is_some(), "{bad}");
        }
        for good in ["10.0.0.1", "fd00::1", "127.0.0.1", "::1"] {
            assert!(refused(at(good)).is_none(), "{good}");
        }
    }

    #[test]
    fn one_bad_address_refuses_a_name() {
        let open = AddressGuard::new();
        assert!(open.check(&[at("10.0.0.1"), at("::1")]).is_ok());
        assert!(open.check(&[at("10.0.0.1"), at("169.254.169.254")]).is_err());
        assert!(open.loopback_only(true).check(&[at("127.0.0.1"), at("::1")]).is_ok());
        assert!(open.loopback_only(true).check(&[at("127.0.0.1"), at("10.0.0.1")]).is_err());
    }
}
