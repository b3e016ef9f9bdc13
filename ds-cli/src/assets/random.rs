//! Pseudo-random numbers that are the same on every machine.

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator; equal seeds give equal sequences.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }

    /// A number from -1 to 1.
    pub fn signed(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Smooth noise over the plane, from 0 to 1: several octaves of interpolated lattice values.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u64,
}

impl Noise {
    /// A noise of its own.
    pub fn new(random: &mut Random) -> Self {
        Self { seed: random.draw() }
    }

    /// The value at a point; features are about `1.0` in size, with detail down to `2^-(octaves - 1)` of that.
    pub fn at(&self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
        for octave in 0..octaves {
            sum += weight * self.octave(x * scale, y * scale, octave);
            total += weight;
            weight *= 0.5;
            scale *= 2.0;
        }
        sum / total
    }

    fn octave(&self, x: f32, y: f32, octave: u32) -> f32 {
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = (ease(x - x0), ease(y - y0));
        let corner = |dx: i64, dy: i64| self.lattice(x0 as i64 + dx, y0 as i64 + dy, octave);
        let top = corner(0, 0) + fx * (corner(1, 0) - corner(0, 0));
        let bottom = corner(0, 1) + fx * (corner(1, 1) - corner(0, 1));
        top + fy * (bottom - top)
    }

    fn lattice(&self, x: i64, y: i64, octave: u32) -> f32 {
        let key = self.seed
            ^ (x as u64).wrapping_mul(0x8da6_b343)
            ^ (y as u64).wrapping_mul(0xd816_3841_0000)
            ^ u64::from(octave) << 60;
        (mix(key) >> 40) as f32 / (1 << 24) as f32
    }
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smooth_and_bounded() {
        let noise = Noise::new(&mut Random::new(7));
        let mut last = noise.at(0.0, 0.3, 4);
        for step in 1..1000 {
            let value = noise.at(step as f32 * 0.01, 0.3, 4);
            assert!((0.0..=1.0).contains(&value) && (value - last).abs() < 0.15);
            last = value;
        }
    }
}
