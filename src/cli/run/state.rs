//! The daemon's state folder: the store, and the token of whoever may read it.

use crate::config::Settings;
use crate::notify::secret;
use crate::store::Store;
use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The folder where neither the command line nor the settings name one.
pub(in crate::cli) const FOLDER: &str = "wheelwright-state";
/// The file in it that holds the token, where the settings name no other.
pub(in crate::cli) const TOKEN_FILE: &str = "token";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What was opened.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) token: String,
    /// Where the token is, as people read it.
    pub(super) token_place: String,
}

/// The state folder: the command line's, the settings', or one in the working directory.
pub(in crate::cli) fn folder(named: Option<&Path>, settings: &Settings) -> PathBuf {
    let of_settings = || settings.state.folder.as_ref().map(PathBuf::from);
    named.map(Path::to_owned).or_else(of_settings).unwrap_or_else(|| PathBuf::from(FOLDER))
}

/// Opens what is remembered; nobody else can from then on.
pub(super) fn store(folder: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(folder)?.0)
}

/// Opens what is remembered, if it is not, and reads or makes the token.
pub(super) fn open(folder: &Path, settings: &Settings, opened: Option<Store>) -> anyhow::Result<Opened> {
    let store = opened.map_or_else(|| store(folder), Ok)?;
    let (token, token_place) = token(folder, settings)?;
    Ok(Opened { store, token, token_place })
}

/// The token, from where the settings say or else from the state folder, where one is made the first time.
fn token(folder: &Path, settings: &Settings) -> anyhow::Result<(String, String)> {
    if let Some(named) = &settings.http.token {
        let token = secret::read(named, &secret::environment).context("[http] token")?;
        return Ok((token.expose().to_owned(), "as [http] says".into()));
    }
    let path = folder.join(TOKEN_FILE);
    let place = path.display().to_string();
    if !path.exists() {
        make_token(&path).with_context(|| format!("making a token in {place}"))?;
    }
    let mode = std::fs::metadata(&path).with_context(|| format!("reading {place}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "{place} can be read by others than its owner (mode {:o}): chmod 600, or take it away and a new one is made",
            mode & 0o777
        );
    }
    Ok((read_token(&path)?, place))
}

/// Reads a token file.
pub(in crate::cli) fn read_token(path: &Path) -> anyhow::Result<String> {
    let from = crate::model::settings::Secret::File(path.display().to_string());
    Ok(secret::read(&from, &secret::environment)?.expose().to_owned())
}

fn make_token(path: &Path) -> anyhow::Result<()> {
    let bytes: [u8; TOKEN_BYTES] = random()?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    Ok(())
}

/// Bytes that nobody can foretell.
pub(in crate::cli) fn random<const COUNT: usize>() -> anyhow::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}

/// A number from 0 to 1 that nobody can foretell; the middle, where the system gives none.
pub(in crate::cli) fn random_share() -> f64 {
    random().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// Any number.
pub(in crate::cli) fn random_number() -> u64 {
    random().map_or(0, u64::from_le_bytes)
}
