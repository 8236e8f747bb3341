//! Layer 1', keys: secp256k1 key pairs derived from node identities. A private key never leaves
//! this file; protocols and results see public keys only.

use k256::ecdsa::SigningKey;

use crate::base::digest::Digest;

/// Bytes of a public key on the wire: compressed SEC1.
pub const PUBLIC_KEY_BYTES: usize = 33;

/// The public key of a node, derived from its identity: the private key is the first of the hashes
/// SHA-256(tag, identity, attempt) that is a valid secp256k1 scalar.
#[must_use]
pub fn public_key(identity: &[u8; 32]) -> [u8; PUBLIC_KEY_BYTES] {
    let key = signing_key(identity);
    let point = key.verifying_key().to_sec1_point(true);
    let mut bytes = [0; PUBLIC_KEY_BYTES];
    bytes.copy_from_slice(point.as_bytes());
    bytes
}

fn signing_key(identity: &[u8; 32]) -> SigningKey {
    // All but one in 2^127 hashes are valid scalars.
    (0_u8..)
        .map(|attempt| Digest::of_parts(&[b"headwater key", identity, &[attempt]]))
        .find_map(|secret| SigningKey::from_slice(&secret.0).ok())
        .expect("one of 256 hashes is below the group order")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_a_compressed_point_that_depends_on_the_identity() {
        let (a, b) = (public_key(&[1; 32]), public_key(&[2; 32]));
        assert!(matches!(a[0], 2 | 3) && a != b);
        assert_eq!(a, public_key(&[1; 32]), "derived, not drawn");
        assert!(k256::PublicKey::from_sec1_bytes(&a).is_ok(), "a point of the curve");
    }
}
