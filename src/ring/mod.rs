//! Layer 1: who owns a key, as a pure function of the layout. Consistent hashing with virtual nodes (DeCandia et al.,
//! "Dynamo", SOSP 2007, sections 4.2 and 6.2), over fixed slots as in strategy 3 of that paper.

pub mod layout;
pub mod placement;
pub mod preference;
pub mod token;

pub use layout::{Layout, LayoutError, Member};
pub use placement::Placement;
pub use token::{Token, slot_of};
