//! A shader, and how it is run.

use crate::fault::{Fault, Race};
use crate::load::LoadError;
use crate::lower::lower;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::program::Program;

/// In what order lanes of a subgroup get on between the places where they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// All lanes that can do an instruction together do so, and wait for each other where ways come together again.
    Lockstep,
    /// One lane goes on until it has to wait for others, then another, in an order that this seed tells.
    OneByOne(u64),
    /// Lanes take turns of a few instructions, in an order that this seed tells.
    Interleaved(u64),
}

/// How a shader is run.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch {
    /// Workgroups, in x.
    pub workgroups: u32,
    /// Lanes of a subgroup, 64 at most.
    pub subgroup: u32,
    /// The order of lanes.
    pub schedule: Schedule,
    /// The most instructions that a lane may do.
    pub bound: u64,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Instructions of all lanes together.
    pub steps: u64,
    /// The most instructions of a lane.
    pub longest: u64,
    /// Accesses that nothing orders, the same places as one.
    pub races: Vec<Race>,
}

/// A shader that is ready to run.
#[derive(Debug)]
pub struct Shader {
    program: Program,
}

impl Shader {
    /// Of SPIR-V, with these specialisation constants: number and value.
    ///
    /// # Errors
    /// [`LoadError`]: it is no module, or has something that is not provided for.
    pub fn new(spirv: &[u8], constants: &[(u32, u32)]) -> Result<Self, LoadError> {
        let module = rspirv::dr::load_bytes(spirv).map_err(|error| LoadError::Parse(error.to_string()))?;
        Ok(Self { program: lower(&module, constants)? })
    }

    /// Invocations of a workgroup.
    #[must_use]
    pub fn local_size(&self) -> [u32; 3] {
        self.program.local_size
    }

    /// Runs it, one workgroup after another.
    ///
    /// # Errors
    /// [`Fault`]: the first thing that is wrong. Memory is as it was left then.
    ///
    /// # Panics
    /// Workgroups have more than 256 invocations, or subgroups none or more than 64.
    pub fn run(
        &self,
        memory: &mut Memory,
        constants: &[u8],
        dispatch: &Dispatch,
    ) -> Result<Report, Box<Fault>> {
        memory.forget();
        match self.program.local_size.iter().product() {
            0..=32_u32 => Machine::<32>::new(&self.program, memory, constants, dispatch).run(),
            33..=64 => Machine::<64>::new(&self.program, memory, constants, dispatch).run(),
            65..=256 => Machine::<256>::new(&self.program, memory, constants, dispatch).run(),
            more => panic!("{more} invocations"),
        }
    }
}
