//! Defects that are put in on purpose are found, and told with their place.

mod common;
mod sketch;

use ds_lanes::{Access, Dispatch, Fault, FaultKind, LoadError, Memory, Report, Schedule, Shader};
use rspirv::binary::Assemble as _;
use rspirv::spirv::{MemorySemantics, Op, Scope, Word};

use sketch::{LANES, Sketch};

const SCHEDULES: [Schedule; 3] = [Schedule::Lockstep, Schedule::OneByOne(5), Schedule::Interleaved(6)];
const ORDERED: MemorySemantics = MemorySemantics::ACQUIRE_RELEASE.union(MemorySemantics::WORKGROUP_MEMORY);

/// Runs what was sketched with a buffer of that many words, `past` bytes behind a multiple of 256.
fn run_with(
    sketch: &[u8],
    words: usize,
    access: Access,
    past: u64,
    workgroups: u32,
    schedule: Schedule,
) -> Result<(Report, Vec<u8>), Box<Fault>> {
    let shader = Shader::new(sketch, &[]).unwrap();
    let mut memory = Memory::new();
    let buffer = memory.add(vec![0; 4 * words], access, past);
    let dispatch = Dispatch { workgroups, subgroup: LANES, schedule, bound: 10_000 };
    let report = shader.run(&mut memory, &buffer.to_le_bytes(), &dispatch)?;
    Ok((report, memory.bytes(buffer).to_vec()))
}

fn run(sketch: &[u8], schedule: Schedule) -> Result<Report, Box<Fault>> {
    run_with(sketch, LANES as usize, Access::Write, 0, 1, schedule).map(|(report, _)| report)
}

fn fault(sketch: &[u8], schedule: Schedule) -> Fault {
    *run(sketch, schedule).expect_err("a defect")
}

/// Half of the lanes vote, and the others do not.
#[test]
fn lanes_that_vote_while_others_do_not() {
    let spirv = Sketch::build(|s| {
        let half = s.is_less(s.lane, 16);
        s.when(half, |s| s.ballot());
    });
    for schedule in SCHEDULES {
        let fault = fault(&spirv, schedule);
        let apart = FaultKind::Apart { there: 0xFFFF, missing: 0xFFFF_0000, elsewhere: None };
        assert_eq!(fault.kind, apart, "{fault}");
        assert_eq!(
            (fault.place.function(), fault.place.opcode.as_str()),
            ("main", "OpGroupNonUniformBallot")
        );
    }
}

/// Two votes, one on each way: as many lanes wait as there are, but not at the same place.
#[test]
fn lanes_that_vote_at_different_places() {
    let spirv = Sketch::build(|s| {
        let half = s.is_less(s.lane, 16);
        s.when(half, |s| s.ballot());
        let other = s.is_less(s.lane, 8);
        s.when(other, |s| s.ballot());
        s.barrier(Scope::Subgroup, ORDERED);
    });
    for schedule in SCHEDULES {
        let fault = fault(&spirv, schedule);
        let FaultKind::Apart { elsewhere: Some(elsewhere), .. } = &fault.kind else { panic!("{fault}") };
        assert_eq!(elsewhere.opcode, "OpControlBarrier", "{fault}");
    }
}

/// A barrier in a loop that some lanes leave sooner: those that are still in it wait for others that are at the same barrier, in another
/// round, or past the loop.
#[test]
fn a_barrier_in_a_loop_that_lanes_leave_one_after_another() {
    let spirv = Sketch::build(|s| {
        let (one, lane) = (s.uint(1), s.lane);
        let rounds = s.op(Op::BitwiseAnd, s.uint, &[lane, one]);
        s.rounds(rounds, |s| s.barrier(Scope::Subgroup, ORDERED));
        s.barrier(Scope::Subgroup, ORDERED);
    });
    for schedule in SCHEDULES {
        let fault = fault(&spirv, schedule);
        assert!(matches!(fault.kind, FaultKind::Apart { .. }), "{fault}");
    }
}

