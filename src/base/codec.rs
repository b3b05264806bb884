//! The one door to the encoding library. Everything on the wire and on disk goes through [`encode_into`] and
//! [`decode`], and every encodable type derives [`Encode`] and [`Decode`] from here: a change of library is a
//! change of this file. (Formats carry their own version numbers, so old bytes stay recognisable.)
//!
//! The library is bincode 2, which is no longer maintained. Three of its habits matter, and are dealt with here:
//! without a limit, a forged length makes it panic or abort, so every decode has a limit; it accepts trailing
//! bytes, so we compare the count; and it recurses on recursive types, so there are none.

use alloc::vec::Vec;

pub use bincode::{BorrowDecode, Decode, Encode};

use crate::base::bytes::Bytes;
use crate::base::few::Few;
use crate::base::name::Name;

/// What a decoded value may need in memory, in bytes, whatever its encoding claims. Larger than any frame.
pub const DECODE_LIMIT: usize = 8 << 20;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<DECODE_LIMIT>,
> = bincode::config::standard().with_limit::<DECODE_LIMIT>();

/// The bytes are not an encoding of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("malformed encoding")
    }
}

/// Whoever takes encoded bytes, piece by piece.
struct Sink<F>(F);

impl<F: FnMut(&[u8])> bincode::enc::write::Writer for Sink<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        (self.0)(bytes);
        Ok(())
    }
}

/// Appends the encoding of `value` to `buffer`.
pub fn encode_into<T: Encode>(value: &T, buffer: &mut Vec<u8>) {
    encode_with(value, |bytes| buffer.extend_from_slice(bytes));
}

/// Hands the encoding of `value` over in pieces, for whoever needs it only in passing.
pub fn encode_with<T: Encode>(value: &T, take: impl FnMut(&[u8])) {
    bincode::encode_into_writer(value, Sink(take), CONFIG).expect("our own types always encode into memory");
}

/// The encoding of `value`.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode_into(value, &mut buffer);
    buffer
}

/// The value that `bytes`, all of them, encode. Any input is safe; allocation stays below [`DECODE_LIMIT`].
pub fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, Malformed> {
    let (value, used) = bincode::decode_from_slice(bytes, CONFIG).map_err(|_| Malformed)?;
    if used == bytes.len() { Ok(value) } else { Err(Malformed) }
}

/// The same, of a value that refers to what lies in `bytes`.
pub fn decode_borrowed<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    let (value, used) = bincode::borrow_decode_from_slice(bytes, CONFIG).map_err(|_| Malformed)?;
    if used == bytes.len() { Ok(value) } else { Err(Malformed) }
}

impl Encode for Bytes {
    fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
        let bytes: &[u8] = self;
        bytes.encode(encoder)
    }
}

/// The bytes of a container of bytes, as `take` makes something of them where they lie.
///
/// We only ever decode from memory, where all bytes lie side by side: one copy, to where they stay.
fn decode_bytes<D: bincode::de::Decoder, T>(
    decoder: &mut D,
    take: impl FnOnce(&[u8]) -> Result<T, bincode::error::DecodeError>,
) -> Result<T, bincode::error::DecodeError> {
    use bincode::de::read::Reader;
    let len = u64::decode(decoder)?;
    let len = usize::try_from(len).map_err(|_| bincode::error::DecodeError::LimitExceeded)?;
    decoder.claim_container_read::<u8>(len)?;
    let end = bincode::error::DecodeError::UnexpectedEnd { additional: len };
    let taken = take(decoder.reader().peek_read(len).ok_or(end)?)?;
    decoder.reader().consume(len);
    Ok(taken)
}

impl<C> Decode<C> for Bytes {
    fn decode<D: bincode::de::Decoder<Context = C>>(
        decoder: &mut D,
    ) -> Result<Bytes, bincode::error::DecodeError> {
        decode_bytes(decoder, |bytes| Ok(Bytes::new(bytes)))
    }
}

impl Encode for Name {
    fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
        let text: &str = self;
        text.encode(encoder)
    }
}

impl<C> Decode<C> for Name {
    fn decode<D: bincode::de::Decoder<Context = C>>(
        decoder: &mut D,
    ) -> Result<Name, bincode::error::DecodeError> {
        decode_bytes(decoder, |bytes| {
            let text = core::str::from_utf8(bytes);
            text.map(Name::from).map_err(|inner| bincode::error::DecodeError::Utf8 { inner })
        })
    }
}

impl<T: Encode, const K: usize> Encode for Few<T, K> {
    fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
        self.as_slice().encode(encoder)
    }
}

/// As a `Vec` is decoded: what is claimed has to be within the limit before anything is allocated for it.
fn decode_few<D: bincode::de::Decoder, T, const K: usize>(
    decoder: &mut D,
    entry: impl Fn(&mut D) -> Result<T, bincode::error::DecodeError>,
) -> Result<Few<T, K>, bincode::error::DecodeError> {
    let len = u64::decode(decoder)?;
    let len = usize::try_from(len).map_err(|_| bincode::error::DecodeError::LimitExceeded)?;
    decoder.claim_container_read::<T>(len)?;
    let mut few = Few::with_capacity(len);
    for _ in 0..len {
        decoder.unclaim_bytes_read(size_of::<T>());
        few.push(entry(decoder)?);
    }
    Ok(few)
}

impl<C, T: Decode<C>, const K: usize> Decode<C> for Few<T, K> {
    fn decode<D: bincode::de::Decoder<Context = C>>(
        decoder: &mut D,
    ) -> Result<Few<T, K>, bincode::error::DecodeError> {
        decode_few(decoder, T::decode)
    }
}

impl<'de, C, T: BorrowDecode<'de, C>, const K: usize> BorrowDecode<'de, C> for Few<T, K> {
    fn borrow_decode<D: bincode::de::BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Few<T, K>, bincode::error::DecodeError> {
        decode_few(decoder, T::borrow_decode)
    }
}

bincode::impl_borrow_decode!(Bytes);
bincode::impl_borrow_decode!(Name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7u32);
        assert_eq!(decode::<u32>(&bytes), Ok(7));
        bytes.push(0);
        assert_eq!(decode::<u32>(&bytes), Err(Malformed));
    }

    #[test]
    fn a_forged_length_is_refused_without_allocating() {
        let forged = encode(&u64::MAX);
        assert_eq!(decode::<Bytes>(&forged), Err(Malformed));
        assert_eq!(decode::<Vec<u64>>(&forged), Err(Malformed));
    }

    #[test]
    fn bytes_round_trip() {
        let value = Bytes::from("value");
        assert_eq!(decode::<Bytes>(&encode(&value)), Ok(value));
    }
}
