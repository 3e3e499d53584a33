//! `cargo xtask fences`: the arrows between our crates, proven by what `cargo tree` lists.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::{capture, cargo};
use crate::rig::note;

/// What `package` may not depend on, directly or not, on any platform.
#[derive(Debug)]
struct Fence {
    package: &'static str,
    /// Which of its features are on, as `cargo tree` is told.
    features: &'static [&'static str],
    /// Names of crates; `*` at the end stands for any ending.
    forbidden: &'static [&'static str],
    /// Exceptions to `forbidden`.
    allowed: &'static [&'static str],
}

const KUBERNETES: [&str; 4] = ["kube", "kube-*", "k8s-openapi", "secretsync-k8s"];

/// The table of design rules; the README draws the same picture.
const FENCES: [Fence; 8] = [
    Fence {
        package: "secretsync-template",
        features: &ALL,
        forbidden: &["secretsync-*", "kube", "kube-*", "k8s-openapi", "reqwest", "hyper", "hyper-*", "tokio"],
        allowed: &["secretsync-template"],
    },
    Fence {
        package: "secretsync-core",
        features: &ALL,
        forbidden: &["kube", "kube-*", "k8s-openapi", "reqwest", "hyper", "hyper-*", "aws-*", "secretsync-*"],
        // Certificate functions of templates use aws-lc, which knows nothing of AWS.
        allowed: &["aws-lc-*", "secretsync-core", "secretsync-template"],
    },
    Fence { package: "secretsync-k8s", features: &ALL, forbidden: &["secretsync-provider*"], allowed: &[] },
    Fence { package: "secretsync-provider-aws", features: &ALL, forbidden: &KUBERNETES, allowed: &[] },
    Fence { package: "secretsync-provider-sops", features: &ALL, forbidden: &KUBERNETES, allowed: &[] },
    Fence { package: "secretsync-provider-vault", features: &ALL, forbidden: &KUBERNETES, allowed: &[] },
    // A provider that is left out costs nothing.
    Fence {
        package: "secretsync-cli",
        features: &WITHOUT_AWS,
        forbidden: &["aws-*", "secretsync-provider-aws"],
        allowed: &["aws-lc-*"],
    },
    Fence {
        package: "secretsync-cli",
        features: &WITHOUT_VAULT,
        forbidden: &["reqwest", "secretsync-provider-vault"],
        allowed: &[],
    },
];

const ALL: [&str; 1] = ["--all-features"];
const WITHOUT_AWS: [&str; 2] = ["--no-default-features", "--features=vault"];
const WITHOUT_VAULT: [&str; 2] = ["--no-default-features", "--features=aws"];

pub(super) fn run() -> Result<()> {
    let mut report = String::new();
    for fence in &FENCES {
        let tree = [&TREE[..], fence.features, &["--package", fence.package]].concat();
        let listed = capture(cargo(&[&tree[..], &["--prefix", "none", "--format", "{p}"]].concat()))?;
        let violations = violations(fence, &listed);
        for violation in &violations {
            let path = capture(cargo(&[&tree[..], &["--invert", violation]].concat()))?;
            // Writing to a String cannot fail.
            writeln!(report, "\n{} must not depend on {violation}, but does:\n{path}", fence.package).ok();
        }
        let word = if violations.is_empty() { "holds" } else { "is broken" };
        note(format_args!("the fence around {} ({}) {word}", fence.package, fence.features.join(" ")));
    }
    if !report.is_empty() {
        bail!("a crate depends on what its layer must not know\n{report}");
    }
    Ok(())
}

const TREE: [&str; 6] = ["tree", "--locked", "--edges", "normal", "--target", "all"];

/// The forbidden crates among the lines of `cargo tree --prefix none`, as `name@version`, each once.
fn violations(fence: &Fence, tree: &str) -> BTreeSet<String> {
    let packages = tree.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        Some((words.next()?, words.next()?.strip_prefix('v')?))
    });
    let forbidden = packages.filter(|(name, _)| is_listed(name, fence.forbidden) && !is_listed(name, fence.allowed));
    forbidden.map(|(name, version)| format!("{name}@{version}")).collect()
}

fn is_listed(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
secretsync-core v0.1.0 (/checkout/secretsync-core)
hyper-util v0.1.19
hyper v1.8.1
async-trait v0.1.89 (proc-macro)
aws-lc-rs v1.15.1
hyper v1.8.1 (*)
secretsync-template v0.1.0 (/checkout/secretsync-core/template)
";

    fn fence(package: &str) -> &'static Fence {
        FENCES.iter().find(|fence| fence.package == package).unwrap()
    }

    #[test]
    fn a_forbidden_crate_is_found_once_and_its_exceptions_are_not() {
        let found = violations(fence("secretsync-core"), TREE);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["hyper-util@0.1.19", "hyper@1.8.1"]);
    }

    #[test]
    fn a_star_stands_for_any_ending_and_a_plain_name_for_itself() {
        let found = violations(
            fence("secretsync-k8s"),
            "kube v5.0.0\nsecretsync-provider-vault v0.1.0\nsecretsync-providers v0.1.0\n",
        );
        assert_eq!(found.len(), 2);
        assert!(violations(fence("secretsync-provider-sops"), "kubert v1.0.0\n").is_empty());
    }
}
