//! The search for settings: which are tried, which stay, and what the best of them gains.
//!
//! Successive halving (Jamieson, Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
//! 2016): many settings are run once, a third of them twice, a third of these four times. What is left at the end is run
//! in turns with the default, anew: the runs by which settings were chosen say too much of them.

mod gain;
mod outcome;
mod rank;
mod schedule;
mod space;

pub use gain::{fewest_rounds, gain};
pub use outcome::{Latencies, Run, outcome};
pub use rank::{meets, ranked};
pub use schedule::{Step, schedule};
pub use space::{Dimension, Place, Space};
