//! Argon2id (RFC 9106) in the string format of the Password Hashing
//! Competition (PHC).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use password_hash::PasswordHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{SecretError, VerifyError};
use crate::pin::Pin;

/// The most memory (m) a hash may take, in KiB.
pub const MAX_MEMORY_KIB: u32 = 64 << 10;

/// The most passes (t) over the memory a hash may take.
pub const MAX_PASSES: u32 = 10;

/// The most lanes (p) a hash may have. They are computed one after the other:
/// they take no more time, and no thread.
pub const MAX_LANES: u32 = 4;

/// The shortest hash in bytes. RFC 9106 allows shorter ones, for which a wrong PIN
/// could match by chance.
const MIN_HASH_BYTES: usize = 16;

/// The longest hash of a PHC string in bytes.
const MAX_HASH_BYTES: usize = 64;

/// The longest salt of a PHC string, and the shortest salt of RFC 9106, in bytes.
const MAX_SALT_BYTES: usize = 48;
const MIN_SALT_BYTES: usize = 8;

/// A PIN's Argon2id hash. It has no `Debug`.
pub(super) struct Argon2id {
    params: Params,
    salt: Box<[u8]>,
    hash: Zeroizing<Box<[u8]>>,
}

impl Argon2id {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`.
    pub(super) fn parse(text: &[u8]) -> Result<Self, SecretError> {
        let text = std::str::from_utf8(text).map_err(|_| SecretError::InvalidPhc)?;
        // First what it is: another variant may look otherwise.
        match text.split('$').nth(1) {
            Some("argon2id") => {}
            Some("argon2i") => return Err(SecretError::UnsupportedVariant("argon2i")),
            Some("argon2d") => return Err(SecretError::UnsupportedVariant("argon2d")),
            _ => return Err(SecretError::UnknownForm),
        }
        let phc = PasswordHash::new(text).map_err(|_| SecretError::InvalidPhc)?;
        let mut salt = [0; MAX_SALT_BYTES];
        let salt = phc.salt.and_then(|text| text.decode_b64(&mut salt).ok());
        let salt = salt.filter(|salt| salt.len() >= MIN_SALT_BYTES);
        let hash = phc.hash.filter(|hash| hash.len() >= MIN_HASH_BYTES);
        let (Some(salt), Some(hash)) = (salt, hash) else {
            return Err(SecretError::InvalidPhc);
        };
        // Without a version it is of the one before there were versions.
        match phc.version.unwrap_or(Version::V0x10.into()) {
            19 => {}
            other => return Err(SecretError::UnsupportedVersion(other)),
        }
        let [memory, passes, lanes] = ["m", "t", "p"].map(|name| phc.params.get_decimal(name));
        let (Some(memory), Some(passes), Some(lanes), 3) =
            (memory, passes, lanes, phc.params.iter().count())
        else {
            return Err(SecretError::InvalidPhc);
        };
        if memory > MAX_MEMORY_KIB || passes > MAX_PASSES || lanes > MAX_LANES {
            return Err(SecretError::TooExpensive);
        }
        Ok(Self {
            params: Params::new(memory, passes, lanes, Some(hash.len()))
                .map_err(|_| SecretError::TooCheap)?,
            salt: salt.into(),
            hash: Zeroizing::new(hash.as_bytes().into()),
        })
    }

    /// Whether the entry is the PIN.
    pub(super) fn verify(&self, pin: &Pin) -> Result<bool, VerifyError> {
        let mut hash = Zeroizing::new([0; MAX_HASH_BYTES]);
        let hash = hash.get_mut(..self.hash.len()).unwrap_or_default();
        compute(&self.params, pin, &self.salt, hash)?;
        Ok(self.hash.ct_eq(hash).into())
    }

    /// Returns the cost of [`Self::verify`].
    pub(super) fn cost(&self) -> Cost {
        Cost(self.params.clone())
    }
}

/// The cost of verifying an Argon2id hash, in memory and time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost(Params);

impl Cost {
    /// One of these [`Self::parts`]; `None` if Argon2 can't do it.
    pub fn of((memory, passes, lanes): (u32, u32, u32)) -> Option<Self> {
        Params::new(memory, passes, lanes, None).ok().map(Self)
    }

    /// The memory it takes, in KiB, the passes over it, and the lanes: m, t
    /// and p.
    pub fn parts(&self) -> (u32, u32, u32) {
        (self.0.m_cost(), self.0.t_cost(), self.0.p_cost())
    }

    /// The work, in KiB that are computed: what the time grows with. Of two
    /// costs the one with more work hides the other.
    pub fn work(&self) -> u32 {
        self.0.m_cost().saturating_mul(self.0.t_cost())
    }

    /// Returns the parameters of Argon2.
    pub(super) fn params(&self) -> &Params {
        &self.0
    }

    /// Takes as long as verifying an entry against a hash of this cost, so that the
    /// response time does not distinguish unknown callers from known ones. The result
    /// is discarded.
    ///
    /// # Errors
    ///
    /// As [`super::Secret::verify`], so that these are alike, too.
    pub fn spend(&self, pin: &Pin) -> Result<(), VerifyError> {
        let length = self.0.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let nobody = Argon2id {
            params: self.0.clone(),
            salt: b"nobody's salt 16".as_slice().into(),
            hash: Zeroizing::new(vec![0; length].into()),
        };
        // Else the compiler may see that it can be left out.
        std::hint::black_box(nobody.verify(pin)?);
        Ok(())
    }
}

/// Of a list without such hashes, and of new ones: 19 MiB, two passes, one
/// lane, which OWASP's Password Storage Cheat Sheet recommends.
impl Default for Cost {
    fn default() -> Self {
        Self(Params::DEFAULT)
    }
}

/// Computes the hash of an entry. It takes the memory that the parameters say
/// for as long, and wipes it.
pub(super) fn compute(
    params: &Params,
    pin: &Pin,
    salt: &[u8],
    hash: &mut [u8],
) -> Result<(), VerifyError> {
    let mut memory = Zeroizing::new(Vec::new());
    let count = params.block_count();
    // If memory runs out, one call ends instead of the PBX.
    memory
        .try_reserve_exact(count)
        .map_err(|_| VerifyError::Argon2)?;
    memory.resize(count, Block::new());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(pin.as_bytes(), salt, hash, memory.as_mut_slice())
        .map_err(|_| VerifyError::Argon2)
}
