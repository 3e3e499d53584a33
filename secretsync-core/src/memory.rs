//! A provider and a store in memory, for documentation, tests, benches, and programs that only want the engine.

mod provider;
mod store;

pub use provider::MemoryProvider;
pub use store::MemoryStore;
