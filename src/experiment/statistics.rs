//! Experiment layer: figures over seeds. Only the four operations and the square root, which every
//! machine rounds alike, and sums in the order of the seeds: equal records give equal bytes.

/// What is known of a key figure from its values over several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Figures {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: Option<f64>,
    /// Standard deviation of a single value; of at least two values.
    pub deviation: Option<f64>,
    /// Half of the values are not above it.
    pub median: Option<f64>,
    /// A tenth of the values is not above it.
    pub p10: Option<f64>,
    /// Nine tenths of the values are not above it.
    pub p90: Option<f64>,
    /// The mean lies between these with a confidence of 95 % (Student's t), if single values are
    /// about normally distributed or many; of at least two values.
    pub interval: Option<(f64, f64)>,
}

impl Figures {
    /// The figures of some values, and of so many more that are beyond all of them: a quantile that
    /// falls among these is `None`.
    #[must_use]
    pub fn of(values: &[f64], beyond: usize) -> Self {
        let n = values.len();
        if n == 0 {
            return Self::default();
        }
        let count = n as f64;
        let mean = values.iter().sum::<f64>() / count;
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (n > 1).then(|| (squares / (count - 1.0)).sqrt());
        let half = deviation.map(|deviation| t_quantile(n - 1) * deviation / count.sqrt());
        Self {
            n,
            mean: Some(mean),
            deviation,
            median: quantile(&sorted, beyond, 0.5),
            p10: quantile(&sorted, beyond, 0.1),
            p90: quantile(&sorted, beyond, 0.9),
            interval: half.map(|half| (mean - half, mean + half)),
        }
    }

    /// Half the length of the interval as a share of the mean; `None` without an interval.
    #[must_use]
    pub fn relative_error(&self) -> Option<f64> {
        let ((low, high), mean) = (self.interval?, self.mean?);
        let half = (high - low) / 2.0;
        Some(if half > 0.0 { half / mean.abs() } else { 0.0 })
    }
}

/// The value below which a share of the sorted values lies, linear between neighbours (the common
/// definition 7 of Hyndman and Fan).
fn quantile(sorted: &[f64], beyond: usize, share: f64) -> Option<f64> {
    let all = sorted.len() + beyond;
    let place = share * (all - 1) as f64;
    let (below, rest) = (place as usize, place - (place as usize) as f64);
    let low = *sorted.get(below)?;
    if rest > 0.0 { Some(low + rest * (sorted.get(below + 1)? - low)) } else { Some(low) }
}

/// The 97.5 % quantile of Student's t for 1 to 30 degrees of freedom.
const T_QUANTILES: [f64; 30] = [
    12.706_204_736,
    4.302_652_730,
    3.182_446_305,
    2.776_445_105,
    2.570_581_836,
    2.446_911_851,
    2.364_624_252,
    2.306_004_135,
    2.262_157_163,
    2.228_138_852,
    2.200_985_160,
    2.178_812_830,
    2.160_368_656,
    2.144_786_688,
    2.131_449_546,
    2.119_905_299,
    2.109_815_578,
    2.100_922_040,
    2.093_024_054,
    2.085_963_447,
    2.079_613_845,
    2.073_873_068,
    2.068_657_610,
    2.063_898_562,
    2.059_538_553,
    2.055_529_439,
    2.051_830_516,
    2.048_407_142,
    2.045_229_642,
    2.042_272_456,
];

