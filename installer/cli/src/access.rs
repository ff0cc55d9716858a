//! `access`: who may see what, and who can.

use engine::matrix::{Asker, measure};
use host::{Host, files, interrupt::Interrupt, probe};
use model::{paths, seed::Certificate};

use crate::{
    command_line::say,
    day_two::{need_root, pretty, read_seed},
    failure::Failure,
    inputs, lock,
};

/// Shows what every URL answers to every kind of visitor; 0 if that is what the catalogue says, 4
/// if not, or if it could not be measured.
///
/// # Errors
/// There is no seed, or it was stopped.
pub fn access(host: &Host, wake: bool, json: bool) -> Result<u8, Failure> {
    need_root("access")?;
    let (seed, _) = read_seed(host, None)?;
    let (catalogue, facts) = inputs::gathered(host, &seed, probe::facts(host)?)?;
    let matrix = model::plan::matrix(&seed, &catalogue, &facts)?;
    let _lock = lock::take_users(host, "access")?;
    let authority = match seed.domain.certificate {
        Certificate::Local => {
            files::read_text_optional(host.path(format!("{}/ca.pem", paths::AUTHORITY)))?
        }
        Certificate::Acme { .. } => None,
    };
    // Before there is an account that a signal could leave behind.
    let interrupt = Interrupt::watch()?;
    let asker = Asker { host, matrix: &matrix, authority, wake, interrupt: &interrupt };
    let measured = measure(&asker).map_err(|trouble| Failure::trouble(&trouble))?;
    say(&if json { pretty(&measured)? } else { terminal::matrix::text(&measured) });
    Ok(if measured.holds { 0 } else { 4 })
}
