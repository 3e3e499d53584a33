//! Semantic versions and the constraints on them, as loosely read as sprig's library does.

use std::cmp::Ordering;
use std::fmt;

pub(crate) mod constraint;

/// `1.2.3-rc.1+build`; a leading `v` and missing parts are accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) prerelease: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl Version {
    /// Nothing if the text is no version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = rest.split_once('+').map_or((rest, None), |(rest, metadata)| (rest, Some(metadata)));
        let (numbers, prerelease) = rest.split_once('-').map_or((rest, None), |(numbers, pre)| (numbers, Some(pre)));
        let mut parts = [0; 3];
        for (index, number) in numbers.split('.').enumerate() {
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *parts.get_mut(index)? = number.parse().ok()?;
        }
        let identifiers_fit = |text: Option<&str>| text.is_none_or(|text| text.split('.').all(is_identifier));
        let leading_zero =
            |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        if !identifiers_fit(prerelease) || !identifiers_fit(metadata) {
            return None;
        }
        if prerelease.is_some_and(|text| text.split('.').any(leading_zero)) {
            return None;
        }
        let [major, minor, patch] = parts;
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some(Self {
            major,
            minor,
            patch,
            prerelease: owned(prerelease),
            metadata: owned(metadata),
            original: text.to_owned(),
        })
    }

    /// The release after this one: of a pre-release, the release itself.
    pub(crate) fn next_patch(&self) -> Self {
        let step = u64::from(self.prerelease.is_empty());
        self.released(self.major, self.minor, self.patch.wrapping_add(step))
    }

    pub(crate) fn next_minor(&self) -> Self {
        self.released(self.major, self.minor.wrapping_add(1), 0)
    }

    pub(crate) fn next_major(&self) -> Self {
        self.released(self.major.wrapping_add(1), 0, 0)
    }

    fn released(&self, major: u64, minor: u64, patch: u64) -> Self {
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        let original = format!("{prefix}{major}.{minor}.{patch}");
        Self { major, minor, patch, prerelease: String::new(), metadata: String::new(), original }
    }

    /// Precedence; metadata does not count.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| compare_prerelease(&self.prerelease, &other.prerelease))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// No pre-release is above any; numbers are below words; more parts are above fewer.
fn compare_prerelease(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let mut b = b.split('.');
    for part in a.split('.') {
        let ordering = b.next().map_or(Ordering::Greater, |other| compare_part(part, other));
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    if b.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(x), Ok(y)) => x.cmp(&y),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}
