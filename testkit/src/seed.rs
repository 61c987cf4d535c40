//! Answers that look random and are the same in every run, on every machine.

/// A number that follows from `seed` and `parts` alone: FNV-1a, then SplitMix64's last steps to spread it.
pub(crate) fn roll(seed: u64, parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A number in 0.0..1.0 that follows from `seed` and `parts` alone.
pub(crate) fn share(seed: u64, parts: &[&str]) -> f64 {
    (roll(seed, parts) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A sequence of such numbers, fast enough for millions of rows: SplitMix64.
pub struct Dice(u64);

impl Dice {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(roll(seed, &[]))
    }

    /// The next number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// True in `per_mille` of 1,000 cases.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `all`, which is not empty.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_the_same_in_every_run_and_differ_by_part() {
        assert_eq!(roll(1, &["a", "b"]), roll(1, &["a", "b"]));
        assert_ne!(roll(1, &["a", "b"]), roll(1, &["ab"]));
        assert_ne!(roll(1, &["a"]), roll(2, &["a"]));
    }

    #[test]
    fn shares_spread_evenly() {
        let below = (0..10_000).filter(|n| share(7, &[&n.to_string()]) < 0.2).count();
        assert!((1_900..2_100).contains(&below), "{below} of 10,000 are below 0.2");
    }
}
