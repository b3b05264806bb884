//! # Pitfalls
//!
//! What Dynamo-style stores got wrong in public, and what keeps it out of this one. Each line names tests (functions
//! below `tests` and `src`), scenarios or regressions (files); a test checks that all of them exist. "Next" means that
//! the feature in which the pitfall lies is not here yet.
//!
//! | # | pitfall | what keeps it out | shown by | status |
//! |---|---|---|---|---|
//! | 1 | stale contexts make ever more siblings | a dot per value | `stale_contexts_never_make_more_siblings_than_there_are_concurrent_writers`, `concurrent-writers.toml`, `stale-context.toml` | covered |
//! | 2 | a node that lost its data gives old dots to new writes | an epoch per start and key, and a new one when somebody knows more of it than it does | `a_node_that_lost_its_disk_reuses_no_dot`, `kv679_a_lost_disk`, `kv679-lost-key.toml`, `kv679_a_restored_backup`, `kv679_a_lost_key_under_a_living_actor`, `kv679_a_lost_key_of_which_nothing_is_known`, `after_a_repair_no_dot_is_given_twice`, `lost-disk.toml` | covered |
//! | 3 | the same by way of a write that it did not coordinate | the same | `a_node_that_learns_its_own_old_writes_from_others_reuses_no_dot`, `kv679_an_amnesiac_that_hears_of_half_of_its_past`, `kv679_a_context_from_a_forgotten_past` | covered |
//! | 4 | an old tombstone dominates a key that was made anew | an epoch per start; tombstones stay | `a_deleted_key_stays_deleted_when_an_old_replica_returns` | covered; purging: next |
//! | 5 | a deleted value comes back | tombstones are never purged | `a_deleted_key_stays_deleted_when_an_old_replica_returns` | covered; purging: next |
//! | 6 | the purge races with read repair | | | next |
//! | 7 | pruned clocks make siblings and endless repair | clocks are exact, and never cut by hand-off or repair | `a_cloud_keeps_apart_what_was_seen_and_dissolves_when_its_gap_is_filled`, `pitfall_7_a_replica_that_was_away_brings_back_what_was_replaced`, `clock-pruning.toml` | covered |
//! | 8 | a failed write shows, and is gone again | what a read shows, R disks hold; who lost its disk answers no reads | `quorum_reads_never_go_back`, `a_quorum_read_shows_nothing_that_a_later_one_could_miss`, `a_node_that_lost_its_disk_answers_no_reads_before_all_others_have_told_what_they_have`, `forgotten-quorum.toml` | covered |
//! | 9 | R + W > N is taken for more than it is | contexts as a floor; `recency` checks what is promised, no more | `floors.toml`, `a_read_with_a_context_never_shows_less_than_that_covers`, `a_read_behind_an_acknowledged_write_is_found` | covered |
//! | 10 | PR and PW checked against who seems up, not who answered | they count answers | `every_knob_set_at_any_place_changes_what_is_said_to_change`, `reads_decide_as_the_table_says`, `writes_decide_as_the_table_says`, `floors.toml` | covered |
//! | 11 | a knob is silently ignored | one resolver; a forward takes along the zone of the client | `a_local_quorum_is_one_of_the_clients_zone_whoever_coordinates`, `local-quorum.toml`, `every_knob_set_at_any_place_changes_what_is_said_to_change`, `a_read_needs_r_real_answers_even_for_a_miss` | covered |
//! | 12 | two replicas on one node or in one zone | placement takes distinct ones | `replicas_and_fallbacks_together_are_all_members_once`, `the_replicas_of_a_key_lie_in_distinct_zones` | covered |
//! | 13 | an acknowledgement before the sync | one way out, behind the log's durable end | `a_write_is_acknowledged_only_when_w_disks_have_it`, `acknowledged-before-sync.toml`, `crash-restart.toml` | covered |
//! | 14 | a hint counts as an acknowledgement | only at `any` | `a_hint_never_counts_towards_w`, `without_replicas_whatever_needs_one_is_refused`, `it_is_acknowledged_when_a_hint_is_on_disk_and_survives_a_crash_then`, `hint-counted-as-ack.toml`, `write-any.toml` | covered |
//! | 15 | hints are stranded | scanned at boot, kept until acknowledged, re-routed | `hints_survive_a_crash_of_their_keeper`, `a_hint_for_a_node_that_left_goes_to_a_replica_that_did_not`, `a_hint_does_not_wait_for_a_member_that_is_no_replica_any_more`, `a_keeper_that_becomes_the_replica_takes_its_own_hint`, `hinted-handoff.toml`, `write-any.toml` | covered |
//! | 16 | the replay of hints drowns clients | bounds, and a window that yields to clients | `hints_are_replayed_slowly_while_clients_time_out`, `hints_are_replayed_slowly_while_clients_are_slowed_down`, `a_node_keeps_no_more_bytes_of_hints_than_it_may` | covered |
//! | 17 | a ring change with writes in flight | | | next |
//! | 18 | a write is coordinated twice | forwards are sent once, remembered, and meant for one life of their replica | `a_doubled_forward_is_coordinated_once`, `a_forward_that_is_doubled_across_a_restart_is_coordinated_once`, `doubled-forwards.toml` | covered |
//! | 19 | a long split never heals | every member is contacted for ever | `a_long_split_heals_by_itself`, `every_member_is_contacted_for_ever`, `two-nodes.toml` | covered |
//! | 20 | a dead incarnation comes back | durable identity and generation, the cluster's id in every frame | `a_lower_generation_is_refused_and_a_higher_one_starts_anew`, `a_node_that_meets_its_own_newer_self_halts`, `late-frames.toml`, `a_folder_of_another_cluster_or_node_is_refused_and_not_touched`, `a_founder_that_lost_its_disk_founds_no_second_cluster`, `a_node_with_a_new_disk_or_an_old_copy_is_heard_again_and_reuses_no_dot`, `who_asks_is_told_of_itself_though_it_is_taken_for_dead`, `a_node_that_lost_its_disk_and_was_taken_for_dead_is_heard_again`, `lost-disk-for-long.toml`, `halted-by-its-own-past.toml` | covered |
//! | 21 | one slow observer convicts the healthy | two distinct observers in person, and self-health | `a_node_that_slept_convicts_nobody`, `one_lying_peer_convicts_nobody`, `deaf-node.toml`, `ill-observers.toml`, `gasping-node.toml`, `thousand-nodes.toml` | covered |
//! | 22 | the wall clock decides what is kept | siblings; stamps of bounded skew choose only what a reader asked to choose | `a_stamp_from_the_far_future_does_not_move_other_clocks`, `the_last_writer_is_the_same_in_whatever_order_replicas_merge` | covered |
//! | 23 | expiry fights repair | | | next |
//! | 24 | Merkle trees report differences that are none | trees follow every write; merging what is equal changes nothing | `replicas_that_agree_exchange_one_message_a_round`, `the_history_of_a_forest_does_not_matter` | covered |
//! | 25 | a joining node copies one stale replica | | | next |
//! | 26 | a condition is checked before the write, not at it | no conditional writes | | next |
//! | 27 | a retried write counts twice | a write may carry a name, and is not written again under it; no conditional writes | `a_retry_is_the_write_that_it_was_through_whichever_replica_it_comes`, `two_coordinators_that_did_not_know_of_each_other_make_one_write_of_one_request`, `a_first_try_does_not_come_back_when_the_retry_has_been_replaced`, `retries.toml` | covered; conditional: next |
//! | 28 | no repair after R misses | late answers count for repair | `a_replica_that_answers_late_is_repaired_all_the_same`, `read-repair.toml` | covered |
//! | 29 | a scan right after a recovery | | | next |
//! | 30 | two actors of one name | one per node and start | `a_restarted_node_has_its_data_its_layout_and_a_new_epoch` | covered |
//! | 31 | repair by majority vote | repair is by causality | `repair_is_by_causality_and_not_by_vote` | covered |
