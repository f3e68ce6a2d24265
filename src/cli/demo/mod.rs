//! demo
use super::Exit;
use super::context::Screen;
pub(super) async fn run(_screen: Screen, _once: bool) -> anyhow::Result<Exit> {
    Ok(Exit::Done)
}
