//! PKCS#12 archives: read into PEM, and written from it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use p12_keystore::{
    Certificate as Bag, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive,
    PrivateKey as BagKey, PrivateKeyChain,
};

use super::key;
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::pem::{malformed, ordered};
use crate::function::{Args, Function, Type, encode_64};
use crate::key::PrivateKey;
use crate::pem::Block;
use crate::pem::certificate::Certificate;
use crate::pem::der::{INTEGER, OCTETS, Reader};
use crate::value::{Buffer, Value};

use Type::Text;

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("fullPemToPkcs12", &[Text, Text], |args, budget| identity(args, b"", true, budget)).random(),
    Function::new("fullPemToPkcs12Pass", &[Text, Text, Text], |args, budget| {
        identity(args, args.text(2), true, budget)
    })
    .random(),
    Function::new("pemToPkcs12", &[Text, Text], |args, budget| identity(args, b"", false, budget)).random(),
    Function::new("pemToPkcs12Pass", &[Text, Text, Text], |args, budget| identity(args, args.text(2), false, budget))
        .random(),
    Function::new("pemTruststoreToPKCS12", &[Text], |args, budget| trust_store(args.text(0), b"", budget)).random(),
    Function::new("pemTruststoreToPKCS12Pass", &[Text, Text], |args, budget| {
        trust_store(args.text(0), args.text(1), budget)
    })
    .random(),
    Function::new("pkcs12cert", &[Text], |args, budget| read_certificates(b"", args.text(0), budget)),
    Function::new("pkcs12certPass", &[Text, Text], |args, budget| {
        read_certificates(args.text(0), args.text(1), budget)
    }),
    Function::new("pkcs12key", &[Text], |args, budget| read_key(b"", args.text(0), budget)),
    Function::new("pkcs12keyPass", &[Text, Text], |args, budget| read_key(args.text(0), args.text(1), budget)),
];

fn read_key(password: &[u8], archive: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let contents = Contents::read(password, archive, budget)?;
    budget.text(Block::new("PRIVATE KEY", contents.key.to_pkcs8()).text())
}

/// From the leaf to the root if the certificates are one chain, else as they are in the archive.
fn read_certificates(password: &[u8], archive: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let contents = Contents::read(password, archive, budget)?;
    let chain = match ordered(parsed(&contents.certificates)?, budget) {
        Err(failure) if failure.is_limit() => return Err(failure),
        Err(_) => parsed(&contents.certificates)?,
        Ok(chain) => chain,
    };
    let mut out = Buffer::default();
    for certificate in chain {
        certificate.block().append(&mut out);
    }
    budget.text(out)
}

fn parsed(certificates: &[Vec<u8>]) -> Result<Vec<Certificate>, Failure> {
    certificates.iter().map(|der| Certificate::parse(der).ok_or_else(malformed)).collect()
}

/// The one key of an archive and its certificates.
struct Contents {
    key: PrivateKey,
    certificates: Vec<Vec<u8>>,
}

impl Contents {
    fn read(password: &[u8], archive: &[u8], budget: &mut Budget) -> Result<Self, Failure> {
        let failed = |why: &str| Failure::execute(format!("unable to decode pkcs12 with password: {why}"));
        charge(archive, budget)?;
        let password = zeroize::Zeroizing::new(String::from_utf8_lossy(password).into_owned());
        let archive = Pkcs12Archive::from_pkcs12(archive, &password)
            .map_err(|_| failed("the password is wrong or the data is no PKCS#12 archive of a supported kind"))?;
        let key = match archive.keys.as_slice() {
            [bag] => PrivateKey::from_pkcs8(bag.key.as_der()).ok_or_else(|| failed("the key is of an unknown kind"))?,
            [] => return Err(failed("private key missing")),
            [..] => return Err(failed("expected exactly one private key")),
        };
        if archive.certs.is_empty() {
            return Err(failed("certificate missing"));
        }
        let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect();
        Ok(Self { key, certificates })
    }
}

