//! The buffers of chunks go round: memory that was written before costs no page faults again.
//!
//! Takes the buffers of chunks that were dropped; gives them to the capture thread that they came from. Must not know
//! their contents.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The bytes of a buffer.
pub(super) const BUFFER_BYTES: usize = 1 << 20;
/// The most buffers that wait for their capture thread; further ones are freed.
const MOST_SPARE: usize = 4;

/// Gives buffers back to their capture thread.
#[derive(Debug, Clone)]
pub(super) struct BufferReturn {
    to: Sender<Vec<u8>>,
    spare: Arc<AtomicUsize>,
}

impl BufferReturn {
    /// Gives a buffer back, if it has the size of one and the capture thread has few.
    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == BUFFER_BYTES && self.spare.load(Relaxed) < MOST_SPARE {
            buffer.clear();
            if self.to.send(buffer).is_ok() {
                self.spare.fetch_add(1, Relaxed);
            }
        }
    }
}

/// The buffers of one capture thread.
#[derive(Debug)]
pub(super) struct Buffers {
    returned: Receiver<Vec<u8>>,
    give_back: BufferReturn,
}

impl Buffers {
    pub(super) fn new() -> Self {
        let (to, returned) = channel();
        Self { returned, give_back: BufferReturn { to, spare: Arc::default() } }
    }

    /// An empty buffer: one that came back, or a new one.
    pub(super) fn take(&self) -> Vec<u8> {
        match self.returned.try_recv() {
            Ok(buffer) => {
                self.give_back.spare.fetch_sub(1, Relaxed);
                buffer
            }
            Err(_) => Vec::with_capacity(BUFFER_BYTES),
        }
    }

    /// Gives its buffers back.
    pub(super) fn returner(&self) -> BufferReturn {
        self.give_back.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_buffers_come_back_empty() {
        let buffers = Buffers::new();
        let taken: Vec<Vec<u8>> = (0..2 * MOST_SPARE).map(|_| buffers.take()).collect();
        let places: Vec<*const u8> = taken.iter().map(|buffer| buffer.as_ptr()).collect();
        for mut buffer in taken {
            buffer.push(1);
            buffers.returner().give_back(buffer);
        }
        buffers.returner().give_back(vec![1, 2, 3]);
        for place in &places[..MOST_SPARE] {
            let buffer = buffers.take();
            assert_eq!((buffer.as_ptr(), buffer.len()), (*place, 0));
        }
        assert_eq!(buffers.give_back.spare.load(Relaxed), 0);
        assert!(buffers.returned.try_recv().is_err());
    }
}
