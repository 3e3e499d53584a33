//! JSON Web Keys to PEM: RSA, elliptic curves and Ed25519 (RFC 7517, 7518, 8037).

use bstr::ByteSlice;
use num_bigint::BigUint;

use crate::budget::Budget;
use crate::error::Failure;
use crate::function::{Args, Function, Type, decode_64, json};
use crate::key::curve::Curve;
use crate::key::{PrivateKey, ed25519_algorithm, public_key_info, rsa_algorithm};
use crate::pem::Block;
use crate::pem::der::{SEQUENCE, element, integer};
use crate::value::{Buffer, Map, Value};

use Type::Text;

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("jwkPrivateKeyPem", &[Text], |args, budget| {
        let fields = Fields::read(args, budget)?;
        let key = fields.private_key()?;
        budget.text(Block::new("PRIVATE KEY", key.to_pkcs8()).text())
    }),
    Function::new("jwkPublicKeyPem", &[Text], |args, budget| {
        let fields = Fields::read(args, budget)?;
        let key = fields.public_key()?;
        budget.text(Block::new("PUBLIC KEY", key).text())
    }),
];

/// The members of a key.
struct Fields(Map);

enum Kind {
    Ec,
    Ed25519,
    Rsa,
}

impl Fields {
    fn read(args: Args<'_>, budget: &mut Budget) -> Result<Self, Failure> {
        match json::parse(args.text(0), budget)? {
            Value::Map(map) => Ok(Self(map)),
            _ => Err(Failure::execute("the JWK is no JSON object")),
        }
    }

    fn kind(&self) -> Result<Kind, Failure> {
        match (&*self.text("kty")?, &*self.text("crv").unwrap_or_default()) {
            (b"EC", _) => Ok(Kind::Ec),
            (b"OKP", b"Ed25519") => Ok(Kind::Ed25519),
            (b"OKP", _) => Err(Failure::execute("the JWK has a curve other than Ed25519")),
            (b"RSA", _) => Ok(Kind::Rsa),
            _ => Err(Failure::execute("the JWK has a key type other than RSA, EC or OKP")),
        }
    }

    fn public_key(&self) -> Result<Buffer, Failure> {
        let kind = self.kind()?;
        if self.0.get(b"d").is_some() {
            return Err(Failure::execute("the JWK is a private key").with_hint("use `jwkPrivateKeyPem`"));
        }
        Ok(match kind {
            Kind::Ec => {
                let curve = self.curve()?;
                public_key_info(&curve.algorithm(), &self.point(curve)?)
            }
            Kind::Ed25519 => {
                let key = self.bytes("x")?;
                if key.len() != 32 {
                    return Err(malformed("x"));
                }
                public_key_info(&ed25519_algorithm(), &key)
            }
            Kind::Rsa => {
                let key = element(SEQUENCE, &[&integer(&self.bytes("n")?), &integer(&self.bytes("e")?)]);
                public_key_info(&rsa_algorithm(), &key)
            }
        })
    }

    fn private_key(&self) -> Result<PrivateKey, Failure> {
        let kind = self.kind()?;
        if self.0.get(b"d").is_none() {
            return Err(Failure::execute("the JWK is a public key").with_hint("use `jwkPublicKeyPem`"));
        }
        match kind {
            Kind::Ec => {
                let curve = self.curve()?;
                let wanted = self.point(curve)?;
                match PrivateKey::from_scalar(curve, &self.bytes("d")?) {
                    Some(PrivateKey::Ec { curve, scalar, point }) if point == wanted => {
                        Ok(PrivateKey::Ec { curve, scalar, point })
                    }
                    _ => Err(malformed("d")),
                }
            }
            Kind::Ed25519 => {
                let seed = self.bytes("d")?;
                if seed.len() != 32 {
                    return Err(malformed("d"));
                }
                Ok(PrivateKey::Ed25519(seed))
            }
            Kind::Rsa => self.rsa(),
        }
    }

    fn rsa(&self) -> Result<PrivateKey, Failure> {
        let mut numbers =
            ["n", "e", "d", "p", "q"].map(|name| self.bytes(name)).into_iter().collect::<Result<Vec<_>, _>>()?;
        let [_, _, exponent, first, second] = numbers.as_slice() else {
            return Err(malformed("n"));
        };
        // A producer may leave these out, though none should (RFC 7518, 6.3.2).
        let derived = [
            self.optional("dp", || remainder(exponent, first))?,
            self.optional("dq", || remainder(exponent, second))?,
            self.optional("qi", || inverse(second, first))?,
        ];
        numbers.extend(derived);
        let mut content = integer(&[0]);
        for number in numbers {
            content.extend(&integer(&number));
        }
        let key = element(SEQUENCE, &[&content]);
        PrivateKey::from_pkcs1(&key).ok_or_else(|| Failure::execute("the numbers of the JWK make no RSA key"))
    }

    fn optional(&self, name: &'static str, compute: impl FnOnce() -> Option<Buffer>) -> Result<Buffer, Failure> {
        match self.0.get(name.as_bytes()) {
            Some(_) => self.bytes(name),
            None => compute().ok_or_else(|| malformed("p")),
        }
    }

    fn curve(&self) -> Result<&'static Curve, Failure> {
        Curve::by_name(&self.text("crv")?).ok_or_else(|| malformed("crv"))
    }

    fn point(&self, curve: &Curve) -> Result<Vec<u8>, Failure> {
        let point = curve.point(&self.bytes("x")?, &self.bytes("y")?);
        point.ok_or_else(|| Failure::execute("the point of the JWK is not on its curve"))
    }

    fn text(&self, name: &'static str) -> Result<crate::value::Bytes, Failure> {
        match self.0.get(name.as_bytes()) {
            Some(Value::Bytes(text)) => Ok(text),
            Some(_) => Err(malformed(name)),
            None => Err(Failure::execute(format!("the JWK has no field `{name}`"))),
        }
    }

    /// A field of base64url digits; the other alphabet and padding are taken too.
    fn bytes(&self, name: &'static str) -> Result<Buffer, Failure> {
        let text = self.text(name)?;
        let mut standard = Buffer::with_capacity(text.len() + 3);
        for byte in text.trim_end_with(|c| c == '=') {
            standard.push(match byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => *byte,
            });
        }
        while !standard.len().is_multiple_of(4) {
            standard.push(b'=');
        }
        decode_64(&standard).map_err(|_| malformed(name))
    }
}

/// An exponent of an RSA key modulo a prime less one.
fn remainder(exponent: &[u8], prime: &[u8]) -> Option<Buffer> {
    let (exponent, prime) = (number(exponent)?, number(prime)?);
    Some((exponent % (prime - 1_u8)).to_bytes_be().into())
}

fn inverse(value: &[u8], prime: &[u8]) -> Option<Buffer> {
    Some(number(value)?.modinv(&number(prime)?)?.to_bytes_be().into())
}

/// A number above one that is no longer than those of the largest RSA key.
fn number(bytes: &[u8]) -> Option<BigUint> {
    let number = BigUint::from_bytes_be(bytes);
    (2..=MOST_BITS).contains(&number.bits()).then_some(number)
}

fn malformed(name: &str) -> Failure {
    Failure::execute(format!("the field `{name}` of the JWK is malformed"))
}

/// Bits of the largest RSA key.
const MOST_BITS: u64 = 8192;
