//! Test only: compute shaders on the processor, lane by lane.
//!
//! A GPU runs the lanes of a subgroup together where it can, and says nothing where it cannot: lanes that come to a ballot while
//! others do not, a barrier that is missing, a store past the end of a buffer, a loop that one lane in a million does not
//! leave. Here a shader's SPIR-V is run as its text has it, by lanes that know nothing of each other but where they meet, and
//! all of that is an error with its place. Subgroups have any number of lanes up to 64, so that a way through a shader that wants
//! 32 of them is run where no device has them.
//!
//! ```no_run
//! use ds_lanes::{Access, Dispatch, Memory, Schedule, Shader};
//!
//! let shader = Shader::new(&std::fs::read("shader.spv")?, &[(0, 32)])?;
//! let mut memory = Memory::new();
//! let words = memory.add(vec![0; 4096], Access::Write, 0);
//! let dispatch = Dispatch { workgroups: 4, subgroup: 32, schedule: Schedule::Interleaved(1), bound: 1_000_000 };
//! let report = shader.run(&mut memory, &words.to_le_bytes(), &dispatch)?;
//! assert_eq!(report.races, []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is an error
//!
//! - **Lanes apart.** A ballot, a shuffle or a barrier that not all lanes of the subgroup, or of the workgroup, come to: at the same
//!   instruction, called from the same place, in the same rounds of all loops around it. Vulkan leaves undefined what then happens, and
//!   some devices wait forever.
//! - **Memory that is not there.** Addresses are looked up in the ranges that [`Memory`] has been given, in which every access has to lie
//!   as a whole; what may be read only is not written; addresses are aligned as the instruction promises; arrays of the workgroup have the
//!   element that is asked for.
//! - **No end.** A lane that has done more instructions than [`Dispatch::bound`], with the loop that it is in.
//! - **Results that are not defined**: division by zero, shifts by as many bits as there are.
//!
//! [Races](Race) are no errors but are reported: two lanes reach for the same byte, one of them writes, and no barrier whose memory
//! semantics cover that memory lies between, nor are both atomics. Some are harmless by design; whoever thinks so says so by place.
//! What nothing has written (variables, memory of the workgroup, what a shuffle brings from a lane that is not there) is different from run
//! to run as the seed is.
//!
//! # What is not found
//!
//! Stores are seen by all lanes at once and in order: a device that shows them late shows more than a [`Schedule`] does. What races is
//! therefore to be looked for in [`Report::races`], not in results. And what a driver makes of the shader is its own affair.
//!
//! Only what our shaders are made of is provided for; anything else is [`LoadError::Unsupported`] with its name.

mod alu;
mod fault;
mod load;
mod lower;
mod machine;
mod memory;
mod program;
mod race;
mod shader;
mod types;

pub use fault::{Fault, FaultKind, Place, Race};
pub use load::LoadError;
pub use memory::{Access, Memory};
pub use shader::{Dispatch, Report, Schedule, Shader};
