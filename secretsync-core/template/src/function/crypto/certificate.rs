//! `genCA`, `genSelfSignedCert`, `genSignedCert`, their forms with a given key, and `buildCustomCert`.

use std::net::IpAddr;
use std::str;

use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256, PublicKeyData, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::{cost, key};
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::random::fill;
use crate::function::{Args, Function, Type, decode_64};
use crate::key::PrivateKey;
use crate::pem::Block;
use crate::pem::certificate::Certificate;
use crate::pem::der::{Reader, SEQUENCE};
use crate::value::{Bytes, Issued, Kind, Object, Value};

use Type::{Any, Anys, Int, Text};

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("buildCustomCert", &[Text, Text], build_custom),
    Function::new("genCA", &[Text, Int], |args, budget| {
        let key = key::generate_for_certificate(budget)?;
        authority(args, &key, budget)
    })
    .minting(),
    Function::new("genCAWithKey", &[Text, Int, Text], |args, budget| {
        authority(args, &key::labelled_from_pem(args.text(2))?, budget)
    })
    .minting(),
    Function::new("genSelfSignedCert", &[Text, Anys, Anys, Int], |args, budget| {
        let key = key::generate_for_certificate(budget)?;
        self_signed(args, &key, budget)
    })
    .minting(),
    Function::new("genSelfSignedCertWithKey", &[Text, Anys, Anys, Int, Text], |args, budget| {
        self_signed(args, &key::labelled_from_pem(args.text(4))?, budget)
    })
    .minting(),
    Function::new("genSignedCert", &[Text, Anys, Anys, Int, Type::Certificate], |args, budget| {
        let key = key::generate_for_certificate(budget)?;
        signed(args, &key, budget)
    })
    .minting(),
    Function::new("genSignedCertWithKey", &[Text, Anys, Anys, Int, Type::Certificate, Text], |args, budget| {
        signed(args, &key::labelled_from_pem(args.text(5))?, budget)
    })
    .minting(),
];

/// Fields of what these functions return.
pub(crate) const FIELDS: &[Function] = &[
    Function::new("Cert", &[Any], |args, _| {
        issued(args.value(0)).map(|issued| Value::Bytes(issued.certificate.clone()))
    }),
    Function::new("Key", &[Any], |args, _| issued(args.value(0)).map(|issued| Value::Bytes(issued.key.clone()))),
];

/// Checks a certificate and a key, both in base64, and passes them on.
fn build_custom(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let decode = |index, what| {
        decode_64(args.text(index)).map_err(|_| Failure::execute(format!("unable to decode base64 {what}")))
    };
    let certificate = decode(0, "certificate")?;
    let key = decode(1, "private key")?;
    parse(&certificate)?;
    key::labelled_from_pem(&key)?;
    value(certificate.into(), key.into(), budget)
}

fn authority(args: Args<'_>, key: &PrivateKey, budget: &mut Budget) -> Result<Value, Failure> {
    let mut params = params(args, 1, None)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    self_sign(&params, key, budget)
}

fn self_signed(args: Args<'_>, key: &PrivateKey, budget: &mut Budget) -> Result<Value, Failure> {
    self_sign(&params(args, 3, Some((1, 2)))?, key, budget)
}

fn self_sign(params: &CertificateParams, key: &PrivateKey, budget: &mut Budget) -> Result<Value, Failure> {
    budget.step(cost::SIGNATURE)?;
    let pair = key_pair(key)?;
    let certificate = params.self_signed(&&*pair).map_err(refused)?;
    value(pem(certificate.der()), key.block().text().into(), budget)
}

fn signed(args: Args<'_>, key: &PrivateKey, budget: &mut Budget) -> Result<Value, Failure> {
    let authority = issued(args.value(4))?;
    let certificate = parse(&authority.certificate)?;
    let signer = key_pair(&key::labelled_from_pem(&authority.key)?)?;
    let public_key = signer.subject_public_key_info();
    if Reader(&public_key).expect(SEQUENCE) != Some(&certificate.public_key) {
        return Err(Failure::execute("the key of the authority does not belong to its certificate"));
    }
    let mut params = params(args, 3, Some((1, 2)))?;
    params.use_authority_key_identifier_extension = !certificate.subject_key.is_empty();
    let issuer = Issuer::from_ca_cert_der(&certificate.der.into(), &*signer).map_err(refused)?;
    budget.step(cost::SIGNATURE)?;
    let certificate = params.signed_by(&&*key_pair(key)?, &issuer).map_err(refused)?;
    value(pem(certificate.der()), key.block().text().into(), budget)
}

