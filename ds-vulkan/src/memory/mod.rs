//! Memory of a device: what kinds there are, pools of it, imports of the host's, and buffers for results.
//!
//! 1. `types`: which of a device's kinds of memory serves what;
//! 2. `allocation`: one buffer with memory of its own;
//! 3. `pool`: a bounded number of such blocks, dealt out in pieces;
//! 4. `import`: the runtime's staging memory, seen by the device where it lies;
//! 5. `gpu_buffer`: destinations and sources of requests; `host_buffer`: those that the host sees as well; `registry`: their names.

pub(crate) mod allocation;
pub(crate) mod gpu_buffer;
pub(crate) mod host_buffer;
pub(crate) mod import;
pub(crate) mod pool;
pub(crate) mod registry;
pub(crate) mod types;
