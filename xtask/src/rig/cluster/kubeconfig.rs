//! The kubeconfig of a cluster: a context for each user.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::User;

/// JSON, which is YAML too. The authority is embedded, so the file may be copied.
pub(super) fn render(address: &str, authority: &[u8], users: &[User], current: &str) -> String {
    let entry = |user: &User| json!({ "name": user.name, "user": { "token": user.token } });
    let context = |user: &User| json!({ "name": user.name, "context": { "cluster": "rig", "user": user.name } });
    let cluster = json!({ "server": address, "certificate-authority-data": STANDARD.encode(authority) });
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "rig", "cluster": cluster }],
        "users": users.iter().map(entry).collect::<Vec<_>>(),
        "contexts": users.iter().map(context).collect::<Vec<_>>(),
        "current-context": current,
    });
    format!("{config:#}\n")
}
