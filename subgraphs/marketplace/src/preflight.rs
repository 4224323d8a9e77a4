//! What would stop the start, found before anything starts and told in one line.

use std::fs::{File, OpenOptions, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Checks that a port is free. `variable` is what moves it.
///
/// # Errors
/// One sentence naming the port and the variable.
pub(crate) fn port_is_free(port: u16, what: &str, variable: &str) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "port {port} for the {what} is not free ({error}): stop what listens there, or set {variable}"
        ),
    }
}

/// Takes the data folder for this process, making it where it is missing; held until the file is dropped.
///
/// # Errors
/// When another marketplace uses the folder, or it cannot be written.
pub(crate) fn take_data_folder(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    let path = folder.join("marketplace.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot write in the data folder {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "the data folder {} is in use by another marketplace: stop it, or set DATA_DIR",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
