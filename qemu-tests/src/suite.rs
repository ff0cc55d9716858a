//! Every layer of tests, and their sum: what `make test` runs.
//!
//! A layer's tests are counted by its own last lines (`test result: …`); a layer that is one
//! question (is it formatted? are two builds alike?) counts as one test. A layer that never says
//! how it ended has failed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Args;

use crate::program::{Program, Said};

/// What may be left out.
#[derive(Args)]
pub struct Options {
    /// Only layers whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// The slow ones, too
    #[arg(long)]
    all: bool,
    /// Where logs and results go
    #[arg(long, default_value = "build/qemu-tests")]
    results: PathBuf,
}

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

/// How a layer's result is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Its exit status answers one question.
    OneQuestion,
    /// It prints `test result:` lines.
    TestResults,
}

struct Layer {
    name: &'static str,
    reading: Reading,
    program: fn(&Options) -> Result<Program>,
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "format",
        reading: Reading::OneQuestion,
        program: |_| Ok(cargo(&["fmt", "--all", "--check"])),
    },
    Layer {
        name: "lints",
        reading: Reading::OneQuestion,
        program: |_| {
            Ok(cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ]))
        },
    },
    Layer {
        name: "crates",
        reading: Reading::TestResults,
        program: |options| {
            let tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
            // Properties are tried on far more cases than a short run has time for.
            Ok(if options.all { tests.env("PROPTEST_CASES", "20000") } else { tests })
        },
    },
    Layer {
        name: "checkers",
        reading: Reading::TestResults,
        program: |options| {
            let results = options.results.join("checkers");
            Ok(own()?.arg("checkers").args(slow(options)).arg("--results").arg(results))
        },
    },
    Layer { name: "image-twice", reading: Reading::OneQuestion, program: image_twice },
    Layer {
        name: "machines",
        reading: Reading::TestResults,
        program: |options| {
            Ok(own()?.arg("run").args(slow(options)).arg("--results").arg(&options.results))
        },
    },
];

/// The word by which the slow ones are asked for.
fn slow(options: &Options) -> &'static [&'static str] {
    if options.all { &["--all"] } else { &[] }
}

/// This program.
fn own() -> Result<Program> {
    Ok(Program::new(std::env::current_exe().context("cannot find this program")?))
}

/// The toolchain's own front door.
fn cargo(words: &[&str]) -> Program {
    Program::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(words)
}

/// Builds the image a second time, beside the first one, and compares every byte. What comes from
/// Debian is taken from the cache, unless the slow tests are asked for.
fn image_twice(options: &Options) -> Result<Program> {
    let again = "build/again";
    let cache = if options.all { "build/again/cache" } else { "build/cache" };
    let script = format!(
        "rm -rf {again} && target/release/homelab-image build --output {again} --cache {cache} && \
         for image in {again}/*.raw {again}/*.map.json; do cmp \"$image\" build/\"${{image##*/}}\" || exit 1; done && \
         rm -rf {again}"
    );
    Ok(Program::new("sh").args(["-c", &script]))
}

