//! How long runs take: a histogram as Prometheus reads it.

use std::fmt::Write as _;
use std::time::Duration;

/// How many runs took how long, by the bounds that dashboards of controllers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Of each bound, how many took as long as that and longer than the bound before; the last one is of those that took longest.
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Times {
    pub(super) fn count(&mut self, took: Duration) {
        let bucket = BOUNDS.partition_point(|bound| Duration::from_millis(*bound) < took);
        self.counts[bucket] += 1;
        self.sum += took;
    }

    /// The lines of one series. `labels` are its own.
    pub(super) fn render(&self, text: &mut String, name: &str, labels: &str) {
        let mut all = 0;
        for (bound, count) in BOUNDS.iter().zip(&self.counts) {
            all += count;
            let bound = Duration::from_millis(*bound).as_secs_f64();
            let _infallible = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {all}");
        }
        all += self.counts[BOUNDS.len()];
        let _infallible = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {all}");
        let _infallible = writeln!(text, "{name}_sum{{{labels}}} {}", self.sum.as_secs_f64());
        let _infallible = writeln!(text, "{name}_count{{{labels}}} {all}");
    }
}

/// In milliseconds, ascending.
const BOUNDS: [u64; 16] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 30_000, 50_000, 60_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_for_every_bound_that_it_does_not_exceed() {
        let mut times = Times::default();
        for took in [0, 5, 6, 1_000, 90_000] {
            times.count(Duration::from_millis(took));
        }
        let mut text = String::new();
        times.render(&mut text, "t", "c=\"x\"");
        for line in [
            "t_bucket{c=\"x\",le=\"0.005\"} 2",
            "t_bucket{c=\"x\",le=\"0.01\"} 3",
            "t_bucket{c=\"x\",le=\"0.5\"} 3",
            "t_bucket{c=\"x\",le=\"1\"} 4",
            "t_bucket{c=\"x\",le=\"60\"} 4",
            "t_bucket{c=\"x\",le=\"+Inf\"} 5",
            "t_sum{c=\"x\"} 91.011",
            "t_count{c=\"x\"} 5",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in {text}");
        }
        assert!(BOUNDS.is_sorted());
    }
}
