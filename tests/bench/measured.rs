//! One measurement: what was done and what it took, and several of the same work side by side.

/// One measured run. What was not looked at is zero.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Units of work: events fired, or messages delivered.
    pub(crate) units: u64,
    /// Processor seconds of the run phase; set-up is not among them.
    pub(crate) seconds: f64,
    /// Virtual seconds that passed.
    pub(crate) virtual_seconds: f64,
    /// Nodes of the cluster.
    pub(crate) nodes: u64,
    /// Most messages in flight at any sample.
    pub(crate) in_flight: u64,
    /// Bytes resident before anything was made, and when the cluster stood at time zero.
    pub(crate) before: u64,
    pub(crate) built: u64,
    /// Largest resident set of the process.
    pub(crate) peak: u64,
}

impl Measured {
    pub(crate) fn of(units: u64, seconds: f64) -> Self {
        Self { units, seconds, ..Self::default() }
    }

    /// Nanoseconds of processor time per unit.
    pub(crate) fn nanos(&self) -> f64 {
        self.seconds * 1e9 / self.units as f64
    }

    /// One line that [`Self::parse`] reads.
    pub(crate) fn line(&self) -> String {
        let Self { units, seconds, virtual_seconds, nodes, in_flight, before, built, peak } = self;
        format!(
            "measured {units} {seconds} {virtual_seconds} {nodes} {in_flight} {before} {built} {peak}"
        )
    }

    /// What a line says, if it is one of those.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.strip_prefix("measured ")?.split(' ').collect();
        let [units, seconds, virtual_seconds, nodes, in_flight, before, built, peak] =
            words.try_into().ok()?;
        Some(Self {
            units: units.parse().ok()?,
            seconds: seconds.parse().ok()?,
            virtual_seconds: virtual_seconds.parse().ok()?,
            nodes: nodes.parse().ok()?,
            in_flight: in_flight.parse().ok()?,
            before: before.parse().ok()?,
            built: built.parse().ok()?,
            peak: peak.parse().ok()?,
        })
    }
}

/// Runs of the same work, the fastest first; at least one.
pub(crate) struct Runs(Vec<Measured>);

impl Runs {
    pub(crate) fn new(mut all: Vec<Measured>) -> Self {
        all.sort_by(|a, b| a.nanos().total_cmp(&b.nanos()));
        Self(all)
    }

    pub(crate) fn median(&self) -> Measured {
        self.0[self.0.len() / 2]
    }

    /// Nanoseconds per unit: "median [least..most]".
    pub(crate) fn spread(&self) -> String {
        let (least, most) = (self.0[0].nanos(), self.0[self.0.len() - 1].nanos());
        format!("{:.1} [{least:.1}..{most:.1}]", self.median().nanos())
    }

    /// Largest resident set of any of the runs, in MiB; a dash where the system does not tell.
    pub(crate) fn peak_mebibytes(&self) -> String {
        match self.0.iter().map(|measured| measured.peak).max() {
            None | Some(0) => "-".to_owned(),
            Some(peak) => format!("{:.1}", peak as f64 / f64::from(1 << 20)),
        }
    }
}
