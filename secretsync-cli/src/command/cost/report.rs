//! How a forecast is told.

use std::collections::BTreeSet;

use secretsync_core::engine::{Bill, Forecast, ReadForecast, RequestForecast, StoreForecast};
use secretsync_core::provider::PriceList;
use serde_json::{Value, json};

use crate::output;

/// For people: a row for each kind of request, the sum, then what was saved, what was not counted, and the prices.
pub(super) fn text(forecast: &Forecast, syncs: usize) -> String {
    let mut text = String::new();
    if !forecast.stores.is_empty() {
        let rows = forecast.stores.iter().flat_map(|store| {
            store.requests.iter().map(|(kind, requests)| {
                let RequestForecast { run, day, bill, .. } = *requests;
                let price = bill.map_or_else(|| "-".to_owned(), |bill| money(monthly(bill)));
                vec![store.name.clone(), (*kind).to_owned(), count(run), count(day), count(day * MONTH), price]
            })
        });
        text = output::rows(&["STORE", "REQUEST", "A RUN", "A DAY", "A MONTH", "USD A MONTH"], rows) + "\n";
    }
    text += &sum(forecast, syncs);
    let notes =
        forecast.stores.iter().flat_map(|store| notes(store).into_iter().map(|note| format!("{}: {note}", store.name)));
    let prices =
        lists(forecast).into_iter().map(|list| format!("{}, prices of {}: {}", list.name, list.date, list.terms));
    let lines: Vec<_> = notes.chain(prices).map(|line| output::printable(&line) + "\n").collect();
    if !lines.is_empty() {
        text.push('\n');
        text += &lines.concat();
    }
    text
}

/// What the rows do not say.
fn notes(store: &StoreForecast) -> Vec<String> {
    let mut notes = Vec::new();
    let (reads, often) = if store.day.wanted > 0.0 { (store.day, "a day") } else { (store.run, "in a run") };
    let (sharing, batching) = (reads.saved_by_sharing(), reads.saved_by_batching());
    if sharing + batching > 0.0 {
        let [wanted, sent, sharing, batching] = [reads.wanted, reads.sent, sharing, batching].map(count);
        notes.push(format!("{wanted} reads {often} by {sent} requests: sharing saves {sharing}, batching {batching}"));
    }
    if store.searches > 0 {
        let searches = several(store.searches, "search finds", "searches find");
        notes.push(format!(
            "what {searches} is read, too; how much that is, only the store knows, so it is not counted"
        ));
    }
    if store.issuing > 0 {
        let objects = several(store.issuing, "object", "objects");
        notes.push(format!(
            "{objects} may be issued: counted once, though each is asked for again before it ends, and some can be renewed"
        ));
    }
    if store.windowed > 0 {
        let syncs = several(store.windowed, "sync has", "syncs have");
        notes.push(format!("{syncs} `syncWindows`, counted as if they were always open"));
    }
    notes
}

fn sum(forecast: &Forecast, syncs: usize) -> String {
    let (mut run, mut day) = (0.0, 0.0);
    let mut price = None;
    for requests in forecast.stores.iter().flat_map(|store| store.requests.values()) {
        run += requests.run;
        day += requests.day;
        if let Some((least, most)) = requests.bill.map(monthly) {
            let sum = price.get_or_insert((0.0, 0.0));
            *sum = (sum.0 + least, sum.1 + most);
        }
    }
    let price = price.map(|sum| format!(", {} USD a month", money(sum))).unwrap_or_default();
    let syncs = if syncs == 1 { "1 sync".to_owned() } else { format!("{syncs} syncs") };
    let failed = match forecast.failed.len() {
        0 => String::new(),
        failed => format!(" ({failed} failed)"),
    };
    let [run, day, month] = [run, day, day * MONTH].map(count);
    let requests = if run == "1" { "request" } else { "requests" };
    format!("{syncs}{failed}: {run} {requests} in a run, {day} a day, {month} a month{price}\n")
}

/// For programs: one object.
pub(super) fn json(forecast: &Forecast) -> String {
    let request = |(kind, requests): (&&str, &RequestForecast)| {
        let bill = requests.bill.map(monthly);
        json!({
            "request": kind, "run": requests.run, "day": requests.day, "month": requests.day * MONTH,
            "usd_month": bill.map(|(least, most)| json!({"least": least, "most": most})),
        })
    };
    let store = |store: &StoreForecast| {
        let reads = |reads: &ReadForecast| {
            json!({
                "wanted": reads.wanted, "requests": reads.sent,
                "saved_by_sharing": reads.saved_by_sharing(), "saved_by_batching": reads.saved_by_batching(),
            })
        };
        json!({
            "store": store.name,
            "requests": store.requests.iter().map(request).collect::<Vec<_>>(),
            "reads": {"run": reads(&store.run), "day": reads(&store.day)},
            "not_counted": {"searches": store.searches, "issuing": store.issuing, "windows": store.windowed},
        })
    };
    let price = |list: &PriceList| json!({"of": list.name, "as_of": list.date, "terms": list.terms});
    let failed = forecast.failed.iter().map(|report| {
        json!({
            "namespace": report.owner.namespace(), "name": report.owner.name(),
            "error": report.error.as_ref().map(output::json_error),
        })
    });
    let whole: Value = json!({
        "command": "cost",
        "stores": forecast.stores.iter().map(store).collect::<Vec<_>>(),
        "prices": lists(forecast).into_iter().map(price).collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// The lists that prices were taken from.
fn lists(forecast: &Forecast) -> BTreeSet<&'static PriceList> {
    let requests = forecast.stores.iter().flat_map(|store| store.requests.values());
    requests.filter_map(|requests| requests.bill).map(|bill| bill.list).collect()
}

fn monthly(bill: Bill) -> (f64, f64) {
    (bill.least * MONTH, bill.most * MONTH)
}

fn several(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1,234`; below ten with a decimal where there is one.
fn count(number: f64) -> String {
    if number < 9.95 {
        let text = format!("{number:.1}");
        return text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned);
    }
    grouped(&format!("{number:.0}"))
}

/// US dollars, from and to.
fn money((least, most): (f64, f64)) -> String {
    let one = |sum: f64| {
        let text = format!("{sum:.2}");
        match text.split_once('.') {
            Some(("0", "00")) if sum > 0.0 => "<0.01".to_owned(),
            Some((whole, cents)) => format!("{}.{cents}", grouped(whole)),
            None => text,
        }
    };
    let (least, most) = (one(least), one(most));
    if least == most { least } else { format!("{least} to {most}") }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Days of a month, as AWS's own calculator has it: 730 hours.
const MONTH: f64 = 730.0 / 24.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_sums_are_ranges() {
        for (number, text) in
            [(0.0, "0"), (0.5, "0.5"), (9.96, "10"), (24.0, "24"), (1234.4, "1,234"), (1e6, "1,000,000")]
        {
            assert_eq!(count(number), text);
        }
        for (sums, text) in [
            ((0.0, 0.0), "0.00"),
            ((0.001, 0.001), "<0.01"),
            ((0.1825, 3.65), "0.18 to 3.65"),
            ((216.0, 216.004), "216.00"),
            ((1234.5, 1234.5), "1,234.50"),
        ] {
            assert_eq!(money(sums), text);
        }
    }
}
