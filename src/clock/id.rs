//! Record ids: UUIDv7 that carry the record's time to the microsecond.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{Uuid, Variant};

use super::Timestamp;

/// A record's id: a UUIDv7 from which the record's [`Timestamp`] can be read back exactly.
///
/// The 48 bits of milliseconds are followed, in the 12 bits of `rand_a`, by the fraction of the
/// millisecond (RFC 9562, section 6.2, method 3); the other 62 bits are random. So ids sort by
/// time, and a time range is an id range: see [`lowest_at`](Self::lowest_at).
///
/// It is written in lower case with hyphens, and sorts alike as value, bytes and text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Uuid);

/// Something that is not a UUIDv7 in its form with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record id is a UUID of version 7, like 01a1f929-fda3-774b-8123-456789abcdef")]
#[non_exhaustive]
pub struct RecordIdError;

/// The random part of an id.
const RANDOM_BITS: u64 = u64::MAX >> 2;
const VARIANT: u64 = 1 << 63;
const VERSION: u64 = 0x7000;
/// Microseconds per millisecond, and the steps of `rand_a` they are spread over.
const MICROS: u64 = 1000;
const STEPS: u64 = 4096;

impl RecordId {
    /// The id at `at` with these random bits, of which the lower 62 count.
    pub(crate) fn new(at: Timestamp, random: u64) -> Self {
        let micros = at.as_micros().unsigned_abs();
        let step = micros % MICROS * STEPS / MICROS;
        Self::from_parts(micros / MICROS, step, random)
    }

    /// The lowest id whose [`timestamp`](Self::timestamp) is `at`.
    ///
    /// The ids of a time range, start included and end not, are
    /// `lowest_at(start)..lowest_at(end)`.
    #[must_use]
    pub fn lowest_at(at: Timestamp) -> Self {
        Self::new(at, 0)
    }

    /// The highest id whose [`timestamp`](Self::timestamp) is `at`.
    #[must_use]
    pub fn highest_at(at: Timestamp) -> Self {
        let micros = at.as_micros().unsigned_abs();
        let next = (micros % MICROS + 1) * STEPS / MICROS;
        Self::from_parts(micros / MICROS, next - 1, u64::MAX)
    }

