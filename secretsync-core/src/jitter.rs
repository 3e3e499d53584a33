//! Random spread of moments, so that what began together does not come back together.

use std::time::Duration;

/// A random part of `whole`: anything from nothing to all of it.
pub(crate) fn part_of(whole: Duration) -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the operating system's random source works");
    whole.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_no_longer_than_the_whole_and_differ() {
        let parts: Vec<_> = (0..100).map(|_| part_of(Duration::from_secs(10))).collect();
        assert!(parts.iter().all(|part| *part <= Duration::from_secs(10)));
        assert!(parts.iter().any(|part| *part != parts[0]));
        assert_eq!(part_of(Duration::ZERO), Duration::ZERO);
    }
}
