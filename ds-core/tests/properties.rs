//! Sequences of calls on one queue, of which proptest finds the shortest that breaks a rule. The checker is the simulation's.

mod calls;
#[allow(dead_code, reason = "the simulation's driver is not used here")]
mod sim;

use calls::{Bench, How, Step};
use ds_core::OpId;
use proptest::prelude::*;

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        4 => Just(How::Whole),
        2 => any::<u8>().prop_map(How::Part),
        2 => prop_oneof![Just(4), Just(11), Just(5)].prop_map(How::Errno),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let deadline = proptest::option::weighted(0.2, any::<u8>());
    let after = proptest::option::weighted(0.2, any::<u8>());
    prop_oneof![
        8 => (0..4_u8, 0..20_000_u16, 0..4_u8, deadline, after)
            .prop_map(|(kind, len, tag, deadline, after)| Step::Enqueue { kind, len, tag, deadline, after }),
        2 => Just(Step::Status),
        1 => Just(Step::Event),
        4 => Just(Step::Submit),
        8 => (1..9_u8, any::<bool>()).prop_map(|(times, room)| Step::Poll { times, room }),
        8 => (any::<u8>(), how()).prop_map(|(which, how)| Step::Answer { which, how }),
        1 => any::<u8>().prop_map(|which| Step::Cancel { which }),
        1 => (0..4_u8, 0..4_u8).prop_map(|(value, mask)| Step::CancelTagged { value, mask }),
        1 => Just(Step::CancelAll),
        1 => Just(Step::Close),
        3 => (1..5_u8).prop_map(|times| Step::Take { times }),
        3 => any::<u16>().prop_map(|nanos| Step::Pass { nanos }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_keeps_the_rules(
        capacity in 1..6_usize,
        auto_submit: bool,
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut bench = Bench::new(capacity, auto_submit);
        for step in &steps {
            bench.step(step).map_err(TestCaseError::fail)?;
        }
        bench.finish().map_err(TestCaseError::fail)?;
    }

    #[test]
    fn an_operation_id_survives_its_journey_through_a_number(bits: u64) {
        prop_assert_eq!(OpId::from_u64(bits).to_u64(), bits);
    }
}
