//! Which device to use.

use core::fmt;
use core::str::FromStr;

use super::info::{DeviceInfo, DeviceKind};

/// Which of a machine's devices to use.
///
/// ```
/// use ds_vulkan::DeviceChoice;
/// assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
/// assert_eq!("1".parse(), Ok(DeviceChoice::Index(1)));
/// assert_eq!("radeon".parse(), Ok(DeviceChoice::Name("radeon".into())));
/// assert!(matches!("6d657361-3232-2e33-2e36-000000000000".parse(), Ok(DeviceChoice::Uuid(_))));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first that can be used, discrete ones before integrated ones, those before virtual ones, software last.
    #[default]
    Auto,
    /// The one of that number, as the loader counts them. Numbers change with drivers and environment variables.
    Index(usize),
    /// The first whose name contains this, in upper or lower case.
    Name(String),
    /// The one of that UUID: the same on every run, and in other interfaces (`nvidia-smi -L` and OpenCL show it as well).
    Uuid([u8; 16]),
}

impl DeviceChoice {
    /// Whether this device is meant.
    pub(crate) fn fits(&self, device: &DeviceInfo) -> bool {
        match self {
            Self::Auto => true,
            Self::Index(index) => device.index == *index,
            // No name is no part of one.
            Self::Name(part) => !part.is_empty() && device.name.to_lowercase().contains(&part.to_lowercase()),
            Self::Uuid(uuid) => device.uuid == *uuid,
        }
    }

    /// The device meant, of these.
    pub(crate) fn choose<'a>(&self, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
        let candidates = devices.iter().filter(|device| self.fits(device));
        match self {
            // Of several as good, the first.
            Self::Auto => candidates.min_by_key(|device| (!device.lacks.is_empty(), device.kind.rank())),
            _ => candidates.min_by_key(|device| device.index),
        }
    }
}

impl DeviceKind {
    const fn rank(self) -> u8 {
        match self {
            Self::Discrete => 0,
            Self::Integrated => 1,
            Self::Virtual => 2,
            Self::Other => 3,
            Self::Software => 4,
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = core::convert::Infallible;

    /// `auto`, a number, a UUID of 32 hexadecimal digits (dashes are left out), or part of a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        if let Ok(index) = text.parse() {
            return Ok(Self::Index(index));
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        Ok(match u128::from_str_radix(&digits, 16) {
            Ok(number) if digits.len() == 32 => Self::Uuid(number.to_be_bytes()),
            _ => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Index(index) => write!(f, "number {index}"),
            Self::Name(part) => write!(f, "called {part:?}"),
            Self::Uuid(uuid) => write!(f, "the one of UUID {}", super::info::uuid_text(uuid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::info::tests::sample;

    #[test]
    fn auto_prefers_real_devices_that_can_be_used() {
        let mut devices = [
            sample(0, DeviceKind::Software, "llvmpipe"),
            sample(1, DeviceKind::Integrated, "Iris"),
            sample(2, DeviceKind::Discrete, "GeForce"),
            sample(3, DeviceKind::Discrete, "Radeon"),
        ];
        let chosen = |devices: &[DeviceInfo]| DeviceChoice::Auto.choose(devices).unwrap().index;
        assert_eq!(chosen(&devices), 2);
        devices[2].lacks.push("everything");
        assert_eq!(chosen(&devices), 3);
        devices[3].lacks.push("everything");
        assert_eq!(chosen(&devices), 1);
        assert_eq!(chosen(&devices[..1]), 0);
        assert!(DeviceChoice::Auto.choose(&[]).is_none());
    }

    #[test]
    fn devices_are_found_by_number_name_and_uuid() {
        let devices =
            [sample(0, DeviceKind::Software, "llvmpipe"), sample(1, DeviceKind::Discrete, "GeForce")];
        for (text, index) in [
            ("", None),
            ("0", Some(0)),
            ("1", Some(1)),
            ("2", None),
            ("LLVM", Some(0)),
            ("force", Some(1)),
            ("Radeon", None),
            ("01010101-01010101-01010101-01010101", Some(1)),
            ("02020202020202020202020202020202", None),
        ] {
            let choice: DeviceChoice = text.parse().unwrap();
            assert_eq!(choice.choose(&devices).map(|device| device.index), index, "{text}");
        }
    }
}
