//! A bundle on the GPU: `--device gpu[:N]` and `--list-devices`. Needs the feature `webgpu`.

#[cfg(feature = "webgpu")]
pub use with::{list, open};
#[cfg(not(feature = "webgpu"))]
pub use without::{list, open};

/// What a build without GPUs says.
#[cfg(not(feature = "webgpu"))]
mod without {
    use std::{io::Write, path::Path};

    use anyhow::{Result, bail};
    use mixed_feelings::Analyzer;

    /// Says how to list GPUs.
    ///
    /// # Errors
    /// Always.
    pub fn list(_: &mut impl Write) -> Result<()> {
        bail!("--list-devices: this build computes bundles on the CPU only: build with `--features webgpu`")
    }

    /// Says how to get one.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: Option<&Path>, _: Option<usize>) -> Result<Analyzer> {
        bail!(
            "--device gpu: this build computes bundles on the CPU only: build with `--features webgpu`, or use \
             --device cpu"
        )
    }
}

#[cfg(feature = "webgpu")]
mod with {
    use std::{io::Write, path::Path};

    use anyhow::{Context, Result};
    use mixed_feelings::{
        Analyzer,
        analyzer::run,
        backend::gpu::{Gpu, adapters},
        inference::QuantizedModel,
    };

    use crate::{bundle, digest};

    /// What answers on a GPU.
    pub type GpuAnalyzer = Analyzer<QuantizedModel<Gpu>>;

    /// Writes which GPUs there are, one a line, by their number.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn list(out: &mut impl Write) -> Result<()> {
        let adapters = run(adapters());
        for (number, adapter) in adapters.iter().enumerate() {
            writeln!(out, "gpu:{number}  {adapter}")?;
        }
        if adapters.is_empty() {
            writeln!(
                out,
                "no GPU was found: install its driver for Vulkan, Metal or Direct3D 12; the CPU needs none"
            )?;
        }
        Ok(())
    }

    /// Opens `bundle`, or the default one, on the GPU of this number, once that gave the integers of the CPU.
    ///
    /// # Errors
    /// As [`bundle::open`], and when the GPU cannot be used; the message says what to do.
    pub fn open(bundle: Option<&Path>, index: Option<usize>) -> Result<GpuAnalyzer> {
        let (path, bytes) = bundle::read(bundle)?;
        let sum = digest::sha256_bytes(&bytes);
        let opened = run(async {
            let mut gpu = Gpu::open(index).await?;
            gpu.self_test().await?;
            Ok::<_, mixed_feelings::backend::gpu::GpuError>(gpu)
        });
        let gpu = opened.context("--device gpu")?;
        tracing::debug!("bundle {} on {:?}", path.display(), gpu.adapter());
        let mut analyzer = Analyzer::on(gpu, bytes).with_context(|| format!("bundle {}", path.display()))?;
        analyzer.identify(sum);
        Ok(analyzer)
    }
}
