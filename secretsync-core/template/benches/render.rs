//! Parses and renders the templates in `cases/`, which are of the kind that people have.
//!
//! `cargo xtask golden bench` runs this and Go's engine on the same templates and compares.

#![expect(clippy::unwrap_used, reason = "a bench whose templates do not render must stop")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use secretsync_template::{Template, Value};

/// Name, template, data.
const CASES: [(&str, &str, &str); 4] = [
    ("docker-config", include_str!("cases/docker-config.tmpl"), include_str!("cases/docker-config.json")),
    ("nginx", include_str!("cases/nginx.tmpl"), include_str!("cases/nginx.json")),
    ("range", include_str!("cases/range.tmpl"), include_str!("cases/range.json")),
    ("tls", include_str!("cases/tls.tmpl"), include_str!("cases/tls.json")),
];

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, text, _) in CASES {
        group.bench_function(name, |bencher| bencher.iter(|| Template::parse(name, black_box(text)).unwrap()));
    }
    group.finish();
}

fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    for (name, text, data) in CASES {
        let template = Template::parse(name, text).unwrap();
        let data: BTreeMap<String, String> = serde_json::from_str(data).unwrap();
        let data = Value::string_map(data.into_iter().map(|(key, value)| (key, value.into_bytes())));
        group.bench_function(name, |bencher| bencher.iter(|| template.render(black_box(&data)).unwrap()));
    }
    group.finish();
}

mod benches {
    use super::{criterion_group, parse, render};

    criterion_group!(all, parse, render);
}

criterion_main!(benches::all);