/// One barrier that each lane comes to once, but in a round of its own.
#[test]
fn a_barrier_in_different_rounds() {
    let spirv = Sketch::build(|s| {
        let three = s.uint(3);
        s.rounds_counted(three, |s, round| {
            let (one, lane) = (s.uint(1), s.lane);
            let own = s.op(Op::BitwiseAnd, s.uint, &[lane, one]);
            let mine = s.op(Op::IEqual, s.bool, &[round, own]);
            s.when(mine, |s| s.barrier(Scope::Subgroup, ORDERED));
        });
    });
    for schedule in SCHEDULES {
        let fault = fault(&spirv, schedule);
        assert!(matches!(fault.kind, FaultKind::Apart { .. }), "{fault}");
    }
}

/// Each lane writes a cell and reads its neighbour's, with that in between.
fn neighbours(between: impl FnOnce(&mut Sketch)) -> Vec<u8> {
    Sketch::build(|s| {
        let (one, lane) = (s.uint(1), s.lane);
        s.store_cell(lane, lane);
        between(s);
        let neighbour = s.op(Op::BitwiseXor, s.uint, &[lane, one]);
        let told = s.load_cell(neighbour);
        s.store_word(lane, told);
    })
}

#[test]
fn reads_of_what_others_write() {
    let fenced = neighbours(|s| s.barrier(Scope::Subgroup, ORDERED));
    let by_workgroup = neighbours(|s| s.barrier(Scope::Workgroup, ORDERED));
    let bare = neighbours(|_| ());
    let votes = neighbours(|s| s.ballot());
    let of_other_memory = neighbours(|s| {
        let other = MemorySemantics::ACQUIRE_RELEASE | MemorySemantics::UNIFORM_MEMORY;
        s.barrier(Scope::Subgroup, other);
    });
    for schedule in SCHEDULES {
        for good in [&fenced, &by_workgroup] {
            assert_eq!(run(good, schedule).unwrap().races, []);
        }
        for bad in [&bare, &votes, &of_other_memory] {
            let races = run(bad, schedule).unwrap().races;
            assert!(!races.is_empty(), "{schedule:?}");
            for race in races {
                assert_eq!(race.first.name.as_deref(), Some("cells"), "{race}");
                assert!(race.changes, "{race}");
            }
        }
    }
}

#[test]
fn workgroups_that_write_the_same() {
    let spirv = Sketch::build(|s| s.store_word(s.lane, s.lane));
    let races = |workgroups| {
        let ran = run_with(&spirv, 32, Access::Write, 0, workgroups, Schedule::Lockstep);
        ran.unwrap().0.races
    };
    assert_eq!(races(1), []);
    let races = races(2);
    assert_eq!((races.len(), races[0].count), (1, 32), "{races:?}");
    assert_eq!(races[0].second.name.as_deref(), Some("Words"));
}

#[test]
fn stores_to_where_they_must_not() {
    let spirv = Sketch::build(|s| s.store_word(s.lane, s.lane));
    let ran = |words, access, past, schedule| run_with(&spirv, words, access, past, 1, schedule);
    for schedule in SCHEDULES {
        let (_, bytes) = ran(32, Access::Write, 0, schedule).unwrap();
        assert!(
            bytes.as_chunks().0.iter().zip(0_u32..).all(|(word, lane)| u32::from_le_bytes(*word) == lane)
        );

        let outside = ran(31, Access::Write, 0, schedule).unwrap_err();
        assert!(matches!(outside.kind, FaultKind::OutOfBounds { bytes: 4, .. }), "{outside}");
        assert_eq!((outside.lane, outside.place.opcode.as_str()), (31, "OpStore"));

        let read_only = ran(32, Access::Read, 0, schedule).unwrap_err();
        assert!(matches!(read_only.kind, FaultKind::ReadOnly { .. }), "{read_only}");

        let misaligned = ran(32, Access::Write, 2, schedule).unwrap_err();
        assert!(matches!(misaligned.kind, FaultKind::Misaligned { to: 4, .. }), "{misaligned}");
    }
}

