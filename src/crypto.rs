//! Layer 1', keys and signatures: secp256k1 key pairs derived from node identities. A private key
//! never leaves this file; protocols and results see public keys and verdicts only.
//!
//! There are two suites, real and modelled, that come to the same verdict on everything that can
//! be written with the types here. Nothing of what they compute may enter an id, a hash, an order
//! or the digest of a run: signatures count by their size and by whether they are valid. So a run
//! has the same digest with either.

use std::fmt;

use k256::ecdsa::signature::{Signer, Verifier};
use k256::ecdsa::{SigningKey, VerifyingKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;

/// Bytes of a public key on the wire: compressed SEC1.
pub const PUBLIC_KEY_BYTES: usize = 33;

/// Bytes of a signature on the wire: the scalars r and s, 32 bytes each.
pub const SIGNATURE_BYTES: usize = 64;

/// How signatures are made and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// ECDSA over secp256k1 with SHA-256 and deterministic nonces (RFC 6979); proofs of history
    /// are hashed once more by way of a check. Slow.
    Real,
    /// A signature is a hash of the signer's identity and the message. Fast.
    #[default]
    Modelled,
}

impl Suite {
    /// The key pair of a node: in the real suite the private key is the first of the hashes
    /// SHA-256(tag, identity, attempt) that is a valid secp256k1 scalar.
    #[must_use]
    pub fn key_pair(self, identity: &[u8; 32]) -> KeyPair {
        KeyPair(match self {
            Self::Real => Secret::Real(Box::new(signing_key(identity))),
            Self::Modelled => Secret::Modelled(*identity),
        })
    }

    /// The public key of a node, to check its signatures with.
    #[must_use]
    pub fn public_key(self, identity: &[u8; 32]) -> PublicKey {
        self.key_pair(identity).public()
    }
}

/// A node's private and public key. In the real suite it takes some tens of microseconds to
/// derive: derive it once and keep it.
///
/// It can be neither printed nor compared nor copied bit by bit. Messages are `Copy`, facts too,
/// and bodies of messages are `Debug`, so none of them can hold one: that a private key never
/// travels is checked by the compiler.
#[derive(Clone)]
pub struct KeyPair(Secret);

#[derive(Clone)]
enum Secret {
    Real(Box<SigningKey>),
    Modelled([u8; 32]),
}

impl KeyPair {
    /// Signs a message. The same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        match &self.0 {
            Secret::Real(key) => {
                let signature: k256::ecdsa::Signature = key.sign(message);
                Signature(signature.to_bytes().into())
            }
            Secret::Modelled(identity) => modelled(identity, message),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(match &self.0 {
            Secret::Real(key) => Public::Real(*key.verifying_key()),
            Secret::Modelled(identity) => Public::Modelled(*identity),
        })
    }
}

/// A node's public key, as that which checks its signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(Public);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Public {
    Real(VerifyingKey),
    Modelled([u8; 32]),
}

impl PublicKey {
    /// Whether the signature is the signer's and belongs to this message. A signature of the other
    /// suite is never valid.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        match &self.0 {
            Public::Real(key) => k256::ecdsa::Signature::from_slice(&signature.0)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::Modelled(identity) => modelled(identity, message) == *signature,
        }
    }
}

/// A signature, made by [`KeyPair::sign`] or forged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// A signature that no key makes of any message.
    #[must_use]
    pub const fn forged() -> Self {
        // In the real suite zero is no scalar; in the modelled one, no message is known to have
        // it for a hash.
        Self([0; SIGNATURE_BYTES])
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}...)", Digest::of(&self.0).short(8))
    }
}

/// The signature of the modelled suite: a hash in the first half, zeros in the second.
fn modelled(identity: &[u8; 32], message: &[u8]) -> Signature {
    let hash = Digest::of_parts(&[b"headwater signature", identity, message]);
    let mut bytes = [0; SIGNATURE_BYTES];
    bytes[..hash.0.len()].copy_from_slice(&hash.0);
    Signature(bytes)
}

