//! The settings there are: a value of each option.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng as _};

use crate::{analysis::random::shuffle, model::tune::Setting, text::Text};

/// The same settings are tried each time.
const SEED: u64 = 0x7475_6e65;
/// No workload has more; each is a place in memory.
const MOST: usize = 100_000;

/// An option, and the values that are tried besides the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// Its name, without dashes.
    pub name: &'static str,
    /// The values in ascending order, where they have one. An option without a value has `None` alone.
    pub values: Vec<Option<String>>,
}

/// The place of settings: for each option 0 for its default, or the number of its value from 1 on.
pub type Place = Vec<usize>;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// The options.
    pub dimensions: Vec<Dimension>,
}

impl Space {
    /// The place of the default.
    pub fn default_place(&self) -> Place {
        vec![0; self.dimensions.len()]
    }

    /// The settings at a place that are not the default.
    pub fn settings(&self, place: &[usize]) -> Vec<Setting> {
        let all = self.dimensions.iter().zip(place);
        let set = all.filter_map(|(dimension, at)| {
            let value = dimension.values.get(at.checked_sub(1)?)?;
            Some(Setting {
                name: dimension.name.into(),
                value: value.as_deref().map(Text::from),
            })
        });
        set.collect()
    }

    /// How many places there are but that of the default.
    pub fn possible(&self) -> usize {
        let all = self.dimensions.iter().fold(1_usize, |all, one| {
            all.saturating_mul(one.values.len().saturating_add(1))
        });
        all.min(MOST).saturating_sub(1)
    }

    /// All places but that of the default, in the order in which to try them, so that the first of them are a sample: in
    /// turns one that differs from the default in one option, and one that is drawn.
    pub fn places(&self) -> Vec<Place> {
        let mut drawn = vec![Vec::new()];
        for dimension in &self.dimensions {
            let values = dimension.values.len();
            let longer = drawn.iter().flat_map(|place: &Place| {
                (0..=values).map(move |at| place.iter().copied().chain([at]).collect())
            });
            drawn = longer.take(MOST).collect();
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        shuffle(&mut drawn, &mut random);
        let differing =
            |place: &Place, times: usize| place.iter().filter(|at| **at > 0).count() == times;
        let mut alone: Vec<_> = drawn
            .iter()
            .filter(|place| differing(place, 1))
            .cloned()
            .collect();
        let mut others = drawn
            .into_iter()
            .filter(|place| !differing(place, 0) && !differing(place, 1));
        let mut places = Vec::new();
        loop {
            let next: Vec<_> = alone.pop().into_iter().chain(others.next()).collect();
            if next.is_empty() {
                return places;
            }
            places.extend(next);
        }
    }

    /// The places that differ in one option, by a step of its values; of one without an order any of its values. Those that
    /// are nearer to a place come first.
    pub fn neighbours(&self, place: &[usize]) -> Vec<Place> {
        let mut found = Vec::new();
        let widest = self.dimensions.iter().map(|one| one.values.len()).max();
        for step in 1..=widest.unwrap_or(0) {
            for (number, dimension) in self.dimensions.iter().enumerate() {
                let Some(at) = place.get(number) else {
                    continue;
                };
                for other in [at.checked_sub(step), at.checked_add(step)] {
                    let Some(other) = other.filter(|other| *other <= dimension.values.len()) else {
                        continue;
                    };
                    let mut neighbour = place.to_vec();
                    if let Some(at) = neighbour.get_mut(number) {
                        *at = other;
                    }
                    found.push(neighbour);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn space() -> Space {
        let value = |text: &str| Some(text.to_owned());
        Space {
            dimensions: vec![
                Dimension {
                    name: "depth",
                    values: vec![value("1"), value("16"), value("64")],
                },
                Dimension {
                    name: "direct",
                    values: vec![None],
                },
            ],
        }
    }

    #[test]
    fn all_places_are_there_once_and_the_default_is_not() {
        let space = space();
        let places = space.places();
        assert_eq!(places, space.places());
        assert_eq!(places.len(), 7);
        assert_eq!(space.possible(), 7);
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 7);
        assert!(!places.contains(&space.default_place()));
        let differing = places[0].iter().filter(|at| **at > 0).count();
        assert_eq!(differing, 1);
        assert_eq!(Space::default().places(), Vec::<Place>::new());
        assert_eq!(Space::default().possible(), 0);
    }

    #[test]
    fn settings_are_those_that_are_not_the_default() {
        let settings = space().settings(&[2, 1]);
        assert_eq!(settings[0].name, "depth");
        assert_eq!(settings[0].value, Some("16".into()));
        assert_eq!(settings[1].name, "direct");
        assert_eq!(settings[1].value, None);
        assert_eq!(space().settings(&[0, 0]), []);
    }

    #[test]
    fn neighbours_differ_in_one_option_the_nearest_first() {
        let found = space().neighbours(&[1, 1]);
        assert_eq!(found, [vec![0, 1], vec![2, 1], vec![1, 0], vec![3, 1]]);
    }
}
