//! Meshes: interleaved 32-bit floats and triangle indices.

use super::random::{Noise, Random};

/// Vertices (position, normal, texture coordinates: eight floats) of a terrain of `side` x `side` points, and the
/// 32-bit indices of its triangles.
pub fn terrain(side: usize, random: &mut Random) -> Vec<u8> {
    let noise = Noise::new(random);
    let height = |x: usize, y: usize| 40.0 * noise.at(x as f32 / 24.0, y as f32 / 24.0, 5);
    let mut bytes = Vec::with_capacity(side * side * 56);
    for (x, y) in points(side) {
        let z = height(x, y);
        let (dx, dy) = (height(x + 1, y) - z, height(x, y + 1) - z);
        let length = (dx * dx + dy * dy + 1.0).sqrt();
        let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
        for value in [x as f32, y as f32, z, -dx / length, -dy / length, 1.0 / length, u, v] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    for (x, y) in points(side - 1) {
        let a = (y * side + x) as u32;
        let (b, c) = (a + 1, a + side as u32);
        for index in [a, b, c, b, c + 1, c] {
            bytes.extend_from_slice(&index.to_le_bytes());
        }
    }
    bytes
}

fn points(side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..side * side).map(move |i| (i % side, i / side))
}
