//! Calls of numbers that ioprof knows no call of are told apart from the known ones without a name.

use crate::support::{profile, program::Program};

#[test]
fn calls_without_a_known_number_are_shown_by_it() {
    requires!("cc");
    let program = Program::compile("unknown_calls");
    let report = profile(&[], &program.with(&[]));
    for (name, calls) in [("syscall 510", 3), ("syscall 359", 2), ("unknown", 4 + 5)] {
        let call = report.call(name);
        assert_eq!((call.calls, call.bytes), (calls, None), "{name}");
        assert_eq!(call.errors.get("ENOSYS"), Some(&calls), "{name}");
        assert_eq!(call.latency.count, calls, "{name}");
    }
    let other = report.call("other");
    assert_eq!(other.errors.get("ENOSYS"), None, "{other:?}");
}
