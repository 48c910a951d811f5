//! In which order the settings of each round run.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng as _};

use crate::analysis::random::shuffle;

/// The same sweep has the same order.
const SEED: u64 = 0x73_7765_6570;

/// The order of each round. Of two rounds, the first has a drawn order, and the second the reverse of it: over both, each
/// setting comes as late as any other, so that what drifts is the same for all, and what runs before a setting changes.
pub fn rounds(settings: usize, rounds: usize) -> Vec<Vec<usize>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut drawn = Vec::new();
    let mut order = |round: usize| {
        if round.is_multiple_of(2) {
            drawn = (0..settings).collect();
            shuffle(&mut drawn, &mut random);
        } else {
            drawn.reverse();
        }
        drawn.clone()
    };
    (0..rounds).map(&mut order).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_all_settings_and_two_rounds_favour_none() {
        let rounds = rounds(9, 6);
        for pair in rounds.chunks(2) {
            let [first, second] = pair else {
                panic!("they are even");
            };
            for setting in 0..9 {
                let place = |round: &Vec<usize>| round.iter().position(|one| *one == setting);
                let places = [first, second].map(|round| place(round).expect("it runs"));
                assert_eq!(places[0] + places[1], 8);
            }
        }
        assert_ne!(rounds[0], rounds[2], "the order changes");
        assert_ne!(rounds[0], (0..9).collect::<Vec<_>>(), "it is drawn");
        assert_eq!(rounds, super::rounds(9, 6), "and the same again");
    }

    #[test]
    fn one_setting_has_one_order() {
        assert_eq!(rounds(1, 3), [[0]; 3]);
        assert_eq!(rounds(3, 0), [[0; 3]; 0]);
    }
}
