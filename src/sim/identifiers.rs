//! Ids that look like AWS's and are counted, so that a script run twice gives the same ids.

use super::SimulatedAws;

impl SimulatedAws {
    /// The next identifier in the form of a UUID: event ids, message ids, request ids.
    pub(super) fn next_uuid(&mut self) -> String {
        uuid(self.next_number())
    }

    /// The next identifier as IAM writes them: a prefix that names the kind, then 16 of `A–Z2–7`.
    pub(super) fn next_unique_id(&mut self, prefix: &str) -> String {
        const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let number = mix(self.next_number());
        let mut text = prefix.to_owned();
        for place in 0..16_u32 {
            let digit = (number.rotate_right(place * 4) & 31) as usize;
            text.push(DIGITS.get(digit).map_or('A', |digit| char::from(*digit)));
        }
        text
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.next_identifier += 1;
        self.next_identifier
    }
}

/// A counted identifier in the form of a UUID.
pub(super) fn uuid(number: u64) -> String {
    // Spread the counter over the digits, so that ids do not sort in the order they were made and no test can
    // come to lean on that.
    let high = mix(number);
    let low = mix(high ^ number);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff,
    )
}

/// The output function of splitmix64: a bijection, so distinct numbers stay distinct.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
