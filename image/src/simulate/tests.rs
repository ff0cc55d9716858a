use host::fake::ScriptedRunner;

use super::*;

const RULE: &str =
    "===============================================================================";

fn read(text: &str) -> Seed {
    model::seed::parse("seed.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn card(title: &str, body: &str) -> String {
    format!("{RULE}\n homelab{title}\n\n{body}\n{RULE}\n")
}

#[test]
fn the_final_page_is_the_last_card_about_an_end() {
    let waiting = card(" 0.1.0: this box waits for its seed", " Addresses");
    let ready = card(": the box is ready", " Start here     https://auth.x");
    assert_eq!(final_page(""), None);
    assert_eq!(final_page(&waiting), None);
    let console =
        format!("[    1.0] Linux\r\n{waiting}\u{1b}[0;1;39mok\u{1b}[0m\n{ready}\nhomelab login: ");
    assert_eq!(final_page(&console.replace('\n', "\r\n")), Some(ready.clone()));
    // Half of it is not yet the page.
    let half = &ready[..ready.len() - 10];
    assert_eq!(final_page(&format!("{waiting}{half}")), None);
    let failed = card(": step 3 of 3 failed: Images: 12", " Why            no route");
    assert_eq!(final_page(&format!("{ready}{failed}")), Some(failed));
}

/// QEMU is a stand-in here: it says at once all that it ever says.
fn watched(events: &str, console: &str) -> (Ending, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.log");
    fs::write(&path, console).unwrap();
    let runner = ScriptedRunner::default();
    runner.answer([run::QEMU], events);
    let interrupt = Interrupt::default();
    let watch = Watch {
        runner: &runner,
        command: &Command::new(run::QEMU),
        control: &folder.path().join("control"),
        console: &path,
        at_most: Duration::from_secs(60),
        interrupt: &interrupt,
    };
    let mut said = Vec::new();
    let ending = watch.watch(&mut |line| said.push(line.to_owned()));
    (ending, said)
}

#[test]
fn events_are_told_and_the_first_end_counts() {
    let digest = model::Digest::of("x");
    let events = format!(
        "qemu: a warning\n{{\"event\": \"seed-accepted\", \"digest\": \"{digest}\", \"source\": \
         \"the credential\"}}\n\
         {{\"event\": \"finished\", \"verdict\": {{\"verdict\": \"installed\"}}}}\n\
         {{\"event\": \"finished\", \"verdict\": {{\"verdict\": \"refused\"}}}}\n"
    );
    let (ending, said) = watched(&events, &card(": the box is ready", ""));
    assert_eq!(ending, Ending::Ready);
    assert!(said.iter().any(|line| line.contains("the credential")), "{said:?}");
    let failed = "{\"event\": \"finished\", \"verdict\": {\"verdict\": \"failed\", \"step\": \
                  \"images\"}}\n";
    assert_eq!(watched(failed, "").0, Ending::Failed("step `images` failed".into()));
    let refused = "{\"event\": \"seed-refused\", \"problems\": [\"seed.toml: too big\"]}\n";
    assert_eq!(watched(refused, "").0, Ending::Refused(vec!["seed.toml: too big".into()]));
    assert_eq!(watched("", "").0, Ending::Gone("it was switched off".into()));
}

/// A program that never ends by itself, and listens on the control socket as QEMU does.
struct Endless<'a>(&'a Path);

impl host::Runner for Endless<'_> {
    fn run(&self, _: &Command) -> std::result::Result<host::Output, host::command::CommandError> {
        use std::io::{BufRead as _, BufReader};
        let socket = std::os::unix::net::UnixListener::bind(self.0).unwrap();
        let (stream, _) = socket.accept().unwrap();
        let mut lines = BufReader::new(stream).lines().map(std::result::Result::unwrap);
        assert_eq!(lines.next().unwrap(), "{\"execute\": \"qmp_capabilities\"}");
        assert_eq!(lines.next().unwrap(), "{\"execute\": \"quit\"}");
        Ok(host::Output::default())
    }
}

#[test]
fn a_machine_that_takes_too_long_or_is_not_wanted_any_more_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    for (at_most, stop) in [(0, false), (600, true)] {
        let interrupt = Interrupt::default();
        if stop {
            interrupt.raise();
        }
        let watch = Watch {
            runner: &Endless(&control),
            command: &Command::new(run::QEMU),
            control: &control,
            console: &folder.path().join("console"),
            at_most: Duration::from_secs(at_most),
            interrupt: &interrupt,
        };
        let ending = watch.watch(&mut |_| {});
        assert_eq!(ending, if stop { Ending::Stopped } else { Ending::TooLong(0) });
        fs::remove_file(&control).unwrap();
    }
}

