//! Base layer: asking the core to fetch memory into its cache before it is needed. It changes speed
//! and nothing else.

/// Has the line of the cache in which a value begins fetched, without waiting for it. Does nothing
/// on processors for which the compiler has no stable instruction.
#[inline(always)]
pub fn fetch<T>(value: &T) {
    fetch_at(std::slice::from_ref(value), 0);
}

/// The same for an element of a slice; one that does not exist does no harm.
#[inline(always)]
pub fn fetch_at<T>(values: &[T], place: usize) {
    prefetch_index::prefetch_index(values, place);
}
