//! Logarithms of counts, in whole numbers, so that every machine decides alike.

/// Fraction bits of a logarithm.
pub(super) const FRACTION: u32 = 10;

/// log2(n), rounded; 0 for 0.
#[inline(always)]
pub(super) fn log2(n: u32) -> u32 {
    if let Some(&log) = LOG2.get(n as usize) {
        return log.into();
    }
    // Between two entries of the upper half the logarithm is as good as straight.
    let shift = n.ilog2() - 7;
    let index = (n >> shift) as usize & 0xFF;
    let between = (n & ((1 << shift) - 1)) << (16 - shift);
    let [low, high] = [LOG2[index], LOG2[index + 1]].map(u32::from);
    (shift << FRACTION) + low + ((between * (high - low)) >> 16)
}

/// log2 of 0 to 256.
static LOG2: [u16; 257] = {
    let mut table = [0; 257];
    let mut n = 1;
    while n <= 256 {
        // Squaring a number doubles its logarithm: each overflow past two is one more bit of the result.
        let exponent = (n as u32).ilog2();
        let mut x = (n as u64) << (30 - exponent);
        let mut log = exponent;
        let mut bit = 0;
        while bit <= FRACTION {
            x = (x * x) >> 30;
            log = log << 1 | (x >> 31) as u32;
            x = if x >> 31 == 0 { x } else { x >> 1 };
            bit += 1;
        }
        table[n] = log.div_ceil(2) as u16;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close() {
        for n in (1..70_000).chain([100_000, 131_072]) {
            let exact = f64::from(n).log2() * f64::from(1 << FRACTION);
            let off = (f64::from(log2(n)) - exact).abs();
            assert!(off < 1.6, "log2({n}) is {off} off");
        }
        assert_eq!(log2(0), 0);
    }
}
