//! Numbers for people, and sizes as people type them.

use core::time::Duration;

/// A byte count with three significant digits and a binary unit: `16.0 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", figure(value), UNITS[unit])
}

/// The logarithm to base 2 of a size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log2(pub u8);

impl Log2 {
    /// Reads `4096`, `64K`, `1M`, `1G` or `1T`: a power of two between two others, whose logarithms these are.
    ///
    /// # Errors
    ///
    /// A sentence, if it is something else or out of that range.
    pub fn between(text: &str, least: u8, most: u8) -> Result<Self, String> {
        let (digits, shift) = match text.char_indices().next_back() {
            Some((at, 'k' | 'K')) => (&text[..at], 10),
            Some((at, 'm' | 'M')) => (&text[..at], 20),
            Some((at, 'g' | 'G')) => (&text[..at], 30),
            Some((at, 't' | 'T')) => (&text[..at], 40),
            _ => (text, 0),
        };
        let number: u64 =
            digits.parse().map_err(|_| "not a number of bytes, like 4096, 64K, 1M, 1G or 1T".to_owned())?;
        let size = number.checked_mul(1 << shift).filter(|size| size.is_power_of_two());
        match size.map(|size| size.trailing_zeros() as u8) {
            Some(log2) if (least..=most).contains(&log2) => Ok(Self(log2)),
            _ => Err(format!("not a power of two from {} to {}", 1_u64 << least, 1_u64 << most)),
        }
    }
}

/// A measured value with three significant digits, or all before the point: `2.35`, `23.5`, `2350`.
pub fn figure(value: f64) -> String {
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}")
}

/// How many times smaller `packed` is than `raw`: `2.35`, or `-` where there is nothing to compare.
pub fn ratio(raw: u64, packed: u64) -> String {
    if raw == 0 || packed == 0 { "-".into() } else { format!("{:.3}", raw as f64 / packed as f64) }
}

/// Throughput in MB/s (10^6 bytes per second).
pub fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9)
}

/// A count with its noun: `1 tile`, `2 tiles`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_keep_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10_235, "10.0 KiB"),
            (1_048_575, "1.00 MiB"),
            (4_294_901_760, "4.00 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn sizes_are_powers_of_two_in_range() {
        for (text, log2) in [
            ("16", 4),
            ("4096", 12),
            ("64K", 16),
            ("4m", 22),
            ("1024M", 30),
            ("1G", 30),
            ("1024g", 40),
            ("1T", 40),
            ("1024t", 50),
        ] {
            assert_eq!(Log2::between(text, 4, 50), Ok(Log2(log2)));
        }
        for text in ["", "K", "T", "-1", "1.5M", "64KiB", "1P", "\u{fc}", "99999999999999999999"] {
            let error = Log2::between(text, 4, 50).unwrap_err();
            assert_eq!(error, "not a number of bytes, like 4096, 64K, 1M, 1G or 1T", "{text}");
        }
        for text in ["0", "0T", "3", "8", "12K", "2G", "1T", "4294967295M", "17179869184G", "16777216T"] {
            let error = Log2::between(text, 4, 30).unwrap_err();
            assert_eq!(error, "not a power of two from 16 to 1073741824", "{text}");
        }
    }

    #[test]
    fn figures_that_are_small_are_not_rounded_to_nothing() {
        let texts = [0.0, 0.3667, 9.996, 99.94, 99.96, 2345.6].map(figure);
        assert_eq!(texts, ["0.00", "0.37", "10.0", "99.9", "100", "2346"]);
    }

    #[test]
    fn ratios_of_nothing_are_a_dash() {
        assert_eq!((ratio(10, 4), ratio(0, 0), ratio(0, 80)), ("2.500".into(), "-".into(), "-".into()));
    }
}
