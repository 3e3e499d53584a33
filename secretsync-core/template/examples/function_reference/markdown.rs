//! The page of template functions, made from `functions.txt` by running every example.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use secretsync_template::{Template, Value};

/// The page; fails if an example does, or if a function has no line or none that exists.
pub(crate) fn page() -> Result<String, Box<dyn Error>> {
    let mut page = String::from(HEAD);
    let mut missing: BTreeSet<&str> = secretsync_template::function_names().collect();
    for line in include_str!("functions.txt").lines().filter(|line| !line.is_empty()) {
        if line.starts_with("## ") {
            write!(page, "\n{line}\n\n| Function | | Example | Result |\n| --- | --- | --- | --- |\n")?;
            continue;
        }
        let fields: Vec<&str> = line.split('¦').map(str::trim).collect();
        let [names, parameters, sentence, example] = fields.as_slice() else {
            return Err(format!("not four fields: {line}").into());
        };
        let names: Vec<&str> = names.split(", ").collect();
        let result = render(example)?;
        for name in &names {
            if !missing.remove(name) {
                return Err(format!("no such function, or twice: {name}").into());
            }
            // Names of one line do the same.
            if render(&example.replacen(names[0], name, 1))? != result {
                return Err(format!("{name} differs from {}", names[0]).into());
            }
        }
        let signature = format!("{} {parameters}", names[0]);
        let others = names[1..].iter().map(|name| format!("; `{name}`")).collect::<Vec<_>>().concat();
        let example = example.replace('|', "\\|");
        let result = result.replace('\n', "⏎").replace('|', "\\|");
        let result = if result.is_empty() { String::new() } else { format!("`{result}`") };
        writeln!(page, "| `{}`{others} | {sentence} | `{example}` | {result} |", signature.trim_end())?;
    }
    if !missing.is_empty() {
        return Err(format!("functions without a line: {missing:?}").into());
    }
    Ok(page)
}

fn render(example: &str) -> Result<String, Box<dyn Error>> {
    let data = Value::string_map(DATA.map(|(key, text)| (key.to_owned(), text.into())));
    let result = Template::parse("example", example)?.render(&data);
    Ok(String::from_utf8(result.map_err(|error| format!("{example}: {error}"))?)?)
}

const DATA: [(&str, &str); 5] = [
    ("empty", ""),
    ("json", r#"{"user":"ada","ports":[80,443]}"#),
    ("jwk", r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#),
    ("list", "a,b,c"),
    ("name", "app"),
];

const HEAD: &str = r#"<!-- Made by `cargo xtask golden reference`: change secretsync-core/template/examples/function_reference/functions.txt. -->

# Template functions

What templates can call. The language around them is Go's `text/template`; the functions are sprig's and those of External Secrets Operator, with
their behaviour. In a pipeline the piped value is the last argument: `{{ .name | trunc 3 }}` is `{{ trunc 3 .name }}`.

Results below come from running the examples with these values: `.name` is `app`, `.list` is `a,b,c`, `.empty` is empty, `.json` is
`{"user":"ada","ports":[80,443]}`, `.jwk` is a public Ed25519 key. ⏎ stands for a newline. Names behind a semicolon do the same; `must…` forms exist
because sprig has them. Functions that change from run to run (`now`, `rand…`, `gen…`, `bcrypt` …) are rendered again only when the data changes.

There is no `env`, `expandenv` or `getHostByName`: templates reach neither the environment nor the network.
"#;
