//! The first text preparation, which the models of release 0.1 were trained with. Nothing in it may change: when no
//! supported bundle names it any more, this folder goes.
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

mod clean;
mod decode;
mod emoji;

pub(super) use clean::clean;