/// Takes the rounds of key derivation that an archive asks for out of the budget. In each place where they are named, they follow the
/// salt: a number after a string of octets.
fn charge(archive: &[u8], budget: &mut Budget) -> Result<(), Failure> {
    if archive.windows(SCRYPT.len()).any(|window| window == SCRYPT) {
        return Err(Failure::execute("archives that use scrypt are not supported"));
    }
    let mut rounds = 0_usize;
    let mut open = vec![Reader(archive)];
    while let Some(mut reader) = open.pop() {
        let mut after_octets = false;
        while let Some((tag, content)) = reader.next() {
            budget.step(1)?;
            if after_octets && tag == INTEGER {
                let number =
                    content.iter().fold(0_usize, |number, byte| number.saturating_mul(256) | usize::from(*byte));
                rounds = rounds.saturating_add(number);
            }
            after_octets = tag == OCTETS;
            if tag & CONSTRUCTED != 0 || tag == OCTETS {
                open.push(Reader(content));
            }
        }
    }
    budget.step(rounds.saturating_mul(STEPS_PER_ROUND))
}

/// An archive with a key and its certificate; with the further certificates too if `chain`.
fn identity(args: Args<'_>, password: &[u8], chain: bool, budget: &mut Budget) -> Result<Value, Failure> {
    let certificates = if chain { every(args.text(0), budget)? } else { vec![first(args.text(0))?] };
    let identifier = certificates.first().map(|leaf| digest(&SHA1_FOR_LEGACY_USE_ONLY, &leaf.der));
    let identifier = identifier.ok_or_else(malformed)?;
    let key = key::any_from_pem(args.text(1))?.to_pkcs8();
    let key = BagKey::from_der(&key).map_err(|_| unwritable())?;
    let bags = certificates.iter().map(bag).collect::<Result<Vec<_>, _>>()?;
    let mut store = KeyStore::new();
    let entry = PrivateKeyChain::new(identifier.as_ref(), key, bags);
    store.add_entry(ALIAS, KeyStoreEntry::PrivateKeyChain(entry));
    write(&store, password, budget)
}

/// An archive of trusted certificates as Java reads it, each named by its subject.
fn trust_store(text: &[u8], password: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let certificates = every(text, budget)?;
    let mut store = KeyStore::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let bag = bag(certificate)?;
        // Names in an archive have 16 bits a character.
        let mut alias = bag.subject().chars().filter(|character| u32::from(*character) <= 0xffff).collect::<String>();
        if alias.is_empty() || store.entry(&alias).is_some() {
            alias = format!("{alias}#{}", index + 1);
        }
        store.add_entry(&alias, KeyStoreEntry::Certificate(bag));
    }
    write(&store, password, budget)
}

fn first(text: &[u8]) -> Result<Certificate, Failure> {
    let (block, _) = Block::take(text).ok_or_else(undecodable)?;
    Certificate::parse(&block.content).ok_or_else(malformed)
}

/// All certificates of a text with nothing but space behind them.
fn every(text: &[u8], budget: &mut Budget) -> Result<Vec<Certificate>, Failure> {
    let mut certificates = Vec::new();
    let mut rest = text;
    while !rest.trim_ascii().is_empty() {
        budget.step(1)?;
        let (block, after) = Block::take(rest).ok_or_else(undecodable)?;
        certificates.push(Certificate::parse(&block.content).ok_or_else(malformed)?);
        rest = after;
    }
    Ok(certificates)
}

fn bag(certificate: &Certificate) -> Result<Bag, Failure> {
    Bag::from_der(&certificate.der).map_err(|_| malformed())
}

fn write(store: &KeyStore, password: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    budget.step(3 * ROUNDS as usize * STEPS_PER_ROUND)?;
    let password = std::str::from_utf8(password).map_err(|_| Failure::execute("the password is not UTF-8"))?;
    let archive = store
        .writer(password)
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ROUNDS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ROUNDS)
        .write();
    budget.text(encode_64(&archive.map_err(|_| unwritable())?))
}

fn undecodable() -> Failure {
    Failure::execute("failed to decode PEM block")
}

fn unwritable() -> Failure {
    Failure::execute("unable to encode pkcs12: the key, a name or the password cannot be encoded")
}

/// What Java calls the only entry of an archive without names.
const ALIAS: &str = "1";
const CONSTRUCTED: u8 = 0x20;
const ROUNDS: u32 = 2048;
/// One round is one or two runs of a hash function.
const STEPS_PER_ROUND: usize = 4;
/// 1.3.6.1.4.1.11591.4.11: takes as much memory as the archive asks for.
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];
