//! Placeholder.
#![allow(dead_code, reason = "placeholder: the engine that uses these modules is written elsewhere")]

pub mod engine;
pub mod json;
pub mod regex;
pub mod yaml;
