//! What users read about errors.

use secretsync_core::error::Code;

/// `docs/errors.md` explains every code, in order, and no other.
#[test]
fn every_code_is_explained() {
    let page = include_str!("../../docs/errors.md");
    let sections: Vec<_> = page.split("\n## ").skip(1).collect();
    let titles: Vec<_> = sections.iter().map(|section| section.lines().next().unwrap_or_default()).collect();
    assert_eq!(titles, Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>());
    for (code, section) in Code::ALL.iter().zip(sections) {
        assert!(section.contains(code.meaning()), "the section of {code} lacks: {}", code.meaning());
        assert!(section.lines().count() > 4, "the section of {code} does not say what to do");
    }
}
