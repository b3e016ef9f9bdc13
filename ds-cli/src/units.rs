//! Numbers for people.

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
    fn figures_that_are_small_are_not_rounded_to_nothing() {
        let texts = [0.0, 0.3667, 9.996, 99.94, 99.96, 2345.6].map(figure);
        assert_eq!(texts, ["0.00", "0.37", "10.0", "99.9", "100", "2346"]);
    }

    #[test]
    fn ratios_of_nothing_are_a_dash() {
        assert_eq!((ratio(10, 4), ratio(0, 0), ratio(0, 80)), ("2.500".into(), "-".into(), "-".into()));
    }
}
