//! The seven tests by name, sets of them, and their results.
//!
//! Takes methods; gives their names, sets and probabilities. Must not know how a test works.

/// One of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The place of the last change among the earlier ones.
    Cdf,
    /// Are the last changes the largest, relative to the values?
    Diff,
    /// The distance of the active mean from a fixed bound.
    Fence,
    /// Are the active values the largest?
    Highrank,
    /// Do active and reference values follow different distributions?
    Ks,
    /// Are the active values the smallest?
    Lowrank,
    /// The distance of the active mean from the reference mean.
    Magnitude,
}

impl Method {
    /// All seven, in the order of their names.
    pub const ALL: [Self; 7] =
        [Self::Cdf, Self::Diff, Self::Fence, Self::Highrank, Self::Ks, Self::Lowrank, Self::Magnitude];

    /// The name in options and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cdf => "cdf",
            Self::Diff => "diff",
            Self::Fence => "fence",
            Self::Highrank => "highrank",
            Self::Ks => "ks",
            Self::Lowrank => "lowrank",
            Self::Magnitude => "magnitude",
        }
    }
}

/// A set of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Methods(u8);

impl Methods {
    /// The set of `methods`; one named twice counts once.
    pub fn of(methods: &[Method]) -> Self {
        methods.iter().copied().collect()
    }

    /// True if `method` is in the set.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & (1 << method as u8) != 0
    }

    /// True if the set is empty.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The methods of the set, in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |&method| self.contains(method))
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        Self(methods.into_iter().fold(0, |set, method| set | 1 << method as u8))
    }
}

/// The result of each test: a probability from 0 to 1, or nothing if it did not apply or was not requested.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Probabilities([Option<f64>; Method::ALL.len()]);

impl Probabilities {
    /// The results of `probability` for `methods`.
    pub(crate) fn of(methods: Methods, mut probability: impl FnMut(Method) -> Option<f64>) -> Self {
        Self(Method::ALL.map(|method| methods.contains(method).then(|| probability(method)).flatten()))
    }

    pub(crate) const fn of_method(&self, method: Method) -> Option<f64> {
        self.0[method as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_given() {
        let set = Methods::of(&[Method::Ks, Method::Cdf, Method::Ks]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Method::Cdf, Method::Ks]);
        assert!(Methods::default().is_empty() && !set.is_empty());
    }
}