#[test]
fn elements_that_there_are_not() {
    let spirv = Sketch::build(|s| {
        let (one, lane) = (s.uint(1), s.lane);
        let next = s.op(Op::IAdd, s.uint, &[lane, one]);
        s.store_cell(next, lane);
    });
    for schedule in SCHEDULES {
        let fault = fault(&spirv, schedule);
        assert_eq!(
            (&fault.kind, fault.lane),
            (&FaultKind::NoElement { index: 32, length: 32 }, 31),
            "{fault}"
        );
    }
}

#[test]
fn a_loop_without_end() {
    let spirv = Sketch::build(|s| {
        // Lane 7 waits for what nobody does.
        let seven = s.uint(7);
        let is_seven = s.op(Op::IEqual, s.bool, &[s.lane, seven]);
        s.when(is_seven, |s| {
            let forever = s.uint(u32::MAX);
            s.rounds(forever, |_| ());
        });
    });
    for schedule in SCHEDULES {
        let fault = fault(&spirv, schedule);
        let FaultKind::NoEnd { function, number: 0, rounds } = &fault.kind else { panic!("{fault}") };
        assert!(function == "main" && *rounds > 500 && fault.lane == 7, "{fault}");
    }
}

#[test]
fn results_that_are_not_defined() {
    let spirv = Sketch::build(|s| {
        let (one, lane) = (s.uint(1), s.lane);
        let by = s.op(Op::IAdd, s.uint, &[lane, one]);
        let shifted = s.op(Op::ShiftLeftLogical, s.uint, &[one, by]);
        s.store_word(lane, shifted);
    });
    let fault = fault(&spirv, Schedule::Lockstep);
    assert_eq!((&fault.kind, fault.lane), (&FaultKind::Undefined, 31), "{fault}");
}

#[test]
fn instructions_that_are_not_provided_for() {
    let spirv = Sketch::build(|s| {
        let lane = s.lane;
        s.op(Op::UMod, s.uint, &[lane, lane]);
    });
    let error = Shader::new(&spirv, &[]).unwrap_err();
    assert!(matches!(error, LoadError::Unsupported { opcode: Op::UMod, .. }), "{error}");
    assert!(matches!(Shader::new(&spirv[..20], &[]), Err(LoadError::Parse(_) | LoadError::Malformed(_))));
}

/// The GDeflate shader without the barriers of its subgroups: what each check is for comes to light.
#[test]
fn the_shader_without_its_barriers() {
    let mut module = rspirv::dr::load_bytes(common::GDEFLATE).unwrap();
    let mut removed = 0;
    for block in module.functions.iter_mut().flat_map(|function| &mut function.blocks) {
        let is_barrier = |one: &rspirv::dr::Instruction| one.class.opcode == Op::ControlBarrier;
        let fenced = block.instructions.iter().any(|one| one.class.opcode == Op::MemoryBarrier);
        if fenced {
            let before = block.instructions.len();
            block.instructions.retain(|one| !is_barrier(one));
            removed += before - block.instructions.len();
        }
    }
    // Of subgroups, and of workgroups.
    assert_eq!(removed, 2);
    let words: Vec<Word> = module.assemble();
    let spirv: Vec<_> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let content: Vec<_> = (0..5000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
    let stream =
        ds_gdeflate::compress(&content, ds_gdeflate::Level::FASTEST, ds_gdeflate::CodecId::Reference);
    let tile = common::tiles(&stream.unwrap()).remove(0);
    let (_, report) = common::run(&spirv, common::WIDE[0], Schedule::Lockstep, &[tile]).unwrap();
    let found: Vec<_> = report.races.iter().filter(|race| !common::is_allowed(race)).collect();
    let places = ["build_symbols", "read_lengths", "emit_window"];
    for place in places {
        assert!(found.iter().any(|race| race.first.function() == place), "{place}: {found:?}");
    }
}
