//! Build times, from nothing and from the cache, in one run on one machine.

mod flash;

use std::{fmt::Write as _, time::Duration};

use host::command::Runner;

use crate::{
    build::{self, Inputs},
    error::{At as _, Result},
    progress::Progress,
};

pub use flash::flash;

/// Builds with an empty cache and again with the full one; neither touches the caller's image.
///
/// # Errors
/// Those of a build.
pub fn bench(inputs: &Inputs, runner: &dyn Runner, progress: &Progress) -> Result<String> {
    std::fs::create_dir_all(&inputs.output).at("create", &inputs.output)?;
    let scratch = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(&inputs.output)
        .at("create", &inputs.output)?;
    let inputs = Inputs {
        output: scratch.path().join("output"),
        cache: scratch.path().join("cache"),
        ..inputs.clone()
    };
    let mut runs = Vec::new();
    for name in ["cold", "warm"] {
        progress.line(&format!("{name}:"));
        let before = progress.times().len();
        build::build(&inputs, runner, progress)?;
        runs.push((name, progress.times().split_off(before)));
    }
    Ok(table(&runs))
}

type Phases = Vec<(String, Duration)>;

fn table(runs: &[(&str, Phases)]) -> String {
    let mut text = String::from("phase       ");
    for (name, _) in runs {
        let _ = write!(text, "{:>10}", format!("{name} [s]"));
    }
    text.push('\n');
    let phases: Vec<&String> =
        runs.iter().take(1).flat_map(|(_, p)| p.iter().map(|p| &p.0)).collect();
    for phase in phases {
        let _ = write!(text, "{phase:<12}");
        for (_, times) in runs {
            let took = times.iter().find(|(name, _)| name == phase).map(|(_, took)| *took);
            let _ = write!(text, "{:>10.1}", took.unwrap_or_default().as_secs_f64());
        }
        text.push('\n');
    }
    text.push_str("sum         ");
    for (_, times) in runs {
        let sum: Duration = times.iter().map(|(_, took)| *took).sum();
        let _ = write!(text, "{:>10.1}", sum.as_secs_f64());
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_stand_side_by_side_with_their_sum() {
        let phase = |name: &str, seconds| (name.to_owned(), Duration::from_secs(seconds));
        let runs =
            [("cold", vec![phase("base", 80), phase("root", 5)]), ("warm", vec![phase("root", 4)])];
        assert_eq!(
            table(&runs),
            "phase         cold [s]  warm [s]\n\
             base              80.0       0.0\n\
             root               5.0       4.0\n\
             sum               85.0       4.0\n"
        );
    }
}
