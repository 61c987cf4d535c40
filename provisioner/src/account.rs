//! Which account the credentials are of, as far as it can be told without asking: a suggestion, which AWS confirms beside the
//! first reads.

/// The account that an access key id itself carries: 40 bits of its base32 text. `None` for a key that is none of AWS's own.
///
/// AWS does not document it; `sts:GetAccessKeyInfo` gives the same.
pub fn of_access_key(id: &str) -> Option<String> {
    let coded = id.strip_prefix("AKIA").or_else(|| id.strip_prefix("ASIA")).filter(|coded| coded.len() == 16)?;
    let bits = coded.bytes().take(10).try_fold(0_u64, |bits, byte| Some(bits << 5 | digit(byte)?))?;
    // The first bit means something else, the two last of these 50 belong to the next byte.
    Some(format!("{:012}", (bits >> 9) & 0xFF_FFFF_FFFF))
}

/// The value of a base32 digit.
fn digit(byte: u8) -> Option<u64> {
    match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    }
}

/// The partition that a region belongs to.
pub fn partition_of(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The domain of a partition's services.
pub fn url_suffix(partition: &str) -> &'static str {
    if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_aws_tells_its_account_and_any_other_nothing() {
        assert_eq!(of_access_key("ASIAY34FZKBOKMUTVV7A").as_deref(), Some("609629065308"));
        assert_eq!(of_access_key("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        assert_eq!(of_access_key("test"), None);
        assert_eq!(of_access_key("AKIA0000000000000000"), None);
    }

    #[test]
    fn a_region_tells_its_partition() {
        let partitions = ["eu-central-1", "cn-north-1", "us-gov-west-1"].map(partition_of);
        assert_eq!(partitions, ["aws", "aws-cn", "aws-us-gov"]);
        assert_eq!(partitions.map(url_suffix), ["amazonaws.com", "amazonaws.com.cn", "amazonaws.com"]);
    }
}
