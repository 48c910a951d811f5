//! Sums of what each CPU has counted for itself.

/// Counts that each CPU keeps apart, and that are summed where they are read.
pub trait Merge {
    /// Takes in what another CPU saw.
    fn merge(&mut self, other: &Self);
}

/// A sum may have been taken off on another CPU than it was added on: it is right in the sum of all, wrapping.
impl Merge for u64 {
    fn merge(&mut self, other: &Self) {
        *self = self.wrapping_add(*other);
    }
}

impl<const N: usize> Merge for [u64; N] {
    fn merge(&mut self, other: &Self) {
        for (sum, one) in self.iter_mut().zip(other) {
            sum.merge(one);
        }
    }
}

/// Sums a structure field by field; every field is named, or it does not compile.
macro_rules! merge {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::abi::merge::Merge for $type {
            fn merge(&mut self, other: &Self) {
                let Self { $($field),* } = self;
                $($crate::abi::merge::Merge::merge($field, &other.$field);)*
            }
        }
    };
}
pub(crate) use merge;
