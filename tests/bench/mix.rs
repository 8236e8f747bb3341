//! The hash and stream that the workloads are defined by.

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

pub(crate) const fn mix64(x: u64) -> u64 {
    let z = x.wrapping_add(STEP);
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

pub(crate) struct Sm64(pub(crate) u64);

impl Sm64 {
    pub(crate) const fn next(&mut self) -> u64 {
        let value = mix64(self.0);
        self.0 = self.0.wrapping_add(STEP);
        value
    }
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }
}
