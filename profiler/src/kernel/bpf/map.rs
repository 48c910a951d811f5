//! Typed access to the maps of the object, with errors that name the map.

use aya::{
    Ebpf,
    maps::{
        Array as AyaArray, HashMap, MapData, MapError, PerCpuArray as AyaPerCpuArray, PerCpuValues,
    },
};

pub use aya::Pod;
use ioprof_ebpf::abi::merge::Merge;

use super::error::one_line;
use crate::error::Error;

/// An array.
pub struct Array<'a, V: Pod> {
    name: &'static str,
    map: AyaArray<&'a MapData, V>,
}

impl<'a, V: Pod> Array<'a, V> {
    /// The array of a name.
    ///
    /// # Errors
    ///
    /// Where the object has no such map.
    pub fn of(ebpf: &'a Ebpf, name: &'static str) -> Result<Self, Error> {
        let map = map(ebpf, name)?.try_into().map_err(rejected(name))?;
        Ok(Self { name, map })
    }

    /// The value at an index.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn get(&self, index: u32) -> Result<V, Error> {
        self.map.get(&index, 0).map_err(rejected(self.name))
    }

    /// How many values there are.
    pub fn count(&self) -> u32 {
        self.map.len()
    }
}

/// An array with a value for each CPU.
pub struct PerCpuArray<'a, V: Pod> {
    name: &'static str,
    map: AyaPerCpuArray<&'a MapData, V>,
}

impl<'a, V: Pod> PerCpuArray<'a, V> {
    /// The array of a name.
    ///
    /// # Errors
    ///
    /// Where the object has no such map.
    pub fn of(ebpf: &'a Ebpf, name: &'static str) -> Result<Self, Error> {
        let map = map(ebpf, name)?.try_into().map_err(rejected(name))?;
        Ok(Self { name, map })
    }

    /// The values of all CPUs at an index.
    ///
    /// # Errors
    ///
    /// Where they cannot be read.
    pub fn get(&self, index: u32) -> Result<PerCpuValues<V>, Error> {
        self.map.get(&index, 0).map_err(rejected(self.name))
    }

    /// Their sum.
    ///
    /// # Errors
    ///
    /// As for [`Self::get`].
    pub fn sum(&self, index: u32) -> Result<V, Error>
    where
        V: Default + Merge,
    {
        let mut sum = V::default();
        for cpu in self.get(index)?.iter() {
            sum.merge(cpu);
        }
        Ok(sum)
    }

    /// How many indices there are.
    pub fn count(&self) -> u32 {
        self.map.len()
    }
}

/// A hash table.
pub struct Hash<'a, K: Pod, V: Pod> {
    name: &'static str,
    map: HashMap<&'a MapData, K, V>,
}

impl<'a, K: Pod, V: Pod> Hash<'a, K, V> {
    /// The table of a name.
    ///
    /// # Errors
    ///
    /// Where the object has no such map.
    pub fn of(ebpf: &'a Ebpf, name: &'static str) -> Result<Self, Error> {
        let map = map(ebpf, name)?.try_into().map_err(rejected(name))?;
        Ok(Self { name, map })
    }

    /// The entries, one by one.
    pub fn iter(&self) -> impl Iterator<Item = Result<(K, V), Error>> {
        self.map
            .iter()
            .map(|entry| entry.map_err(rejected(self.name)))
    }
}

/// All entries of a hash table.
///
/// # Errors
///
/// Where the object has no such map, or it cannot be read.
pub fn entries<K: Pod, V: Pod>(ebpf: &Ebpf, name: &'static str) -> Result<Vec<(K, V)>, Error> {
    Hash::of(ebpf, name)?.iter().collect()
}

/// Fills an array from index 0.
///
/// # Errors
///
/// Where the object has no such map, or it cannot be written.
pub fn fill<V: Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
    values: impl IntoIterator<Item = V>,
) -> Result<(), Error> {
    let map = ebpf.map_mut(name).ok_or_else(|| not_in_object(name))?;
    let mut array: AyaArray<_, V> = map.try_into().map_err(rejected(name))?;
    for (index, value) in (0..).zip(values) {
        array.set(index, value, 0).map_err(rejected(name))?;
    }
    Ok(())
}

/// Adds entries to a hash table.
///
/// # Errors
///
/// Where the object has no such map, or it cannot be written.
pub fn insert<K: Pod, V: Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: impl IntoIterator<Item = (K, V)>,
) -> Result<(), Error> {
    let map = ebpf.map_mut(name).ok_or_else(|| not_in_object(name))?;
    let mut table: HashMap<_, K, V> = map.try_into().map_err(rejected(name))?;
    for (key, value) in entries {
        table.insert(key, value, 0).map_err(rejected(name))?;
    }
    Ok(())
}

fn map<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<&'a aya::maps::Map, Error> {
    ebpf.map(name).ok_or_else(|| not_in_object(name))
}

fn not_in_object(map: &'static str) -> Error {
    Error::Map {
        map,
        reason: "it is not in the object".into(),
    }
}

fn rejected(map: &'static str) -> impl FnOnce(MapError) -> Error {
    move |error| Error::Map {
        map,
        reason: one_line(&error),
    }
}
