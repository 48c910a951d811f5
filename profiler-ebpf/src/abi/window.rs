//! The window in which events count: for all programs it begins in one instant and ends in one. User space writes its
//! state, which every program reads.

/// The probes are being attached: nothing counts, and tasks come into scope.
pub const NOT_YET: u64 = 0;
/// Events count. Any larger number is the time of the end, in nanoseconds of the monotonic clock: nothing counts any more.
pub const OPEN: u64 = 1;

/// Where its state stands in the map.
pub const STATE: u32 = 0;
/// Where the time stands at which it was open, in nanoseconds of the monotonic clock; 0 until that is known.
pub const OPENED: u32 = 1;
