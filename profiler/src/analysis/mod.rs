//! Conclusions from a report: pure functions over the model, that say what its figures mean and whether they hold.
#![warn(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a report may come from anywhere, and an overflow would end the program"
)]

mod busiest;
pub mod calibrations;
pub mod ceiling;
pub mod compare;
mod counters;
mod median;
mod random;
mod reliability;
mod rules;
pub mod share_of_ceiling;
pub mod sweep;
mod time_spent;
pub mod tune;
pub mod tune_system;

pub use busiest::{Busiest, busiest};
pub use counters::{Cause, cause};
pub use reliability::{Doubt, doubts};
pub use rules::{IDS, judge};
pub use time_spent::{Activity, Part, TimeSpent, time_spent, time_spent_by};
