//! How much of the stack the programs of an object take: kernels refuse one whose calls within calls take more than
//! 512 bytes in all, some by a stricter count than others, and it is found here before a machine with such a kernel finds it.

use std::collections::BTreeMap;

use object::read::elf::ElfFile64;
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind,
};

use crate::error::{Error, Result};

/// `MAX_BPF_STACK` of include/linux/filter.h.
const LIMIT: u64 = 512;

/// What a frame is rounded up to, and the least that it counts (`check_max_stack_depth` of kernel/bpf/verifier.c, as of
/// Linux 6.1; later kernels round to 16 where a program is compiled, or give the functions stacks of their own).
const ROUNDED_TO: u64 = 32;

/// `MAX_CALL_FRAMES` of include/linux/bpf_verifier.h.
const MAX_CALLS: usize = 8;

const INSTRUCTION_BYTES: usize = 8;
/// `r10`, the frame pointer.
const FRAME_POINTER: usize = 10;
const REGISTERS: usize = 16;

/// `BPF_PSEUDO_CALL` of include/uapi/linux/bpf.h: a call of a function, not of a helper.
const CALL_OF_FUNCTION: usize = 1;
/// Opcodes of include/uapi/linux/bpf.h, and the class in their lowest bits.
const LOAD_IMMEDIATE: u8 = 0x18;
const CALL: u8 = 0x85;
const MOVE: u8 = 0xbf;
const ADD_IMMEDIATE: u8 = 0x07;
const CLASS: u8 = 0x07;
const CLASS_LOAD: u8 = 0x01;
const CLASS_STORE: u8 = 0x02;
const CLASS_STORE_REGISTER: u8 = 0x03;
const CLASS_ALU: u8 = 0x04;
const CLASS_ALU64: u8 = 0x07;

/// Where a function begins: its section, and the byte there.
type Place = (usize, u64);

/// What an instruction refers to.
#[derive(Clone, Copy)]
enum Target {
    Function(Place),
    /// A function in it, which the instruction tells by how far it is.
    Section(usize),
}

/// A function of an object.
#[derive(Debug)]
struct Function {
    name: String,
    /// The bytes of its frame.
    frame: u64,
    /// The functions that it calls, or hands to a helper that does.
    calls: Vec<Place>,
}

/// Calls within calls, and the bytes of the stack that they take.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chain {
    bytes: u64,
    /// From the program down, each with its frame.
    names: Vec<String>,
}

/// Fails where a program takes more of the stack than kernels give.
pub fn check(object: &[u8]) -> Result<()> {
    let worst = worst(&functions(object)?);
    if worst.bytes <= LIMIT {
        return Ok(());
    }
    Err(Error::StackTooDeep {
        bytes: worst.bytes,
        limit: LIMIT,
        chain: worst.names.join(" -> "),
    })
}

/// The chain that takes most.
fn worst(functions: &BTreeMap<Place, Function>) -> Chain {
    let chains = functions.keys().map(|place| below(functions, place, 1));
    chains.max_by_key(|chain| chain.bytes).unwrap_or_default()
}

/// The worst chain that begins with a function.
fn below(functions: &BTreeMap<Place, Function>, place: &Place, depth: usize) -> Chain {
    let Some(function) = functions.get(place).filter(|_| depth <= MAX_CALLS) else {
        return Chain::default();
    };
    let calls = function.calls.iter();
    let mut chain = calls
        .map(|called| below(functions, called, depth + 1))
        .max_by_key(|chain| chain.bytes)
        .unwrap_or_default();
    chain.bytes += function.frame.max(1).next_multiple_of(ROUNDED_TO);
    let own = format!("{} ({})", function.name, function.frame);
    chain.names.insert(0, own);
    chain
}

/// The functions of an object.
fn functions(object: &[u8]) -> Result<BTreeMap<Place, Function>> {
    let malformed = |error| Error::malformed("the eBPF object", error);
    let file = ElfFile64::<Endianness>::parse(object).map_err(malformed)?;
    let mut functions = BTreeMap::new();
    for symbol in file.symbols().filter(|it| it.kind() == SymbolKind::Text) {
        let Some(index) = symbol.section_index().filter(|_| symbol.size() > 0) else {
            continue;
        };
        let section = file.section_by_index(index).map_err(malformed)?;
        let mut targets = BTreeMap::new();
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(target) = relocation.target() else {
                continue;
            };
            let target = file.symbol_by_index(target).map_err(malformed)?;
            let section = target.section_index().map(|section| section.0);
            let target = match (target.kind(), section) {
                (SymbolKind::Text, Some(section)) => Target::Function((section, target.address())),
                (SymbolKind::Section, Some(section)) => Target::Section(section),
                _ => continue,
            };
            targets.insert(offset, target);
        }
        let data = section.data().map_err(malformed)?;
        let name = symbol.name().map_err(malformed)?;
        let end = symbol.address() + symbol.size();
        let outside = || {
            Error::malformed(
                "the eBPF object",
                format!("{name} is outside of its section"),
            )
        };
        let code = data
            .get(symbol.address() as usize..end as usize)
            .ok_or_else(outside)?;
        let place = (index.0, symbol.address());
        let (frame, calls) = read(code, place, &targets);
        let function = Function {
            name: name.to_owned(),
            frame,
            calls,
        };
        functions.insert(place, function);
    }
    Ok(functions)
}

