//! The made-up web's own source of chance: SplitMix64, so that a seed gives the same web whatever version
//! of the `rand` crate is built in.

/// A seeded stream of choices.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        // The remainder of a u64 fits a usize again, as the bound was one.
        (self.next() % bound as u64) as usize
    }

    /// One of a list that is never empty.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// True in `percent` of a hundred throws.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn a_seed_fixes_the_stream_and_every_face_turns_up() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..600).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        for face in 0..6 {
            let count = throws(7).iter().filter(|throw| **throw == face).count();
            assert!((60..=140).contains(&count), "face {face} came {count} times of 600");
        }
    }
}
