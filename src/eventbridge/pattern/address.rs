//! IP addresses and CIDR blocks as EventBridge reads them in patterns and events.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses: the masked network and how many leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Block {
    pub(super) network: IpAddr,
    pub(super) bits: u8,
}

impl Block {
    /// Reads `network/bits` with EventBridge's own error texts.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // Trailing empty parts do not count: `10.0.0.0/` has one part.
        let trimmed = text.trim_end_matches('/');
        let mut parts = trimmed.split('/');
        let (Some(network), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let bits: i32 = bits.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        if bits < 0 {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        }
        if !looks_like_address(network) {
            return Err(format!("Nonstandard IP address: {network}"));
        }
        let address = parse_address(network).ok_or_else(|| format!("Invalid IP address: {network}"))?;
        let (limit, family) = match address {
            IpAddr::V4(_) => (32, "IPv4"),
            IpAddr::V6(_) => (128, "IPv6"),
        };
        let bits = u8::try_from(bits).unwrap_or(u8::MAX);
        if bits >= limit {
            return Err(format!("{family} mask bits must be < {limit}"));
        }
        Ok(Self { network: masked(address, bits), bits })
    }

    /// Whether the address is in the block.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.bits) == self.network
    }

    /// Whether the whole other block is in this one.
    pub(super) fn contains_block(&self, other: &Self) -> bool {
        other.bits >= self.bits && self.contains(other.network)
    }
}

/// An address if the text is one: four decimal parts, or hexadecimal groups with colons.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    if !looks_like_address(text) {
        return None;
    }
    if text.contains(':') {
        let address: Ipv6Addr = text.parse().ok()?;
        // EventBridge's platform reads a mapped address as the IPv4 address it maps.
        return Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4));
    }
    // Leading zeros are read as decimal, which Rust's own parser refuses.
    let mut octets = [0_u8; 4];
    for (octet, part) in octets.iter_mut().zip(text.split('.')) {
        *octet = part.parse().ok()?;
    }
    Some(IpAddr::V4(Ipv4Addr::from(octets)))
}

fn looks_like_address(text: &str) -> bool {
    if text.contains(':') {
        return text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    }
    text.split('.').count() == 4
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(bits))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(bits))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn blocks_hold_their_addresses_and_no_others() {
        for (block, inside, outside) in [
            ("10.0.0.0/24", "10.0.0.255", "10.0.1.0"),
            ("10.0.0.77/24", "10.0.0.0", "11.0.0.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8:1234:1a00::/64", "2001:0db8:1234:1a00:0:0:0:1", "2001:db8:1234:1a01::"),
            ("::/0", "ffff::", "1.2.3.4"),
        ] {
            let block = Block::parse(block).unwrap();
            assert!(block.contains(parse_address(inside).unwrap()));
            assert!(!block.contains(parse_address(outside).unwrap()));
        }
    }

    #[test]
    fn faults_have_the_texts_of_eventbridge() {
        for (text, wanted) in [
            ("bad-filter", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/8/8", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/x", "Malformed CIDR, mask bits must be an integer"),
            ("10.0.0.0/-1", "Malformed CIDR, mask bits must not be negative"),
            ("10.0.0.0/32", "IPv4 mask bits must be < 32"),
            ("10.0.0.0/300", "IPv4 mask bits must be < 32"),
            ("::/128", "IPv6 mask bits must be < 128"),
            ("xx.11.xx/8", "Nonstandard IP address: xx.11.xx"),
            ("300.0.0.1/8", "Invalid IP address: 300.0.0.1"),
            ("1:2/8", "Invalid IP address: 1:2"),
        ] {
            assert_eq!(Block::parse(text).unwrap_err(), wanted, "{text}");
        }
    }

    #[test]
    fn only_addresses_are_read_as_addresses() {
        assert_eq!(parse_address("010.0.0.1"), parse_address("10.0.0.1"));
        assert_eq!(parse_address("::ffff:0102:0304"), parse_address("1.2.3.4"));
        for text in ["12:30", "1.2.3", "a.b.c.d", "", "1.2.3.4.5", "localhost"] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }
}
