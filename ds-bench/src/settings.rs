//! What the environment asks of a bench.
//!
//! | variable | meaning |
//! |---|---|
//! | `DS_CORPUS` | the folder with the content to measure on: see [`classes`](crate::classes) |
//! | `DS_LEVELS` | levels of the encoder, separated by commas |
//! | `DS_SIMD` | levels of instructions for our decoder, by name; all that the machine has if it is not set |
//! | `DS_ROUNDS` | how often each thing is measured |
//! | `DS_STRIDE` | every n-th tile only, for a quick look |
//! | `DS_INSTRUCTIONS` | counts instructions rather than time: see [`timing`](crate::timing) |
//! | `DS_JSON` | where to write the results, as JSON |

use std::path::PathBuf;
use std::str::FromStr;

/// The settings of one bench.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to measure, or only to see that the bench still runs.
    pub measuring: bool,
    /// The folder with the content, if one is named and something is to be measured.
    pub corpus: Option<PathBuf>,
    /// Levels of the encoder.
    pub levels: Vec<u8>,
    /// Names of levels of instructions, or all.
    pub simd: Option<Vec<String>>,
    /// How often each thing is measured; at least 1.
    pub rounds: usize,
    /// Of so many tiles one is taken; at least 1.
    pub stride: usize,
    /// Where the results go besides the screen.
    pub json: Option<PathBuf>,
}

impl Settings {
    /// Reads them, with `levels` and `rounds` where the environment says nothing.
    ///
    /// # Panics
    ///
    /// If a variable holds something else than it should.
    pub fn from_env(levels: &[u8], rounds: usize) -> Self {
        // Cargo passes --bench for a measurement; anything else only asks whether the bench still runs.
        let measuring = std::env::args().any(|argument| argument == "--bench");
        let path = |name| std::env::var_os(name).filter(|_| measuring).map(PathBuf::from);
        Self {
            measuring,
            corpus: path("DS_CORPUS"),
            levels: list("DS_LEVELS").unwrap_or_else(|| levels.to_vec()),
            simd: list("DS_SIMD"),
            rounds: if measuring { number("DS_ROUNDS").unwrap_or(rounds) } else { 1 },
            stride: number("DS_STRIDE").unwrap_or(1),
            json: path("DS_JSON"),
        }
    }

    /// Those of the levels `available` that are asked for, in the order in which they were asked for.
    ///
    /// # Panics
    ///
    /// If one that is asked for is not available: a bench measures what it was told to, or nothing.
    pub fn choose_simd<T: Copy>(
        &self,
        available: impl Iterator<Item = T>,
        name: impl Fn(T) -> &'static str,
    ) -> Vec<T> {
        let available: Vec<T> = available.collect();
        let Some(names) = &self.simd else { return available };
        let by_name = |wanted: &String| {
            let found = available.iter().copied().find(|&level| name(level) == wanted);
            found.unwrap_or_else(|| panic!("DS_SIMD: this machine has no level '{wanted}'"))
        };
        names.iter().map(by_name).collect()
    }
}

/// A number from the environment, 1 or more.
fn number(name: &str) -> Option<usize> {
    let value = std::env::var(name).ok()?;
    let number = value.parse().ok().filter(|&number| number > 0);
    Some(number.unwrap_or_else(|| panic!("{name} is '{value}': no number from 1")))
}

/// A list from the environment.
fn list<T: FromStr>(name: &str) -> Option<Vec<T>> {
    let value = std::env::var(name).ok()?;
    let parse = |item: &str| {
        item.trim().parse().unwrap_or_else(|_| panic!("{name} is '{value}': cannot read '{item}'"))
    };
    Some(value.split(',').map(parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking_for(simd: &[&str]) -> Settings {
        let mut settings = Settings::from_env(&[9], 7);
        settings.simd = Some(simd.iter().map(ToString::to_string).collect());
        settings
    }

    #[test]
    fn a_test_run_takes_one_round() {
        let settings = Settings::from_env(&[1, 9], 7);
        assert!(!settings.measuring && settings.rounds == 1 && settings.corpus.is_none());
    }

    #[test]
    fn levels_of_instructions_come_as_asked() {
        let chosen = asking_for(&["b", "a"]).choose_simd(["a", "b", "c"].into_iter(), |name| name);
        assert_eq!(chosen, ["b", "a"]);
    }

    #[test]
    #[should_panic(expected = "this machine has no level 'z'")]
    fn a_level_that_is_not_there_is_no_other() {
        asking_for(&["z"]).choose_simd(["a"].into_iter(), |name| name);
    }
}
