//! The middle of values.

/// That of ascending values: of an even number, the middle between both.
pub fn median(ascending: &[f64]) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let [low, high] = [last / 2, last.div_ceil(2)].map(|at| ascending.get(at));
    Some(f64::midpoint(*low?, *high?))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn it_is_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }
}