/// Runs the layers one after the other; the exit status.
///
/// # Errors
/// The folder for logs cannot be made.
pub fn run(options: &Options) -> Result<i32> {
    fs::create_dir_all(&options.results).context("cannot make the folder for results")?;
    let mut sum = Count::default();
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    for layer in LAYERS {
        if options.only.as_ref().is_some_and(|only| !layer.name.contains(only.as_str())) {
            continue;
        }
        println!("--- {}", layer.name);
        let begun = Instant::now();
        let log = options.results.join(format!("{}.log", layer.name));
        let said = (layer.program)(options).and_then(|program| program.finish_aloud(&log));
        let count = match &said {
            Ok(said) => count(layer.reading, said),
            Err(error) => {
                println!("{error:#}");
                Count { passed: 0, failed: 1 }
            }
        };
        if let (Ok(said), Reading::TestResults) = (&said, layer.reading) {
            failures.extend(reasons(&said.stdout));
        }
        sum.passed += count.passed;
        sum.failed += count.failed;
        let seconds = begun.elapsed().as_secs();
        lines.push(format!(
            "{:<12} {:>4} passed, {} failed ({seconds} s; {})",
            layer.name,
            count.passed,
            count.failed,
            shown(&log)
        ));
    }
    // At the very end, since of a long record often only that is kept.
    println!("---\n{}", lines.join("\n"));
    failures.iter().for_each(|line| println!("{line}"));
    println!("{} passed, {} failed", sum.passed, sum.failed);
    Ok(if sum.failed == 0 && sum.passed > 0 { 0 } else { 1 })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A layer's count. A bad exit status always counts as a failure, also if no test failed: then
/// it did not even build, or fell over.
fn count(reading: Reading, said: &Said) -> Count {
    let mut count = match reading {
        Reading::OneQuestion => Count { passed: usize::from(said.status == 0), failed: 0 },
        Reading::TestResults => {
            said.stdout.lines().filter_map(parse_result).fold(Count::default(), |sum, next| Count {
                passed: sum.passed + next.passed,
                failed: sum.failed + next.failed,
            })
        }
    };
    if count.failed == 0 && (said.status != 0 || count.passed == 0) {
        count.failed = 1;
    }
    count
}

/// Characters of a failure's message in the summary.
const REASON: usize = 700;

/// One line for each failed test: its name, and what it said between `---- NAME ----` and the next
/// heading.
fn reasons(stdout: &str) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for line in stdout.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" ----")) {
            reasons.push((name.trim_end_matches(" stdout").to_owned(), Vec::new()));
            inside = true;
        } else if line == "failures:" || line.starts_with("test result: ") {
            inside = false;
        } else if inside && !line.is_empty() {
            if let Some((_, words)) = reasons.last_mut() {
                words.push(line);
            }
        }
    }
    let told = |(name, words): (String, Vec<&str>)| {
        let words: String = words.join(" / ").chars().take(REASON).collect();
        format!("FAILED {name}: {words}")
    };
    reasons.into_iter().map(told).collect()
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`
fn parse_result(line: &str) -> Option<Count> {
    let (_, numbers) = line.split_once("test result: ")?.1.split_once(". ")?;
    let number = |word: &str| {
        let part = numbers.split(';').find_map(|part| part.trim().strip_suffix(word))?;
        part.trim().parse().ok()
    };
    Some(Count { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: i32, stdout: &str) -> Said {
        Said { status, stdout: stdout.to_owned(), stderr: String::new() }
    }

    #[test]
    fn sums_the_results_of_a_layer() {
        let text = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let count = count(Reading::TestResults, &said(101, text));
        assert_eq!(count, Count { passed: 7, failed: 2 });
    }

    #[test]
    fn a_failure_is_told_in_one_line() {
        let text = "test cut::a ... FAILED\n\nfailures:\n\n---- cut::a ----\nit went off\n  \
            last event: x\n\n---- lib::b stdout ----\n\nthread panicked\n\n\nfailures:\n    \
            cut::a\n    lib::b\n\ntest result: FAILED. 0 passed; 2 failed; 0 ignored\n";
        assert_eq!(
            reasons(text),
            ["FAILED cut::a: it went off / last event: x", "FAILED lib::b: thread panicked"]
        );
        assert!(reasons("test result: ok. 3 passed; 0 failed; 0 ignored\n").is_empty());
    }

    #[test]
    fn silence_and_a_bad_end_are_failures() {
        let reading = Reading::TestResults;
        assert_eq!(count(reading, &said(0, "")), Count { passed: 0, failed: 1 });
        let ok = "test result: ok. 3 passed; 0 failed; 0 ignored";
        assert_eq!(count(reading, &said(101, ok)), Count { passed: 3, failed: 1 });
        assert_eq!(count(Reading::OneQuestion, &said(0, "")), Count { passed: 1, failed: 0 });
        assert_eq!(count(Reading::OneQuestion, &said(1, "")), Count { passed: 0, failed: 1 });
    }
}
