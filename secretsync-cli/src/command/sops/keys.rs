//! `secretsync sops keys`.

use secretsync_core::error::Result;
use secretsync_providers::sops::{SopsRecipient, SopsRecipients};
use serde_json::{Value, json};

use super::{Told, files, inspector, is_text, shown};
use crate::args::SopsKeys;
use crate::diagnose::Exit;
use crate::output::{self, printable};

/// Says who can read a document.
pub(super) async fn run(job: SopsKeys) -> Result<Told> {
    let SopsKeys { path, output } = job;
    let content = files::read(&path)?;
    let inspector = inspector().await?;
    let recipients = inspector.recipients(&shown(&path), &content)?;
    let unusable: Vec<&str> = inspector.unusable().collect();
    let text = if is_text(output) {
        unusable.iter().fold(text(&recipients), |text, what| format!("{text}note: {}\n", printable(what)))
    } else {
        super::json(&report(&shown(&path), &recipients, &unusable))
    };
    Ok(Told { text, exit: Exit::Done })
}

/// A row for each key, by group where there are several.
fn text(recipients: &SopsRecipients) -> String {
    let split = recipients.needed.is_some();
    let mut head = vec!["KIND", "KEY", "WRAPPED", "OPENS HERE"];
    if split {
        head.insert(0, "GROUP");
    }
    let rows = recipients.keys.iter().map(|key| {
        let mut row = vec![
            key.kind.to_owned(),
            key.name.clone(),
            key.created.clone().unwrap_or_else(|| "-".to_owned()),
            if key.opens { "yes" } else { "-" }.to_owned(),
        ];
        if split {
            row.insert(0, key.group.unwrap_or_default().to_string());
        }
        row
    });
    let who = match recipients.needed {
        Some(needed) => format!("Keys of {needed} different groups together can read it."),
        None => "Any one of these keys can read it.".to_owned(),
    };
    format!("{}\n{who}\n", output::rows(&head, rows))
}

fn report(path: &str, recipients: &SopsRecipients, unusable: &[&str]) -> Value {
    let key = |key: &SopsRecipient| json!({ "group": key.group, "kind": key.kind, "key": key.name, "wrapped": key.created, "opens_here": key.opens });
    json!({
        "command": "sops keys",
        "path": path,
        "keys": recipients.keys.iter().map(key).collect::<Vec<_>>(),
        "groups_needed": recipients.needed,
        "unusable": unusable,
    })
}
