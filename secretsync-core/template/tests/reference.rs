//! The page of template functions is what running its examples gives.

#[path = "../examples/function_reference/markdown.rs"]
mod markdown;

#[test]
fn the_page_of_functions_is_up_to_date() {
    let page = markdown::page().expect("every example renders and every function has one");
    let stored = include_str!("../../../docs/templates.md");
    assert!(page == stored, "docs/templates.md is old: run `cargo xtask golden reference`");
}