    /// Takes the 16 bytes of a UUIDv7.
    ///
    /// # Errors
    ///
    /// [`RecordIdError`] if version or variant are others.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, RecordIdError> {
        Self::checked(Uuid::from_bytes(bytes))
    }

    /// What stands in the place of an id in a store, where somebody may have written anything.
    #[cfg(feature = "_sql")]
    pub(crate) const fn found(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Whether it is an id: false only for something that was [`found`](Self::found).
    #[cfg(feature = "_sql")]
    pub(crate) fn is_sound(self) -> bool {
        Self::checked(self.0).is_ok()
    }

    /// The 16 bytes of the UUID, which sort like the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The same id as the journal keeps it.
    pub(crate) const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The time the id was made for, exactly.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        let (high, _) = self.0.as_u64_pair();
        let (millis, step) = (high >> 16, high & (STEPS - 1));
        // The largest microsecond whose step is not above this one: exact for every id made
        // here, and in the order of ids for those that others made.
        let micros = millis * MICROS + ((step + 1) * MICROS - 1) / STEPS;
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn from_parts(millis: u64, step: u64, random: u64) -> Self {
        let high = millis << 16 | VERSION | step;
        Self(Uuid::from_u64_pair(high, VARIANT | random & RANDOM_BITS))
    }

    fn checked(uuid: Uuid) -> Result<Self, RecordIdError> {
        if uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122 {
            Ok(Self(uuid))
        } else {
            Err(RecordIdError)
        }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RecordId {
    type Err = RecordIdError;

    /// Reads the form with hyphens; upper case is accepted.
    fn from_str(text: &str) -> Result<Self, RecordIdError> {
        // Only the form with hyphens has 36 characters.
        match Uuid::try_parse(text) {
            Ok(uuid) if text.len() == 36 => Self::checked(uuid),
            _ => Err(RecordIdError),
        }
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Where record ids come from.
pub trait IdSource: fmt::Debug + Send + Sync + 'static {
    /// A new id, never given before, whose [`timestamp`](RecordId::timestamp) is `at`.
    fn next(&self, at: Timestamp) -> RecordId;
}

/// Ids with 62 random bits for each microsecond.
///
/// Two ids of one microsecond are in no particular order; that of the trail is its numbers.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemIds;

impl SystemIds {
    /// Ids from the thread's random generator, which the operating system seeds.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl IdSource for SystemIds {
    fn next(&self, at: Timestamp) -> RecordId {
        // The lower half of a UUIDv4 holds 62 random bits below its variant.
        let (_, random) = Uuid::new_v4().as_u64_pair();
        RecordId::new(at, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: i64 = 1_795_176_000_000_000;

    #[test]
    fn every_microsecond_of_a_millisecond_comes_back() {
        for micros in 0..1000 {
            let at = Timestamp::from_micros(NOON + micros);
            for id in [
                SystemIds::new().next(at),
                RecordId::lowest_at(at),
                RecordId::highest_at(at),
            ] {
                assert_eq!(id.timestamp(), at, "{id}");
            }
        }
    }

    #[test]
    fn ids_of_neighbouring_microseconds_leave_no_room_between_them() {
        for micros in 0..2000 {
            let at = Timestamp::from_micros(NOON + micros);
            let next = Timestamp::from_micros(NOON + micros + 1);
            let highest = Uuid::from_bytes(*RecordId::highest_at(at).as_bytes()).as_u64_pair();
            let lowest = Uuid::from_bytes(*RecordId::lowest_at(next).as_bytes()).as_u64_pair();
            assert_eq!(highest.1, 0xbfff_ffff_ffff_ffff, "{at}");
            assert_eq!(lowest.1, 0x8000_0000_0000_0000, "{at}");
            // One above in the upper half, but for the version between milliseconds and step.
            let upper = |high: u64| high >> 16 << 12 | high & 0xfff;
            assert_eq!(upper(highest.0) + 1, upper(lowest.0), "{at}");
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let at = "2026-11-20T13:34:01.123456Z".parse().unwrap();
        let id = RecordId::new(at, 0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01a1f929-fda3-774b-8123-456789abcdef");
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(RecordId::from_bytes(*id.as_bytes()), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<RecordId>(&json).unwrap(), id);
    }

    #[test]
    fn other_versions_and_spellings_are_refused() {
        for given in [
            "",
            "01a1f929fda3774b8123456789abcdef",
            "{01a1f929-fda3-774b-8123-456789abcdef}",
            "urn:uuid:01a1f929-fda3-774b-8123-456789abcdef",
            "01a1f929-fda3-474b-8123-456789abcdef",
            "01a1f929-fda3-774b-0123-456789abcdef",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(given.parse::<RecordId>(), Err(RecordIdError), "{given}");
        }
    }

    proptest! {
        #[test]
        fn ids_sort_like_times_and_texts(
            a in 0..=Timestamp::MAX.as_micros(),
            b in 0..=Timestamp::MAX.as_micros(),
            randoms: (u64, u64),
        ) {
            let (at_a, at_b) = (Timestamp::from_micros(a), Timestamp::from_micros(b));
            let (id_a, id_b) = (RecordId::new(at_a, randoms.0), RecordId::new(at_b, randoms.1));
            prop_assert_eq!(id_a.timestamp(), at_a);
            if a != b {
                prop_assert_eq!(id_a.cmp(&id_b), at_a.cmp(&at_b));
            }
            prop_assert_eq!(id_a.cmp(&id_b), id_a.to_string().cmp(&id_b.to_string()));
            prop_assert!(RecordId::lowest_at(at_a) <= id_a && id_a <= RecordId::highest_at(at_a));
        }

        #[test]
        fn a_foreign_id_lies_in_the_range_of_its_timestamp(high: u64, low: u64) {
            let high = high >> 20 << 16 | 0x7000 | high & 0xfff;
            let id = RecordId::checked(Uuid::from_u64_pair(high, low >> 2 | 1 << 63)).unwrap();
            let at = id.timestamp();
            if at < Timestamp::MAX {
                prop_assert!(RecordId::lowest_at(at) <= id && id <= RecordId::highest_at(at));
            }
        }
    }
}
