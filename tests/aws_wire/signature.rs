//! Signature Version 4 worked out anew from what was sent, as AWS does it at its end: a header or a byte that was signed
//! otherwise than it was sent shows here.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use crate::wire::Sent;
use sha2::{Digest, Sha256};

/// The `Authorization` that AWS would accept for a POST to `/` at the host of what was sent.
pub(crate) fn authorization(sent: &Sent, secret: &str) -> String {
    let part = |name: &str| {
        let found = sent.authorization.split([',', ' ']).find_map(|part| part.strip_prefix(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("no {name} in {}", sent.authorization)).to_owned()
    };
    let (credential, signed_headers) = (part("Credential"), part("SignedHeaders"));
    let (_, scope) = credential.split_once('/').unwrap();
    let host = sent.uri.split("://").nth(1).unwrap().trim_end_matches('/');
    let headers: String = signed_headers
        .split(';')
        .map(|name| format!("{name}:{}\n", if name == "host" { host } else { sent.headers[name].trim() }))
        .collect();
    let canonical = format!("POST\n/\n\n{headers}\n{signed_headers}\n{}", hex(&Sha256::digest(&sent.body)));
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        sent.headers["x-amz-date"],
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}")
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let short = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block[..short.len()].copy_from_slice(&short);
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36).as_slice(), text].concat());
    Sha256::digest([pad(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The test vector of RFC 4231, 4.3.
#[test]
fn the_hmac_is_the_standards() {
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hex(&hmac(b"Jefe", b"what do ya want for nothing?")), expected);
}
