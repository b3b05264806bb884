//! [`View`]: what the parts of a key show.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::causal::siblings::{Siblings, SiblingsOf, Value};
use crate::causal::types::counter::Counter;
use crate::causal::types::part::{Content, Holds, Kind, Part};

/// The value of one field, or of a key that is no map.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Leaf {
    Counter(i64),
    /// In order of their bytes.
    Set(Vec<Bytes>),
    Register(Bytes),
}

/// The value of a key of a convergent type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum View {
    Leaf(Leaf),
    /// In order of the fields. A field that was made with two types at the same time stands there with each.
    Map(Vec<(Bytes, Leaf)>),
}

impl View {
    pub fn holds(&self) -> Holds {
        match self {
            View::Map(_) => Holds::Map,
            View::Leaf(leaf) => Holds::Leaf(leaf.kind()),
        }
    }
}

impl Leaf {
    pub fn kind(&self) -> Kind {
        match self {
            Leaf::Counter(_) => Kind::Counter,
            Leaf::Set(_) => Kind::Set,
            Leaf::Register(_) => Kind::Register,
        }
    }

    /// What parts of one field and type show; `None` if nothing is left of it.
    fn of(kind: Kind, parts: &[&Part]) -> Option<Leaf> {
        let parts = parts.iter().copied();
        match kind {
            Kind::Counter => Counter::of(parts).value().map(Leaf::Counter),
            Kind::Set => {
                let members = parts.filter_map(|part| match &part.content {
                    Content::Member(member) => Some(member.clone()),
                    _ => None,
                });
                // Concurrent adds of one member leave a part each.
                let members: BTreeSet<Bytes> = members.collect();
                (!members.is_empty()).then(|| Leaf::Set(members.into_iter().collect()))
            }
            Kind::Register => {
                let last = parts.max_by_key(|part| (part.stamp, part.dot))?;
                match &last.content {
                    Content::Assigned(value) => Some(Leaf::Register(value.clone())),
                    _ => None,
                }
            }
        }
    }
}

impl<V: Value> SiblingsOf<V> {
    /// The parts of a field.
    pub(super) fn field(&self, field: Option<&Bytes>) -> impl Iterator<Item = &Part> {
        self.parts().iter().filter(move |part| part.field.as_ref() == field)
    }
}

impl Siblings {
    /// Every type of which there is something: none for a key that does not exist, and more than one where clients made
    /// the key with different types at the same time.
    pub fn holds_all(&self) -> BTreeSet<Holds> {
        let mut all: BTreeSet<Holds> = BTreeSet::new();
        if self.versions().iter().any(|version| version.value.is_some()) {
            all.insert(Holds::Plain);
        }
        for ((field, kind), parts) in self.fields() {
            if !all.contains(&Holds::Map) && Leaf::of(kind, &parts).is_some() {
                all.insert(if field.is_some() { Holds::Map } else { Holds::Leaf(kind) });
            }
        }
        all
    }

    /// The types that a field has.
    pub(super) fn kinds(&self, field: Option<&Bytes>) -> BTreeSet<Kind> {
        let fields = self.fields().into_iter().filter(|((name, _), _)| *name == field);
        fields.filter_map(|((_, kind), parts)| Leaf::of(kind, &parts).map(|leaf| leaf.kind())).collect()
    }

    /// What a key shows that holds nothing but `holds`, a convergent type.
    pub fn view(&self, holds: Holds) -> Option<View> {
        let leaves = self.fields().into_iter().filter_map(|((field, kind), parts)| {
            let leaf = Leaf::of(kind, &parts)?;
            Some((field.cloned(), leaf))
        });
        match holds {
            Holds::Plain => None,
            Holds::Leaf(_) => leaves.into_iter().next().map(|(_, leaf)| View::Leaf(leaf)),
            Holds::Map => Some(View::Map(leaves.filter_map(|(field, leaf)| Some((field?, leaf))).collect())),
        }
    }

    fn fields(&self) -> BTreeMap<(Option<&Bytes>, Kind), Vec<&Part>> {
        let mut fields: BTreeMap<(Option<&Bytes>, Kind), Vec<&Part>> = BTreeMap::new();
        for part in self.parts() {
            fields.entry((part.field.as_ref(), part.kind())).or_default().push(part);
        }
        fields
    }
}
