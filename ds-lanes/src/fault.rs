//! What can be wrong with a run.

use std::fmt;

use rspirv::spirv::Op;

/// An instruction, as the module's names tell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Place {
    /// The function, then whoever calls it.
    pub calls: Vec<String>,
    /// The innermost loop of that function around it, counted from 0 in order of the text.
    pub within: Option<u16>,
    /// The instruction.
    pub opcode: String,
    /// The id of its result, if there is one.
    pub result: Option<u32>,
    /// The variable of the workgroup, or the kind of buffer, that it reaches for.
    pub name: Option<String>,
}

impl Place {
    /// The function that it is in.
    #[must_use]
    pub fn function(&self) -> &str {
        self.calls.first().map_or("", String::as_str)
    }

    pub(crate) fn opcode(op: Op) -> String {
        format!("Op{op:?}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.opcode)?;
        if let Some(result) = self.result {
            write!(f, " (%{result})")?;
        }
        if let Some(name) = &self.name {
            write!(f, " of {name}")?;
        }
        write!(f, " in {}", self.calls.join(" < "))?;
        match self.within {
            Some(number) => write!(f, ", its loop {number}"),
            None => Ok(()),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Memory that no range has, or not to its end.
    OutOfBounds {
        /// Where.
        address: u64,
        /// How many.
        bytes: u8,
    },
    /// A write to what may only be read.
    ReadOnly {
        /// Where.
        address: u64,
    },
    /// An address that is no multiple of what the instruction promises.
    Misaligned {
        /// Where.
        address: u64,
        /// A multiple of which it is to be.
        to: u16,
    },
    /// An array has no such element.
    NoElement {
        /// Which.
        index: u64,
        /// How many it has.
        length: u16,
    },
    /// An operation that all lanes of a group do together, and some do something else.
    Apart {
        /// Lanes that are there, of the group.
        there: u64,
        /// Lanes that are not: elsewhere, in another round of a loop, or at their end.
        missing: u64,
        /// Where the first of those is, if it is anywhere.
        elsewhere: Option<Place>,
    },
    /// A lane that has done more instructions than it may.
    NoEnd {
        /// The function of the loop that it has gone round most often since it came to it.
        function: String,
        /// Which of that function's loops.
        number: u16,
        /// How often.
        rounds: u32,
    },
    /// A result that is not defined: division by 0, a shift by as many bits as there are.
    Undefined,
    /// An instruction that the module says is never reached.
    Reached,
}

/// What is wrong, where, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub place: Place,
    /// The workgroup.
    pub workgroup: u32,
    /// The lane, of the workgroup.
    pub lane: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lane {} of workgroup {}, {}: ", self.lane, self.workgroup, self.place)?;
        match &self.kind {
            FaultKind::OutOfBounds { address, bytes } => {
                write!(f, "{bytes} bytes at {address:#x} are nobody's")
            }
            FaultKind::ReadOnly { address } => write!(f, "{address:#x} may only be read"),
            FaultKind::Misaligned { address, to } => write!(f, "{address:#x} is no multiple of {to}"),
            FaultKind::NoElement { index, length } => write!(f, "element {index} of {length}"),
            FaultKind::Apart { there, missing, elsewhere } => {
                write!(f, "lanes {there:#x} are there, lanes {missing:#x} are not")?;
                match elsewhere {
                    Some(place) => write!(f, ": the first is at {place}"),
                    None => f.write_str(": the first is at its end"),
                }
            }
            FaultKind::NoEnd { function, number, rounds } => {
                write!(f, "no end: {rounds} times round loop {number} of {function}")
            }
            FaultKind::Undefined => f.write_str("the result is undefined"),
            FaultKind::Reached => f.write_str("reached what is never reached"),
        }
    }
}

impl core::error::Error for Fault {}

/// Two accesses of the same byte by two lanes, one of them a write, with no barrier between.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Race {
    /// The access that came first.
    pub first: Place,
    /// The other.
    pub second: Place,
    /// Whether a byte was written with another value than it had, ever.
    pub changes: bool,
    /// How often.
    pub count: u64,
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.changes { "changing bytes" } else { "the same bytes again" };
        write!(f, "{} times ({what}): {}, then {}", self.count, self.first, self.second)
    }
}
