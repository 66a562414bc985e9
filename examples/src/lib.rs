//! Meshes to try Meridian with: their configuration, agreements and queries, and generators of synthetic data.

pub mod london;
