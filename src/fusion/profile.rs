//! A profile: what was learned on a device, as a small file. Byte by byte, all numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `mf-learn` |
//! | 4 | version: 1 |
//! | 32 | SHA-256 of the bundle that it belongs to; zeros where that was not known |
//! | 4 | how many examples it was learned from |
//! | 4 | labels |
//! | 3 x 4 | inputs of the last layer of the text, the image and the fused head; `ffffffff` for one that has not learned |
//! | 4 x labels x (inputs + 1) | for each head that has: the weights' shifts, label by label, then the biases' |
//! | 4 | CRC-32 of all before |
//!
//! It holds no example and no word of one. A reader checks every size before it takes a number, and every number.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use super::{Head, Shifts, explain::Dense};

const MAGIC: &[u8; 8] = b"mf-learn";
const VERSION: u32 = 1;
/// In the place of the inputs of a head that has not learned.
const NOT_LEARNED: u32 = u32::MAX;
/// The largest shift that is believed: a hundred times what learning makes.
const LARGEST: f32 = 1e4;

/// The SHA-256 of a bundle.
pub type BundleSum = [u8; 32];

/// What was learned, and from what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The SHA-256 of the bundle that it belongs to, where that is known.
    pub bundle: Option<BundleSum>,
    /// How many examples it was learned from.
    pub examples: u32,
    /// What is added to the heads.
    pub shifts: Shifts,
}

/// What is wrong with a profile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// It does not begin as one.
    #[error(
        "the profile is not one: it does not begin with `mf-learn`; give the file that exportProfile() made"
    )]
    NotAProfile,
    /// From a later release.
    #[error("the profile has version {0}, this release reads 1: use a newer release")]
    Version(u32),
    /// Its bytes are not those that were written.
    #[error("the profile is damaged ({0}): export it again")]
    Damaged(&'static str),
    /// It was learned with another bundle.
    #[error("the profile belongs to another bundle{0}: learn again with this one")]
    OtherBundle(String),
}

impl ProfileError {
    /// A stable kebab-case name.
    pub fn code(&self) -> &'static str {
        match self {
            ProfileError::NotAProfile => "not-a-profile",
            ProfileError::Version(_) => "profile-version",
            ProfileError::Damaged(_) => "profile-damaged",
            ProfileError::OtherBundle(_) => "profile-bundle",
        }
    }
}

impl Profile {
    /// As a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let learned = self.shifts.each();
        let labels = learned.iter().flatten().map(|shift| shift.bias.len()).max().unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        let number = |bytes: &mut Vec<u8>, n: u32| bytes.extend(n.to_le_bytes());
        number(&mut bytes, VERSION);
        bytes.extend(self.bundle.unwrap_or_default());
        number(&mut bytes, self.examples);
        number(&mut bytes, labels as u32);
        for shift in learned {
            number(&mut bytes, shift.map_or(NOT_LEARNED, |shift| shift.inputs() as u32));
        }
        for shift in learned.into_iter().flatten() {
            for x in shift.weight.iter().chain(&shift.bias) {
                bytes.extend(x.to_le_bytes());
            }
        }
        let sum = crc32fast::hash(&bytes);
        number(&mut bytes, sum);
        bytes
    }

    /// From a file. Whether it is this model's, [`check`](Self::check) says.
    ///
    /// # Errors
    /// [`ProfileError`] when it is none, from a later release, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Profile, ProfileError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ProfileError::NotAProfile)?;
        let mut rest = Rest(rest);
        let version = rest.number()?;
        if version != VERSION {
            return Err(ProfileError::Version(version));
        }
        let (content, sum) = bytes.split_last_chunk::<4>().ok_or(SHORT)?;
        if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
            return Err(ProfileError::Damaged("its checksum is another"));
        }
        let bundle: BundleSum = *rest.take()?;
        let examples = rest.number()?;
        let labels = rest.number()?;
        let inputs = [rest.number()?, rest.number()?, rest.number()?];
        let mut shifts = Shifts::default();
        for (head, inputs) in Head::ALL.into_iter().zip(inputs) {
            if inputs == NOT_LEARNED {
                continue;
            }
            let weights = u64::from(labels) * u64::from(inputs);
            *shifts.of_mut(head) =
                Some(Dense { weight: rest.reals(weights)?, bias: rest.reals(u64::from(labels))? });
        }
        if rest.0.len() != sum.len() {
            return Err(ProfileError::Damaged("there are bytes left at its end"));
        }
        let bundle = (bundle != BundleSum::default()).then_some(bundle);
        Ok(Profile { bundle, examples, shifts })
    }

    /// Whether it belongs to a bundle of this SHA-256, as far as both are known, with heads of these sizes.
    ///
    /// # Errors
    /// [`ProfileError::OtherBundle`] if it does not.
    pub fn check(
        &self,
        bundle: Option<BundleSum>,
        labels: usize,
        inputs: [usize; 3],
    ) -> Result<(), ProfileError> {
        if let (Some(own), Some(other)) = (self.bundle, bundle)
            && own != other
        {
            let told =
                format!(", the one whose SHA-256 begins with {}", hex(own.get(..4).unwrap_or_default()));
            return Err(ProfileError::OtherBundle(told));
        }
        match self.shifts.fit(labels, inputs) {
            true => Ok(()),
            false => Err(ProfileError::OtherBundle(", of other labels or sizes".into())),
        }
    }
}

