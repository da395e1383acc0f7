//! The configuration of anomalies: the tests, the series, the limits.
//!
//! Takes configured values; gives checked ones or the first mistake. Must not know files or options.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::method::{Method, Methods};
use super::windows::reference_size;

/// The value that means "no bound": the smallest number above 0. The library anomalyzer has it, and so has wherefore,
/// an older program that uses the library.
pub(crate) const NO_BOUND: f64 = 5e-324;
/// The upper bound if only a lower one is given, in bytes. It is anomalyzer's default, and hardly useful for traffic.
const DEFAULT_UPPER_BOUND: f64 = 5.0;

/// The most values per pair: 83 minutes with a value every 5 s. Each value takes memory and time.
pub(crate) const LARGEST_CAPACITY: usize = 1_000;
/// The most random permutations of a test: the standard error of its estimate is then below 0.002.
pub(crate) const MOST_PERMUTATIONS: u32 = 100_000;
/// The most pairs: with ten values each they take some 400 MB.
pub(crate) const MOST_PAIRS: usize = 1_000_000;
/// The shortest and the longest transfer interval: the smallest tick and a day.
pub(crate) const TRANSFER_INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(86_400)];

/// A mistake in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// No test was asked for.
    #[error("no anomaly test given; choose from cdf, diff, fence, highrank, ks, lowrank, magnitude")]
    NoMethod,
    /// Fence is the only test, and has no bound.
    #[error("the fence test does nothing without a bound; give an upper bound or another test")]
    FenceWithoutBound,
    /// A bound is infinite or no number.
    #[error("the bound {0} is not a number; give a number of bytes")]
    BoundNoNumber(f64),
    /// There is no lower bound, and the upper bound is not above 0.
    #[error("the upper bound {0} is not above 0; give the number of bytes at which traffic becomes unusual")]
    UpperBoundNotPositive(f64),
    /// The lower bound is not below the upper bound.
    #[error("the lower bound {lower} is not below the upper bound {upper} (the default is 5)")]
    BoundsCross {
        /// Bytes.
        lower: f64,
        /// Bytes.
        upper: f64,
    },
    /// The active window would be empty.
    #[error("an active window of 0 values tests nothing; use 1 or more")]
    NoActiveValue,
    /// The reference window would be empty.
    #[error("with 0 seasons there is nothing to compare with; use 1 or more")]
    NoSeason,
    /// A series is too short for both windows, so no pair could ever alert.
    #[error("{capacity} values per pair are too few: the active and reference windows need {needed}")]
    CapacityTooSmall {
        /// Number of values that a pair keeps.
        capacity: usize,
        /// Number of values in both windows.
        needed: usize,
    },
    /// The series takes too much memory and time.
    #[error("{0} values per pair are too many; use {LARGEST_CAPACITY} or fewer")]
    CapacityTooLarge(usize),
    /// No permutation, or too many.
    #[error("{0} permutations; use 1 to {MOST_PERMUTATIONS}")]
    Permutations(u32),
    /// The sensitivity is below 0 or no number.
    #[error("a sensitivity of {0}; use a score from 0 to 1, or a higher value to disable it")]
    Sensitivity(f64),
    /// The threshold is no probability.
    #[error("a threshold of {0}; use a score from 0 to 1")]
    Threshold(f64),
    /// The interval is too short or too long.
    #[error(
        "a transfer interval of {}; use {} to {}",
        humantime::format_duration(*.0),
        humantime::format_duration(TRANSFER_INTERVALS[0]),
        humantime::format_duration(TRANSFER_INTERVALS[1])
    )]
    TransferInterval(Duration),
    /// The table has space for no pair, or for too many.
    #[error("{0} pairs; use 1 to {MOST_PAIRS}")]
    Pairs(usize),
}

/// Fixed bounds of what is usual, in bytes per transfer interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fence {
    lower: Option<f64>,
    upper: f64,
}

impl Fence {
    /// Traffic is usual from `lower` (or 0) to `upper`.
    ///
    /// # Errors
    /// When a bound is no number, or the lower one is not below the upper one.
    pub fn new(lower: Option<f64>, upper: f64) -> Result<Self, Error> {
        if let Some(&bound) = [Some(upper), lower].iter().flatten().find(|bound| !bound.is_finite()) {
            return Err(Error::BoundNoNumber(bound));
        }
        match lower {
            None if upper <= 0.0 => Err(Error::UpperBoundNotPositive(upper)),
            Some(lower) if lower >= upper => Err(Error::BoundsCross { lower, upper }),
            _ => Ok(Self { lower, upper }),
        }
    }

