//! What the helper is asked and what it answers, as it stands on the socket between both.

use std::{
    io::{self, Read as _},
    os::unix::net::UnixStream,
};

/// A request to the helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Request {
    /// Shows that the helper runs.
    Ping,
    /// BPF statistics on, or off.
    StatisticsOn,
    StatisticsOff,
    /// A signal to a child, both by number.
    Signal,
    /// Where a path leads, see [`Namespaces::follow`](crate::kernel::system::namespace::Namespaces::follow).
    Follow,
    /// syncfs(2) on the file system of a device, by major and minor number.
    Sync,
}

impl Request {
    const ALL: [Self; 6] = [
        Self::Ping,
        Self::StatisticsOn,
        Self::StatisticsOff,
        Self::Signal,
        Self::Follow,
        Self::Sync,
    ];
}

/// A request, two arguments, and the length of what follows.
pub type Message = [u32; 4];

/// An errno or 0, the result, and the length of the path that follows.
pub const ANSWER: usize = 2 * size_of::<u32>() + size_of::<u64>();

/// PATH_MAX of linux/limits.h.
pub const PATH_MAX: usize = 4096;

/// A file to follow a path to: mount namespace, device, number, generation, subvolume. The path is behind it.
pub type Wanted = [u32; 7];
pub const WANTED: usize = size_of::<Wanted>();

/// Words as they stand in a message.
pub fn bytes_of(words: &[u32]) -> Vec<u8> {
    words.iter().copied().flat_map(u32::to_ne_bytes).collect()
}

/// The words of a message.
pub fn words<const COUNT: usize>(bytes: &[u8]) -> [u32; COUNT] {
    let mut words = bytes
        .chunks_exact(size_of::<u32>())
        .map(|word| u32::from_ne_bytes(word.try_into().unwrap_or_default()));
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

/// Waits for a request: which one it is, with its arguments, and what follows; none where there is no such request.
#[expect(clippy::type_complexity, reason = "it is named nowhere else")]
pub fn receive(mut socket: &UnixStream) -> io::Result<(Option<(Request, [u32; 2])>, Vec<u8>)> {
    let mut message = [0; size_of::<Message>()];
    socket.read_exact(&mut message)?;
    let [request, first, second, length]: Message = words(&message);
    let length = length as usize;
    let mut rest = vec![0; length.min(WANTED + PATH_MAX)];
    socket.read_exact(&mut rest)?;
    let request = Request::ALL.into_iter().find(|one| *one as u32 == request);
    let request = request.filter(|_| length == rest.len());
    Ok((request.map(|request| (request, [first, second])), rest))
}
