//! From data to the desired target: templates. Pure; their texts are read in [`source`].

mod source;
mod text;

use std::collections::BTreeMap;

use secretsync_template::Value;
use zeroize::Zeroizing;

pub(crate) use source::{Texts, texts};
pub(crate) use text::TemplateParser;
use text::{Makes, Text};

use super::inputs::Made;
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::{Fingerprint, SecretKey, SecretMap, SecretValue};
use crate::store::{Desired, TargetMeta};
use crate::sync::{Origin, TemplateFrom, TemplateSpec, TemplateTarget, TemplateText};
use crate::yaml::{Limits, parse_documents};

/// Every template of a sync, parsed, in the order of rendering: `templateFrom`, then keys, labels and annotations. A later one overwrites what an
/// earlier one made (`eso-compat.md` 2.7, 3.2).
#[derive(Debug)]
pub(crate) struct Templates {
    keeps_data: bool,
    texts: Vec<Text>,
}

/// What the target has from this sync already and that templates with random results leave as it is.
///
/// A random template must be rendered again only when its inputs change. What is made from nothing is rendered when its key is missing, and its result then
/// stays. The result of any other stays as long as the inputs are known to be those of the last time; a process that has just begun knows none, and to keep a
/// digest of them beside the target is out of the question.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Keys.
    pub(crate) data: SecretMap,
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// What was made of the same data the last time, where that is known.
    pub(crate) made: Option<Made>,
}

impl Templates {
    /// Parses every template of `spec`; `texts` are those that do not stand in it.
    pub(crate) fn parse(parser: &TemplateParser, spec: &TemplateSpec, texts: &Texts) -> Result<Self> {
        let mut templates = Self { keeps_data: spec.keeps_data(), texts: Vec::new() };
        for (index, from) in spec.from.iter().enumerate() {
            for text in &from.texts {
                let parsed = from_elsewhere(parser, from, index, text, texts);
                templates.texts.push(parsed.map_err(|error| source::at(&Origin::template_from(index), error))?);
            }
        }
        let own = [
            (TemplateTarget::Data, &spec.data),
            (TemplateTarget::Labels, &spec.labels),
            (TemplateTarget::Annotations, &spec.annotations),
        ];
        for (target, all) in own {
            for (key, text) in all {
                templates.texts.push(Text::own(parser, target, key, text)?);
            }
        }
        Ok(templates)
    }

    /// Whether some template makes something new each time, so that [`Kept`] matters.
    pub(crate) fn mint(&self) -> bool {
        self.texts.iter().any(|text| text.template.mints())
    }

    /// Whether the results of some depend on the data, and on more than these.
    pub(crate) fn vary(&self) -> bool {
        self.texts.iter().any(|text| text.varies() || text.template.mints() && text.template.reads_data())
    }

    /// Tells inputs apart: the data, and the texts with what becomes of their results.
    pub(crate) fn inputs(&self, data: &SecretMap) -> Fingerprint {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut add = |part: &[u8]| {
            bytes.extend_from_slice(&part.len().to_le_bytes());
            bytes.extend_from_slice(part);
        };
        for (key, value) in data {
            add(key.as_str().as_bytes());
            add(value.expose());
        }
        for text in &self.texts {
            add(text.subject.as_bytes());
            add(text.template.text().as_bytes());
            add(&[text.decoding as u8, text.target as u8, u8::from(matches!(text.makes, Makes::Pairs))]);
        }
        Fingerprint::of_bytes(&bytes)
    }

    /// Makes the target from the data, the root of every template. The data's own keys stay when the template merges or makes no keys of its own.
    pub(crate) fn render(&self, data: SecretMap, meta: TargetMeta, kept: &Kept) -> Result<Desired> {
        let root =
            Value::string_map(data.iter().map(|(key, value)| (key.as_str().to_owned(), value.expose().to_vec())));
        let mut desired = Desired::new(if self.keeps_data { data } else { SecretMap::new() }, meta);
        for text in &self.texts {
            text.render(&root, kept, &mut desired)?;
        }
        Ok(desired)
    }
}

/// One text of the `templateFrom` of this index.
fn from_elsewhere(
    parser: &TemplateParser,
    from: &TemplateFrom,
    index: usize,
    text: &TemplateText,
    texts: &Texts,
) -> Result<Text> {
    match text {
        TemplateText::Literal(text) => Text::literal(parser, from, index, text),
        TemplateText::Item { reference, scope } => {
            let value = texts.get(reference).ok_or_else(|| {
                Error::new(ErrorKind::Internal, "read").on(reference).because("it was never asked for")
            })?;
            Text::item(parser, from, reference, *scope, value)
        }
    }
}

