//! Which requests are answered without Python: those like one that Python looked at and remembers.
//!
//! A request is like another if its ModelSpec is the same, byte by byte. All is forgotten whenever
//! something changes that Python looked at.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use prost::Message;

use crate::direct::messages::Addressed;
use crate::direct::signature::{Direct, Outcome, Signature};

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
/// Clients may ask for the same in many ways; beyond so many, all are looked at anew.
const MOST: usize = 4096;

/// Who answers a request: a signature, Python, or who Python says when it sees this ModelSpec.
#[derive(Clone)]
pub enum Way {
    Direct(Arc<Direct>),
    Python,
    Unknown(Bytes),
}

impl Way {
    /// What comes of a message whose signature is quick enough for a thread that serves others.
    pub fn at_once(&self, message: &Bytes) -> Option<Outcome> {
        match self {
            Way::Direct(direct) => direct.answer_at_once(message),
            Way::Python | Way::Unknown(_) => None,
        }
    }
}

#[derive(Default)]
struct Known {
    ways: HashMap<Bytes, Way>,
    generation: u64,
}

/// How requests are answered, by their ModelSpec.
#[derive(Default)]
pub struct Shortcuts(RwLock<Known>);

impl Shortcuts {
    /// Who answers this message of a method.
    pub fn way(&self, path: &str, message: &[u8]) -> Way {
        if path != PREDICT {
            return Way::Python;
        }
        let Some(spec) = spec_of(message) else {
            return Way::Python;
        };
        let known = self.0.read().unwrap();
        match known.ways.get(&spec) {
            Some(way) => way.clone(),
            None => Way::Unknown(spec),
        }
    }

    /// How often all was forgotten.
    pub fn generation(&self) -> u64 {
        self.0.read().unwrap().generation
    }

    /// Remembers what was decided for a ModelSpec, unless all was forgotten since.
    pub fn remember(&self, generation: u64, spec: Vec<u8>, signature: Option<&Signature>) {
        let mut known = self.0.write().unwrap();
        if known.generation == generation {
            let way = match signature {
                Some(signature) => Way::Direct(signature.0.clone()),
                None => Way::Python,
            };
            if known.ways.len() >= MOST {
                known.ways.clear();
            }
            known.ways.insert(spec.into(), way);
        }
    }

    /// Forgets all.
    pub fn forget(&self) {
        let mut known = self.0.write().unwrap();
        known.generation += 1;
        known.ways.clear();
    }
}

/// The ModelSpec of a request, serialized, if it is there in one part.
fn spec_of(message: &[u8]) -> Option<Bytes> {
    let mut parts = Addressed::decode(message).ok()?.model_spec;
    let last = parts.pop()?;
    parts.is_empty().then_some(last)
}
