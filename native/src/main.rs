//! The program; all of it is in the library beside it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The system's allocator gives the pages of every large tensor back to the kernel at once, and a training step makes
/// hundreds of them: a quarter of its time went into page faults.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    mixed_feelings_native::main()
}
