//! What nodes say to each other.

use crate::base::codec::{Decode, Encode};

#[derive(Clone, Debug, Hash, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    LayoutWanted,
}

impl Message {
    pub fn is_valid(&self) -> bool {
        true
    }
}
