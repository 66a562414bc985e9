//! The list of attacks, and the test that keeps it complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A class of attacks: each with the tests that try it, `file::test`.
type Class = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const LIST: [Class; 14] = [
    (
        "direct reads",
        &[
            ("min and max", &["reads::minimum_and_maximum"]),
            ("first/last/array_agg/string_agg", &["reads::first_last_array_agg_and_string_agg"]),
            ("windows", &["reads::windows"]),
            ("UNION, INTERSECT and EXCEPT with guessed rows", &["reads::union_intersect_and_except_with_guessed_rows"]),
            ("labels through prepared parameters", &["reads::labels_through_prepared_parameters"]),
            ("GROUP BY a near-unique expression", &["reads::group_by_a_near_unique_expression"]),
            ("LIMIT or TABLESAMPLE below the aggregate", &["reads::limit_and_tablesample_below_the_aggregate"]),
        ],
    ),
    (
        "thresholds",
        &[
            ("rows counted in place of units", &["thresholds::rows_counted_in_place_of_units"]),
            ("join fan-out that multiplies one unit", &["thresholds::join_fan_out_that_multiplies_one_unit"]),
            (
                "k-1, k, k+1",
                &[
                    "thresholds::one_below_at_and_above_the_threshold",
                    "protection::the_threshold_is_ten",
                    "protection::nine_rows_and_none_look_alike",
                ],
            ),
            ("a cell and its complement", &["thresholds::a_cell_and_its_complement"]),
            (
                "margins with one suppressed cell",
                &["thresholds::margins_with_one_suppressed_cell", "federated::an_aggregate_above_a_withheld_cell"],
            ),
            ("dominance by one and by two", &["thresholds::dominance_by_one_and_by_two"]),
            ("several sites of one enterprise", &["thresholds::several_sites_of_one_enterprise"]),
            ("negative contributions", &["thresholds::negative_contributions"]),
            (
                "weighted sums (SUM(CASE WHEN id = V THEN x END), SUM(x * 1e12), bits packed into a sum)",
                &["thresholds::weighted_sums_by_case_factor_and_bits"],
            ),
            (
                "HAVING, ORDER BY and LIMIT on what was suppressed",
                &["thresholds::having_order_by_and_limit_on_what_was_suppressed"],
            ),
            ("bins of width one", &["thresholds::bins_of_width_one"]),
        ],
    ),
    (
        "differencing",
        &[
            ("with and without one unit", &["differencing::with_and_without_one_unit"]),
            (
                "trackers with OR, and their De Morgan, CASE and arithmetic forms",
                &["differencing::trackers_with_or_de_morgan_case_and_arithmetic"],
            ),
            ("range creep", &["differencing::range_creep", "differencing::prefix_creep"]),
            (
                "the same question before and after an insert",
                &["differencing::the_same_question_before_and_after_an_insert"],
            ),
            ("overlapping geographies", &["differencing::overlapping_geographies"]),
            (
                "total less a part",
                &["differencing::total_less_a_part", "federated::total_less_the_part_of_another_body"],
            ),
            (
                "the same people at two bodies",
                &["differencing::the_same_people_at_two_bodies", "federated::labels_counted_over_two_bodies"],
            ),
            ("two analysts who share", &["differencing::two_analysts_who_share"]),
        ],
    ),
    (
        "noise",
        &[
            ("the same query 1,000 times", &["noise::the_same_query_a_thousand_times"]),
            (
                "the same set by other words",
                &["noise::the_same_set_in_other_words", "noise::several_aggregates_side_by_side"],
            ),
            ("disjoint parts of the same set summed", &["noise::disjoint_parts_of_the_same_set_summed"]),
            (
                "noise that changes with a restart, a thread count or a batch size",
                &["noise::noise_that_changes_with_a_restart_a_thread_count_or_a_batch_size"],
            ),
            (
                "linear reconstruction from pseudo-random subsets (hash, regexp, modulo)",
                &["noise::linear_reconstruction_from_pseudo_random_subsets"],
            ),
        ],
    ),
    (
        "history",
        &[
            ("the analyst who knows k-1 members", &["history::an_analyst_who_knows_all_but_one"]),
            ("the analyst who lets the history measure", &["history::an_analyst_who_lets_the_history_measure"]),
            ("the two analysts who share", &["history::two_analysts_who_share_what_they_were_told"]),
            ("the coarse-to-fine order", &["history::the_coarse_to_fine_order"]),
            ("the value that changes", &["history::the_value_that_changes"]),
            ("three anchors far from each other", &["history::three_anchors_that_are_far_from_each_other"]),
        ],
    ),
    (
        "errors",
        &[
            ("division by zero", &["errors::division_by_zero"]),
            ("overflow", &["errors::overflow"]),
            ("failed casts and dates", &["errors::failed_casts_and_dates"]),
            ("negative roots", &["errors::negative_roots"]),
            ("bad regexes built from a column", &["errors::bad_regexes_built_from_a_column"]),
            ("messages that print the value", &["errors::messages_that_print_the_value"]),
            ("unknown against forbidden names", &["bypass::unknown_against_forbidden_names"]),
            ("refusals that depend on data", &["errors::refusals_that_depend_on_data"]),
        ],
    ),
    (
        "metadata and bytes",
        &[
            ("EXPLAIN ANALYZE and statistics", &["metadata::explain_analyze_and_statistics"]),
            ("dynamic-filter bounds", &["metadata::dynamic_filter_bounds"]),
            ("FlightInfo's totals", &["metadata::flight_info_totals"]),
            (
                "buffers of sliced, null or view arrays that still hold other rows",
                &[
                    "metadata::buffers_of_sliced_null_or_view_arrays",
                    "protection::no_bytes_of_a_protected_row_leave_a_node",
                    "protection::nor_does_it_reach_an_analyst",
                ],
            ),
            ("batch counts", &["metadata::batch_counts"]),
            ("information_schema", &["metadata::information_schema"]),
            ("metrics and traces", &["metadata::metrics_and_traces"]),
            ("limits used as a ruler", &["protection::a_limit_is_no_ruler"]),
        ],
    ),
    (
        "bypass",
        &[
            (
                "COPY, INSERT, CREATE EXTERNAL TABLE, SET, several statements",
                &["bypass::copy_insert_create_external_table_set_and_several_statements"],
            ),
            ("files and URLs as tables", &["bypass::files_and_urls_as_tables"]),
            (
                "Substrait, DoPut, DoExchange and unknown actions",
                &["bypass::substrait_do_put_do_exchange_and_unknown_actions"],
            ),
            (
                "a statement prepared before a change of terms",
                &["protection::terms_that_changed_hold_for_what_was_prepared_before"],
            ),
            (
                "somebody else's ticket, guessed, replayed or altered",
                &[
                    "tickets::a_ticket_is_good_once_and_for_its_caller_alone",
                    "tickets::an_altered_or_guessed_ticket_is_nothing",
                    "tickets::a_prepared_statement_is_its_callers_own",
                ],
            ),
            (
                "a planner that asks for more than the analyst's query needs",
                &["bypass::a_planner_that_asks_for_more_than_the_query_needs"],
            ),
            ("paths as descriptors", &["bypass::paths_as_descriptors"]),
            ("clauses that the engine passes over", &["bypass::clauses_that_the_engine_would_pass_over"]),
            ("a peer that presents another's analyst", &["bypass::a_peer_that_presents_anothers_analyst"]),
            (
                "endpoints that point away",
                &[
                    "identities::a_node_does_not_talk_to_whoever_sits_at_a_peers_address",
                    "metadata::flight_info_totals",
                ],
            ),
        ],
    ),
    (
        "identity",
        &[
            ("no certificate", &["identities::strangers_get_nothing_and_the_log_says_why"]),
            ("expired", &["identities::strangers_get_nothing_and_the_log_says_why"]),
            ("not yet valid", &["identities::strangers_get_nothing_and_the_log_says_why"]),
            ("wrong usage", &["identity::wrong_usage"]),
            ("no or several URI SANs", &["identity::no_or_several_uri_sans"]),
            ("another federation's", &["identities::strangers_get_nothing_and_the_log_says_why"]),
            (
                "a trusted federation's: another body of the same name, an analyst, a member's rights, one's own root",
                &["federations::a_body_of_another_federation_gets_what_is_open_and_what_it_is_named_for"],
            ),
            ("revoked while a stream is open", &["joining::a_suspended_body_is_cut_off_everywhere_and_comes_back"]),
            (
                "a stale, missing or malformed revocation list",
                &["joining::news_travels_without_the_authority_and_never_back"],
            ),
            ("identity claimed in headers", &["identity::identity_claimed_in_headers"]),
            (
                "a worker of a body's cluster, by whoever is not its node",
                &["cluster::nobody_but_the_bodys_own_node_gives_a_worker_work"],
            ),
            (
                "a worker's machine, by whoever has the node's key of the cluster",
                &["cluster::a_plan_that_names_a_file_outside_is_refused_by_the_worker"],
            ),
            ("an invitation used twice", &["joining::an_invitation_is_good_for_one_key_and_one_authority"]),
        ],
    ),
    (
        "agreements and registers",
        &[
            (
                "statements that are forged, altered, moved, of a time to come",
                &["hostile::statements_in_the_name_of_others"],
            ),
            ("a consent or a withdrawal in another's name", &["hostile::statements_in_the_name_of_others"]),
            ("proposals without end, in one's own name and in others'", &["hostile::proposals_without_end"]),
            ("a register re-dated, or put back", &["hostile::registers_of_others_and_of_other_days"]),
            ("another body's register edited", &["hostile::registers_of_others_and_of_other_days"]),
        ],
    ),
    (
        "exhaustion",
        &[
            ("2,000 chained `+` and 20,000 ORs", &["exhaustion::chained_additions_and_ors"]),
            ("huge IN lists", &["exhaustion::huge_in_lists"]),
            ("deep nesting", &["exhaustion::deep_nesting"]),
            ("cross joins", &["exhaustion::cross_joins"]),
            ("group explosion", &["exhaustion::group_explosion"]),
            ("slow readers", &["outages::a_stopped_client_does_not_hold_up_the_others"]),
            ("disconnects", &["exhaustion::disconnects"]),
            ("stream floods", &["exhaustion::stream_floods"]),
            ("malformed IPC", &["exhaustion::malformed_ipc"]),
            ("compression bombs", &["exhaustion::compression_bombs"]),
            ("one body starving others", &["exhaustion::one_body_starving_others"]),
        ],
    ),
    (
        "log",
        &[
            ("edited", &["records::a_log_that_was_edited_stops_the_node_with_the_record"]),
            ("reordered", &["log::a_reordered_log"]),
            ("truncated", &["log::a_truncated_log"]),
            ("forked", &["log::a_forked_log"]),
            ("restored from an old backup", &["log::a_log_restored_from_an_old_backup"]),
            (
                "killed between the entry and the bytes",
                &["records::killed_between_record_and_end_a_release_counts_as_interrupted"],
            ),
            (
                "disk full",
                &[
                    "disk::a_body_whose_disk_is_full_releases_nothing_without_a_record",
                    "disk::a_body_that_can_not_remember_what_it_answers_answers_nothing",
                    "disk::an_asker_whose_disk_is_full_answers_nothing",
                ],
            ),
            (
                "terminal escapes, bidirectional text, HTML and spreadsheet formulas in titles, queries and data",
                &["log::terminal_escapes_bidirectional_text_html_and_formulas"],
            ),
        ],
    ),
    (
        "the workbench",
        &[
            ("a page of another site that asks with the analyst's certificate", &["workbench::another_site_asks"]),
            ("a name that is made to point here", &["workbench::a_name_that_points_here"]),
            ("no certificate, another body's analyst, a node", &["workbench::no_certificate_or_that_of_another_body"]),
            ("an analyst who was removed", &["workbench::an_analyst_who_was_removed"]),
            ("a saved question of another body", &["workbench::a_saved_question_of_another_body"]),
            ("markup in values, names and titles", &["workbench::markup_in_values_names_and_titles"]),
            (
                "what is larger than it may be, what is no Arrow, and connections that are kept",
                &["workbench::too_much_and_no_arrow"],
            ),
        ],
    ),
    (
        "open data as files",
        &[
            ("data that is not for all", &["downloads::what_is_not_open_to_all_has_no_file"]),
            (
                "what was published by mistake, after the mapping was corrected",
                &["downloads::another_mapping_of_the_same_file_is_another_version"],
            ),
            ("whoever objects", &["downloads::who_objects_is_in_no_file_and_no_sample_any_more"]),
        ],
    ),
];

