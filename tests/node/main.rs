//! Nodes talking to each other over a perfect, timeless wire that the test controls frame by frame.

mod boot;
mod costs;
mod hints;
mod knobs;
mod membership;
mod overload;
mod quorum;
mod reads;
mod repair;
mod siblings;
mod table;
mod zones;
