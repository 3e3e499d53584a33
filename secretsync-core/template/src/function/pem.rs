//! PEM and certificate functions that need no cryptography: they read, sort and filter, and verify nothing.

use bstr::ByteSlice;

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::pem::Block;
use crate::pem::certificate::Certificate;
use crate::value::{Buffer, Value};

use Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("certSANs", &[Text], alternative_names),
    Function::new("filterCertChain", &[Text, Text], filter_chain),
    Function::new("filterPEM", &[Text, Text], filter_pem),
];

/// Keeps the blocks of one type; fails if there is none but text is left over.
fn filter_pem(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = args.text(1);
    let mut rest = text.find(b"-----BEGIN ").map_or(text, |at| &text[at..]);
    let mut out = Buffer::default();
    while let Some((block, after)) = Block::take(rest) {
        budget.step(1)?;
        if block.label.eq_ignore_ascii_case(args.text(0)) {
            block.append(&mut out);
        }
        rest = after;
    }
    if out.is_empty() && !rest.is_empty() {
        return Err(Failure::execute("error filtering pem: found junk"));
    }
    budget.text(out)
}

/// `leaf`, `intermediate` or `root` of a chain that is given in any order.
fn filter_chain(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let chain = ordered(certificates(args.text(1), budget)?, budget)?;
    let mut out = Buffer::default();
    match args.text(0) {
        b"leaf" => {
            if let Some(leaf) = chain.first().filter(|leaf| !leaf.is_root()) {
                leaf.block().append(&mut out);
            }
        }
        b"intermediate" => {
            for certificate in chain.iter().skip(1).take_while(|certificate| !certificate.is_root()) {
                certificate.block().append(&mut out);
            }
        }
        b"root" => {
            if let Some(root) = chain.last().filter(|last| last.is_root()) {
                root.block().append(&mut out);
            }
        }
        _ => {}
    }
    budget.text(out)
}

fn certificates(text: &[u8], budget: &mut Budget) -> Result<Vec<Certificate>, Failure> {
    let mut certificates = Vec::new();
    let mut rest = text;
    while let Some((block, after)) = Block::take(rest) {
        budget.step(1)?;
        certificates.push(Certificate::parse(&block.content).ok_or_else(malformed)?);
        rest = after;
    }
    Ok(certificates)
}

/// From the one certificate that issued none of the others up to its last issuer, found by key identifiers.
pub(super) fn ordered(certificates: Vec<Certificate>, budget: &mut Budget) -> Result<Vec<Certificate>, Failure> {
    let count = certificates.len();
    budget.step(count.saturating_mul(count))?;
    let issuer = |index: usize| {
        let wanted = &certificates[index].authority_key;
        (0..count).find(|other| *other != index && certificates[*other].subject_key == *wanted)
    };
    let issuers: Vec<Option<usize>> = (0..count).map(issuer).collect();
    let mut leaves = (0..count).filter(|index| !issuers.contains(&Some(*index)));
    let Some(leaf) = leaves.next() else {
        return Err(Failure::execute("no leaf certificate found"));
    };
    if leaves.next().is_some() {
        return Err(Failure::execute("found multiple leaf or disjunct certificates"));
    }
    let mut order = vec![leaf];
    let mut next = issuers[leaf];
    while let Some(index) = next {
        if order.contains(&index) {
            return Err(Failure::execute("the certificates issue one another in a circle"));
        }
        order.push(index);
        next = issuers[index];
    }
    let mut certificates: Vec<Option<Certificate>> = certificates.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|index| certificates[index].take()).collect())
}

fn alternative_names(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let (block, _) = Block::take(args.text(0)).ok_or_else(|| Failure::execute("failed to decode PEM block"))?;
    let certificate = Certificate::parse(&block.content).ok_or_else(malformed)?;
    budget.texts(certificate.names())
}

pub(super) fn malformed() -> Failure {
    Failure::execute("failed to parse certificate: a PEM block is no X.509 certificate")
}
