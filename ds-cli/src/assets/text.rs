//! Text: scripts and tables, from a small stock of words.

use core::fmt::Write;

use super::random::Random;

const NOUNS: [&str; 16] = [
    "door", "guard", "torch", "lever", "chest", "bridge", "wolf", "player", "gate", "spell", "arrow",
    "camera", "trigger", "potion", "crystal", "elevator",
];
const VERBS: [&str; 12] = [
    "open", "close", "attack", "follow", "spawn", "damage", "heal", "move_to", "play", "stop", "emit", "wait",
];
const FIELDS: [&str; 8] = ["health", "speed", "radius", "angle", "timer", "state", "target", "owner"];

/// A script of about `lines` lines.
pub fn script(lines: usize, random: &mut Random) -> String {
    let mut text = String::from("-- Generated for the demo.\n\n");
    let mut written = 0;
    while written < lines {
        let (noun, verb) = (*random.pick(&NOUNS), *random.pick(&VERBS));
        let body = 2 + random.below(6);
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "function on_{noun}_{verb}(self, event)");
        for _ in 0..body {
            let (field, other) = (random.pick(&FIELDS), random.pick(&NOUNS));
            let value = random.below(1000) as f32 / 10.0;
            let _ = match random.below(4) {
                0 => writeln!(text, "    self.{field} = {value}"),
                1 => writeln!(text, "    if self.{field} > {value} then self:{verb}(\"{other}\") end"),
                2 => writeln!(text, "    world.{other}:set_{field}(event.{field} * {value})"),
                _ => writeln!(text, "    log(\"{noun} {verb}s the {other}\")"),
            };
        }
        text.push_str("end\n\n");
        written += body as usize + 3;
    }
    text
}

/// A JSON table of `rows` items.
pub fn table(rows: usize, random: &mut Random) -> String {
    let mut text = String::from("{\n  \"items\": [\n");
    for id in 0..rows {
        let (noun, field) = (random.pick(&NOUNS), random.pick(&FIELDS));
        let (price, weight) = (random.below(5000), random.below(200) as f32 / 8.0);
        let comma = if id + 1 == rows { "" } else { "," };
        let _ = writeln!(
            text,
            "    {{ \"id\": {id}, \"name\": \"{noun} of {field}\", \"price\": {price}, \"weight\": {weight} }}{comma}"
        );
    }
    text.push_str("  ]\n}\n");
    text
}
