//! The exact texts of help and of refusals.

#[test]
fn texts_are_as_promised() {
    trycmd::TestCases::new().case("tests/cmd/*.toml");
}