impl Text {
    fn render(&self, root: &Value, kept: &Kept, into: &mut Desired) -> Result<()> {
        match &self.makes {
            Makes::Value(key) => {
                if let Some(there) = self.kept(kept, key) {
                    return self.put(key, there, into);
                }
                let value = self.decode(key, self.execute(root)?)?;
                self.put(key, value, into)
            }
            Makes::Pairs => {
                for (key, value) in self.pairs(root)? {
                    let value = match self.kept(kept, &key) {
                        Some(there) => there,
                        None => self.decode(&key, value)?,
                    };
                    self.put(&key, value, into)?;
                }
                Ok(())
            }
        }
    }

    /// Whether its result is another one each time although nothing is made from nothing: it is salted, or tells the time.
    fn varies(&self) -> bool {
        self.template.is_random() && !self.template.mints()
    }

    /// What stays as it is, if this template would make something else of the same each time.
    fn kept(&self, kept: &Kept, key: &str) -> Option<SecretValue> {
        if !self.template.is_random() {
            return None;
        }
        let text = |texts: &BTreeMap<String, String>| texts.get(key).map(|text| SecretValue::from(text.as_str()));
        if self.varies() {
            // Not what is there, which may be somebody else's. Of data only fingerprints are known, and these are compared later.
            let made = kept.made.as_ref()?;
            return match self.target {
                TemplateTarget::Data => None,
                TemplateTarget::Labels => text(&made.labels),
                TemplateTarget::Annotations => text(&made.annotations),
            };
        }
        if self.template.reads_data() && kept.made.is_none() {
            return None;
        }
        match self.target {
            TemplateTarget::Data => kept.data.get(key).map(SecretValue::duplicate),
            TemplateTarget::Labels => text(&kept.labels),
            TemplateTarget::Annotations => text(&kept.annotations),
        }
    }

    fn put(&self, key: &str, value: SecretValue, into: &mut Desired) -> Result<()> {
        let texts = match self.target {
            TemplateTarget::Data => {
                let key = self.key(key)?;
                into.varied.remove(&key);
                if self.varies() {
                    into.varied.insert(key.clone(), Fingerprint::of(&value));
                }
                into.data.insert(key, value);
                return Ok(());
            }
            TemplateTarget::Labels => &mut into.meta.labels,
            TemplateTarget::Annotations => &mut into.meta.annotations,
        };
        let Some(text) = value.expose_str() else {
            return Err(self
                .failure("render")
                .because("the result is not UTF-8, and labels and annotations are texts"));
        };
        texts.insert(key.to_owned(), text.to_owned());
        Ok(())
    }

    fn key(&self, key: &str) -> Result<SecretKey> {
        SecretKey::new(key).map_err(|error| {
            let hint = Hint::new(Code::KeyInvalid, "choose another key in `spec.target.template`");
            let failure = Error::new(ErrorKind::InvalidConfig, "use the key").with_hint(hint);
            match &self.makes {
                Makes::Value(_) => failure.with_source(error),
                // The key was rendered from values, so it may be one.
                Makes::Pairs => failure
                    .on(format!("that {} renders to", self.subject))
                    .because("use 1 to 253 of the characters A-Z a-z 0-9 - . _, not beginning with `..`"),
            }
        })
    }

    fn pairs(&self, root: &Value) -> Result<Vec<(String, SecretValue)>> {
        let rendered = self.execute(root)?;
        let unreadable = |error| {
            let advice = "render one YAML mapping of keys to texts; `toJson` quotes a value that YAML would read as something else";
            Error::new(ErrorKind::InvalidData, "read")
                .on(format!("the YAML that {} renders to", self.subject))
                .with_source(error)
                .with_hint(Hint::new(Code::TemplateInvalid, advice))
        };
        // As in External Secrets Operator, the last one of repeated keys counts, and further documents do not.
        let limits = Limits { repeated_keys: true, ..Limits::default() };
        let documents = parse_documents(rendered.expose(), &limits).map_err(unreadable)?;
        let Some(document) = documents.first() else { return Ok(Vec::new()) };
        let texts = document.to_texts().map_err(unreadable)?;
        Ok(texts.into_iter().map(|(key, text)| (key, Zeroizing::new(text.into_bytes()).into())).collect())
    }
}

#[cfg(test)]
mod tests;
