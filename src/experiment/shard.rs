//! Experiment layer: the part of a sweep that one of several machines makes.

use std::fmt;

use super::ExperimentError;

/// One part of several. Runs are dealt out in turn, so that every part gets cheap and dear points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Which part, from 1.
    index: u64,
    /// How many parts.
    count: u64,
}

/// Where schedulers say which task of several this one is.
struct Scheduler {
    name: &'static str,
    /// The variable with the number of the task.
    index: &'static str,
    /// The number of the first task, or the variable that holds it.
    first: First,
    /// The variable with the number of tasks; some do not say.
    count: Option<&'static str>,
    /// The variable with the step from one number to the next; without it 1.
    step: Option<&'static str>,
}

enum First {
    Is(u64),
    In(&'static str),
}

const SCHEDULERS: &[Scheduler] = &[
    Scheduler {
        name: "Slurm array",
        index: "SLURM_ARRAY_TASK_ID",
        first: First::In("SLURM_ARRAY_TASK_MIN"),
        count: Some("SLURM_ARRAY_TASK_COUNT"),
        step: Some("SLURM_ARRAY_TASK_STEP"),
    },
    Scheduler {
        name: "Kubernetes indexed job",
        index: "JOB_COMPLETION_INDEX",
        first: First::Is(0),
        count: None,
        step: None,
    },
    Scheduler {
        name: "GNU parallel",
        index: "PARALLEL_SEQ",
        first: First::Is(1),
        count: None,
        step: None,
    },
    Scheduler {
        name: "Grid Engine array",
        index: "SGE_TASK_ID",
        first: First::In("SGE_TASK_FIRST"),
        count: None,
        step: Some("SGE_TASK_STEPSIZE"),
    },
    Scheduler {
        name: "GitLab CI",
        index: "CI_NODE_INDEX",
        first: First::Is(1),
        count: Some("CI_NODE_TOTAL"),
        step: None,
    },
    Scheduler {
        name: "CircleCI",
        index: "CIRCLE_NODE_INDEX",
        first: First::Is(0),
        count: Some("CIRCLE_NODE_TOTAL"),
        step: None,
    },
    Scheduler {
        name: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        first: First::Is(0),
        count: Some("BUILDKITE_PARALLEL_JOB_COUNT"),
        step: None,
    },
    Scheduler {
        name: "Azure Pipelines",
        index: "SYSTEM_JOBPOSITIONINPHASE",
        first: First::Is(1),
        count: Some("SYSTEM_TOTALJOBSINPHASE"),
        step: None,
    },
];

/// Reads a variable of the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Part `index`, from 1, of `count`.
    ///
    /// # Errors
    /// A sentence if there is no such part.
    pub fn new(index: u64, count: u64) -> Result<Self, String> {
        if count == 0 || index == 0 || index > count {
            return Err(format!("there is no part {index} of {count}"));
        }
        Ok(Self { index, count })
    }

    /// Reads `I/N`, or with `auto` and `auto/N` what the scheduler says in its variables. Gives
    /// also what was used, in words.
    ///
    /// # Errors
    /// [`ExperimentError::Usage`] for anything else, if no scheduler is known to be at work, if it
    /// does not say how many tasks there are, or if two of them say different things.
    pub fn parse(
        text: &str,
        lookup: Lookup<'_>,
    ) -> Result<(Self, Option<String>), ExperimentError> {
        let refuse = |why: String| ExperimentError::Usage(format!("--shard {text}: {why}"));
        let number = |part: &str| part.trim().parse::<u64>().ok();
        let total = match text.strip_prefix("auto") {
            Some("") => None,
            Some(total) => match total.strip_prefix('/').and_then(number) {
                Some(total) => Some(total),
                None => return Err(refuse("expected such as auto or auto/8".to_owned())),
            },
            None => {
                let parts = text.split_once('/');
                let parts = parts.and_then(|(index, count)| Some((number(index)?, number(count)?)));
                let Some((index, count)) = parts else {
                    return Err(refuse(
                        "expected a part of several such as 2/8, or auto".to_owned(),
                    ));
                };
                return Self::new(index, count).map(|shard| (shard, None)).map_err(refuse);
            }
        };
        Self::of_scheduler(total, lookup).map(|(s, used)| (s, Some(used))).map_err(refuse)
    }

    fn of_scheduler(total: Option<u64>, lookup: Lookup<'_>) -> Result<(Self, String), String> {
        let mut found: Option<(Self, String)> = None;
        for scheduler in SCHEDULERS {
            let Some(text) = lookup(scheduler.index) else { continue };
            // Grid Engine says so where there is no array.
            if text == "undefined" {
                continue;
            }
            let shard = scheduler.shard(&text, total, lookup)?;
            let used = format!("{} ({}={text})", scheduler.name, scheduler.index);
            match &found {
                Some((before, with)) if *before != shard => {
                    return Err(format!("{with} means {before}, but {used} means {shard}"));
                }
                Some(_) => {}
                None => found = Some((shard, used)),
            }
        }
        found.ok_or_else(|| {
            let names: Vec<_> = SCHEDULERS.iter().map(|scheduler| scheduler.index).collect();
            format!("no scheduler says which task this is: none of {} is set", names.join(", "))
        })
    }

    /// Whether the run at this place of the sweep belongs to the part.
    #[must_use]
    pub const fn holds(self, place: usize) -> bool {
        place as u64 % self.count == self.index - 1
    }

