//! The JSON of REST, as far as it is numbers: `request` (what a body asks), `lists` (nested lists as a
//! tensor), `answer` (tensors as rows or columns), `decimals` (how numbers are written).

pub mod answer;
mod decimals;
pub mod lists;
pub mod request;
