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

use std::ffi::OsString;
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
        Self::read(measuring, levels, rounds, |name| std::env::var_os(name))
    }

    fn read(
        measuring: bool,
        levels: &[u8],
        rounds: usize,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let path = |name| variable(name).filter(|_| measuring).map(PathBuf::from);
        let text = |name| variable(name).map(|value| Text::new(name, value));
        let told = text("DS_ROUNDS").filter(|_| measuring).map(|text| text.number());
        Self {
            measuring,
            corpus: path("DS_CORPUS"),
            levels: text("DS_LEVELS").map_or_else(|| levels.to_vec(), |text| text.list()),
            simd: text("DS_SIMD").map(|text| text.list()),
            rounds: told.unwrap_or(if measuring { rounds } else { 1 }),
            stride: text("DS_STRIDE").map_or(1, |text| text.number()),
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

/// What a variable holds.
struct Text {
    name: &'static str,
    value: String,
}

impl Text {
    fn new(name: &'static str, value: OsString) -> Self {
        let value = value.into_string().unwrap_or_else(|value| panic!("{name} is {value:?}: no text"));
        Self { name, value }
    }

    /// A number, 1 or more.
    fn number(&self) -> usize {
        let Self { name, value } = self;
        let number = value.parse().ok().filter(|&number| number > 0);
        number.unwrap_or_else(|| panic!("{name} is '{value}': no number from 1"))
    }

    /// Things with commas between them.
    fn list<T: FromStr>(&self) -> Vec<T> {
        let Self { name, value } = self;
        let parse = |item: &str| {
            item.trim().parse().unwrap_or_else(|_| panic!("{name} is '{value}': cannot read '{item}'"))
        };
        value.split(',').map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read where the environment holds these.
    fn told(measuring: bool, variables: &[(&str, &str)]) -> Settings {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::read(measuring, &[1, 9], 7, variable)
    }

    #[test]
    fn a_measurement_is_as_the_environment_says() {
        let variables = [
            ("DS_CORPUS", "some folder"),
            ("DS_LEVELS", "12, 0,9"),
            ("DS_SIMD", "avx2,scalar"),
            ("DS_ROUNDS", "3"),
            ("DS_STRIDE", "10"),
            ("DS_JSON", "results.json"),
        ];
        let settings = told(true, &variables);
        assert_eq!(settings.corpus, Some("some folder".into()));
        assert_eq!(settings.json, Some("results.json".into()));
        assert_eq!(settings.levels, [12, 0, 9], "in the order in which they were asked for");
        assert_eq!(settings.simd, Some(vec!["avx2".to_owned(), "scalar".to_owned()]));
        assert_eq!((settings.measuring, settings.rounds, settings.stride), (true, 3, 10));
        // Without a measurement there are neither content nor results of it.
        let settings = told(false, &variables);
        assert_eq!((settings.corpus, settings.json), (None, None));
        assert_eq!((settings.measuring, settings.rounds, settings.stride), (false, 1, 10));
        assert_eq!(settings.levels, [12, 0, 9]);
    }

    #[test]
    fn where_the_environment_says_nothing_it_is_as_the_bench_says() {
        let settings = told(true, &[]);
        assert_eq!((settings.levels, settings.rounds, settings.stride), (vec![1, 9], 7, 1));
        assert_eq!((settings.corpus, settings.simd, settings.json), (None, None, None));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_nothing_is_measured() {
        for (name, value, said) in [
            ("DS_ROUNDS", "0", "DS_ROUNDS is '0': no number from 1"),
            ("DS_ROUNDS", "-3", "DS_ROUNDS is '-3': no number from 1"),
            ("DS_STRIDE", "some", "DS_STRIDE is 'some': no number from 1"),
            ("DS_STRIDE", "", "DS_STRIDE is '': no number from 1"),
            ("DS_LEVELS", "1,x", "DS_LEVELS is '1,x': cannot read 'x'"),
            ("DS_LEVELS", "256", "DS_LEVELS is '256': cannot read '256'"),
            ("DS_LEVELS", "", "DS_LEVELS is '': cannot read ''"),
        ] {
            let panic = std::panic::catch_unwind(|| told(true, &[(name, value)])).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some(said));
        }
    }

    #[test]
    #[should_panic(expected = "DS_SIMD is \"\\xFF\": no text")]
    fn what_is_no_text_is_not_passed_over() {
        use std::os::unix::ffi::OsStringExt as _;
        let variable = |name: &str| (name == "DS_SIMD").then(|| OsString::from_vec(vec![0xFF]));
        Settings::read(true, &[9], 1, variable);
    }

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
