//! Bounds how far readers run ahead of ordered results.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many files may be begun beyond the first that is not done: bounds the results that wait for their turn.
const AHEAD: u64 = 4096;

#[derive(Debug)]
struct State {
    /// Every file before this one is done.
    done: u64,
    open: bool,
}

/// Lets readers begin only files that are not far ahead of the results.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    ordered: bool,
}

impl Gate {
    /// An open gate; one that is not `ordered` lets every file through.
    pub fn new(ordered: bool) -> Self {
        Self {
            state: Mutex::new(State {
                done: 0,
                open: true,
            }),
            changed: Condvar::new(),
            ordered,
        }
    }

    /// Waits until file number `number` may be begun; returns false once the gate is closed. Files are begun in order, so
    /// the first that is not done is always let through, and the others follow.
    pub fn wait(&self, number: u64) -> bool {
        if !self.ordered {
            return true;
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed
            .wait_while(state, |state| state.open && number >= state.done + AHEAD)
            .unwrap_or_else(PoisonError::into_inner)
            .open
    }

    /// Every file before number `done` is done.
    pub fn advance(&self, done: u64) {
        if self.ordered {
            self.change(|state| state.done = done);
        }
    }

    /// Lets all waiting readers go; no file is to be begun any more. A reader that leaves a file out must close the gate:
    /// others may wait for that file.
    pub fn close(&self) {
        self.change(|state| state.open = false);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}
