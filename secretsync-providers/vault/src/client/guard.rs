//! Hosts that no manifest may lead us to: link-local and metadata addresses (a cloud's credentials live there).

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use secretsync_core::net::{self, AddressGuard};

/// Resolves names, and refuses those that lead to an address we must not talk to. It runs at each connect, so a name that changes is caught.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard(pub(crate) AddressGuard);

/// Why a server must not be used, judged by its literal address. Names are judged when they are resolved.
pub(crate) fn refused_host(url: &Url) -> Option<&'static str> {
    net::refused(literal(url)?)
}

/// Whether a URL names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match literal(url) {
        Some(address) => net::is_loopback(address),
        None => url.host_str().is_some_and(|host| host.eq_ignore_ascii_case("localhost")),
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let Self(guard) = *self;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Vec<_> = found.iter().map(SocketAddr::ip).collect();
            guard.check(&addresses)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    // The URL parser has brought every spelling of an address (hexadecimal, one number) into this form.
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

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
            "https://[::ffff:169.254.169.254]",
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
}
