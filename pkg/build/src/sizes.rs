//! How large the wasm is, as it lies on the disk and as servers send it.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{Project, output};

/// Node has both compressors; prints one line a file, in bytes.
const SCRIPT: &str = "\
const { readFileSync } = require('node:fs');
const { gzipSync, brotliCompressSync } = require('node:zlib');
for (const file of process.argv.slice(1)) {
  const bytes = readFileSync(file);
  console.log([bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length].join(' '));
}";

/// Prints a table.
pub fn print(project: &Project, files: &[PathBuf]) -> Result<()> {
    let table = output(Command::new("node").arg("-e").arg(SCRIPT).args(files))?;
    println!("{:<40} {:>10} {:>10} {:>10}", "bytes", "raw", "gzip", "brotli");
    for (file, line) in files.iter().zip(table.lines()) {
        let name = file.strip_prefix(project.pkg()).unwrap_or(file).display().to_string();
        print!("{name:<40}");
        line.split(' ').for_each(|size| print!(" {size:>10}"));
        println!();
    }
    Ok(())
}