/// What all of these certificates have in common. `names` are the arguments with addresses and DNS names.
fn params(args: Args<'_>, days: usize, names: Option<(usize, usize)>) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(args.text(0))?;
    let mut serial = [0; 16];
    fill(&mut serial)?;
    // A serial number is positive and not zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = OffsetDateTime::now_utc();
    let end = Duration::DAY.checked_mul(i32::try_from(args.int(days)).unwrap_or(i32::MAX));
    let end = end.and_then(|validity| params.not_before.checked_add(validity)).filter(|end| end.year() >= 1950);
    params.not_after = end.ok_or_else(|| Failure::execute("the certificate would end beyond the year 9999"))?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.custom_extensions = Vec::new();
    if let Some((addresses, dns_names)) = names {
        params.custom_extensions.push(no_authority());
        for name in texts(args, dns_names, "error processing alternate dns name")? {
            params.subject_alt_names.push(SanType::DnsName(dns_name(name)?));
        }
        for address in texts(args, addresses, "error parsing ip")? {
            let parsed = str::from_utf8(address).ok().and_then(|text| text.parse::<IpAddr>().ok());
            let parsed = parsed.ok_or_else(|| Failure::execute("error parsing ip: the text is no IP address"))?;
            params.subject_alt_names.push(SanType::IpAddress(parsed.to_canonical()));
        }
    }
    Ok(params)
}

/// Basic constraints that say no, without the key identifier that rcgen would add: chains are told by who has one.
fn no_authority() -> rcgen::CustomExtension {
    let mut extension = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 19], vec![SEQUENCE, 0]);
    extension.set_criticality(true);
    extension
}

fn subject(name: &[u8]) -> Result<DistinguishedName, Failure> {
    let name = str::from_utf8(name).map_err(|_| Failure::execute("the common name is not UTF-8"))?;
    let mut subject = DistinguishedName::new();
    if !name.is_empty() {
        let value = PrintableString::try_from(name).map_or_else(|_| DnValue::from(name), DnValue::PrintableString);
        subject.push(DnType::CommonName, value);
    }
    Ok(subject)
}

fn dns_name(name: &[u8]) -> Result<Ia5String, Failure> {
    let name = str::from_utf8(name).ok().and_then(|name| Ia5String::try_from(name).ok());
    name.ok_or_else(|| Failure::execute("error processing alternate dns name: it is not ASCII"))
}

/// The elements of a list of texts.
fn texts<'a>(args: Args<'a>, index: usize, complaint: &str) -> Result<Vec<&'a [u8]>, Failure> {
    let Value::List(list) = args.value(index) else {
        return Ok(Vec::new());
    };
    let items = list.items().iter().map(|item| match item {
        Value::Bytes(text) => Ok(&**text),
        other => Err(Failure::execute(format!("{complaint}: a value of type {} is not a string", other.type_name()))),
    });
    items.collect()
}

fn key_pair(key: &PrivateKey) -> Result<Zeroizing<KeyPair>, Failure> {
    let algorithm = match key {
        PrivateKey::Ec { curve, .. } if curve.name == "P-521" => &PKCS_ECDSA_P521_SHA512,
        PrivateKey::Ec { curve, .. } if curve.name == "P-384" => &PKCS_ECDSA_P384_SHA384,
        PrivateKey::Ec { .. } => &PKCS_ECDSA_P256_SHA256,
        PrivateKey::Ed25519(_) => &PKCS_ED25519,
        PrivateKey::Rsa(_) => &PKCS_RSA_SHA256,
    };
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&(&*key.to_pkcs8()).into(), algorithm);
    pair.map(Zeroizing::new).map_err(|_| Failure::execute("the private key cannot sign certificates"))
}

/// The first certificate of a PEM text.
fn parse(text: &[u8]) -> Result<Certificate, Failure> {
    let (block, _) = Block::take(text).ok_or_else(|| Failure::execute("unable to decode certificate"))?;
    let certificate = Certificate::parse(&block.content);
    certificate.ok_or_else(|| Failure::execute("error parsing certificate: the PEM block is no X.509 certificate"))
}

fn pem(certificate: &[u8]) -> Bytes {
    Block::new("CERTIFICATE", certificate).text().into()
}

fn value(certificate: Bytes, key: Bytes, budget: &mut Budget) -> Result<Value, Failure> {
    budget.allocate(certificate.len() + key.len())?;
    Ok(Value::Object(Object::new(Kind::Certificate(Issued { certificate, key }))))
}

fn issued(value: &Value) -> Result<&Issued, Failure> {
    if let Value::Object(object) = value
        && let Kind::Certificate(issued) = object.kind()
    {
        return Ok(issued);
    }
    Err(Failure::execute("the value is no certificate"))
}

/// rcgen's own words may quote names, so they are not passed on.
fn refused(_: rcgen::Error) -> Failure {
    Failure::execute("error creating certificate: a name or the certificate of the authority cannot be encoded")
}