    /// Whether it is all of it.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.count == 1
    }
}

impl Scheduler {
    fn shard(&self, text: &str, total: Option<u64>, lookup: Lookup<'_>) -> Result<Shard, String> {
        let number = |variable: &str, text: &str| {
            let number = text.trim().parse::<u64>();
            number.map_err(|_| format!("{variable}={text:?} of {} is no number", self.name))
        };
        let read =
            |variable: &str| lookup(variable).map(|text| number(variable, &text)).transpose();
        let index = number(self.index, text)?;
        let first = match self.first {
            First::Is(first) => first,
            First::In(variable) => read(variable)?.unwrap_or(1),
        };
        let step = self.step.map(&read).transpose()?.flatten().unwrap_or(1).max(1);
        let said = self.count.map(&read).transpose()?.flatten();
        let count = match (said, total) {
            (Some(said), Some(total)) if said != total => {
                return Err(format!("{} has {said} tasks, not {total}", self.name));
            }
            (said, total) => said.or(total).ok_or_else(|| {
                format!("{} does not say how many tasks there are; write auto/N", self.name)
            })?,
        };
        let place = index.checked_sub(first).map(|place| place / step);
        place.map_or_else(
            || Err(format!("{}={index} of {} is before the first, {first}", self.index, self.name)),
            |place| Shard::new(place + 1, count).map_err(|why| format!("{why} ({})", self.name)),
        )
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written, the variables that are set, and what is to come of it.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

    fn parsed(text: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let shard = Shard::parse(text, &lookup).map_err(|error| error.to_string())?;
        Ok(shard.1.map_or(shard.0.to_string(), |used| format!("{} by {used}", shard.0)))
    }

    #[test]
    fn every_run_belongs_to_exactly_one_part() {
        for count in [1, 2, 3, 7] {
            for place in 0..20 {
                let parts = (1..=count).map(|index| Shard::new(index, count).expect("a part"));
                assert_eq!(parts.filter(|part| part.holds(place)).count(), 1);
            }
        }
    }

    #[test]
    fn schedulers_count_in_their_own_ways() {
        let cases: &[Case<'_>] = &[
            ("2/8", &[("PARALLEL_SEQ", "5")], "2/8"),
            (
                "auto",
                &[
                    ("SLURM_ARRAY_TASK_ID", "7"),
                    ("SLURM_ARRAY_TASK_MIN", "3"),
                    ("SLURM_ARRAY_TASK_STEP", "2"),
                    ("SLURM_ARRAY_TASK_COUNT", "4"),
                ],
                "3/4 by Slurm array (SLURM_ARRAY_TASK_ID=7)",
            ),
            (
                "auto/5",
                &[("JOB_COMPLETION_INDEX", "0")],
                "1/5 by Kubernetes indexed job (JOB_COMPLETION_INDEX=0)",
            ),
            ("auto/3", &[("PARALLEL_SEQ", "3")], "3/3 by GNU parallel (PARALLEL_SEQ=3)"),
            (
                "auto",
                &[("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "2")],
                "2/2 by GitLab CI (CI_NODE_INDEX=2)",
            ),
            (
                "auto",
                &[("CIRCLE_NODE_INDEX", "1"), ("CIRCLE_NODE_TOTAL", "2")],
                "2/2 by CircleCI (CIRCLE_NODE_INDEX=1)",
            ),
            (
                "auto/4",
                &[("SGE_TASK_ID", "2"), ("JOB_COMPLETION_INDEX", "1")],
                "2/4 by Kubernetes indexed job (JOB_COMPLETION_INDEX=1)",
            ),
        ];
        for (text, variables, expected) in cases {
            assert_eq!(parsed(text, variables).as_deref(), Ok(*expected), "{variables:?}");
        }
    }

    #[test]
    fn parts_that_do_not_exist_and_schedulers_that_disagree_are_refused() {
        let slurm = ("SLURM_ARRAY_TASK_ID", "1");
        let cases: &[Case<'_>] = &[
            ("0/3", &[], "there is no part 0 of 3"),
            ("4/3", &[], "there is no part 4 of 3"),
            ("1/0", &[], "there is no part 1 of 0"),
            ("3", &[], "expected a part of several such as 2/8"),
            ("auto/many", &[], "expected such as auto or auto/8"),
            ("auto", &[], "no scheduler says which task this is"),
            ("auto", &[("SGE_TASK_ID", "undefined")], "no scheduler says which task this is"),
            ("auto", &[("PARALLEL_SEQ", "1")], "does not say how many tasks there are"),
            ("auto/2", &[("PARALLEL_SEQ", "3")], "there is no part 3 of 2 (GNU parallel)"),
            ("auto/2", &[("PARALLEL_SEQ", "x")], "PARALLEL_SEQ=\"x\" of GNU parallel is no number"),
            ("auto/3", &[slurm, ("SLURM_ARRAY_TASK_COUNT", "2")], "has 2 tasks, not 3"),
            (
                "auto/3",
                &[slurm, ("PARALLEL_SEQ", "2")],
                "Slurm array (SLURM_ARRAY_TASK_ID=1) means 1/3, but GNU parallel (PARALLEL_SEQ=2) means 2/3",
            ),
        ];
        for (text, variables, why) in cases {
            let error = parsed(text, variables).expect_err(text);
            assert!(error.starts_with(&format!("--shard {text}: ")), "{error}");
            assert!(error.contains(why), "{error}");
        }
    }
}
