//! A seeded fault-injecting engine.
