//! What both sides compile.
#![no_std]
