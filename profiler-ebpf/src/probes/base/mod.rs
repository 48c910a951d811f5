//! What every probe stands on; it knows no I/O.

pub mod atomic;
pub mod histogram;
pub mod in_flight;
pub mod loss;
pub mod map;
pub mod memory;
pub mod turn;
pub mod verifier;
pub mod window;
