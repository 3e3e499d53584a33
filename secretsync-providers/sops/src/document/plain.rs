//! A decrypted document.

use indexmap::IndexMap;
use indexmap::map::Entry;
use secretsync_core::json::Json;
use zeroize::Zeroizing;

use super::format::Format;
use super::value::float_text;

/// Where a binary document has its content.
pub(super) const CONTENT: &str = "data";

/// What a document holds; its texts are wiped when dropped.
#[derive(Default)]
pub(super) struct Plain {
    pub(super) members: IndexMap<String, Json>,
    /// The content of a binary document.
    pub(super) content: Option<Zeroizing<Vec<u8>>>,
}

/// A number in the text that sops gives it; what JSON has no number for becomes the text that YAML has for it.
pub(super) fn float(number: f64) -> Json {
    match number {
        f64::INFINITY => Json::text(".inf"),
        f64::NEG_INFINITY => Json::text("-.inf"),
        number if number.is_nan() => Json::text(".nan"),
        number => Json::number(float_text(number)),
    }
}

/// Adds a member. Of a repeated key, which only JSON documents can have, the last value wins, as for every reader of what `sops decrypt` prints;
/// sections of the same name, which only INI documents can have, become one.
pub(super) fn add(members: &mut IndexMap<String, Json>, key: String, value: Json, format: Format) {
    match (members.entry(key), value) {
        (Entry::Vacant(place), value) => drop(place.insert(value)),
        (Entry::Occupied(mut place), Json::Object(more)) if format == Format::Ini => match place.get_mut() {
            Json::Object(known) => known.extend(*more),
            known => *known = Json::Object(more),
        },
        (Entry::Occupied(mut place), value) => drop(place.insert(value)),
    }
}
