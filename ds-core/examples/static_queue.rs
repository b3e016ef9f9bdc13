//! A queue in static memory, shared without an operating system: no allocation, no std in anything it calls.
//!
//! The "disk" is a constant; one loop plays the program, another the interrupt handler that performs what the queue asks for.
//! Run with `cargo run -p ds-core --example static_queue`.

use ds_core::{
    Action, BufferId, Config, Done, Fault, FileId, Location, Memory, Outcome, Path, Queue, Request, Room,
    SharedQueue, Slot, Time,
};

const DISK: &[u8] = b"one queue, eight slots, no heap";
const CAPACITY: usize = 8;

/// Firmware would put this into a `static` of its own with a cell that can be written once.
type StaticQueue = SharedQueue<[Slot; CAPACITY]>;

fn main() -> Result<(), ds_core::Error> {
    let queue: StaticQueue =
        SharedQueue::new(Queue::new([const { Slot::new() }; CAPACITY], Config::default())?);
    let mut memory = [0; DISK.len()];
    let mut clock = 0;

    // The program: three words, into their places in memory.
    for (offset, len) in [(0, 9), (11, 11), (24, 7)] {
        let now = Time::from_nanos(clock);
        let source = Location::File { file: FileId(0), offset, len };
        queue
            .try_enqueue(&Request::read(source, Location::Host { buffer: BufferId(0), offset, len }), now)?;
    }
    queue.submit(Time::from_nanos(clock));

    // The interrupt handler: bounded batches, one short critical section each.
    loop {
        clock += 1000;
        let now = Time::from_nanos(clock);
        let batch = queue.poll_actions::<4>(now, Room::Any);
        if batch.is_empty() {
            break;
        }
        for action in batch {
            let Some(op) = action.op() else { continue };
            let outcome = Outcome { op, result: perform(action, &mut memory), path: Path::IO_CPU };
            if let Err(unknown) = queue.handle_outcome(outcome, now) {
                println!("{unknown}");
            }
        }
    }

    for completion in queue.take_completions::<CAPACITY>() {
        println!("{}: {} bytes after {:?}", completion.id, completion.bytes.delivered, completion.latency);
        completion.result?;
    }
    println!("{}", String::from_utf8_lossy(&memory));
    Ok(())
}

fn perform(action: Action, memory: &mut [u8]) -> Result<Done, Fault> {
    let Action::Read { offset, into, .. } = action else { return Err(Fault::Unsupported("only reads")) };
    let Memory::Host(BufferId(0)) = into.memory else { return Err(Fault::Unsupported("only one buffer")) };
    let (from, to, len) = (offset as usize, into.offset as usize, into.len as usize);
    memory[to..to + len].copy_from_slice(&DISK[from..from + len]);
    Ok(Done::Moved(into.len))
}