    /// The fence with these bounds; no fence without any bound. [`NO_BOUND`] counts as no bound.
    ///
    /// # Errors
    /// As [`Fence::new`].
    pub fn from_bounds(lower: Option<f64>, upper: Option<f64>) -> Result<Option<Self>, Error> {
        let [lower, upper] = [lower, upper].map(|bound| bound.filter(|&bound| bound != NO_BOUND));
        if lower.is_none() && upper.is_none() {
            return Ok(None);
        }
        Self::new(lower, upper.unwrap_or(DEFAULT_UPPER_BOUND)).map(Some)
    }

    /// The lower bound; none if all traffic below the upper bound is usual.
    pub const fn lower(self) -> Option<f64> {
        self.lower
    }

    /// The upper bound.
    pub const fn upper(self) -> f64 {
        self.upper
    }
}

/// The tests and their sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// The tests.
    pub methods: Methods,
    /// Number of values in the active window: the last values, which are judged.
    pub active_size: usize,
    /// The length of the reference window, in active windows.
    pub seasons: usize,
    /// The bounds of the fence test. Without bounds the test gives no result.
    pub fence: Option<Fence>,
    /// Number of random permutations that a test draws if there are too many permutations to count all (`PermCount`).
    pub permutations: u32,
    /// If the magnitude test gives less than this, the result of all tests is 0. A value above 1 disables that.
    pub sensitivity: f64,
}

impl Default for Criteria {
    /// The defaults of the library anomalyzer.
    fn default() -> Self {
        Self {
            methods: Methods::of(&[Method::Magnitude, Method::Ks]),
            active_size: 1,
            seasons: 4,
            fence: None,
            permutations: 500,
            sensitivity: 0.1,
        }
    }
}

impl Criteria {
    pub(crate) const fn reference_size(&self) -> usize {
        reference_size(self.active_size, self.seasons)
    }

    /// Number of values in both windows.
    pub(crate) const fn full_size(&self) -> usize {
        self.active_size.saturating_add(self.reference_size())
    }

    /// True if a result of the magnitude test below [`Criteria::sensitivity`] makes the result of all tests 0.
    pub fn has_veto(&self) -> bool {
        self.sensitivity <= 1.0 && self.methods.contains(Method::Magnitude)
    }

    /// Checks each value, and that the values fit together.
    ///
    /// # Errors
    /// The first mistake.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let is_fence_alone = self.methods == Methods::of(&[Method::Fence]);
        match self {
            _ if self.methods.is_empty() => Err(Error::NoMethod),
            _ if is_fence_alone && self.fence.is_none() => Err(Error::FenceWithoutBound),
            Self { active_size: 0, .. } => Err(Error::NoActiveValue),
            Self { seasons: 0, .. } => Err(Error::NoSeason),
            Self { permutations, .. } if !(1..=MOST_PERMUTATIONS).contains(permutations) => {
                Err(Error::Permutations(*permutations))
            }
            Self { sensitivity, .. } if sensitivity.is_nan() || *sensitivity < 0.0 => {
                Err(Error::Sensitivity(*sensitivity))
            }
            _ => Ok(()),
        }
    }
}

/// Selects the pairs that are tested, by the network of the source, of the destination, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairFilter {
    /// The network. With a prefix length of 0 it contains every address of both IP versions.
    pub network: IpNet,
    /// True if addresses in the network pass; false if addresses outside pass.
    pub is_inside: bool,
    /// True if the source is compared with the network.
    pub by_source: bool,
    /// True if the destination is compared with the network.
    pub by_destination: bool,
}

impl Default for PairFilter {
    /// Compares no address: every pair passes.
    fn default() -> Self {
        let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
        Self { network, is_inside: true, by_source: false, by_destination: false }
    }
}

impl PairFilter {
    /// True if it compares an address, so that some pairs may not pass.
    #[inline]
    pub(crate) const fn excludes_some(&self) -> bool {
        self.by_source || self.by_destination
    }

    /// True if traffic from `source` to `destination` passes.
    pub(crate) fn passes(&self, source: IpAddr, destination: IpAddr) -> bool {
        (!self.by_source || self.accepts(source)) && (!self.by_destination || self.accepts(destination))
    }

    fn accepts(&self, address: IpAddr) -> bool {
        let is_in_network = self.network.prefix_len() == 0 || self.network.contains(&address);
        is_in_network == self.is_inside
    }
}

