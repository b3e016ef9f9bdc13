//! Textures: RGBA8 pixels with mips, and the same as BC1 blocks.

use super::random::{Noise, Random};

/// A square image of RGBA8 pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    side: usize,
    pixels: Vec<[u8; 4]>,
}

impl Image {
    /// A surface: a gradient between two colours, worn by noise, in a frame of repeated tiles. `side` must be a
    /// power of two and at least 4.
    pub fn generate(side: usize, random: &mut Random) -> Self {
        let noise = Noise::new(random);
        let colours: [[f32; 3]; 3] =
            core::array::from_fn(|_| core::array::from_fn(|_| 128.0 + 120.0 * random.signed()));
        let frame = side / 8;
        let pixel = |x: usize, y: usize| {
            let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
            if x < frame || y < frame {
                // Bricks: the same few rows and columns over and over.
                let mortar = x % 32 < 2 || y % 16 < 2;
                let shade = if mortar { 0.4 } else { 1.0 - (y % 16) as f32 * 0.02 };
                let [r, g, b] = colours[2].map(|c| (c * shade) as u8);
                return [r, g, b, 255];
            }
            let wear = noise.at(u * 8.0, v * 8.0, 6);
            let blend = (0.6 * v + 0.4 * wear).clamp(0.0, 1.0);
            let grain = (noise.at(u * 200.0, v * 200.0, 2) - 0.5) * 24.0;
            let [r, g, b] = core::array::from_fn(|i| {
                (colours[0][i] + blend * (colours[1][i] - colours[0][i]) + grain).clamp(0.0, 255.0) as u8
            });
            [r, g, b, if wear > 0.62 { 0 } else { 255 }]
        };
        let pixels = (0..side * side).map(|i| pixel(i % side, i / side)).collect();
        Self { side, pixels }
    }

    /// The image and its mips down to 4 pixels a side.
    pub fn mips(&self) -> Vec<Self> {
        let mut mips = vec![self.clone()];
        while let Some(last) = mips.last().filter(|image| image.side > 4) {
            mips.push(last.half());
        }
        mips
    }

    fn half(&self) -> Self {
        let side = self.side / 2;
        let average = |i: usize| {
            let at = 2 * (i / side) * self.side + 2 * (i % side);
            let four = [at, at + 1, at + self.side, at + self.side + 1].map(|at| self.pixels[at]);
            core::array::from_fn(|c| (four.iter().map(|p| u32::from(p[c])).sum::<u32>() / 4) as u8)
        };
        Self { side, pixels: (0..side * side).map(average).collect() }
    }

    /// The pixels' bytes.
    pub fn rgba8(&self) -> Vec<u8> {
        self.pixels.as_flattened().to_vec()
    }

    /// The image as BC1 blocks: eight bytes for every 4 x 4 pixels.
    pub fn bc1(&self) -> Vec<u8> {
        let blocks = self.side / 4;
        (0..blocks * blocks).flat_map(|i| self.bc1_block(4 * (i % blocks), 4 * (i / blocks))).collect()
    }

    /// Two end colours, the darkest and the brightest pixel's, and for every pixel which of four steps between them
    /// is nearest.
    fn bc1_block(&self, x: usize, y: usize) -> [u8; 8] {
        let pixels: [[u8; 4]; 16] =
            core::array::from_fn(|i| self.pixels[(y + i / 4) * self.side + x + i % 4]);
        let luma = |p: &[u8; 4]| 2 * u32::from(p[0]) + 5 * u32::from(p[1]) + u32::from(p[2]);
        let (low, high) = pixels.iter().fold((pixels[0], pixels[0]), |(low, high), p| {
            (if luma(p) < luma(&low) { *p } else { low }, if luma(p) > luma(&high) { *p } else { high })
        });
        let (from, to) = (luma(&low), luma(&high));
        let mut indices = 0u32;
        for (i, p) in pixels.iter().enumerate() {
            let step = if to == from { 0 } else { (3 * (luma(p) - from) + (to - from) / 2) / (to - from) };
            // In the format's order 0 is the high end, 1 the low end, 2 and 3 the steps between.
            indices |= [1, 3, 2, 0][step.min(3) as usize] << (2 * i);
        }
        let mut block = [0; 8];
        block[..2].copy_from_slice(&rgb565(high).to_le_bytes());
        block[2..4].copy_from_slice(&rgb565(low).to_le_bytes());
        block[4..].copy_from_slice(&indices.to_le_bytes());
        block
    }
}

fn rgb565(p: [u8; 4]) -> u16 {
    u16::from(p[0] >> 3) << 11 | u16::from(p[1] >> 2) << 5 | u16::from(p[2] >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mips_and_blocks_have_the_right_sizes() {
        let image = Image::generate(64, &mut Random::new(1));
        let mips = image.mips();
        assert_eq!(mips.iter().map(|m| m.side).collect::<Vec<_>>(), [64, 32, 16, 8, 4]);
        assert_eq!((image.rgba8().len(), image.bc1().len()), (64 * 64 * 4, 64 * 64 / 2));
    }

    #[test]
    fn a_flat_block_has_equal_ends() {
        let image = Image { side: 4, pixels: vec![[255, 255, 255, 255]; 16] };
        assert_eq!(image.bc1(), [255, 255, 255, 255, 0x55, 0x55, 0x55, 0x55]);
    }
}
