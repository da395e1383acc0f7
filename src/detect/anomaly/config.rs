//! The configuration of anomalies: the tests, the series, the limits.
//!
//! Takes configured values; gives checked ones or the first mistake. Must not know files or options.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::method::{Method, Methods};
use super::windows::reference_size;

/// The value that means "no bound": the smallest number above 0, as in the library anomalyzer that wherefore uses.
pub(crate) const NO_BOUND: f64 = 5e-324;
/// The upper bound where only a lower one was given, in bytes: anomalyzer's, though hardly useful for traffic.
const DEFAULT_UPPER_BOUND: f64 = 5.0;

/// The most values per pair, which take memory and time: 83 minutes of 5 s.
pub const LARGEST_CAPACITY: usize = 1_000;
/// The most shuffles: the standard error of an estimate is below 0.002 then.
pub const MOST_SHUFFLES: u32 = 100_000;
/// The most pairs: with ten values each they take some 400 MB.
pub const MOST_PAIRS: usize = 1_000_000;
/// Intervals as short as the smallest tick, and as long as a day.
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
    /// The upper bound stands alone and nothing lies below it.
    #[error("the upper bound {0} is not above 0; give the number of bytes at which traffic becomes unusual")]
    UpperBoundNotPositive(f64),
    /// Nothing lies between the bounds.
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
    /// The series never holds both windows, so nothing could ever alert.
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
    /// No shuffle, or too many of them.
    #[error("{0} permutations; use 1 to {MOST_SHUFFLES}")]
    Shuffles(u32),
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
    /// No pair would be kept, or too many.
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
    /// A bound that is no number, and bounds that nothing lies between.
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

    /// The fence of the bounds that were given; [`NO_BOUND`] is as none, and without any there is no fence.
    ///
    /// # Errors
    /// As [`Fence::new`].
    pub fn of_given(lower: Option<f64>, upper: Option<f64>) -> Result<Option<Self>, Error> {
        let [lower, upper] = [lower, upper].map(|bound| bound.filter(|&bound| bound != NO_BOUND));
        if lower.is_none() && upper.is_none() {
            return Ok(None);
        }
        Self::new(lower, upper.unwrap_or(DEFAULT_UPPER_BOUND)).map(Some)
    }

    /// The lower bound; none where any traffic below the upper bound is usual.
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
    /// Number of last values that are judged.
    pub active_size: usize,
    /// The reference window is this many times as long.
    pub seasons: usize,
    /// The bounds of the fence test, which takes no part without them.
    pub fence: Option<Fence>,
    /// Number of shuffles that a permutation test draws where there are too many orders to try all (`PermCount`).
    pub shuffles: u32,
    /// A magnitude below it makes the result 0; above 1 it vetoes nothing.
    pub sensitivity: f64,
}

impl Default for Criteria {
    /// The defaults of the anomalyzer as a library.
    fn default() -> Self {
        Self {
            methods: Methods::of(&[Method::Magnitude, Method::Ks]),
            active_size: 1,
            seasons: 4,
            fence: None,
            shuffles: 500,
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

    /// True if a small magnitude can silence the other tests. If it was asked for and cannot, a person should know.
    pub fn has_veto(&self) -> bool {
        self.sensitivity <= 1.0 && self.methods.contains(Method::Magnitude)
    }

    /// Checks the values, each and against each other.
    ///
    /// # Errors
    /// The first mistake.
    pub fn validate(&self) -> Result<(), Error> {
        let is_fence_alone = self.methods == Methods::of(&[Method::Fence]);
        match self {
            _ if self.methods.is_empty() => Err(Error::NoMethod),
            _ if is_fence_alone && self.fence.is_none() => Err(Error::FenceWithoutBound),
            Self { active_size: 0, .. } => Err(Error::NoActiveValue),
            Self { seasons: 0, .. } => Err(Error::NoSeason),
            Self { shuffles, .. } if !(1..=MOST_SHUFFLES).contains(shuffles) => Err(Error::Shuffles(*shuffles)),
            Self { sensitivity, .. } if sensitivity.is_nan() || *sensitivity < 0.0 => {
                Err(Error::Sensitivity(*sensitivity))
            }
            _ => Ok(()),
        }
    }
}

/// Selects pairs by a network. If neither end must pass, all pairs pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairFilter {
    /// The network. A network of no bits contains every address, of either version of IP.
    pub network: IpNet,
    /// True if addresses in the network pass; else those outside.
    pub is_inside: bool,
    /// True if the source must pass.
    pub by_source: bool,
    /// True if the destination must pass.
    pub by_destination: bool,
}

impl Default for PairFilter {
    /// Passes everything.
    fn default() -> Self {
        let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
        Self { network, is_inside: true, by_source: false, by_destination: false }
    }
}

impl PairFilter {
    /// True if some pairs may not pass.
    #[inline]
    pub(crate) const fn chooses(&self) -> bool {
        self.by_source || self.by_destination
    }

    /// True if traffic from `source` to `destination` passes.
    pub fn passes(&self, source: IpAddr, destination: IpAddr) -> bool {
        (!self.by_source || self.lets_through(source)) && (!self.by_destination || self.lets_through(destination))
    }

    fn lets_through(&self, address: IpAddr) -> bool {
        let is_held = self.network.prefix_len() == 0 || self.network.contains(&address);
        is_held == self.is_inside
    }
}

/// The configuration of anomalies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// The tests and their sizes.
    pub criteria: Criteria,
    /// Number of values that a pair keeps (`anom_gv_cap`).
    pub capacity: usize,
    /// Time over which a value sums bytes.
    pub transfer_interval: Duration,
    /// A probability above it is an anomaly.
    pub threshold: f64,
    /// Fewer bytes than these in the active window are no anomaly.
    pub min_bytes: u64,
    /// True if anomalies raise alerts; probabilities are given either way.
    pub alerts: bool,
    /// The filter of pairs.
    pub filter: PairFilter,
    /// Most pairs. See [`Pairs`](super::Pairs) for the policy at the limit.
    pub max_pairs: usize,
}

impl Default for Config {
    /// The defaults of the options of wherefore, an older program. Options that it lacks change nothing by default.
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
    /// Checks the values, each and against each other.
    ///
    /// # Errors
    /// The first mistake.
    pub fn validate(&self) -> Result<(), Error> {
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
        is_refused(with(|criteria| criteria.shuffles = 0), Error::Shuffles(0));
        is_refused(with(|criteria| criteria.shuffles = u32::MAX), Error::Shuffles(u32::MAX));
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
        assert_eq!(Fence::of_given(None, None), Ok(None));
        assert_eq!(Fence::of_given(Some(5e-324), Some(5e-324)), Ok(None));
        assert_eq!(Fence::of_given(Some(5e-324), Some(9.0)), Ok(Some(Fence { lower: None, upper: 9.0 })));
        assert_eq!(Fence::of_given(Some(1.0), None), Ok(Some(Fence { lower: Some(1.0), upper: 5.0 })));
        assert!(Fence::of_given(Some(6.0), None).is_err());
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
