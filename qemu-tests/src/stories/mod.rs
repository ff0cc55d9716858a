//! The scenarios. A story's name tells the matrix: what happens, on which firmware.

mod cut;
mod disks;
mod doors;
mod everything;
mod flash;
mod formatting;
mod full;
mod identity;
mod install;
mod probe;
mod pulled;
mod repeat;
mod secrets;
mod shares;
mod simulate;
mod transfer;
mod waits;
mod wired;
mod wizard;
mod wrong_seed;

use crate::{file_server, run::Story};

/// The stories of every run; the long ones first.
const USUAL: &[Story] = &[
    Story::new(
        "install.seabios",
        &[
            ("comes-up-unattended", install::on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("containers-have-a-share-of-their-own", install::containers_have_a_share_of_their_own),
            ("report-lies-on-the-seed-partition", install::report_lies_on_the_seed_partition),
            ("authority-is-the-one-shown", install::authority_is_the_one_shown),
            ("chain-verifies-by-it-alone", install::chain_verifies),
            ("http-redirects-to-https", install::http_redirects),
            ("ssh-takes-the-key-only", doors::ssh_takes_the_key_only),
            ("probes-are-deployed", probe::deploy),
            ("anonymous-passes-at-bypass", probe::anonymous_passes_at_bypass),
            ("anonymous-is-sent-to-the-portal", probe::anonymous_is_sent_to_the_portal),
            ("a-wrong-password-opens-nothing", probe::wrong_password),
            ("the-password-opens-one-factor", probe::password_opens_one_factor),
            ("one-factor-does-not-open-two-factor", probe::one_factor_is_not_two),
            ("a-lazy-service-sleeps-wakes-and-sleeps", probe::lazy_service),
            ("open-ports", doors::ports),
            ("canaries-not-in-logs", secrets::not_in_logs),
            ("canaries-not-in-containers", secrets::not_in_containers),
            ("canaries-not-in-readable-files", secrets::not_in_readable_files),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("a-reboot-with-a-stick-brings-everything-back", repeat::reboot_with_a_stick),
            ("canaries-not-on-the-seed-partition", secrets::not_on_the_seed_partition),
        ],
    ),
    Story::new(
        "wizard.ovmf-secureboot",
        &[
            ("begins-at-the-screen-with-half-a-seed", wizard::begins_beside_a_twin),
            ("goes-on-at-the-serial-line-after-a-cut", wizard::goes_on_at_the_serial_line),
            ("tells-the-plan-before-the-confirmation", wizard::tells_the_plan),
            ("is-cut-in-the-middle-of-images", wizard::is_cut_in_images),
            ("is-cut-in-the-middle-of-stacks", cut::in_stacks),
            ("comes-up-complete", wizard::comes_up_complete),
            ("secure-boot-is-enforced", install::secure_boot_is_enforced),
            ("grew-its-own-disk", cut::grew_its_own_disk),
            ("chain-verifies-by-it-alone", install::chain_verifies),
            ("http-redirects-to-https", install::http_redirects),
            ("the-twin-disk-is-untouched", cut::twin_is_untouched),
        ],
    ),
    Story::new(
        "seed.none-ovmf",
        &[("waits-and-says-where", waits::on_ovmf), ("a-stick-is-taken", waits::a_stick_is_taken)],
    ),
    Story::new(
        "seed.wrong",
        &[
            ("is-refused-with-its-place", wrong_seed::is_refused),
            ("is-shown-on-the-console", wrong_seed::is_shown_on_the_console),
            ("is-reported-on-the-seed-partition", wrong_seed::is_reported),
            ("nothing-was-changed", wrong_seed::nothing_was_changed),
        ],
    ),
    Story::new("identity.two-boxes", &[("differ-in-every-identifier", identity::two_boxes_differ)])
        .after(&["install.seabios", "wizard.ovmf-secureboot"]),
];

/// Those that take too long for every run.
const SLOW: &[Story] = &[
    Story::new(
        "wizard.seabios",
        &[
            ("begins-at-the-screen-with-half-a-seed", wizard::begins_at_the_screen),
            ("goes-on-at-the-serial-line-after-a-cut", wizard::goes_on_at_the_serial_line),
            ("tells-the-plan-before-the-confirmation", wizard::tells_the_plan),
            ("comes-up", wizard::comes_up),
        ],
    ),
    Story::new(
        "install.ovmf-secureboot",
        &[
            ("comes-up-unattended", install::on_secure_boot),
            ("secure-boot-is-enforced", install::secure_boot_is_enforced),
            ("every-step-is-good", install::every_step_is_good),
            ("chain-verifies-by-it-alone", install::chain_verifies),
            ("http-redirects-to-https", install::http_redirects),
        ],
    ),
    Story::new(
        "cut.seabios",
        &[
            ("in-the-middle-of-images", cut::in_images),
            ("in-the-middle-of-stacks", cut::in_stacks),
            ("comes-up-complete", cut::comes_up_complete),
            ("grew-its-own-disk", cut::grew_its_own_disk),
            ("chain-verifies-by-it-alone", install::chain_verifies),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("the-twin-disk-is-untouched", cut::twin_is_untouched),
        ],
    ),
    Story::new(
        "seed.none",
        &[
            ("waits-and-says-where", waits::on_seabios),
            ("goes-on-from-a-snapshot", waits::goes_on_from_a_snapshot),
            ("waiting-is-no-failed-attempt", waits::is_no_failed_attempt),
        ],
    ),
    Story::new(
        "seed.corrected",
        &[
            ("is-refused-with-its-place", wrong_seed::is_refused),
            ("is-reported-on-the-seed-partition", wrong_seed::is_reported),
            ("a-good-one-is-taken-afterwards", wrong_seed::good_one_is_taken),
        ],
    ),
    Story::new("seed.fw-cfg", &[("a-credential-is-taken", waits::a_credential_is_taken)]),
    Story::new(
        "disks.seabios",
        &[
            ("comes-up-unattended", disks::on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("each-disk-is-at-its-place", disks::each_is_at_its_place),
            ("data-survives", disks::data_survives),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("other-disks-are-left-alone", disks::others_are_left_alone),
            ("it-starts-without-a-disk", disks::starts_without_a_disk),
            ("a-disk-returns", disks::disk_returns),
        ],
    ),
    Story::new(
        "transfer.seabios",
        &[
            ("the-power-goes-while-copying", transfer::is_cut),
            ("copies-itself-after-the-cut", transfer::copies_itself_after_the_cut),
            ("runs-from-the-inner-disk", transfer::runs_from_the_inner_disk),
            ("every-step-is-good", install::every_step_is_good),
        ],
    ),
    Story::new(
        "transfer.ovmf",
        &[
            ("copies-itself", transfer::on_ovmf),
            ("runs-from-the-inner-disk", transfer::runs_from_the_inner_disk),
            ("the-firmware-knows-the-disk", transfer::firmware_knows_the_disk),
            ("every-step-is-good", install::every_step_is_good),
        ],
    ),
    Story::new(
        "transfer.ovmf-4096",
        &[
            ("copies-itself", transfer::on_large_sectors),
            ("runs-from-the-inner-disk", transfer::runs_from_the_inner_disk),
            ("its-sectors-have-4096-bytes", transfer::sectors_are_large),
            ("every-step-is-good", install::every_step_is_good),
        ],
    ),
    Story::new(
        "transfer.ovmf-secureboot",
        &[
            ("copies-itself", transfer::on_secure_boot),
            ("secure-boot-is-enforced", install::secure_boot_is_enforced),
            ("runs-from-the-inner-disk", transfer::runs_from_the_inner_disk),
            ("the-firmware-knows-the-disk", transfer::firmware_knows_the_disk),
            ("every-step-is-good", install::every_step_is_good),
        ],
    ),
    Story::new("disks.alike", &[("two-that-match-are-refused", disks::two_alike_are_refused)]),
    Story::new(
        "disks.cut",
        &[
            ("the-power-goes-while-formatting", formatting::is_cut),
            ("the-next-start-goes-on", formatting::goes_on),
        ],
    ),
    Story::new(
        "disks.full",
        &[
            ("a-full-disk-is-told", full::is_told),
            ("the-next-start-goes-on-with-room", full::goes_on),
        ],
    ),
    Story::new(
        "disks.swapped",
        &[("another-disk-is-refused", formatting::another_disk_is_refused)],
    ),
    Story::new(
        "disks.pulled",
        &[
            ("comes-up-unattended", pulled::comes_up),
            ("its-stack-is-held", pulled::stack_is_held),
            ("a-stranger-is-not-used", pulled::stranger_is_not_used),
            ("its-stack-starts-again", pulled::starts_again),
            ("another-disk-takes-its-place", pulled::is_replaced),
            ("a-second-apply-changes-nothing", repeat::second_apply),
        ],
    )
    .with_stacks(&["core", "backup"]),
    Story::new(
        "disks.shares",
        &[
            ("comes-up-unattended", shares::comes_up),
            ("every-step-is-good", install::every_step_is_good),
            ("files-lie-on-the-server", shares::files_lie_on_the_server),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("it-starts-without-the-server", shares::starts_without_the_server),
            ("it-goes-on-with-the-server", shares::goes_on_with_the_server),
        ],
    )
    .with_stacks(&["core", "backup"])
    .with_packages(file_server::PACKAGES),
    Story::new("seed.simulate", &[("shows-the-final-page", simulate::shows_the_final_page)]),
    Story::new(
        "media.seabios",
        &[
            ("comes-up-unattended", everything::media_on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("every-service-is-well", everything::every_service_is_well),
            ("media-services-know-each-other", everything::media_services_know_each_other),
            ("no-download-passes-the-vpn-by", everything::no_way_out_without_the_vpn),
            ("a-killed-container-comes-back", everything::killed_container_comes_back),
            ("a-reboot-brings-everything-back", repeat::reboot),
            ("every-service-is-well-after-it", everything::every_service_is_well),
            ("downloads-pass-the-vpn-after-it", everything::no_way_out_without_the_vpn),
            ("what-fails-at-a-start-is-tried-again", everything::tried_again),
        ],
    )
    .with_stacks(everything::MEDIA),
    Story::new(
        "monitoring.seabios",
        &[
            ("comes-up-unattended", everything::monitoring_on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("every-service-is-well", everything::every_service_is_well),
            ("limits-are-in-force", everything::limits_are_in_force),
            ("no-target-of-prometheus-is-down", wired::no_target_is_down),
            ("alerts-have-a-way-out", wired::alerts_have_a_way_out),
            ("logs-are-found-by-their-labels", wired::logs_are_found),
            ("grafana-sees-its-sources", wired::grafana_sees_its_sources),
            ("uptime-kuma-watches-everything", wired::uptime_kuma_watches_everything),
            ("memory-is-told", everything::memory_is_told),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("a-reboot-brings-everything-back", repeat::reboot),
            ("every-service-is-well-after-it", everything::every_service_is_well),
        ],
    )
    .with_stacks(everything::LOGS),
    Story::new(
        "productivity.seabios",
        &[
            ("comes-up-unattended", everything::productivity_on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("every-service-is-well", everything::every_service_is_well),
            ("every-url-answers-as-declared", everything::every_url_answers_as_declared),
            ("nothing-is-left-to-its-first-visitor", everything::nothing_is_unclaimed),
            ("databases-are-out-of-reach", wired::databases_are_out_of_reach),
            ("the-matrix-is-what-a-stranger-sees", wired::matrix_is_what_a_stranger_sees),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("a-public-site-sleeps-and-wakes", everything::public_site_sleeps_and_wakes),
            ("a-reboot-brings-everything-back", repeat::reboot),
            ("every-service-is-well-after-it", everything::every_service_is_well),
        ],
    )
    .with_stacks(everything::PRODUCTIVITY),
    Story::new(
        "logs.promtail",
        &[
            ("comes-up-unattended", everything::logs_on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("every-service-is-well", everything::every_service_is_well),
            ("promtail-is-in-alloys-place", everything::promtail_is_in_alloys_place),
            ("no-target-of-prometheus-is-down", wired::no_target_is_down),
            ("logs-are-found-by-their-labels", wired::logs_are_found),
            ("a-second-apply-changes-nothing", repeat::second_apply),
        ],
    )
    .with_stacks(everything::LOGS),
    Story::new(
        "everything.seabios",
        &[
            ("comes-up-unattended", everything::on_seabios),
            ("every-step-is-good", install::every_step_is_good),
            ("every-service-is-well", everything::every_service_is_well),
            ("every-url-answers-as-declared", everything::every_url_answers_as_declared),
            ("limits-are-in-force", everything::limits_are_in_force),
            ("pihole-answers-for-the-domain", everything::pihole_answers_for_the_domain),
            ("the-start-page-lists-every-url", everything::start_page_lists_every_url),
            ("nothing-is-left-to-its-first-visitor", everything::nothing_is_unclaimed),
            ("media-services-know-each-other", everything::media_services_know_each_other),
            ("hard-links-work-between-downloads-and-media", everything::hard_links_work),
            ("a-backup-was-made", everything::backup_was_made),
            ("no-target-of-prometheus-is-down", wired::no_target_is_down),
            ("alerts-have-a-way-out", wired::alerts_have_a_way_out),
            ("logs-are-found-by-their-labels", wired::logs_are_found),
            ("grafana-sees-its-sources", wired::grafana_sees_its_sources),
            ("uptime-kuma-watches-everything", wired::uptime_kuma_watches_everything),
            ("databases-are-out-of-reach", wired::databases_are_out_of_reach),
            ("memory-is-told", everything::memory_is_told),
            // From here on what changes the box: it costs minutes each, and the others saw it at rest.
            ("a-killed-container-comes-back", everything::killed_container_comes_back),
            ("no-download-passes-the-vpn-by", everything::no_way_out_without_the_vpn),
            ("the-matrix-is-what-a-stranger-sees", wired::matrix_is_what_a_stranger_sees),
            ("a-second-apply-changes-nothing", repeat::second_apply),
            ("a-public-site-sleeps-and-wakes", everything::public_site_sleeps_and_wakes),
            ("a-reboot-brings-everything-back", repeat::reboot),
            ("every-service-is-well-after-it", everything::every_service_is_well),
            ("downloads-pass-the-vpn-after-it", everything::no_way_out_without_the_vpn),
        ],
    )
    .with_stacks(everything::STACKS),
];

/// The stories of a run, with the slow ones if they are asked for.
pub fn all(slow: bool) -> Vec<Story> {
    let slow = SLOW.iter().filter(|_| slow);
    USUAL.iter().chain(slow).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_waits_lead_somewhere() {
        let all = all(true);
        let names: BTreeSet<&str> = all.iter().map(|story| story.name).collect();
        assert_eq!(names.len(), all.len());
        for story in &all {
            let checks: BTreeSet<&str> = story.checks.iter().map(|(name, _)| *name).collect();
            assert_eq!(checks.len(), story.checks.len(), "{}", story.name);
            assert!(story.after.iter().all(|name| names.contains(name)), "{}", story.name);
        }
    }
}
