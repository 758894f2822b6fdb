//! What can go wrong with a GPU.

use crate::bundle::BundleError;

/// Why the GPU does not answer. All but [`GpuError::Bundle`] and [`GpuError::TooLarge`] mean that the CPU should take over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// The weights cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// There is none.
    #[error("no GPU was found ({reason}): install its driver, or use the CPU")]
    NoAdapter {
        /// What the system said.
        reason: String,
    },
    /// There is none of this number.
    #[error("there is no GPU {index}, the system has {count}: --list-devices shows them")]
    NoSuchAdapter {
        /// The number that was asked for, from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// It can do too little.
    #[error("the GPU's limit {name} is {available}, {needed} is needed: use the CPU")]
    Limit {
        /// WebGPU's name of it.
        name: &'static str,
        /// What is needed.
        needed: u64,
        /// What there is.
        available: u64,
    },
    /// It could not be opened.
    #[error("the GPU could not be opened: {reason}")]
    Device {
        /// What the system said.
        reason: String,
    },
    /// More memory at once than it gives.
    #[error("{bytes} bytes in one piece are more than this GPU's {limit}: send fewer posts at a time")]
    TooLarge {
        /// What was needed.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// More work at once than it takes.
    #[error("{groups} workgroups are more than this GPU takes at once: send fewer posts at a time")]
    TooMany {
        /// How many would be needed.
        groups: u64,
    },
    /// A head of attention or a text is longer than the kernels know.
    #[error(
        "heads of {depth} numbers and texts of {tokens} tokens are more than the kernels take, 256 and 1024: use the CPU"
    )]
    Attention {
        /// Numbers of a head.
        depth: usize,
        /// Tokens of the longest text.
        tokens: usize,
    },
    /// It was taken away: unplugged, reset, or closed.
    #[error("the GPU was lost: {reason}")]
    Lost {
        /// What the system said.
        reason: String,
    },
    /// It ran out of memory.
    #[error("the GPU has no more memory: {reason}")]
    Memory {
        /// What the system said.
        reason: String,
    },
    /// It refused a command, which is a mistake of this crate or of the driver.
    #[error("the GPU refused a command: {reason}")]
    Refused {
        /// What the system said.
        reason: String,
    },
    /// It did not answer in time.
    #[error("the GPU did not answer within {seconds} seconds")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// Its numbers are wrong.
    #[error("the GPU computes wrong numbers: {reason}")]
    Wrong {
        /// Which ones.
        reason: String,
    },
}

impl GpuError {
    /// A stable kebab-case name of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            GpuError::Bundle(error) => error.code(),
            GpuError::NoAdapter { .. } | GpuError::NoSuchAdapter { .. } => "gpu-none",
            GpuError::Limit { .. } | GpuError::Attention { .. } => "gpu-limit",
            GpuError::Device { .. } => "gpu-device",
            GpuError::TooLarge { .. } | GpuError::TooMany { .. } => "gpu-too-large",
            GpuError::Lost { .. } => "gpu-lost",
            GpuError::Memory { .. } => "gpu-memory",
            GpuError::Refused { .. } => "gpu-refused",
            GpuError::Timeout { .. } => "gpu-timeout",
            GpuError::Wrong { .. } => "gpu-wrong",
        }
    }

    /// Whether the device may go on: the next, smaller batch can work.
    pub(super) fn is_of_the_batch(&self) -> bool {
        matches!(self, GpuError::TooLarge { .. } | GpuError::TooMany { .. })
    }
}
