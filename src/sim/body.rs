//! Kernel layer: message bodies, stored once and shared by every message that refers to them.

use crate::base::fetch::fetch_at;

/// Names a body of the run's arena. Slots are used again, so an id means nothing once the last
/// message or node that refers to it is gone; it never enters a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BodyId(u32);

impl BodyId {
    /// Its slot in the arena, for tables that find a body again by it.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// The arena of all bodies in use, with a count of the messages and nodes that refer to each.
pub struct Bodies<B> {
    slots: Vec<Slot<B>>,
    free: Vec<u32>,
    /// Stored by the present handler; freed after it unless something refers to them by then.
    fresh: Vec<u32>,
}

struct Slot<B> {
    references: u32,
    body: Option<B>,
}

impl<B> Bodies<B> {
    /// An empty arena.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), fresh: Vec::new() }
    }

    /// Stores a body. It lives as long as a message in flight or a [`Bodies::hold`] refers to it.
    pub fn store(&mut self, body: B) -> BodyId {
        let slot = Slot { references: 0, body: Some(body) };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 bodies at a time")
            }
        };
        self.fresh.push(place);
        BodyId(place)
    }

    /// The body.
    ///
    /// # Panics
    /// If nothing refers to it any more, which would be a protocol's bug.
    #[must_use]
    pub fn body(&self, id: BodyId) -> &B {
        self.slots[id.0 as usize].body.as_ref().expect("a body lives while something refers to it")
    }

    /// Fetches a body that is read soon.
    #[inline]
    pub(super) fn fetch(&self, id: BodyId) {
        fetch_at(&self.slots, id.0 as usize);
    }

    /// Adds a reference.
    #[inline]
    pub fn hold(&mut self, id: BodyId) {
        self.slots[id.0 as usize].references += 1;
    }

    /// Takes a reference away; the last one frees the body.
    #[inline]
    pub fn release(&mut self, id: BodyId) {
        let slot = &mut self.slots[id.0 as usize];
        assert!(slot.references > 0, "a body is released once for every hold");
        slot.references -= 1;
        if slot.references == 0 {
            slot.body = None;
            self.free.push(id.0);
        }
    }

    /// Frees what the last handler stored and nothing refers to.
    #[inline]
    pub(super) fn sweep(&mut self) {
        while let Some(place) = self.fresh.pop() {
            let slot = &mut self.slots[place as usize];
            if slot.references == 0 && slot.body.take().is_some() {
                self.free.push(place);
            }
        }
    }

    /// How many bodies are alive.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no body is alive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<B> Default for Bodies<B> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_lives_exactly_as_long_as_something_refers_to_it() {
        let mut bodies = Bodies::new();
        let (kept, lost) = (bodies.store("kept"), bodies.store("lost"));
        bodies.hold(kept);
        bodies.hold(kept);
        bodies.sweep();
        assert_eq!((bodies.len(), *bodies.body(kept)), (1, "kept"));
        bodies.release(kept);
        assert_eq!(bodies.len(), 1);
        bodies.release(kept);
        assert!(bodies.is_empty());
        let again = bodies.store("again");
        assert!(again == kept || again == lost, "slots are used again");
    }

    #[test]
    #[should_panic(expected = "refers")]
    fn a_freed_body_is_not_readable() {
        let mut bodies = Bodies::new();
        let id = bodies.store(1);
        bodies.sweep();
        let _ = bodies.body(id);
    }
}