/// The public key of a node on the wire, in either suite: the one that the real suite derives.
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

    const SUITES: [Suite; 2] = [Suite::Real, Suite::Modelled];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_public_key_is_a_compressed_point_that_depends_on_the_identity() {
        let (a, b) = (public_key(&[1; 32]), public_key(&[2; 32]));
        assert!(matches!(a[0], 2 | 3) && a != b);
        assert_eq!(a, public_key(&[1; 32]), "derived, not drawn");
        assert!(k256::PublicKey::from_sec1_bytes(&a).is_ok(), "a point of the curve");
    }

    #[test]
    fn keys_and_real_signatures_are_those_of_an_independent_calculation() {
        // Both from forty lines of Python (curve arithmetic and RFC 6979 by hand, low s), which
        // also give the published 934b1ea1... for the key 1 and "Satoshi Nakamoto".
        assert_eq!(
            hex(&public_key(&[1; 32])),
            "026a9227e02659b015bdfb3b40e064f5fa3d4923e441e62b169b65cf2d499b99df"
        );
        let signature = Suite::Real.key_pair(&[1; 32]).sign(b"headwater");
        assert_eq!(
            hex(&signature.0),
            "124d921abda50b17f1b6ae5bcb56f46edd23dbd07f4fef82e8a679e01a9d1160\
             270f83c9c0d7db8a5e82428bc43e83d8c37f1201c30785bc9e6a5576eda46b8f"
        );
    }

    #[test]
    fn both_suites_come_to_the_same_verdict() {
        let messages: [&[u8]; 4] = [b"", b"pay 5", b"pay 6", &[7; 500]];
        let verdicts = SUITES.map(|suite| {
            let pairs: Vec<KeyPair> = (1..=3).map(|i| suite.key_pair(&[i; 32])).collect();
            let mut verdicts = Vec::new();
            for checker in &pairs {
                for checked in messages {
                    verdicts.push(checker.public().verify(checked, &Signature::forged()));
                    for signer in &pairs {
                        for signed in messages {
                            let signature = signer.sign(signed);
                            assert_eq!(signature, signer.sign(signed), "deterministic");
                            verdicts.push(checker.public().verify(checked, &signature));
                        }
                    }
                }
            }
            verdicts
        });
        assert_eq!(verdicts[0], verdicts[1]);
        // Of 3 * 4 checks with 1 forged and 3 * 4 made signatures each, only those of the same
        // signer and message hold.
        assert_eq!(verdicts[0].len(), 12 * 13);
        assert_eq!(verdicts[0].iter().filter(|valid| **valid).count(), 12);
    }

    #[test]
    fn a_signature_of_one_suite_is_a_forgery_in_the_other() {
        for (a, b) in [(SUITES[0], SUITES[1]), (SUITES[1], SUITES[0])] {
            let signature = a.key_pair(&[1; 32]).sign(b"pay 5");
            assert!(!b.public_key(&[1; 32]).verify(b"pay 5", &signature));
        }
    }

    #[test]
    fn nothing_that_is_printed_shows_a_private_key() {
        let secret = hex(&signing_key(&[1; 32]).to_bytes());
        let scalar = signing_key(&[1; 32]);
        let public = Suite::Real.public_key(&[1; 32]);
        let signature = Suite::Real.key_pair(&[1; 32]).sign(b"headwater");
        let shown = format!("{public:?} {signature:?} {:?}", scalar.verifying_key());
        assert!(!shown.to_lowercase().contains(&secret), "{shown}");
    }

    #[test]
    fn a_key_pair_cannot_stand_in_a_message_a_body_or_a_fact() {
        // Were it one of these, two implementations would fit and the path be ambiguous: this test
        // would not compile.
        trait Holds<Which> {
            fn it() {}
        }
        impl<T> Holds<()> for T {}
        impl<T: Copy> Holds<u8> for T {}
        impl<T: fmt::Debug> Holds<u16> for T {}
        impl<T: PartialEq> Holds<u32> for T {}
        <KeyPair as Holds<_>>::it();
    }
}
