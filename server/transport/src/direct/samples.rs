//! What is measured, sorted into buckets, until Python fetches it.

/// Samples by buckets that do not include their upper bound.
pub struct Samples {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    total: f64,
}

/// How many samples fell into each bucket, and their sum.
pub type Taken = (Vec<u64>, f64);

impl Samples {
    pub fn new(bounds: Vec<f64>) -> Self {
        let counts = vec![0; bounds.len() + 1];
        Samples {
            bounds,
            counts,
            total: 0.0,
        }
    }

    pub fn put(&mut self, sample: f64) {
        let bucket = self.bounds.partition_point(|&bound| bound <= sample);
        self.counts[bucket] += 1;
        self.total += sample;
    }

    /// What was put since this was called last.
    pub fn take(&mut self) -> Taken {
        let counts = vec![0; self.counts.len()];
        (
            std::mem::replace(&mut self.counts, counts),
            std::mem::take(&mut self.total),
        )
    }
}
