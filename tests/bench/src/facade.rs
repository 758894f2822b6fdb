//! The package as a page uses it: long use, and the way to the first answer.

use serde_json::{Value, json};

use crate::options::Options;

/// The shipped bundle's address.
pub const BUNDLE: &str = "/pkg/mixed-feelings-small.safetensors";

/// Fresh pages whose median the way to the first answer is.
const PAGES: usize = 7;

/// What the driver is told of both.
pub fn jobs(options: &Options) -> (Option<Value>, Option<Value>) {
    let soak = options.soak.map(|analyses| json!({ "analyses": analyses }));
    let pages = if options.quick { 3 } else { PAGES };
    (soak, options.load.then(|| json!({ "pages": pages, "bundle": BUNDLE })))
}
