//! [`Name`]: a short text that people gave to something, or an address.

use core::fmt;
use core::ops::Deref;

use smol_str::SmolStr;

use crate::base::limits::NAME_MAX;

/// A short text. Up to 23 bytes lie in place, and cost no allocation when they are cloned or decoded; longer ones are
/// shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(SmolStr);

impl Name {
    /// Whether it has an allowed length.
    pub fn is_valid(&self) -> bool {
        (1..=NAME_MAX).contains(&self.len())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T: Into<SmolStr>> From<T> for Name {
    fn from(text: T) -> Name {
        Name(text.into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::base::codec::{Malformed, decode, encode};

    /// The encoding is that of a string, as it always was.
    #[test]
    fn names_are_encoded_as_strings() {
        for text in ["", "z", "127.0.0.1:7001", &"long".repeat(60)] {
            let name = Name::from(text);
            let bytes = encode(&name);
            assert_eq!(bytes, encode(&String::from(text)));
            assert_eq!(decode::<Name>(&bytes), Ok(name));
        }
        assert_eq!(decode::<Name>(&encode(&[0xffu8, 0xfe].to_vec())), Err(Malformed));
        assert_eq!(decode::<Name>(&encode(&u64::MAX)), Err(Malformed));
    }
}
