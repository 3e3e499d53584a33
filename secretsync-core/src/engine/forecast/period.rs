//! How often a target is synced in truth: reads of others pull it forward.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use super::super::reads::ObjectKey;
use super::super::watch::pullable_after;
use super::Unit;

/// The period of each unit, in order: its interval, or what the shortest period among those that share an object with it makes of it.
pub(super) fn effective(units: &[Unit<'_>]) -> Vec<Option<Duration>> {
    let mut dependents: HashMap<ObjectKey, Vec<usize>> = HashMap::new();
    let mut periods: Vec<_> = units.iter().map(|unit| unit.period).collect();
    let mut next = BinaryHeap::new();
    for (index, unit) in units.iter().enumerate() {
        let Some(period) = unit.period else { continue };
        next.push(Reverse((period, index)));
        for object in unit.objects() {
            dependents.entry(object).or_default().push(index);
        }
    }
    // The shortest period first: nobody makes it shorter. The first who reads an object pulls all who need it.
    while let Some(Reverse((period, index))) = next.pop() {
        if periods[index] != Some(period) {
            continue;
        }
        for other in units[index].objects().filter_map(|object| dependents.remove(&object)).flatten() {
            let Some(own) = units[other].period else { continue };
            let pulled = next_multiple(period, pullable_after(own));
            if periods[other].is_some_and(|known| pulled < known) {
                periods[other] = Some(pulled);
                next.push(Reverse((pulled, other)));
            }
        }
    }
    periods
}

/// When the first read at a multiple of `period` comes that is no earlier than `from`.
fn next_multiple(period: Duration, from: Duration) -> Duration {
    let times = from.as_millis().div_ceil(period.as_millis().max(1)).max(1);
    period.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_takes_along_who_is_past_half_of_its_interval() {
        let seconds = Duration::from_secs;
        for (period, own, expected) in [(60, 60, 60), (60, 90, 60), (60, 119, 60), (60, 121, 120), (60, 3600, 1800)] {
            assert_eq!(next_multiple(seconds(period), pullable_after(seconds(own))), seconds(expected), "{own}");
        }
    }
}
