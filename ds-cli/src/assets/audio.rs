//! Audio: 16-bit stereo samples.

use core::f32::consts::TAU;

use super::random::Random;

const RATE: usize = 44_100;

/// Some seconds of notes with overtones that fade, over a little hiss, with pauses between phrases.
pub fn music(seconds: usize, random: &mut Random) -> Vec<u8> {
    const NOTE: usize = RATE / 4;
    let mut bytes = Vec::with_capacity(seconds * RATE * 4);
    let (mut pitch, mut pan, mut loudness) = (220.0, 0.5, 0.0);
    for sample in 0..seconds * RATE {
        if sample % NOTE == 0 {
            pitch = 110.0 * (1 + random.below(8)) as f32;
            pan = 0.5 + 0.4 * random.signed();
            loudness = if random.below(6) == 0 { 0.0 } else { 9_000.0 };
        }
        let fade = 1.0 - (sample % NOTE) as f32 / NOTE as f32;
        let turn = pitch * (sample % RATE) as f32 / RATE as f32;
        let tone = (TAU * turn).sin() + 0.5 * (TAU * 2.0 * turn).sin() + 0.2 * (TAU * 3.0 * turn).sin();
        for side in [pan, 1.0 - pan] {
            // A pause is digital silence, as in a cut recording.
            let value =
                if loudness == 0.0 { 0.0 } else { loudness * fade * tone * side + 60.0 * random.signed() };
            bytes.extend_from_slice(&(value as i16).to_le_bytes());
        }
    }
    bytes
}
