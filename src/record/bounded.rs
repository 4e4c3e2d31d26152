//! A serializer that goes only so deep into lists and maps.
//!
//! An author's value may be nested in any way, and serde follows it by calling itself. Bounding the
//! depth on the way in keeps the stack, and everything that later walks over a record, safe.

use std::fmt::Display;

use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

/// What stands in place of lists and maps that are nested too deeply.
pub(super) const TOO_DEEP: &str = "[nested too deeply]";

/// A value of which only `depth` lists and maps within each other are written.
pub(super) struct Bounded<T> {
    pub(super) value: T,
    pub(super) depth: usize,
}

impl<T: Serialize> Serialize for Bounded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Limited {
            inner: serializer,
            depth: self.depth,
        })
    }
}

/// Hands everything on to `inner`, and counts.
struct Limited<S> {
    inner: S,
    depth: usize,
}

/// A list or map: `depth` is what is left for its entries.
enum Nest<S, C> {
    Open { compound: C, depth: usize },
    TooDeep(S),
}

impl<S: Serializer> Limited<S> {
    fn nest<C>(self, open: impl FnOnce(S) -> Result<C, S::Error>) -> Result<Nest<S, C>, S::Error> {
        match self.depth.checked_sub(1) {
            Some(depth) => open(self.inner).map(|compound| Nest::Open { compound, depth }),
            None => Ok(Nest::TooDeep(self.inner)),
        }
    }
}

macro_rules! hand_on {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Limited<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Nest<S, S::SerializeSeq>;
    type SerializeTuple = Nest<S, S::SerializeTuple>;
    type SerializeTupleStruct = Nest<S, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Nest<S, S::SerializeTupleVariant>;
    type SerializeMap = Nest<S, S::SerializeMap>;
    type SerializeStruct = Nest<S, S::SerializeStruct>;
    type SerializeStructVariant = Nest<S, S::SerializeStructVariant>;

    hand_on! {
        serialize_bool: bool,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64,
        serialize_char: char, serialize_str: &str,
    }

    /// As text where it is text, so that redaction sees what it says.
    fn serialize_bytes(self, bytes: &[u8]) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.inner.serialize_str(text),
            Err(_) => self.inner.serialize_bytes(bytes),
        }
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let depth = self.depth;
        self.inner.serialize_some(&Bounded { value, depth })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let depth = self.depth;
        self.inner
            .serialize_newtype_struct(name, &Bounded { value, depth })
    }

    /// A map of one entry.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.inner.serialize_str(TOO_DEEP);
        };
        let value = &Bounded { value, depth };
        self.inner
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.nest(|inner| inner.serialize_seq(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.nest(|inner| inner.serialize_tuple(len))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.nest(|inner| inner.serialize_tuple_struct(name, len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.nest(|inner| inner.serialize_tuple_variant(name, index, variant, len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.nest(|inner| inner.serialize_map(len))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.nest(|inner| inner.serialize_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.nest(|inner| inner.serialize_struct_variant(name, index, variant, len))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! nest {
    ($($compound:ident { $method:ident($($name:ident: $type:ty)?) })*) => {$(
        impl<S, C> $compound for Nest<S, C>
        where
            S: Serializer,
            C: $compound<Ok = S::Ok, Error = S::Error>,
        {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: $type,)?
                value: &T,
            ) -> Result<(), S::Error> {
                match self {
                    Self::Open { compound, depth } => {
                        compound.$method($($name,)? &Bounded { value, depth: *depth })
                    }
                    Self::TooDeep(_) => Ok(()),
                }
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Open { compound, .. } => compound.end(),
                    Self::TooDeep(inner) => inner.serialize_str(TOO_DEEP),
                }
            }
        }
    )*};
}

nest! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeStruct { serialize_field(key: &'static str) }
    SerializeStructVariant { serialize_field(key: &'static str) }
}

impl<S, C> SerializeMap for Nest<S, C>
where
    S: Serializer,
    C: SerializeMap<Ok = S::Ok, Error = S::Error>,
{
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        match self {
            Self::Open { compound, .. } => compound.serialize_key(key),
            Self::TooDeep(_) => Ok(()),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        match self {
            Self::Open { compound, depth } => {
                let depth = *depth;
                compound.serialize_value(&Bounded { value, depth })
            }
            Self::TooDeep(_) => Ok(()),
        }
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open { compound, .. } => compound.end(),
            Self::TooDeep(inner) => inner.serialize_str(TOO_DEEP),
        }
    }
}
