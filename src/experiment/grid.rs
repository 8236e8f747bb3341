//! Experiment layer: points, the combinations of the values of all axes, by number.

use super::ExperimentError;
use super::axis::Axis;

/// The combinations, in an order: the first axis changes slowest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// For each group of axes that go together how many values they have.
    lengths: Vec<usize>,
    /// The group of each axis.
    group_of: Vec<usize>,
    points: usize,
}

impl Grid {
    pub(super) fn of(axes: &[Axis]) -> Result<Self, ExperimentError> {
        let (mut lengths, mut group_of) = (Vec::new(), Vec::new());
        for (place, axis) in axes.iter().enumerate() {
            let length = axis.values.len();
            let with = axes[..place].iter().position(|a| a.zip.is_some() && a.zip == axis.zip);
            let Some(with) = with else {
                group_of.push(lengths.len());
                lengths.push(length);
                continue;
            };
            let other = &axes[with];
            if other.values.len() != length {
                let (key, others) = (&other.key, other.values.len());
                let values = if others == 1 { "value" } else { "values" };
                return Err(ExperimentError::Usage(format!(
                    "the axes {key} and {} go together, but have {others} {values} and {length}",
                    axis.key
                )));
            }
            group_of.push(group_of[with]);
        }
        let points = lengths.iter().try_fold(1_usize, |all, length| all.checked_mul(*length));
        let Some(points) = points else {
            return Err(ExperimentError::Usage("the axes have too many combinations".to_owned()));
        };
        Ok(Self { lengths, group_of, points })
    }

    pub(super) const fn points(&self) -> usize {
        self.points
    }

    /// Which value each axis has at a point.
    pub(super) fn places(&self, point: usize) -> Vec<usize> {
        let mut rest = point;
        let mut of_group = vec![0; self.lengths.len()];
        for (place, length) in self.lengths.iter().enumerate().rev() {
            of_group[place] = rest % length;
            rest /= length;
        }
        self.group_of.iter().map(|group| of_group[*group]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(key: &str, count: i64, zip: Option<&str>) -> Axis {
        let values = (0..count).map(toml::Value::Integer).collect();
        Axis { key: key.into(), values, zip: zip.map(str::to_owned), location: None }
    }

    #[test]
    fn all_combinations_come_once_and_the_first_axis_changes_slowest() {
        let grid = Grid::of(&[axis("a", 2, None), axis("b", 3, None)]).expect("a grid");
        let all: Vec<_> = (0..grid.points()).map(|point| grid.places(point)).collect();
        assert_eq!(all, [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]);
        assert_eq!(Grid::of(&[]).expect("a grid").points(), 1, "no axis: the scenario itself");
    }

    #[test]
    fn zipped_axes_go_together_wherever_they_stand() {
        let axes = [axis("a", 2, Some("z")), axis("b", 2, None), axis("c", 2, Some("z"))];
        let grid = Grid::of(&axes).expect("a grid");
        let all: Vec<_> = (0..grid.points()).map(|point| grid.places(point)).collect();
        assert_eq!(all, [[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1]]);
        let uneven = Grid::of(&[axis("a", 2, Some("z")), axis("b", 3, Some("z"))]);
        let why = uneven.expect_err("refused").to_string();
        assert_eq!(why, "the axes a and b go together, but have 2 values and 3");
    }
}
