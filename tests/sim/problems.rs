//! What a mistake in a scenario file looks like: the file, the line, the column, and what is allowed there.

use kvsim::cli::problem;
use kvsim::sim::scenario::Scenario;

/// The good scenario, with one piece of it replaced.
fn complaint(from: &str, to: &str) -> String {
    let good = std::fs::read_to_string(crate::file("small.toml")).expect("the scenario is there");
    assert!(Scenario::read(&good, "small").is_ok());
    let bad = good.replacen(from, to, 1);
    assert_ne!(bad, good, "{from} is in the scenario");
    let problem = Scenario::read(&bad, "small").expect_err("a mistake");
    problem::render("small.toml", &bad, &problem.message, problem.span, problem.allowed.as_deref())
}

macro_rules! complaints {
    ($($name:ident: $from:literal => $to:literal;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(complaint($from, $to));
            }
        )+
    };
}

complaints! {
    an_unknown_key: "nodes = 5" => "nodse = 5";
    an_unknown_key_in_a_fault: "lose = \"torn\"" => "loose = \"torn\"";
    an_unknown_fault: "restart = {" => "reboot = {";
    an_unknown_table: "[storage]" => "[store]";
    a_wrong_type: "nodes = 5" => "nodes = \"five\"";
    a_span_of_time_without_a_unit: "duration = \"10s\"" => "duration = 10";
    a_span_of_time_that_is_none: "duration = \"10s\"" => "duration = \"ten seconds\"";
    a_share_above_the_whole: "loss = \"0.5%\"" => "loss = \"101%\"";
    a_partition_of_a_node_that_does_not_exist: "\"n5\"" => "\"n6\"";
    a_node_in_two_groups: "[[\"n4\", \"n5\"]]" => "[[\"n4\"], [\"n4\", \"n5\"]]";
    a_partition_that_parts_nothing: "[[\"n4\", \"n5\"]]" => "[]";
    a_crash_of_a_node_that_does_not_exist: "node = \"n2\"" => "node = \"n0\"";
    a_read_quorum_above_the_replicas: "nodes = 5" => "nodes = 5\nr = 4";
    more_replicas_than_nodes: "nodes = 5" => "nodes = 2\nn = 3";
    a_read_from_hints: "nodes = 5" => "nodes = 5\nr = \"any\"";
    clients_that_ask_a_node_that_does_not_exist: "keys = 40" => "keys = 40\nnodes = [\"n1\", \"n9\"]";
    clients_that_ask_nobody: "keys = 40" => "keys = 40\nnodes = []";
    clients_that_ask_for_more_than_there_are: "keys = 40" => "keys = 40\nw = 4";
    clients_whose_floor_counts_hints: "keys = 40" => "keys = 40\npw = \"any\"";
    clients_whose_writes_are_on_no_disk: "keys = 40" => "keys = 40\ndw = 0";
    clients_that_ask_for_more_zones_than_there_are: "keys = 40" => "keys = 40\nzones = 2";
    clients_that_count_hints_and_leave_none: "keys = 40" => "keys = 40\nw = \"any\"\nsloppy = false";
    clients_that_stop_before_they_start: "keys = 40" => "keys = 40\nstart = \"5s\"\nstop = \"4s\"";
    a_level_that_is_none: "nodes = 5" => "nodes = 5\nw = \"most\"";
    a_fault_after_the_end: "at = \"5s\"" => "at = \"11s\"";
    a_partition_beyond_the_end: "for = \"3s\"" => "for = \"7s\"";
    bounds_the_wrong_way_round: "min = \"10ms\"" => "min = \"50ms\"";
    a_setting_that_the_core_refuses: "suspect_after = \"1500ms\"" => "suspect_after = \"100ms\"";
    a_fact_that_does_not_exist: "[storage]" => "[expect]\nfacts = [\"tea_served\"]\n[storage]";
    a_fact_that_is_reached_and_is_not: "[storage]" =>
        "[expect]\nfacts = [\"repaired\"]\nnever = [\"repaired\"]\n[storage]";
    a_guarantee_that_does_not_exist: "[storage]" => "[expect]\nholds = [\"causal\", \"strong\"]\n[storage]";
    a_guarantee_that_holds_and_is_broken: "[storage]" =>
        "[expect]\nholds = [\"causal\"]\nbreaks = [\"causal\"]\n[storage]";
    a_latency_of_no_operation: "[storage]" => "[expect]\nlatency = { got = { p99 = \"1ms\" } }\n[storage]";
    clients_that_think_and_have_a_rate: "keys = 40" => "keys = 40\nrate = 100";
    more_hot_keys_than_keys: "keys = 40" => "keys = 40\nchoice = { hot = { keys = 40, share = \"90%\" } }";
    a_choice_that_is_none: "keys = 40" => "keys = 40\nchoice = \"normal\"";
    an_unknown_key_in_the_second_group: "[clients]" => "[[clients]]\n[[clients]]\nclosed = true";
    a_clock_fault_of_two_kinds:
        "restart = { at = \"6s\", node = \"n2\" }" =>
        "clock = { at = \"6s\", node = \"n2\", jump = \"+2s\", freeze = true }";
    a_jump_without_a_sign:
        "restart = { at = \"6s\", node = \"n2\" }" => "clock = { at = \"6s\", node = \"n2\", jump = \"2s\" }";
    a_monotonic_clock_that_goes_back:
        "restart = { at = \"6s\", node = \"n2\" }" =>
        "clock = { at = \"6s\", node = \"n2\", clock = \"mono\", jump = \"-2s\" }";
    a_swap_of_one_node:
        "restart = { at = \"6s\", node = \"n2\" }" => "swap = { at = \"6s\", nodes = [\"n2\", \"n2\"] }";
    a_copy_from_before_the_beginning:
        "restart = { at = \"6s\", node = \"n2\" }" => "restore = { at = \"6s\", node = \"n2\", age = \"7s\" }";
    a_rolling_restart_that_takes_too_long:
        "restart = { at = \"6s\", node = \"n2\" }" => "rolling = { at = \"6s\", every = \"2s\", for = \"1s\" }";
    a_partition_of_a_zone_that_does_not_exist:
        "groups = [[\"n4\", \"n5\"]]" => "zones = [[\"attic\"]]";
    a_rate_of_what_does_not_exist: "[storage]" => "[rates]\nearthquake = { every = \"10s\" }\n[storage]";
    a_shape_that_is_none: "[network]" => "[network]\nshape = \"round\"";
    something_missing: "nodes = 5" => "";
    a_file_that_is_no_toml: "[cluster]" => "[cluster";
}