#[test]
fn a_machine_that_does_not_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let runner = ScriptedRunner::default();
    runner.fail([run::QEMU], 1, "qemu: -drive: Could not open 'disk.qcow2'");
    let watch = Watch {
        runner: &runner,
        command: &Command::new(run::QEMU),
        control: &folder.path().join("control"),
        console: &folder.path().join("console"),
        at_most: Duration::from_secs(60),
        interrupt: &Interrupt::default(),
    };
    let ending = watch.watch(&mut |_| {});
    let why = "qemu: -drive: Could not open 'disk.qcow2'".to_owned();
    assert_eq!(ending, Ending::Gone(why));
    let error = told(ending, Path::new("/nowhere/console.log")).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert_eq!(
        error.to_string(),
        "the virtual machine ended before the box: qemu: -drive: Could not open 'disk.qcow2'\n    \
         = the whole console lies in `/nowhere/console.log`"
    );
}

#[test]
fn each_ending_has_its_exit_and_shows_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let console = folder.path().join("console.log");
    let page = card(": the box is ready", " Start here     https://auth.x");
    fs::write(&console, &page).unwrap();
    assert_eq!(told(Ending::Ready, &console).unwrap(), page);
    let refused = told(Ending::Refused(vec!["a".into(), "b".into()]), &console).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().starts_with("the box refused the seed: a; b\n====="));
    let failed = told(Ending::Failed("step `images` failed".into()), &console).unwrap_err();
    assert_eq!(failed.exit_code(), 4);
    assert!(failed.to_string().starts_with("the box says: step `images` failed\n====="));
    let late = told(Ending::TooLong(3600), Path::new("/nowhere")).unwrap_err().to_string();
    assert!(
        late.starts_with(
            "the box did not come to an end in 60 minutes; `--minutes` gives it more\n    ="
        ),
        "{late}"
    );
}

#[test]
fn a_seed_that_asks_is_refused_before_anything_starts() {
    let seed = read(
        "schema = 1\n[admin]\nname = \"alex\"\npassword = { ask = true }\n[backup]\n\
         password = { ask = true }\n",
    );
    let error = nobody_is_asked(Path::new("seed.toml"), &seed).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        error.to_string(),
        "seed.toml: it wants to ask for `admin-password`, `backup-password` at the console, where \
         nobody types in a simulation\n    = write them out in a copy of the seed, or type them \
         in `homelab-image run --seed`"
    );
}

#[test]
fn files_beside_the_seed_are_written_in() {
    let text = "schema = 1\n[admin]\nname = \"alex\"\npassword = { file = \"pw.txt\" }\n";
    let beside = vec![("pw.txt".to_owned(), b"correct horse battery\n".to_vec())];
    let alone = self_contained(text, &read(text), &beside);
    assert!(alone.contains("password = \"correct horse battery\"\n"), "{alone}");
    let again = read(&alone);
    assert!(again.secrets().iter().all(|(_, source)| !matches!(source, SecretSource::File(_))));
    // Without such files the owner's own text is handed in, byte for byte.
    assert_eq!(self_contained(text, &read(text), &Vec::new()), text);
}

#[test]
fn the_machine_is_heard_and_told_to_end() {
    let words = shown(Path::new("/b/console.log"), Path::new("/b/con,trol")).join(" ");
    for part in [
        "-serial file:/b/console.log",
        "-chardev file,id=events,path=/dev/stdout",
        "-device virtserialport,chardev=events,name=org.homelab.events",
        "-qmp unix:/b/con,,trol,server=on,wait=off",
    ] {
        assert!(words.contains(part), "{part} not in {words}");
    }
}

#[test]
fn the_newest_image_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let error = newest(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "` has no image to simulate\n    = build one (`make image`), or name one with --image"
        ),
        "{error}"
    );
    for (name, age) in [("homelab-1-amd64.raw", 50), ("homelab-2-amd64.raw", 5), ("x.raw", 1)] {
        let file = fs::File::create(path(name)).unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(age);
        file.set_modified(then).unwrap();
    }
    fs::write(path("homelab-3-amd64.json"), "").unwrap();
    assert_eq!(newest(folder.path()).unwrap(), path("homelab-2-amd64.raw"));
}

/// The box's events go to a file that is our pipe: whoever opens it by this name writes to us.
#[test]
fn what_is_written_to_the_name_of_standard_output_is_heard() {
    use host::command::Runner as _;
    let mut heard = Vec::new();
    let command = Command::new("sh").args(["-c", "echo one > /dev/stdout; echo two > /dev/stdout"]);
    SystemRunner.run_with_lines(&command, &mut |line| heard.push(line.to_owned())).unwrap();
    assert_eq!(heard, ["one", "two"]);
}
