//! Calls that were under way at the beginning and at the end.

use serde::{Deserialize, Serialize};

use super::file::FileKind;
use crate::text::Text;

/// When a call was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// As its thread came into scope.
    Beginning,
    /// As the measurement ended.
    End,
}

/// A call that had not returned. It is in no count of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallUnderWay {
    /// When it was under way.
    pub at: At,
    /// The number of its process, as the first namespace of PIDs has it.
    pub pid: u32,
    /// The number of its thread there.
    pub tid: u32,
    /// The name of the thread.
    pub thread_name: Text,
    /// The name of the call; null where ioprof has none for it.
    pub call: Option<Text>,
    /// What its descriptor stands for; null where it takes none as its first argument, or that is not known.
    pub file: Option<FileUnderWay>,
    /// Nanoseconds since it began; null where it began before its thread came into scope.
    pub age_ns: Option<u64>,
}

/// What a call that is under way is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileUnderWay {
    /// What it is.
    pub kind: FileKind,
    /// Its path; null where it has none, or it was not seen.
    pub path: Option<Text>,
}

/// The calls of a workload that were under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallsUnderWay {
    /// Those at the end first, the oldest first.
    pub calls: Vec<CallUnderWay>,
    /// How many there were besides; 255 are kept, of all workloads.
    pub more: u64,
}
