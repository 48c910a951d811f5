//! ioprof.
