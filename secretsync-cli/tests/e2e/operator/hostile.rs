//! Thousands of broken objects among some good ones, on a real API server whose schemas let everything through: the good ones are synced, each broken one
//! says what is wrong with it, the operator goes on, and no value is told.

#[path = "hostile/broken.rs"]
mod broken;
#[path = "hostile/scene.rs"]
mod scene;

use serde_json::json;

use super::stage::{until, until_told};
use crate::hostile::CANARY;
use broken::{Broken, cluster_external_secrets, cluster_stores, generators, stores, syncs};
use scene::{Scene, full};

/// Every group of broken objects, and what may stay without a condition.
fn all() -> Vec<Broken> {
    [syncs(), stores(), cluster_stores(), cluster_external_secrets(), generators()].concat()
}

#[test]
fn thousands_of_broken_objects_stop_nobody_else_and_each_says_what_is_wrong() {
    let broken = all();
    assert!(broken.len() > 4_000, "{} objects", broken.len());
    let mut scene = Scene::new();
    scene.create(&[full("first")]);
    scene.create(&broken.iter().flat_map(Broken::objects).collect::<Vec<_>>());
    scene.create(&[full("full"), full("second")]);
    scene.start();
    for name in ["first", "full", "second"] {
        until(&CANARY.to_owned(), || scene.value(name, "user"));
    }
    until(&Vec::<String>::new(), || scene.untold(&broken));
    let wrong: Vec<_> = scene.told().iter().filter_map(|(name, told)| complaint(&broken, name, told)).collect();
    assert!(wrong.is_empty(), "{} of them, among them {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);

    // What comes later is synced, and what is changed is repaired.
    scene.create(&[full("third")]);
    until(&CANARY.to_owned(), || scene.value("third", "user"));
    scene.delete("secret", "first");
    until(&CANARY.to_owned(), || scene.value("first", "user"));
    // A broken one that is mended works.
    scene.replace(&full("es-7"));
    until(&CANARY.to_owned(), || scene.value("es-7", "user"));
    until_told("200", || scene.health());
    let told = scene.everything_told();
    for secret in [CANARY, "Y2FuYXJ5LTdjNDE", scene.token()] {
        let place = told.find(secret).map(|at| told[at.saturating_sub(300)..at].to_owned());
        assert_eq!(place, None, "a value was told after this text");
    }
    for bad in ["panicked", "internal error", "internal-defect"] {
        assert!(!told.contains(bad), "{bad}");
    }
}

/// What is not as it should be with what an object says of itself.
fn complaint(broken: &[Broken], name: &str, told: &serde_json::Value) -> Option<String> {
    let one = broken.iter().find(|one| one.name == name)?;
    if told["status"] == "True" || one.is_silent() {
        return None;
    }
    let text = told["message"].as_str().unwrap_or_default();
    let shown = || Some(format!("{name} {} = {}: {text:.600}", one.place, json!(one.value)));
    let short = text.len() < 5_000 && !text.contains('\n');
    (!short || !one.is_named_by(text)).then(shown)?
}
