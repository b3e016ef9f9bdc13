//! Why there is no device, or why it does not do what it was asked for.

use core::fmt;

use ash::vk;

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no Vulkan loader (`libvulkan.so.1`) on this machine: what the dynamic linker said.
    NoLoader(String),
    /// The loader is there, and no driver offers a device.
    NoDevice,
    /// There are devices, and none is the one asked for.
    NoSuchDevice {
        /// What was asked for.
        wanted: String,
        /// The names of those there are, in the order of their indices.
        found: Vec<String>,
    },
    /// The device lacks something this crate cannot do without.
    Unsuitable {
        /// The device's name.
        device: String,
        /// What it lacks.
        lacks: Vec<&'static str>,
    },
    /// The validation layer was asked for and is not installed.
    NoValidation,
    /// A call failed.
    Call(CallError),
}

/// A Vulkan call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError {
    /// What was being done.
    pub what: &'static str,
    /// What the driver said.
    pub result: vk::Result,
}

impl CallError {
    /// For `map_err`: names what was being done.
    pub(crate) fn of(what: &'static str) -> impl Fn(vk::Result) -> Self {
        move |result| Self { what, result }
    }

    /// Whether there is too little memory, the host's or the device's.
    #[must_use]
    pub const fn is_out_of_memory(&self) -> bool {
        matches!(
            self.result,
            vk::Result::ERROR_OUT_OF_HOST_MEMORY
                | vk::Result::ERROR_OUT_OF_DEVICE_MEMORY
                | vk::Result::ERROR_TOO_MANY_OBJECTS
        )
    }

    /// Whether the device is gone.
    #[must_use]
    pub const fn is_device_lost(&self) -> bool {
        matches!(self.result, vk::Result::ERROR_DEVICE_LOST)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {:?}", self.what, self.result)
    }
}

impl core::error::Error for CallError {}

impl From<CallError> for OpenError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoader(why) => write!(f, "there is no Vulkan loader (libvulkan.so.1): {why}"),
            Self::NoDevice => f.write_str("no Vulkan driver offers a device"),
            Self::NoSuchDevice { wanted, found } => {
                write!(f, "no Vulkan device is {wanted}; there are: ")?;
                found.iter().enumerate().try_for_each(|(number, name)| {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{number}: {name}")
                })
            }
            Self::Unsuitable { device, lacks } => write!(f, "{device} lacks {}", lacks.join(", ")),
            Self::NoValidation => {
                f.write_str("the validation layer (VK_LAYER_KHRONOS_validation) is not installed")
            }
            Self::Call(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_a_device_that_is_not_there_reads_which_are() {
        let found = vec!["llvmpipe".to_owned(), "GeForce".to_owned()];
        let error = OpenError::NoSuchDevice { wanted: "number 7".to_owned(), found };
        assert_eq!(error.to_string(), "no Vulkan device is number 7; there are: 0: llvmpipe, 1: GeForce");
    }
}
