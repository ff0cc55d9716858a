use super::*;

fn shell(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

fn error(command: &Command) -> CommandError {
    SystemRunner.run(command).unwrap_err()
}

/// The message without its duration.
fn message(error: &CommandError) -> String {
    error.to_string().replace(&format!("{:.1} s", error.seconds), "N s")
}

#[test]
fn both_streams_come_back() {
    let output = SystemRunner.run(&shell("echo out; echo err >&2")).unwrap();
    assert_eq!(output, Output { stdout: "out\n".into(), stderr: "err\n".into() });
}

#[test]
fn the_environment_is_clean() {
    let output = SystemRunner.run(&Command::new("env").env("COLUMNS", "80")).unwrap();
    let mut variables: Vec<&str> = output.stdout.lines().collect();
    variables.sort_unstable();
    assert_eq!(
        variables,
        [
            "COLUMNS=80",
            "HOME=/root",
            "LANG=C.UTF-8",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        ]
    );
}

#[test]
fn stdin_is_closed_or_fed() {
    assert_eq!(SystemRunner.run(&Command::new("cat")).unwrap().stdout, "");
    let fed = Command::new("cat").stdin(model::Secret::new("hush"));
    assert_eq!(SystemRunner.run(&fed).unwrap().stdout, "hush");
}

#[test]
fn more_than_a_pipe_holds_goes_in_and_comes_out() {
    let text = "0123456789abcdef\n".repeat(100_000);
    let output = SystemRunner.run(&Command::new("cat").stdin_text(text.clone())).unwrap();
    assert!(output.stdout == text);
}

#[test]
fn a_program_that_does_not_read_its_stdin_may_succeed() {
    let command = Command::new("true").stdin_text("x".repeat(1 << 20));
    assert_eq!(SystemRunner.run(&command).unwrap(), Output::default());
}

#[test]
fn a_failure_tells_command_exit_and_last_words() {
    let error = error(&shell("echo 'it is'; echo 'full' >&2; exit 3"));
    assert_eq!(error.status, Some(3));
    assert_eq!(
        message(&error),
        "`sh -c 'echo '\\''it is'\\''; echo '\\''full'\\'' >&2; exit 3'` exited with 3 after N s; \
         last output:\nit is\nfull"
    );
}

#[test]
fn only_the_last_lines_of_a_long_output_are_shown() {
    let error = error(&shell("seq 10000; exit 1"));
    let shown: Vec<&str> = error.tail.lines().skip(1).collect();
    assert!(error.tail.len() <= TAIL + "; last output:\n".len());
    assert_eq!(shown.last(), Some(&"10000"));
    assert_eq!(shown.first().map(|line| line.len()), Some(4), "a whole line: {:?}", shown.first());
}

#[test]
fn signals_have_names() {
    assert_eq!(error(&shell("kill -KILL $$")).exit, "was killed by SIGKILL");
}

#[test]
fn a_missing_program_is_said_to_be_missing() {
    let error = error(&Command::new("no-such-program").arg("--help"));
    assert_eq!(message(&error), "`no-such-program --help` is not installed after N s");
    assert_eq!(error.status, None);
}

#[test]
fn a_missing_folder_is_not_taken_for_a_missing_program() {
    let error = error(&Command::new("true").directory("/no/such/folder"));
    assert_eq!(error.exit, "needs the folder `/no/such/folder`, which is not there");
}

#[test]
fn a_time_limit_ends_grandchildren_too() {
    // The grandchild holds stdout open: were it not killed, this test would last a minute.
    let command = shell("echo begun; sleep 60 & wait").timeout(Duration::from_millis(200));
    let error = error(&command);
    assert_eq!(error.exit, "took longer than 0.2 s");
    assert_eq!(error.tail, "; last output:\nbegun");
    assert!(error.seconds < 30.0, "the limit had no effect");
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    let command = shell("trap '' TERM; while :; do sleep 1; done");
    assert_eq!(error(&command.timeout(Duration::from_secs(1))).exit, "took longer than 1 s");
}

#[test]
fn lines_are_reported_while_they_come() {
    let mut seen = Vec::new();
    let output = SystemRunner
        .run_with_lines(&shell(r"printf 'one\ntwo\r50%%\rthree'"), &mut |line| {
            seen.push(line.to_owned());
        })
        .unwrap();
    assert_eq!(seen, ["one", "two", "50%", "three"]);
    assert_eq!(output.stdout, "one\ntwo\r50%\rthree");
}

#[test]
fn a_reader_is_piped_through_to_a_writer() {
    let mut input = io::repeat(b'x').take(3_000_000);
    let mut result = Vec::new();
    let mut lines = Vec::new();
    let output = SystemRunner
        .run_with(
            &shell("cat; echo done >&2"),
            Streams {
                stdin: Some(&mut input),
                stdout: Some(&mut result),
                lines: Some(&mut |line| lines.push(line.to_owned())),
            },
        )
        .unwrap();
    assert_eq!(result.len(), 3_000_000);
    assert_eq!(output.stdout.len(), TAIL);
    assert_eq!(lines, ["done"]);
}

#[test]
fn a_broken_input_is_an_error_although_the_program_succeeds() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the tar is torn"))
        }
    }
    let error = SystemRunner
        .run_with(&Command::new("cat"), Streams { stdin: Some(&mut Broken), ..Streams::default() })
        .unwrap_err();
    assert_eq!(error.exit, "could not be given its input (the tar is torn)");
}

#[test]
fn a_full_output_is_an_error() {
    let mut small = [0_u8; 10];
    let mut writer = &mut small[..];
    let error = SystemRunner
        .run_with(&shell("seq 100000"), Streams { stdout: Some(&mut writer), ..Streams::default() })
        .unwrap_err();
    assert!(
        error.exit.ends_with("could not hand on its output (failed to write whole buffer)"),
        "{}",
        error.exit
    );
}
