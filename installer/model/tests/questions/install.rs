//! A box that runs from a stick is asked where its system shall lie.

use model::{
    facts::Firmware,
    plan,
    questions::{Interview, Kind, Question, prefill},
};

use super::{CATALOGUE, answered, box_world, stick_world, text};

/// The question at which the interview stands when only this one is open.
fn reopened<'a>(interview: &'a mut Interview<'_>, id: &str) -> Question<'a> {
    interview.reopen(&model::questions::Id::new(id));
    interview.next().unwrap().question
}

#[test]
fn a_stick_goes_onto_an_empty_disk_by_default_and_never_without_its_serial() {
    let world = stick_world();
    let mut interview = answered(&world, &[]);
    let (seed_text, seed) = interview.seed().unwrap();
    assert!(
        seed_text.reveal().contains("disk = \"serial:WD-WX12A347\"\n"),
        "{}",
        seed_text.reveal()
    );
    let plan = plan::plan(&seed, &CATALOGUE, &world.facts).unwrap_or_else(|p| panic!("{p}"));
    let copy = plan.install().unwrap();
    assert_eq!(copy.consent.victim().serial, "WD-WX12A347");
    // What follows there can be told before the copy is made.
    let there = plan::afterwards(copy, &world.facts);
    let then = plan::plan(&seed, &CATALOGUE, &there).unwrap_or_else(|p| panic!("{p}"));
    assert!(then.install().is_none() && then.steps.last().unwrap().id.0 == "handover");
    let asked: Vec<String> = interview.summary().into_iter().map(|line| line.id.0).collect();
    assert!(!asked.contains(&"storage.disk.serial:WD-WX12A347".to_owned()), "{asked:?}");

    let question = reopened(&mut interview, "install.disk");
    let Kind::Choice { options, .. } = &question.kind else { panic!("{question:?}") };
    let told: Vec<(&str, Option<&str>)> =
        options.iter().map(|option| (option.value.as_str(), option.refused.as_deref())).collect();
    let small = "serial:WD-WX12A348 (WDC WD40EFRX, sata, 1 GB, empty) is too small: the system needs \
                 1 GB";
    assert_eq!(
        told,
        [
            ("stick", None),
            ("serial:WD-WX12A345", None),
            ("serial:WD-WX12A346", None),
            ("serial:WD-WX12A347", None),
            ("disk:sdd", Some(small)),
        ]
    );
    assert_eq!(options[0].label, "run from this stick, SanDisk Ultra");
    let refused = question.check(&text("disk:sdd")).unwrap_err();
    assert_eq!(refused.what, format!("`disk:sdd` cannot be chosen: {small}"));
    drop(question);
    interview.answer(&text("serial:WD-WX12A347")).unwrap();

    let question = reopened(&mut interview, "install.serial:WD-WX12A347.consent");
    assert!(question.default.is_some(), "answered before");
    assert_eq!(
        question.text,
        "The system goes onto WDC WD40EFRX (serial WD-WX12A347, 4000 GB, empty). It is empty. Type \
         the last four characters of its serial."
    );
    let refused = question.check(&text("y")).unwrap_err();
    assert_eq!(refused.what, "`y` is not the end of the serial of this disk");
}

#[test]
fn a_disk_that_this_machine_does_not_start_from_is_shown_with_the_reason() {
    let mut world = stick_world();
    let large = world.facts.disks.iter_mut().find(|disk| disk.serial == "WD-WX12A347").unwrap();
    large.sector = 4096;
    for (firmware, chosen) in [(Firmware::Bios, None), (Firmware::Uefi, Some("serial:WD-WX12A347"))]
    {
        world.facts.firmware = firmware;
        let mut interview = answered(&world, &[]);
        let question = reopened(&mut interview, "install.disk");
        let Kind::Choice { options, .. } = &question.kind else { panic!("{question:?}") };
        let told = options.iter().find(|option| option.label.contains("WD-WX12A347")).unwrap();
        assert_eq!(chosen.is_some(), told.refused.is_none(), "{told:?}");
        if let Some(why) = &told.refused {
            assert!(
                why.ends_with(
                    "has sectors of 4096 bytes, and this machine was started by BIOS, which starts \
                     from those of 512 only"
                ),
                "{why}"
            );
        }
        let stays = Some(text("stick"));
        assert_eq!(question.default, chosen.map(text).or(stays));
    }
}

#[test]
fn nobody_is_led_to_erase_a_disk_and_no_other_box_is_asked() {
    let mut world = stick_world();
    world.facts.disks.retain(|disk| disk.boot || !disk.contents.is_empty());
    let mut interview = answered(&world, &[]);
    assert!(interview.seed().unwrap().1.install.is_none());
    assert_eq!(reopened(&mut interview, "install.disk").default, Some(text("stick")));
    let data = [("install.disk", text("serial:WD-WX12A345"))];
    let mut interview = answered(&world, &data);
    let consent = reopened(&mut interview, "install.serial:WD-WX12A345.consent").text;
    assert!(consent.contains("EVERYTHING ON IT IS LOST."), "{consent}");
    let asked: Vec<String> = interview.summary().into_iter().map(|line| line.id.0).collect();
    assert!(!asked.contains(&"storage.disk.serial:WD-WX12A345".to_owned()), "{asked:?}");
    // A seed that asked for it before fills in the disk, and never the consent.
    let (seed_text, _) = interview.seed().unwrap();
    let mut again = Interview::new(&world, prefill(seed_text.reveal()));
    while let Some(asked) = again.next() {
        let Some(default) = asked.question.default.clone() else { break };
        again.answer(&default).unwrap();
    }
    let open = again.next().unwrap().question.id.0;
    assert!(open == "admin.password" || open.ends_with(".consent"), "{open}");
    drop((again, interview));

    world.facts.disks.retain(|disk| disk.boot);
    let alone = answered(&world, &[]);
    assert!(!alone.summary().iter().any(|line| line.id.0.starts_with("install.")));
    let inside = box_world(true);
    let inside = answered(&inside, &[]);
    assert!(!inside.summary().iter().any(|line| line.id.0.starts_with("install.")));
}
