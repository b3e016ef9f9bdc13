//! Shaders: code, and what is known of it.

/// Which shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ShaderId {
    /// One of ours, by name.
    Ours(&'static str),
    /// One of the application's, by number.
    Theirs(u64),
}

/// A shader to make a pipeline of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code<'a> {
    pub(crate) id: ShaderId,
    /// SPIR-V, in whole words.
    pub(crate) spirv: &'a [u8],
}

impl Code<'_> {
    pub(crate) fn words(&self) -> Vec<u32> {
        self.spirv.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
    }
}

/// One of our shaders, and what reflection found in it.
#[derive(Debug)]
pub(crate) struct Shader {
    /// The name of its source, without the extension.
    pub(crate) name: &'static str,
    pub(crate) spirv: &'static [u8],
    /// Its push constants: name, offset and size in bytes.
    pub(crate) push_constants: &'static [(&'static str, usize, usize)],
    /// Its specialisation constants: number, name, and the value of one that is not given.
    #[cfg(test)]
    pub(crate) constants: &'static [(u32, &'static str, u32)],
    /// Invocations in a workgroup, in each direction; where that is specialised, unless told.
    pub(crate) local_size: [u32; 3],
    /// What it asks of the device, in the words of SPIR-V.
    #[cfg(test)]
    pub(crate) capabilities: &'static [&'static str],
}

impl Shader {
    pub(crate) const fn code(&self) -> Code<'static> {
        Code { id: ShaderId::Ours(self.name), spirv: self.spirv }
    }
}

#[cfg(test)]
mod tests {
    use crate::pipeline::shaders;

    /// What [`Features`](crate::Features) need not be asked for: every device that is opened has it.
    const ALWAYS: &[&str] = &[
        "Shader",
        "Int64",
        "Int16",
        "Int8",
        "StorageBuffer16BitAccess",
        "StorageBuffer8BitAccess",
        "PhysicalStorageBufferAddresses",
        "GroupNonUniform",
        "GroupNonUniformVote",
        "GroupNonUniformBallot",
        "GroupNonUniformShuffle",
        "GroupNonUniformShuffleRelative",
    ];

    #[test]
    fn our_shaders_ask_for_nothing_that_a_device_may_lack() {
        for shader in shaders::ALL {
            for capability in shader.capabilities {
                assert!(ALWAYS.contains(capability), "{} asks for {capability}", shader.name);
            }
        }
    }

    #[test]
    fn our_shaders_are_spirv_of_whole_words() {
        for shader in shaders::ALL {
            let code = shader.code();
            assert_eq!(code.spirv.len() % 4, 0);
            assert_eq!(code.words()[0], 0x0723_0203, "{}", shader.name);
            assert!(shader.local_size.iter().product::<u32>() <= 1024);
            let numbers: Vec<_> = shader.constants.iter().map(|(number, ..)| *number).collect();
            assert!(numbers.is_sorted(), "{}: {numbers:?}", shader.name);
        }
    }
}
