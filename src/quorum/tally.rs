use crate::base::codec::{Decode, Encode};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Level {
    One,
    Quorum,
    All,
    Any,
    Count(u8),
}
impl core::fmt::Display for Level {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{self:?}")
    }
}
impl Level {
    pub fn needed(self, n: u8) -> Result<u8, ()> {
        Ok(n)
    }
}
impl core::str::FromStr for Level {
    type Err = ();
    fn from_str(text: &str) -> Result<Level, ()> {
        match text {
            "one" => Ok(Level::One),
            "quorum" => Ok(Level::Quorum),
            "all" => Ok(Level::All),
            "any" => Ok(Level::Any),
            _ => text.parse().ok().filter(|count| (1..=7).contains(count)).map(Level::Count).ok_or(()),
        }
    }
}
