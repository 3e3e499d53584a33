//! Prints the page of template functions: `docs/templates.md`.

use std::error::Error;
use std::io::{self, Write as _};

mod markdown;

fn main() -> Result<(), Box<dyn Error>> {
    io::stdout().write_all(markdown::page()?.as_bytes())?;
    Ok(())
}
