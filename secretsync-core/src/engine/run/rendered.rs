//! The step that renders, with what random templates leave as it is.

use std::sync::Arc;

use super::Run;
use crate::engine::inputs::Made;
use crate::engine::render::{Kept, Templates, texts};
use crate::error::Result;
use crate::secret::{Fingerprint, SecretMap, SecretValue};
use crate::store::{Desired, Observed};

impl Run<'_> {
    /// Reads what templates need, and renders off the async threads: a template may compute for a while.
    pub(super) async fn render(&mut self, observed: &Observed, data: SecretMap) -> Result<Desired> {
        self.made = None;
        let meta = self.spec.meta.clone();
        let Some(template) = self.spec.template.clone() else { return Ok(Desired::new(data, meta)) };
        let texts = texts(&template, self.shared.templates.as_deref()).await?;
        let parser = Arc::clone(&self.shared.parser);
        let templates = self.compute(move || Templates::parse(&parser, &template, &texts)).await?;
        let mut kept = self.kept(observed, templates.mint()).await?;
        let inputs = templates.vary().then(|| templates.inputs(&data));
        kept.made = inputs.as_ref().and_then(|inputs| self.shared.inputs.made(&self.key(), inputs));
        let former = kept.made.as_ref().map(|made| made.varied.clone()).unwrap_or_default();
        let mut desired = self.compute(move || templates.render(data, meta, &kept)).await?;
        let varied = std::mem::replace(&mut desired.varied, former);
        let (labels, annotations) = (&desired.meta.labels, &desired.meta.annotations);
        self.made =
            inputs.map(|inputs| Made { inputs, varied, labels: labels.clone(), annotations: annotations.clone() });
        Ok(desired)
    }

    /// What random templates leave as it is; keys only where some are made from nothing, since to know them costs a read.
    async fn kept(&self, observed: &Observed, keys: bool) -> Result<Kept> {
        let Observed::Present(present) = observed else { return Ok(Kept::default()) };
        let mut kept = Kept::default();
        if keys && present.keys.values().any(|state| state.owned) {
            kept.data = self.shared.store.own_values(&self.spec.target, &self.spec.owner).await?;
        }
        if let Some(meta) = &present.meta {
            (kept.labels, kept.annotations) = (meta.labels.clone(), meta.annotations.clone());
        }
        Ok(kept)
    }

    /// Takes what merely varies as it is there where it was made of the same inputs: what is written, or held against a target that takes no other data,
    /// is then no change. The values are read only here and only then.
    pub(super) async fn put_back(&mut self, observed: &Observed, desired: &mut Desired) -> Result<()> {
        let mut former = std::mem::take(&mut desired.varied);
        let (Observed::Present(present), Some(made)) = (observed, &mut self.made) else { return Ok(()) };
        former.retain(|key, fingerprint| {
            let seen = present.keys.get(key).and_then(|state| state.fingerprint);
            seen == Some(*fingerprint) && made.varied.contains_key(key)
        });
        if former.is_empty() {
            return Ok(());
        }
        let own = self.shared.store.own_values(&self.spec.target, &self.spec.owner).await?;
        for (key, fingerprint) in former {
            let there = own.get(key.as_str()).filter(|value| Fingerprint::of(value) == fingerprint);
            if let Some(there) = there.map(SecretValue::duplicate) {
                desired.data.insert(key.clone(), there);
                made.varied.insert(key, fingerprint);
            }
        }
        Ok(())
    }
}
