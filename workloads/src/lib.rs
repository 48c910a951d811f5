//! The workloads that ioprof brings.
