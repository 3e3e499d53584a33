//! Password hashes for files of web servers.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{cost, derive};
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::random::fill;
use crate::function::{Args, Function, Type, encode_64};
use crate::value::{Buffer, Value};

use Type::{Counter, HashAlgorithm, Text};

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("bcrypt", &[Text], |args, budget| {
        let hash = bcrypt(args.text(0), budget)?;
        budget.text(hash)
    })
    .random(),
    Function::new("derivePassword", &[Counter, Text, Text, Text, Text], derive::password),
    Function::new("htpasswd", &[Text, Text, HashAlgorithm], htpasswd).random(),
];

/// One line of a password file: `{SHA}` if the algorithm is `sha`, else bcrypt.
fn htpasswd(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let (user, password) = (args.text(0), args.text(1));
    let mut out = Buffer::default();
    if user.contains(&b':') {
        out.extend(b"invalid username: ");
        out.extend(user);
        return budget.text(out);
    }
    out.extend(user);
    out.push(b':');
    if args.text(2) == b"sha" {
        out.extend(b"{SHA}");
        out.extend(&encode_64(digest(&SHA1_FOR_LEGACY_USE_ONLY, password).as_ref()));
    } else {
        out.extend(bcrypt(password, budget)?.as_bytes());
    }
    budget.text(out)
}

/// A hash of form `$2a$10$…`, or sprig's complaint about a password that bcrypt would cut.
fn bcrypt(password: &[u8], budget: &mut Budget) -> Result<String, Failure> {
    if password.len() > MOST_BYTES {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned());
    }
    budget.step(cost::BCRYPT)?;
    let mut salt = [0; 16];
    fill(&mut salt)?;
    let parts = bcrypt::hash_with_salt(password, COST, salt);
    let parts = parts.map_err(|_| Failure::execute("bcrypt refuses the password"))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

const COST: u32 = 10;
const MOST_BYTES: usize = 72;
