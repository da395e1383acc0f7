//! The empirical distribution of a sample.

/// F(q): the share of `values` that are at most `quantile`; 0 of no values.
#[must_use]
pub fn distribution(values: &[f64], quantile: f64) -> f64 {
    let within = values.iter().filter(|&&value| value <= quantile).count();
    within as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_what_is_equal() {
        let values = [1.0, 0.0, 1.0, 3.0];
        for (quantile, share) in [(-1.0, 0.0), (0.0, 0.25), (1.0, 0.75), (2.9, 0.75), (3.0, 1.0)] {
            assert_eq!(distribution(&values, quantile), share, "{quantile}");
        }
        assert_eq!(distribution(&[], 1.0), 0.0);
    }
}
