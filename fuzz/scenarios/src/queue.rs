//! Any bytes as a sequence of calls on a queue, judged by the checker that also watches `ds-core`'s simulation.

#[path = "../../../ds-core/tests/calls/mod.rs"]
mod calls;
#[allow(dead_code, reason = "the simulation's driver is not used here")]
#[path = "../../../ds-core/tests/sim/mod.rs"]
mod sim;

use calls::{Bench, How, Step};

use crate::Verdict;

/// Longer sequences find nothing that shorter ones do not, and make a slow fuzzer.
const MAX_STEPS: usize = 400;

/// Runs an input: the first byte sets up the queue, the others are calls.
pub fn run(data: &[u8]) -> Verdict {
    let Some((&setup, data)) = data.split_first() else { return Verdict::Refused("no queue".into()) };
    let mut bytes = data.iter().copied();
    let mut bench = Bench::new(1 + usize::from(setup % 7), setup & 0x80 != 0);
    for _ in 0..MAX_STEPS {
        let Some(step) = step(&mut bytes) else { break };
        if let Err(why) = bench.step(&step) {
            panic!("after {step:?}: {why}");
        }
    }
    if let Err(why) = bench.finish() {
        panic!("at the end: {why}");
    }
    Verdict::Accepted
}

/// The next call, if the input says one.
fn step(bytes: &mut impl Iterator<Item = u8>) -> Option<Step> {
    let what = bytes.next()?;
    let mut byte = || bytes.next();
    Some(match what % 32 {
        0..8 => {
            let (len, more) = ([byte()?, byte()?], byte()?);
            Step::Enqueue {
                kind: what / 32 % 4,
                len: u16::from_le_bytes(len) % 20_000,
                tag: more & 3,
                deadline: (more & 0x0C == 0x0C).then(&mut byte).flatten(),
                after: (more & 0x30 == 0x30).then(&mut byte).flatten(),
            }
        }
        8..10 => Step::Status,
        10 => Step::Event,
        11..14 => Step::Submit,
        14..20 => Step::Poll { times: 1 + byte()? % 8, room: what & 0x80 == 0 },
        20..26 => {
            let which = byte()?;
            let how = match what >> 6 {
                0 | 1 => How::Whole,
                2 => How::Part(byte()?),
                _ => How::Errno([4, 11, 5, 28][usize::from(byte()?) % 4]),
            };
            Step::Answer { which, how }
        }
        26 => Step::Cancel { which: byte()? },
        27 => Step::CancelTagged { value: what >> 6, mask: what >> 5 & 3 },
        28 if what >= 0xE0 => Step::Close,
        28 => Step::CancelAll,
        29 | 30 => Step::Take { times: 1 + byte()? % 4 },
        _ => Step::Pass { nanos: u16::from_le_bytes([byte()?, byte()?]) },
    })
}
