//! The GPU against the CPU with the shipped bundle, and what happens when it is lost. Needs an adapter; a program on the CPU
//! such as Mesa's lavapipe will do. `MIXED_FEELINGS_NO_GPU` says that there is none: then that is what is tested.
#![cfg(feature = "webgpu")]

use std::{env, fs, path::Path, thread};

use mixed_feelings::{
    Analysis, Analyzer, Post, Scores,
    analyzer::ImageInput,
    backend::gpu::{Gpu, GpuError},
    inference::QuantizedModel,
    testing::{random_bundle, suite::at_once, tiny_config, tiny_tokenizer},
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How far scores may be apart.
const TOLERANCE: f32 = 1e-3;

/// The GPU, or `None` where there is none and that was said.
fn open() -> Result<Option<Gpu>> {
    let gpu = at_once(Gpu::open(None));
    if env::var_os("MIXED_FEELINGS_NO_GPU").is_some() {
        let error = match gpu {
            Err(error) => error,
            Ok(_) if cfg!(target_os = "linux") => return Err("there is a GPU".into()),
            // Only Vulkan's can be hidden.
            Ok(_) => return Ok(None),
        };
        assert_eq!(error.code(), "gpu-none");
        assert!(error.to_string().contains("use the CPU"), "{error}");
        return Ok(None);
    }
    Ok(Some(gpu?))
}

/// A sky over a meadow, of colors that follow from a number.
fn picture(number: u8) -> Vec<u8> {
    let pixel = |i: u32| {
        let (x, y) = ((i % 64) as u8, (i / 64) as u8);
        let is_sky = y < 20 + x / 8;
        let [r, g, b] = if is_sky { [90, 150, 230] } else { [60, 160, 50] };
        [r + 13 * number % 100, g - y, b ^ (number * 37), 255]
    };
    (0..64 * 48).flat_map(pixel).collect()
}

fn tiny() -> Result<Vec<u8>> {
    Ok(random_bundle(&tiny_config(), &tiny_tokenizer(), 7)?)
}

fn on_gpu(bundle: Vec<u8>) -> Result<Option<Analyzer<QuantizedModel<Gpu>>>> {
    Ok(match open()? {
        Some(gpu) => Some(Analyzer::on(gpu, bundle)?),
        None => None,
    })
}

/// Asserts that two analyses say the same, and returns how far their scores are apart.
fn apart(one: &Analysis, other: &Analysis) -> f32 {
    let pairs = [(one.text.as_ref(), other.text.as_ref()), (one.image.as_ref(), other.image.as_ref())];
    assert_eq!(one.label, other.label);
    let of = |a: &Scores, b: &Scores| {
        let apart = a.probabilities().iter().zip(b.probabilities()).map(|(a, b)| (a - b).abs());
        apart.fold(0.0, f32::max)
    };
    let parts = pairs.into_iter().filter_map(|(a, b)| Some(of(&a?.scores, &b?.scores)));
    parts.fold(of(&one.scores, &other.scores), f32::max)
}

#[test]
fn scores_are_the_cpus() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bundle = fs::read(root.join("pkg/mixed-feelings-small.safetensors"))?;
    let Some(mut gpu) = on_gpu(bundle.clone())? else { return Ok(()) };
    at_once(gpu.model_mut().backend().self_test())?;
    let mut cpu = Analyzer::from_bundle(bundle)?;
    let texts: Vec<String> = serde_json::from_slice(&fs::read(root.join("tests/digest/texts.json"))?)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.trim().is_empty()).collect();
    let pictures: Vec<Vec<u8>> = (0..4).map(picture).collect();
    let alone = texts.iter().step_by(4).map(|text| Post { text: Some(text), image: None });
    let image = |pixels| Some(ImageInput::Rgba { width: 64, height: 48, pixels });
    let both =
        texts.iter().zip(&pictures).map(|(text, pixels)| Post { text: Some(text), image: image(pixels) });
    let (mut posts, mut farthest) = (0, 0.0f32);
    for post in alone.chain(both) {
        let (Ok(expected), found) = (cpu.analyze(post), gpu.analyze(post)) else { continue };
        let apart = apart(&expected, &found?);
        assert!(apart < TOLERANCE, "{post:?}: scores are {apart} apart");
        (posts, farthest) = (posts + 1, farthest.max(apart));
    }
    println!("{posts} posts, scores at most {farthest} apart");
    assert!(posts > 10);
    Ok(())
}

#[test]
fn a_lost_device_is_an_error_a_hundred_times() -> Result {
    let (bundle, mut cpu) = (tiny()?, Analyzer::from_bundle(tiny()?)?);
    let pixels = vec![90; 4 * 32 * 32];
    let image = Some(ImageInput::Rgba { width: 32, height: 32, pixels: &pixels });
    let post = Post { text: Some("perfect solitude, I love it!"), image };
    for round in 0..100 {
        let Some(mut gpu) = on_gpu(bundle.clone())? else { return Ok(()) };
        let device = gpu.model_mut().backend().device().clone();
        // Now before the first command, now while it works.
        let lost = if round % 2 == 0 {
            device.destroy();
            gpu.analyze(post)
        } else {
            let thief = thread::spawn(move || {
                (0..round * 40).for_each(|_| std::hint::spin_loop());
                device.destroy();
            });
            let answer = gpu.analyze(post);
            thief.join().map_err(|_| "the other thread panicked")?;
            // It may have been quick enough.
            answer.and_then(|_| gpu.analyze(Post { text: Some("a sad rain"), ..post }))
        };
        let error = lost.err().ok_or("a destroyed device answered")?;
        assert!(error.code().starts_with("gpu-"), "{error}");
        assert!(gpu.analyze(Post { text: Some("happy"), image: None }).is_err(), "it stays lost");
    }
    assert!(cpu.analyze(post).is_ok());
    Ok(())
}

#[test]
fn a_closed_gpu_and_one_that_is_not_there_say_so() -> Result {
    let Some(mut gpu) = on_gpu(tiny()?)? else { return Ok(()) };
    gpu.analyze(Post { text: Some("happy"), image: None })?;
    gpu.model_mut().backend().destroy();
    let closed = gpu.analyze(Post { text: Some("sad"), image: None }).err().ok_or("it answered")?;
    assert_eq!(closed.code(), "gpu-lost");
    match at_once(Gpu::open(Some(99))) {
        Err(GpuError::NoSuchAdapter { index: 99, .. }) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
