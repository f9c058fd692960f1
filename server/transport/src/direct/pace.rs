//! Whether requests are quick enough for threads that serve other connections meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One that took so long, and was quick before, is not to be met often.
const STALL: Duration = Duration::from_millis(20);
/// For each second of it others are spared so many of them.
const SPARED: u32 = 1000;
const LONGEST_SPARED: Duration = Duration::from_secs(600);

/// What requests for one signature take.
pub struct Pace {
    quick: Duration,
    /// Nanoseconds that they take of late; the first ones count as slow.
    mean: AtomicU64,
    /// Nanoseconds after the start of the process.
    spared_until: AtomicU64,
}

fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

impl Pace {
    /// They are quick if they take less than this in the mean.
    pub fn new(quick: Duration) -> Self {
        Pace {
            quick,
            mean: AtomicU64::new(nanoseconds(8 * quick)),
            spared_until: AtomicU64::new(0),
        }
    }

    pub fn is_quick(&self) -> bool {
        let spared_until = self.spared_until.load(Ordering::Relaxed);
        self.mean.load(Ordering::Relaxed) < nanoseconds(self.quick)
            && (spared_until == 0 || spared_until < nanoseconds(now()))
    }

    pub fn took(&self, took: Duration) {
        if took > STALL && self.is_quick() {
            let spared = (took * SPARED).min(LONGEST_SPARED);
            self.spared_until
                .store(nanoseconds(now() + spared), Ordering::Relaxed);
        }
        // Of two threads at once one may be forgotten.
        let mean = self.mean.load(Ordering::Relaxed);
        let took = nanoseconds(took.min(STALL));
        self.mean
            .store(mean - mean / 8 + took / 8, Ordering::Relaxed);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