const SHORT: ProfileError = ProfileError::Damaged("it is too short");

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], ProfileError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, ProfileError> {
        self.take().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn reals(&mut self, count: u64) -> Result<Vec<f32>, ProfileError> {
        let count = usize::try_from(count).ok().and_then(|count| count.checked_mul(4)).ok_or(SHORT)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        let (reals, _) = taken.as_chunks::<4>();
        let reals: Vec<f32> = reals.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match reals.iter().all(|x| x.abs() <= LARGEST) {
            true => Ok(reals),
            false => Err(ProfileError::Damaged("a number in it is out of bounds")),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let dense = |inputs: usize| Dense {
            weight: (0..3 * inputs).map(|i| i as f32 / 8.0).collect(),
            bias: vec![0.5, -0.25, 0.0],
        };
        let shifts = Shifts { text: Some(dense(4)), image: None, fused: Some(dense(0)) };
        Profile { bundle: Some([7; 32]), examples: 60, shifts }
    }

    /// With the checksum that its bytes have now.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - 4;
        let sum = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_profile_comes_back_as_it_was() {
        for profile in [profile(), Profile::default(), Profile { bundle: None, ..profile() }] {
            assert_eq!(Profile::from_bytes(&profile.to_bytes()).unwrap(), profile);
        }
    }

    #[test]
    fn whatever_is_changed_or_cut_off_is_an_error() {
        let bytes = profile().to_bytes();
        for end in 0..bytes.len() {
            assert!(Profile::from_bytes(&bytes[..end]).is_err(), "the first {end} bytes");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert!(Profile::from_bytes(&bytes).is_err(), "byte {at}");
        }
        let code = |bytes: &[u8]| Profile::from_bytes(bytes).unwrap_err().code();
        assert_eq!(code(b"{\"text\":"), "not-a-profile");
        let mut later = bytes.clone();
        later[8] = 2;
        assert_eq!(code(&sealed(later)), "profile-version");
        assert_eq!(code(&bytes[..30]), "profile-damaged");
    }

    #[test]
    fn sizes_and_numbers_that_lie_under_a_right_checksum_are_errors() {
        let bytes = profile().to_bytes();
        // Labels, inputs, a weight.
        for (at, value) in [
            (48, u32::MAX),
            (48, 4),
            (52, u32::MAX - 1),
            (52, 5),
            (56, 0),
            (64, 0x7fc0_0000),
            (64, 0x7f80_0000),
        ] {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
            let error = Profile::from_bytes(&sealed(bytes)).unwrap_err();
            assert_eq!(error.code(), "profile-damaged", "{at}: {error}");
        }
    }

    #[test]
    fn another_bundle_or_other_sizes_are_told() {
        let profile = profile();
        assert_eq!(profile.check(Some([7; 32]), 3, [4, 9, 0]), Ok(()));
        assert_eq!(profile.check(None, 3, [4, 9, 0]), Ok(()));
        for (bundle, labels, inputs) in [
            ([8; 32], 3, [4, 9, 0]),
            ([7; 32], 2, [4, 9, 0]),
            ([7; 32], 3, [5, 9, 0]),
            ([7; 32], 3, [4, 9, 1]),
        ] {
            let error = profile.check(Some(bundle), labels, inputs).unwrap_err();
            assert_eq!(error.code(), "profile-bundle", "{error}");
        }
    }
}
