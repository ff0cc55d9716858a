//! Puts the report where people find it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use host::files;
use model::{paths, report::Report};

use crate::{
    Context,
    failure::{Context as _, Result},
};

/// Writes the report to [`paths::REPORT`] and, as `report.json` and `REPORT.TXT`, to the SEED
/// partition, so that a box without a screen can be understood on any PC. `text` is the report in
/// words. Both places are tried whatever happens to the other.
///
/// # Errors
/// The first place that could not be written.
pub fn publish(context: &Context, report: &Report, text: &str) -> Result<()> {
    let mut json =
        serde_json::to_string_pretty(report).because("the report cannot be put into words", "")?;
    json.push('\n');
    let on_box = write_on_box(context, &json);
    let on_medium = match &context.medium {
        None => Ok(()),
        Some(medium) => medium
            .with(&mut |folder: &Path| {
                replace(folder, "report.json", &json)?;
                // Notepad of older Windows shows a text without carriage returns as one line.
                replace(folder, "REPORT.TXT", &text.replace('\n', "\r\n"))
            })
            .because("the report cannot be left on the SEED partition", ""),
    };
    on_box.and(on_medium)
}

fn write_on_box(context: &Context, json: &str) -> Result<()> {
    files::ensure_folder(context.host.path(paths::STATE), 0o755, (0, 0))?;
    Ok(files::write_atomic(context.host.path(paths::REPORT), json, 0o644, (0, 0))?)
}

/// Replaces a file on a FAT file system, which knows neither owners nor modes.
fn replace(folder: &Path, name: &str, text: &str) -> host::Result<()> {
    let path = folder.join(name);
    let fresh = folder.join("REPORT.NEW");
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    };
    write().map_err(files::failed("write", &path))?;
    files::sync_folder(folder)
}
