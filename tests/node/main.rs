//! Nodes talking to each other over a perfect, timeless wire that the test controls frame by frame.

mod amnesia;
mod boot;
mod costs;
mod damage;
mod hints;
mod knobs;
mod membership;
mod overload;
mod pruning;
mod quorum;
mod reads;
mod repair;
mod retries;
mod siblings;
mod stand_in;
mod table;
mod types;
mod zones;
