//! Which tests the suite has, once for every engine.

macro_rules! suite {
    ($engine:ident: $($module:ident { $($test:ident)* })*) => {
        mod $engine {
            $($(
                #[test]
                fn $test() {
                    if crate::is_here() {
                        super::suite::$module::$test(super::$engine);
                    }
                }
            )*)*
        }
    };
}

macro_rules! every_engine {
    ($($engine:ident)*) => {
        $(suite! { $engine:
            requests {
                raw_reads_at_many_offsets gdeflate_of_every_size a_large_stream_decodes_in_small_reads
                upper_case_and_memory_sources writes_come_back short_reads_fail_or_are_allowed nothing_at_all_is_fine
                reused_buffers_are_not_reallocated the_application_pulls_custom_formats
                small_queues_and_staging_carry_any_load
            }
            telling {
                the_inbox_and_its_event lists_are_posted_up_to_what_is_refused callbacks_may_go_on a_panic_in_a_callback_harms_nobody tickets_are_futures
                scopes_lend_buffers markers_fire_in_order_and_tell_the_first_failure hooks_hear_of_failures_once
                waits_time_out
            }
            lifecycle {
                full_queues_say_so_or_wait cancellation_is_counted_and_final what_waits_for_a_failure_is_cancelled
                closing_waits_and_refuses dropping_with_work_in_flight_loses_nothing
                stragglers_are_reported_and_keep_their_memory the_runtime_may_go_first no_priority_starves
            }
            endings {
                closing_takes_custom_requests_back stragglers_outlive_queue_and_runtime
                a_slow_callback_makes_room_in_the_end wakers_are_dropped_with_no_lock_held
                the_last_owner_may_be_a_callback ends_that_race futures_need_no_thread_of_their_own
            }
            reentrant {
                a_callback_may_close a_callback_may_close_another_queue a_submit_returns
                an_ending_thread_may_close_in_a_callback every_callback_may_close callbacks_on_two_threads_may_close a_hook_may_close
                callbacks_do_not_pile_up a_queue_may_be_thread_local
                what_is_thrown_may_panic_again a_failed_scope_waits custom_requests_make_no_room_by_themselves
                closing_waits_for_what_is_told
            }
            bad_input {
                damaged_streams_are_corrupt a_bad_request_beside_good_ones_harms_only_itself hostile_sizes_are_refused
                files_that_cannot files_without_positions a_device_s_error_is_told files_that_shrink
            }
            direct { direct_reads_begin_and_end_anywhere direct_streams_decode direct_writes_are_whole_blocks }
        })*
    };
}
