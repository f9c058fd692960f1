//! Which requests are answered without Python: those like one that Python looked at and remembers.
//!
//! A request is like another if it is for the same, byte by byte: a ModelSpec of gRPC, a path of
//! REST. All is forgotten whenever something changes that Python looked at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use prost::Message;
use pyo3::prelude::*;

use crate::api::Api;
use crate::direct::json::request::seen_signature;
use crate::direct::messages::Addressed;
use crate::direct::signature::{Direct, Outcome, Signature};
use crate::direct::tensorflow::Failure;

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
/// Clients may ask for the same in many ways; beyond so many, all are looked at anew.
const MOST: usize = 4096;

/// Whom a request is for: of REST its path with its query, and the name of the signature; of gRPC a
/// ModelSpec, serialized.
#[derive(Clone, FromPyObject, IntoPyObject)]
pub enum Addressee {
    Target(String, String),
    Spec(Vec<u8>),
}

/// Who answers a request: a signature, Python, or who Python says when it sees whom it is for.
#[derive(Clone)]
pub enum Way {
    Direct(Arc<Direct>),
    Python,
    Unknown(Addressee),
}

/// A request that is on its way to Python: what was sent, who answers it, and how that was tried in
/// vain.
pub struct Untold {
    pub sent: Mutex<Option<Bytes>>,
    pub way: Way,
    pub failure: Option<Failure>,
}

/// What comes of a request before Python sees it.
pub enum Tried {
    Answered(Bytes),
    Untold(Untold),
}

impl Way {
    /// Answers what was sent if that is quick enough for a thread that serves others.
    pub fn tried(self, api: Api, sent: Bytes) -> Tried {
        let outcome = match &self {
            Way::Direct(direct) => direct.answer_at_once(api, &sent),
            Way::Python | Way::Unknown(_) => None,
        };
        let failure = match outcome {
            Some(Outcome::Answered(answer)) => return Tried::Answered(answer),
            Some(Outcome::Failed(failure)) => Some(failure),
            None => None,
        };
        Tried::Untold(Untold {
            sent: Mutex::new(Some(sent)),
            way: self,
            failure,
        })
    }
}

impl Untold {
    /// What answers those like it, if Python decided so.
    pub fn signature(&self) -> Option<Signature> {
        match &self.way {
            Way::Direct(direct) => Some(Signature(direct.clone())),
            Way::Python | Way::Unknown(_) => None,
        }
    }

    /// Whom it is for, if Python has decided nothing.
    pub fn unknown(&self) -> Option<Addressee> {
        match &self.way {
            Way::Unknown(whom) => Some(whom.clone()),
            Way::Python | Way::Direct(_) => None,
        }
    }

    /// Code and message of the run that failed.
    pub fn failure(&self) -> Option<(u8, &str)> {
        let failure = self.failure.as_ref()?;
        Some((failure.code, &failure.message))
    }
}

#[derive(Default)]
struct Known {
    specs: HashMap<Vec<u8>, Way>,
    targets: HashMap<String, HashMap<String, Way>>,
    generation: u64,
}

impl Known {
    fn number(&self) -> usize {
        self.specs.len() + self.targets.values().map(HashMap::len).sum::<usize>()
    }

    fn clear(&mut self) {
        self.specs.clear();
        self.targets.clear();
    }
}

/// How requests are answered, by whom they are for.
#[derive(Default)]
pub struct Shortcuts(RwLock<Known>);

impl Shortcuts {
    /// Who answers this message of a method of gRPC.
    pub fn of_message(&self, path: &str, message: &[u8]) -> Way {
        if path != PREDICT {
            return Way::Python;
        }
        let Some(spec) = spec_of(message) else {
            return Way::Python;
        };
        let known = self.0.read().unwrap();
        match known.specs.get(&spec[..]) {
            Some(way) => way.clone(),
            None => Way::Unknown(Addressee::Spec(spec.into())),
        }
    }

    /// Who answers what was posted to a path of REST.
    pub fn of_body(&self, target: &str, body: &[u8]) -> Way {
        let signature = seen_signature(body);
        let known = self.0.read().unwrap();
        let signatures = known.targets.get(target);
        match signatures.and_then(|signatures| signatures.get(signature)) {
            Some(way) => way.clone(),
            None => Way::Unknown(Addressee::Target(target.to_owned(), signature.to_owned())),
        }
    }

    /// How often all was forgotten.
    pub fn generation(&self) -> u64 {
        self.0.read().unwrap().generation
    }

    /// Remembers what was decided for an addressee, unless all was forgotten since.
    pub fn remember(&self, generation: u64, whom: Addressee, signature: Option<&Signature>) {
        let mut known = self.0.write().unwrap();
        if known.generation != generation {
            return;
        }
        let way = match signature {
            Some(signature) => Way::Direct(signature.0.clone()),
            None => Way::Python,
        };
        if known.number() >= MOST {
            known.clear();
        }
        match whom {
            Addressee::Spec(spec) => known.specs.insert(spec, way),
            Addressee::Target(target, signature) => known
                .targets
                .entry(target)
                .or_default()
                .insert(signature, way),
        };
    }

    /// Forgets all.
    pub fn forget(&self) {
        let mut known = self.0.write().unwrap();
        known.generation += 1;
        known.clear();
    }
}

/// The ModelSpec of a request, serialized, if it is there in one part.
fn spec_of(message: &[u8]) -> Option<Bytes> {
    let mut parts = Addressed::decode(message).ok()?.model_spec;
    let last = parts.pop()?;
    parts.is_empty().then_some(last)
}