/// The configuration of anomalies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// The tests and their sizes.
    pub criteria: Criteria,
    /// Number of values that a pair keeps (`anom_gv_cap`).
    pub capacity: usize,
    /// The time over which the bytes of one value are added up.
    pub transfer_interval: Duration,
    /// A pair whose probability is above this is an anomaly.
    pub threshold: f64,
    /// The fewest bytes in the active window of an anomaly.
    pub min_bytes: u64,
    /// True if anomalies raise alerts. Probabilities are exported in any case.
    pub alerts: bool,
    /// The filter of pairs.
    pub filter: PairFilter,
    /// Most pairs. See [`Pairs`](super::Pairs) for the policy at the limit.
    pub max_pairs: usize,
}

impl Default for Config {
    /// The defaults of wherefore's options. The defaults of options that wherefore lacks change nothing.
    fn default() -> Self {
        let methods = [Method::Diff, Method::Fence, Method::Highrank, Method::Lowrank, Method::Magnitude];
        Self {
            criteria: Criteria { methods: Methods::of(&methods), sensitivity: 2.0, ..Criteria::default() },
            capacity: 10,
            transfer_interval: Duration::from_secs(5),
            threshold: 0.6,
            min_bytes: 0,
            alerts: false,
            filter: PairFilter::default(),
            max_pairs: 10_000,
        }
    }
}

