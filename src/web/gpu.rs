//! The engine on the GPU, a program of its own. Everything that waits is a promise, and none holds the engine: it can be
//! freed under way, which destroys the device and so ends the wait.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use js_sys::{Promise, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::{
    BundleBuffer, Clock, Picture, Timed, labels,
    many::{Posts, outcomes},
    now, preprocess, thrown,
};
use crate::{
    Analyzer, Error, Post,
    backend::gpu::{Gpu, GpuError},
    inference::QuantizedModel,
};

type GpuAnalyzer = Analyzer<QuantizedModel<Gpu>>;

/// How long the answer to a post is waited for; of many posts, so long and [`SECONDS_MORE`] for each.
const SECONDS: u64 = 30;
const SECONDS_MORE: u64 = 10;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, milliseconds: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// An [`Analyzer`] of the int8 model whose encoders run on the GPU.
#[wasm_bindgen]
#[derive(Debug)]
pub struct GpuEngine {
    analyzer: Rc<RefCell<GpuAnalyzer>>,
    device: wgpu::Device,
}

#[wasm_bindgen]
impl GpuEngine {
    /// From the bytes of a bundle, which it takes over, on the GPU that the browser finds best.
    #[wasm_bindgen(unchecked_return_type = "Promise<GpuEngine>")]
    pub fn create(bundle: BundleBuffer) -> Promise {
        future_to_promise(async move {
            let make = async {
                let gpu = Gpu::open(None).await?;
                let device = gpu.device().clone();
                let analyzer = Analyzer::on(gpu, bundle.into_bytes())?;
                Ok(GpuEngine { analyzer: Rc::new(RefCell::new(analyzer)), device })
            };
            within(SECONDS, make).await.map(JsValue::from).map_err(thrown)
        })
    }

    /// Rejects when the GPU gives other integers than the CPU: then do not use it. Compiles the kernels on the way.
    #[wasm_bindgen(js_name = selfTest)]
    pub fn self_test(&self) -> Promise {
        self.begin(SECONDS, async |analyzer| {
            analyzer.model_mut().backend().self_test().await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// As [`Engine::labels`](super::Engine::labels).
    pub fn labels(&self) -> Result<String, JsValue> {
        labels(&*self.analyzer.try_borrow().map_err(|_| busy())?)
    }

    /// As [`Engine::preprocess`](super::Engine::preprocess).
    pub fn preprocess(&self) -> Result<String, JsValue> {
        preprocess(&*self.analyzer.try_borrow().map_err(|_| busy())?)
    }

    /// What the browser tells of the GPU, as JSON: `vendor`, `architecture`, `device`, `description`, each empty where it
    /// tells nothing, `software`, `dot4` (sums of four products at once), and `limits`.
    pub fn adapter(&self) -> Result<String, JsValue> {
        let mut analyzer = self.analyzer.try_borrow_mut().map_err(|_| busy())?;
        let adapter = analyzer.model_mut().backend().adapter().clone();
        let info =
            self.device.as_webgpu().and_then(|device| Reflect::get(device, &"adapterInfo".into()).ok());
        let told = |name: &str| {
            let value = info.as_ref().and_then(|info| Reflect::get(info, &name.into()).ok());
            value.and_then(|value| value.as_string()).unwrap_or_default()
        };
        let told = Told {
            vendor: told("vendor"),
            architecture: told("architecture"),
            device: told("device"),
            description: told("description"),
            software: adapter.is_software,
            dot4: adapter.has_dot_products,
            limits: Limits { max_storage_buffer_binding_size: adapter.most_bytes },
        };
        serde_json::to_string(&told).map_err(|e| JsError::from(e).into())
    }

    /// The analysis as JSON, with `timings`.
    pub fn analyze(&self, text: Option<String>, picture: Option<Picture>) -> Promise {
        self.begin(SECONDS, async move |analyzer| {
            let mut clock = Clock::new(1);
            let post = Post { text: text.as_deref(), image: picture.as_ref().map(Picture::input) };
            let analysis = analyzer.analyze_async(post, |stage| clock.begins(stage, &[0])).await?;
            let timings = clock.end().pop().unwrap_or_default();
            Ok(json(&Timed { analysis: &analysis, timings }))
        })
    }

    /// As [`Engine::analyzeMany`](super::Engine::analyze_many). Rejects when the GPU fails.
    #[wasm_bindgen(js_name = analyzeMany)]
    pub fn analyze_many(&self, texts: Vec<JsValue>, pictures: Vec<JsValue>) -> Result<Promise, JsValue> {
        let seconds = SECONDS + SECONDS_MORE * texts.len() as u64;
        let posts = Posts::new(texts, pictures)?;
        Ok(self.begin(seconds, async move |analyzer| {
            let posts = posts.all();
            let mut clock = Clock::new(posts.len());
            let began = |stage, posts: &[usize]| clock.begins(stage, posts);
            let mut answers = analyzer.analyze_many_async(&posts, began).await;
            if let Some(lost) = answers.iter().position(|answer| matches!(answer, Err(Error::Gpu(_)))) {
                answers.swap_remove(lost)?;
            }
            Ok(outcomes(&answers, clock).map_or(JsValue::UNDEFINED, JsValue::from))
        }))
    }

    /// Milliseconds that the encoders take for so many texts of so many tokens and so many pictures, which mean nothing.
    pub fn probe(&self, texts: usize, tokens: usize, pictures: usize) -> Promise {
        self.begin(SECONDS, async move |analyzer| {
            let began = now();
            super::probe(analyzer.model_mut(), texts, tokens, pictures).await?;
            Ok((now() - began).into())
        })
    }
}

impl Drop for GpuEngine {
    fn drop(&mut self) {
        self.device.destroy();
    }
}

impl GpuEngine {
    /// Does something with the analyzer, one thing at a time.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "whoever comes meanwhile borrows with `try_borrow_mut`, and is told that the engine is at work"
    )]
    fn begin<F>(&self, seconds: u64, does: F) -> Promise
    where
        F: AsyncFnOnce(&mut GpuAnalyzer) -> Result<JsValue, Error> + 'static,
    {
        let (analyzer, device) = (Rc::clone(&self.analyzer), self.device.clone());
        future_to_promise(async move {
            let mut analyzer = analyzer.try_borrow_mut().map_err(|_| busy())?;
            let done = within(seconds, does(&mut analyzer)).await;
            if let Err(Error::Gpu(GpuError::Timeout { .. })) = &done {
                // It would not be believed any more.
                device.destroy();
            }
            done.map_err(thrown)
        })
    }
}

/// What is known of a GPU.
#[derive(Serialize)]
struct Told {
    vendor: String,
    architecture: String,
    device: String,
    description: String,
    software: bool,
    dot4: bool,
    limits: Limits,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    max_storage_buffer_binding_size: u64,
}

fn json(value: &impl Serialize) -> JsValue {
    serde_json::to_string(value).unwrap_or_default().into()
}

fn busy() -> JsValue {
    JsError::new("the engine is at work: await what it was asked before").into()
}

/// What `future` gives, or [`GpuError::Timeout`] when the GPU does not answer.
async fn within<T>(seconds: u64, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut timer = JsValue::UNDEFINED;
    let promise = Promise::new(&mut |resolve, _| timer = set_timeout(&resolve, seconds as f64 * 1e3));
    let (mut future, mut rings) = (pin!(future), JsFuture::from(promise));
    let done = poll_fn(|context| {
        if let Poll::Ready(done) = future.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        pin!(&mut rings).poll(context).map(|_| Err(GpuError::Timeout { seconds }.into()))
    });
    let done = done.await;
    clear_timeout(&timer);
    done
}