/// The tests of a file by `file::test`, each with its documentation.
fn tests(file: &Path, found: &mut BTreeMap<String, String>) {
    let text = fs::read_to_string(file).unwrap();
    let module = file.file_stem().unwrap().to_str().unwrap();
    let (mut documentation, mut is_test) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("///") {
            documentation += said;
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
            if is_test {
                let name = rest.split('(').next().unwrap();
                found.insert(format!("{module}::{name}"), documentation.trim().to_owned());
            }
            (documentation, is_test) = (String::new(), false);
        } else if !line.starts_with("#[") {
            documentation.clear();
        }
    }
}

#[test]
fn every_attack_has_its_test_and_every_test_says_what_the_attacker_gains() {
    let mesh = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mesh");
    let (mut of_suite, mut elsewhere) = (BTreeMap::new(), BTreeMap::new());
    for (folder, found) in [(mesh.join("attacks"), &mut of_suite), (mesh, &mut elsewhere)] {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_some_and(|extension| extension == "rs") && !entry.ends_with("list.rs") {
                tests(&entry, found);
            }
        }
    }
    let mut wrong = Vec::new();
    let mut listed = BTreeSet::new();
    for (class, attacks) in LIST {
        for (attack, tests) in attacks {
            if tests.is_empty() {
                wrong.push(format!("{class}, {attack}: no test"));
            }
            for test in *tests {
                listed.insert(*test);
                match of_suite.get(*test).or_else(|| elsewhere.get(*test)) {
                    None => wrong.push(format!("{class}, {attack}: there is no test {test}")),
                    Some(said) if !said.starts_with("Gains ") => {
                        wrong.push(format!("{test} does not say what the attacker gains"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    wrong.extend(
        of_suite.keys().filter(|test| !listed.contains(test.as_str())).map(|test| format!("{test} is in no list")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