impl Config {
    /// Checks each value, and that the values fit together.
    ///
    /// # Errors
    /// The first mistake.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.criteria.validate()?;
        let needed = self.criteria.full_size();
        let [shortest, longest] = TRANSFER_INTERVALS;
        match *self {
            Self { capacity, .. } if capacity > LARGEST_CAPACITY => Err(Error::CapacityTooLarge(capacity)),
            Self { capacity, .. } if capacity < needed => Err(Error::CapacityTooSmall { capacity, needed }),
            Self { threshold, .. } if !(0.0..=1.0).contains(&threshold) => Err(Error::Threshold(threshold)),
            Self { transfer_interval, .. } if !(shortest..=longest).contains(&transfer_interval) => {
                Err(Error::TransferInterval(transfer_interval))
            }
            Self { max_pairs, .. } if !(1..=MOST_PAIRS).contains(&max_pairs) => Err(Error::Pairs(max_pairs)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_refused(config: Config, expected: Error) {
        assert_eq!(config.validate(), Err(expected));
    }

    fn with(change: impl Fn(&mut Criteria)) -> Config {
        let mut config = Config::default();
        change(&mut config.criteria);
        config
    }

    #[test]
    fn the_defaults_are_those_of_the_seed_and_of_the_library() {
        let Config { criteria, capacity, threshold, alerts, .. } = Config::default();
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(Criteria::default().validate(), Ok(()));
        let names: Vec<_> = criteria.methods.iter().map(Method::name).collect();
        assert_eq!(names.join(","), "diff,fence,highrank,lowrank,magnitude");
        assert_eq!((criteria.fence, criteria.sensitivity, capacity, threshold, alerts), (None, 2.0, 10, 0.6, false));
        assert_eq!((criteria.full_size(), criteria.has_veto(), Criteria::default().has_veto()), (5, false, true));
    }

    #[test]
    fn sizes_of_nothing_are_refused() {
        is_refused(with(|criteria| criteria.methods = Methods::default()), Error::NoMethod);
        is_refused(with(|criteria| criteria.methods = Methods::of(&[Method::Fence])), Error::FenceWithoutBound);
        is_refused(with(|criteria| criteria.active_size = 0), Error::NoActiveValue);
        is_refused(with(|criteria| criteria.seasons = 0), Error::NoSeason);
        is_refused(with(|criteria| criteria.permutations = 0), Error::Permutations(0));
        is_refused(with(|criteria| criteria.permutations = u32::MAX), Error::Permutations(u32::MAX));
        is_refused(Config { max_pairs: 0, ..Config::default() }, Error::Pairs(0));
        let never = Duration::ZERO;
        is_refused(Config { transfer_interval: never, ..Config::default() }, Error::TransferInterval(never));
    }

    #[test]
    fn windows_that_never_fill_are_refused() {
        let too_few = Error::CapacityTooSmall { capacity: 4, needed: 5 };
        is_refused(Config { capacity: 4, ..Config::default() }, too_few);
        let needed = usize::MAX;
        is_refused(
            with(|criteria| criteria.active_size = usize::MAX),
            Error::CapacityTooSmall { capacity: 10, needed },
        );
        is_refused(Config { capacity: 1_001, ..Config::default() }, Error::CapacityTooLarge(1_001));
        assert_eq!(Config { capacity: 5, ..Config::default() }.validate(), Ok(()));
    }

    #[test]
    fn values_that_are_no_probability_are_refused() {
        is_refused(Config { threshold: 1.5, ..Config::default() }, Error::Threshold(1.5));
        is_refused(Config { threshold: -0.1, ..Config::default() }, Error::Threshold(-0.1));
        is_refused(with(|criteria| criteria.sensitivity = -1.0), Error::Sensitivity(-1.0));
        assert!(with(|criteria| criteria.sensitivity = f64::NAN).validate().is_err());
        assert!(Config { threshold: f64::NAN, ..Config::default() }.validate().is_err());
    }

    #[test]
    fn a_fence_needs_room_between_its_bounds() {
        let cross = |lower, upper| Err(Error::BoundsCross { lower, upper });
        assert_eq!(Fence::new(Some(10.0), 2.0), cross(10.0, 2.0));
        assert_eq!(Fence::new(Some(2.0), 2.0), cross(2.0, 2.0));
        assert_eq!(Fence::new(None, 0.0), Err(Error::UpperBoundNotPositive(0.0)));
        assert_eq!(Fence::new(None, f64::INFINITY), Err(Error::BoundNoNumber(f64::INFINITY)));
        assert!(Fence::new(Some(f64::NAN), 1.0).is_err());
    }

    #[test]
    fn a_bound_of_5e_324_is_none() {
        assert_eq!(Fence::from_bounds(None, None), Ok(None));
        assert_eq!(Fence::from_bounds(Some(5e-324), Some(5e-324)), Ok(None));
        assert_eq!(Fence::from_bounds(Some(5e-324), Some(9.0)), Ok(Some(Fence { lower: None, upper: 9.0 })));
        assert_eq!(Fence::from_bounds(Some(1.0), None), Ok(Some(Fence { lower: Some(1.0), upper: 5.0 })));
        assert!(Fence::from_bounds(Some(6.0), None).is_err());
    }

    #[test]
    fn messages_say_what_would_be_right() {
        for (error, expected) in [
            (Error::TransferInterval(Duration::ZERO), "a transfer interval of 0s; use 100ms to 1day"),
            (
                Error::BoundsCross { lower: 10.0, upper: 5.0 },
                "the lower bound 10 is not below the upper bound 5 (the default is 5)",
            ),
            (
                Error::CapacityTooSmall { capacity: 4, needed: 5 },
                "4 values per pair are too few: the active and reference windows need 5",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    fn passing(filter: PairFilter) -> Vec<&'static str> {
        let pairs =
            ["10.0.0.1 10.0.0.2", "10.0.0.1 192.0.2.1", "192.0.2.1 10.0.0.1", "192.0.2.1 192.0.2.2", "fd00::1 fd00::2"];
        let passes = |pair: &&str| {
            let mut ends = pair.split(' ').map(|end| end.parse().unwrap());
            filter.passes(ends.next().unwrap(), ends.next().unwrap())
        };
        pairs.into_iter().filter(passes).collect()
    }

    #[test]
    fn without_an_end_to_look_at_all_pass() {
        let ten: IpNet = "10.0.0.0/8".parse().unwrap();
        assert_eq!(passing(PairFilter::default()).len(), 5);
        assert_eq!(passing(PairFilter { network: ten, ..PairFilter::default() }).len(), 5);
        assert_eq!(passing(PairFilter { network: ten, is_inside: false, ..PairFilter::default() }).len(), 5);
    }

    #[test]
    fn each_end_that_is_looked_at_must_pass() {
        let ten = PairFilter { network: "10.0.0.0/8".parse().unwrap(), ..PairFilter::default() };
        let (source, destination) = (PairFilter { by_source: true, ..ten }, PairFilter { by_destination: true, ..ten });
        assert_eq!(passing(source), ["10.0.0.1 10.0.0.2", "10.0.0.1 192.0.2.1"]);
        assert_eq!(passing(destination), ["10.0.0.1 10.0.0.2", "192.0.2.1 10.0.0.1"]);
        assert_eq!(passing(PairFilter { by_destination: true, ..source }), ["10.0.0.1 10.0.0.2"]);
        let outside = PairFilter { is_inside: false, by_destination: true, ..source };
        assert_eq!(passing(outside), ["192.0.2.1 192.0.2.2", "fd00::1 fd00::2"]);
    }

    #[test]
    fn a_network_of_no_bits_holds_every_address() {
        let both = PairFilter { by_source: true, by_destination: true, ..PairFilter::default() };
        assert_eq!(passing(both).len(), 5);
        assert_eq!(passing(PairFilter { is_inside: false, ..both }).len(), 0);
    }
}
