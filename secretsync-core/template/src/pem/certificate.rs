//! The parts of an X.509 certificate that templates need: key identifiers and alternative names. Nothing is verified.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Block;
use super::der::{BIT_STRING, BOOLEAN, INTEGER, OBJECT, OCTETS, Reader, SEQUENCE};

/// A certificate; an absent key identifier is empty.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) subject_key: Vec<u8>,
    pub(crate) authority_key: Vec<u8>,
    /// Content of `SubjectPublicKeyInfo`.
    #[cfg_attr(not(feature = "crypto"), expect(dead_code, reason = "only who signs looks at it"))]
    pub(crate) public_key: Vec<u8>,
    names: Vec<Name>,
}

#[derive(Debug)]
enum Name {
    Address(String),
    Dns(String),
    Mail(String),
    Uri(String),
}

impl Certificate {
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut certificate = Reader(outer.expect(SEQUENCE)?);
        let mut signed = Reader(certificate.expect(SEQUENCE)?);
        certificate.expect(SEQUENCE)?;
        certificate.expect(BIT_STRING)?;
        if !outer.is_empty() || !certificate.is_empty() {
            return None;
        }
        signed.optional(EXPLICIT_VERSION);
        signed.expect(INTEGER)?;
        // Signature algorithm, issuer, validity, subject.
        for _ in 0..4 {
            signed.expect(SEQUENCE)?;
        }
        let public_key = signed.expect(SEQUENCE)?;
        signed.optional(ISSUER_ID);
        signed.optional(SUBJECT_ID);
        let mut parsed = Self {
            der: der.to_vec(),
            subject_key: Vec::new(),
            authority_key: Vec::new(),
            public_key: public_key.to_vec(),
            names: Vec::new(),
        };
        if let Some(extensions) = signed.optional(EXPLICIT_EXTENSIONS) {
            let mut extensions = Reader(Reader(extensions).expect(SEQUENCE)?);
            while !extensions.is_empty() {
                parsed.extension(Reader(extensions.expect(SEQUENCE)?))?;
            }
        }
        signed.is_empty().then_some(parsed)
    }

    fn extension(&mut self, mut extension: Reader<'_>) -> Option<()> {
        let identifier = extension.expect(OBJECT)?;
        extension.optional(BOOLEAN);
        let mut content = Reader(extension.expect(OCTETS)?);
        match identifier {
            SUBJECT_KEY => self.subject_key = content.expect(OCTETS)?.to_vec(),
            AUTHORITY_KEY => {
                let mut fields = Reader(content.expect(SEQUENCE)?);
                self.authority_key = fields.optional(KEY_ID).unwrap_or_default().to_vec();
            }
            ALTERNATIVE_NAMES => {
                let mut names = Reader(content.expect(SEQUENCE)?);
                while !names.is_empty() {
                    let (tag, name) = names.next()?;
                    self.names.extend(Name::of(tag, name)?);
                }
            }
            _ => {}
        }
        Some(())
    }

    /// DNS names, addresses, mail addresses, URIs, in this order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&Name> = self.names.iter().collect();
        names.sort_by_key(|name| name.rank());
        names.into_iter().map(Name::text).collect()
    }

    /// It has no issuer but itself.
    pub(crate) fn is_root(&self) -> bool {
        self.authority_key.is_empty() || self.authority_key == self.subject_key
    }

    pub(crate) fn block(&self) -> Block {
        Block::new("CERTIFICATE", &*self.der)
    }
}

impl Name {
    /// The inner nothing is a kind of name that is not shown.
    #[expect(clippy::option_option, reason = "a name that is passed over is no broken one")]
    fn of(tag: u8, content: &[u8]) -> Option<Option<Self>> {
        let text = || std::str::from_utf8(content).ok().filter(|text| text.is_ascii()).map(ToOwned::to_owned);
        Some(Some(match tag {
            0x81 => Self::Mail(text()?),
            0x82 => Self::Dns(text()?),
            0x86 => Self::Uri(text()?),
            0x87 => Self::Address(address(content)?.to_canonical().to_string()),
            _ => return Some(None),
        }))
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Dns(_) => 0,
            Self::Address(_) => 1,
            Self::Mail(_) => 2,
            Self::Uri(_) => 3,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Address(text) | Self::Dns(text) | Self::Mail(text) | Self::Uri(text) => text,
        }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(bytes)));
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))
}

const EXPLICIT_VERSION: u8 = 0xa0;
const ISSUER_ID: u8 = 0x81;
const SUBJECT_ID: u8 = 0x82;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;
const KEY_ID: u8 = 0x80;
/// 2.5.29.14
const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
/// 2.5.29.35
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
/// 2.5.29.17
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
