//! SHA-256 in hexadecimal digits, whole or cut: names, marks and tokens that follow from what they stand for.

use sha2::{Digest, Sha256};

/// The first `bytes` bytes of the digest, two digits each; 32 are all.
pub(crate) fn hex(of: impl AsRef<[u8]>, bytes: usize) -> String {
    Sha256::digest(of).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_sha256sum_and_can_be_cut() {
        assert_eq!(hex("abc", 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex("abc", 4), "ba7816bf");
    }
}