/// The frame of a function, by what it reads and writes at the frame pointer or hands on, and what it calls.
fn read(
    code: &[u8],
    (section, begin): Place,
    targets: &BTreeMap<u64, Target>,
) -> (u64, Vec<Place>) {
    let mut frame = 0_i64;
    // What is known to be so far from the frame pointer.
    let mut from_frame = [None; REGISTERS];
    from_frame[FRAME_POINTER] = Some(0);
    let mut calls = Vec::new();
    let mut at = 0;
    while let Some(instruction) = code.get(at..at + INSTRUCTION_BYTES) {
        let place = begin + at as u64;
        let &[opcode, registers, low, high, ..] = instruction else {
            break;
        };
        let offset = i64::from(i16::from_le_bytes([low, high]));
        let immediate = i32::from_le_bytes([
            instruction[4],
            instruction[5],
            instruction[6],
            instruction[7],
        ]);
        let (to, from) = (usize::from(registers & 0xf), usize::from(registers >> 4));
        let mut touch = |base: Option<i64>, offset: i64| {
            if let Some(base) = base {
                frame = frame.max(-(base + offset));
            }
        };
        match opcode & CLASS {
            CLASS_LOAD => {
                touch(from_frame[from], offset);
                from_frame[to] = None;
            }
            CLASS_STORE | CLASS_STORE_REGISTER => touch(from_frame[to], offset),
            CLASS_ALU | CLASS_ALU64 => {
                from_frame[to] = match opcode {
                    MOVE => from_frame[from],
                    ADD_IMMEDIATE => from_frame[to].map(|base| base + i64::from(immediate)),
                    _ => None,
                };
                touch(from_frame[to], 0);
            }
            _ => {}
        }
        let target = targets.get(&place).copied();
        match opcode {
            CALL if from == CALL_OF_FUNCTION => {
                let ahead = (i64::from(immediate) + 1) * INSTRUCTION_BYTES as i64;
                calls.push(match target {
                    Some(Target::Function(called)) => called,
                    Some(Target::Section(section)) => (section, 0_u64.wrapping_add_signed(ahead)),
                    None => (section, place.wrapping_add_signed(ahead)),
                });
            }
            LOAD_IMMEDIATE => {
                from_frame[to] = None;
                if let Some(Target::Function(called)) = target {
                    calls.push(called);
                }
                at += INSTRUCTION_BYTES;
            }
            _ => {}
        }
        if opcode == CALL {
            from_frame[..6].fill(None);
        }
        at += INSTRUCTION_BYTES;
    }
    (frame.unsigned_abs(), calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function with a frame and calls, in a section of its own.
    fn function(number: usize, frame: u64, calls: &[usize]) -> (Place, Function) {
        let function = Function {
            name: format!("f{number}"),
            frame,
            calls: calls.iter().map(|called| (*called, 0)).collect(),
        };
        ((number, 0), function)
    }

    #[test]
    fn calls_within_calls_add_up_and_calls_one_after_the_other_do_not() {
        let functions = BTreeMap::from([
            function(1, 100, &[2, 3]),
            function(2, 0, &[4]),
            function(3, 40, &[]),
            function(4, 33, &[]),
        ]);
        let expected = Chain {
            bytes: 128 + 32 + 64,
            names: ["f1 (100)", "f2 (0)", "f4 (33)"].map(str::to_owned).into(),
        };
        assert_eq!(worst(&functions), expected);
    }

    #[test]
    fn a_frame_reaches_to_the_lowest_byte_that_is_used() {
        let instruction = |opcode, registers, offset: i16, immediate: i32| {
            let mut bytes = [0; INSTRUCTION_BYTES];
            (bytes[0], bytes[1]) = (opcode, registers);
            bytes[2..4].copy_from_slice(&offset.to_le_bytes());
            bytes[4..].copy_from_slice(&immediate.to_le_bytes());
            bytes
        };
        let code = [
            // *(u64 *)(r10 - 16) = r1
            instruction(0x7b, 0x1a, -16, 0),
            // r2 = r10; r2 += -72
            instruction(MOVE, 0xa2, 0, 0),
            instruction(ADD_IMMEDIATE, 0x02, 0, -72),
            // *(u8 *)(r2 - 8) = r1
            instruction(0x73, 0x12, -8, 0),
            // A helper, and a function three instructions on.
            instruction(CALL, 0, 0, 1),
            instruction(CALL, 0x10, 0, 2),
        ];
        let (frame, calls) = read(code.as_flattened(), (7, 0), &BTreeMap::new());
        assert_eq!((frame, calls), (80, vec![(7, 64)]));
    }

    #[test]
    fn the_committed_object_is_within_the_limit() {
        let object = include_bytes!("../../../profiler/ebpf/ioprof.bpf.o");
        let functions = functions(object).expect("an object");
        let chain = worst(&functions);
        assert!(chain.bytes <= LIMIT, "{chain:?}");
        // It has been found at all.
        assert!(chain.bytes > 256, "{chain:?}");
        check(object).expect("it is accepted");
    }
}
