//! A signature as a receiver works it out: RFC 2104 by hand, so that it shares nothing with the one who signs.

use sha2::{Digest as _, Sha256};

/// HMAC-SHA256 of `message`, in hexadecimal; the key is at most 64 bytes.
pub(crate) fn hmac_sha256(key: &str, message: &str) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (at, byte) in key.bytes().enumerate() {
            block[at] ^= byte;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}