/// The 97.5 % quantile of Student's t. Beyond the table by the expansion in the reciprocal of the
/// degrees of freedom (Abramowitz and Stegun, 26.7.5), whose error there is below a millionth.
fn t_quantile(freedom: usize) -> f64 {
    if let Some(tabled) = T_QUANTILES.get(freedom - 1) {
        return *tabled;
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (z2, v) = (Z * Z, freedom as f64);
    let first = (z2 + 1.0) / 4.0;
    let second = ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    Z * (1.0 + (first + (second + third / v) / v) / v)
}

/// A figure as it stands in a table: three places behind the point, without zeros at its end.
#[must_use]
pub fn decimal(value: f64) -> String {
    let text = format!("{value:.3}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_few_values_are_those_worked_out_by_hand() {
        // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 9+1+1+1+0+0+4+16 = 32, so the deviation is
        // sqrt(32/7) = 2.13809, and the interval reaches 2.364624 * 2.13809 / sqrt(8) = 1.78748.
        let figures = Figures::of(&[9.0, 2.0, 4.0, 5.0, 4.0, 7.0, 4.0, 5.0], 0);
        assert_eq!((figures.n, figures.mean, figures.median), (8, Some(5.0), Some(4.5)));
        let near = |value: Option<f64>, by_hand: f64| {
            assert!((value.expect("a value") - by_hand).abs() < 1e-5, "{value:?} {by_hand}");
        };
        near(figures.deviation, 2.138_09);
        near(figures.interval.map(|(low, _)| low), 5.0 - 1.787_48);
        near(figures.interval.map(|(_, high)| high), 5.0 + 1.787_48);
        near(figures.relative_error(), 1.787_48 / 5.0);
        // Place 0.1 * 7 = 0.7 between 2 and 4; place 0.9 * 7 = 6.3 between 7 and 9.
        near(figures.p10, 3.4);
        near(figures.p90, 7.6);
    }

    #[test]
    fn nothing_has_no_figures_and_one_value_no_interval() {
        assert_eq!(Figures::of(&[], 0), Figures::default());
        assert_eq!(Figures::of(&[], 3), Figures::default());
        // 1, 2, 3 and two that are beyond them: the places of 10 %, 50 % and 90 % are 0.4, 2, 3.6.
        let some = Figures::of(&[3.0, 1.0, 2.0], 2);
        assert_eq!((some.p10, some.median, some.p90), (Some(1.4), Some(3.0), None));
        assert_eq!((some.n, some.mean), (3, Some(2.0)), "these are of those that came");
        let one = Figures::of(&[7.0], 0);
        assert_eq!((one.mean, one.median, one.p90), (Some(7.0), Some(7.0), Some(7.0)));
        assert_eq!((one.deviation, one.interval, one.relative_error()), (None, None, None));
        assert_eq!(Figures::of(&[3.0, 3.0], 0).relative_error(), Some(0.0));
        assert_eq!(Figures::of(&[0.0, 0.0], 0).relative_error(), Some(0.0));
    }

    /// The share of Student's t below `x`, by Simpson's rule on the density: independent of the
    /// table and of the expansion.
    fn share_below(x: f64, freedom: usize) -> f64 {
        let v = freedom as f64;
        let scale = libm::exp(libm::lgamma((v + 1.0) / 2.0) - libm::lgamma(v / 2.0));
        let scale = scale / (v * std::f64::consts::PI).sqrt();
        let density = |t: f64| scale * libm::pow(1.0 + t * t / v, -(v + 1.0) / 2.0);
        let steps = 20_000;
        let width = x / f64::from(steps);
        let weight =
            |step| if step == 0 || step == steps { 1.0 } else { f64::from(2 + step % 2 * 2) };
        let sum: f64 = (0..=steps).map(|i| weight(i) * density(f64::from(i) * width)).sum();
        0.5 + sum * width / 3.0
    }

    #[test]
    fn two_and_a_half_percent_of_students_t_lie_above_its_quantile() {
        for freedom in (1..=60).chain([100, 1_000]) {
            let share = share_below(t_quantile(freedom), freedom);
            assert!((share - 0.975).abs() < 1e-7, "{freedom}: {share}");
        }
    }

    #[test]
    fn decimals_are_short() {
        let all = [0.0, -0.0001, 12.0, 12.5, 1.0 / 3.0, 1e15, -2.0625].map(decimal);
        assert_eq!(all, ["0", "0", "12", "12.5", "0.333", "1000000000000000", "-2.062"]);
    }
}
