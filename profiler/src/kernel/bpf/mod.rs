//! The only part that knows aya: loads the object, attaches its probes, brings processes into scope, and gives typed
//! access to the maps.

mod attach;
mod baseline;
pub mod btf;
mod calibration;
mod copies;
mod counters;
mod error;
pub mod limits;
mod loader;
pub mod map;
mod messages;
#[cfg(feature = "mute")]
mod mute;
mod object;
mod overhead;
pub mod probes;
mod program;
pub mod scope;
pub mod statistics;
mod structures;
mod verdict;
mod verifier;
pub mod window;

pub use attach::attach;
pub use aya::Ebpf;
pub use baseline::Baseline;
pub use calibration::{Calibration, CallCost, ProbeCost};
pub use copies::FirstCopies;
pub use counters::Runs;
pub use loader::{load, make_rows_of_other_files, set_call_kinds};
pub use messages::Messages;
pub use object::RECORD as OBJECT_RECORD;
pub use overhead::{Cost, Overhead};
pub use structures::enumerators;
pub use verdict::{AttachedProbe, AttachedProbes, Verdict};
pub use verifier::{Verified, Verifier};
