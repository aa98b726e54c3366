//! Watches a lease of somebody else, by one's own clock.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::guard::Guard;
use super::holder::{Holder, Life, Written};
use super::take_away;
use crate::StoreError;

/// What one process has seen of the lease of a run, and since when.
#[derive(Debug)]
pub struct LeaseWatch {
    folder: PathBuf,
    seen: Option<(Written, Instant)>,
}

impl LeaseWatch {
    /// Of the run in `folder`; nothing seen yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: None }
    }

    /// Who holds the run now. A lease whose holder is gone, or that did not change for its whole time to live while it
    /// was watched, is taken away: then nobody does. To be asked more than once within that time.
    ///
    /// # Errors
    /// When the lease cannot be read or taken away.
    pub fn holder(&mut self) -> Result<Option<Holder>, StoreError> {
        let Some(written) = Written::read(&self.folder)? else {
            self.seen = None;
            return Ok(None);
        };
        let life = written.life(&self.folder);
        let silent = match &self.seen {
            Some((before, since)) if *before == written => since.elapsed() > written.ttl(),
            _ => {
                self.seen = Some((written.clone(), Instant::now()));
                false
            }
        };
        if life == Life::Gone || (life == Life::Unknown && silent) {
            if take_away(&self.folder, |now| now == &written)? && life != Life::Gone {
                Guard::overrun(&self.folder);
            }
            self.seen = None;
            // If another was quicker, the next look tells.
            return Ok(None);
        }
        let unknown = || Holder::unknown(&self.folder);
        Ok(Some(written.holder.unwrap_or_else(unknown)))
    }
}
