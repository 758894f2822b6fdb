//! What both encoders and the fusion are made of, as ONNX nodes. A name is that of the result; the nodes on the way are
//! named after it.

use mixed_feelings::{backend::LEVELS, model::Activation};

use super::{
    graph::{GraphBuilder, Value, int, ints},
    proto::ElementType,
};

/// Rows of activations as levels: `real = (level - zero) * scale`.
#[derive(Clone, Debug)]
pub struct RowLevels {
    /// Levels of 0 to 127, as uint8.
    levels: Value,
    /// One a row, int32.
    zero: Value,
    /// One a row.
    scale: Value,
}

impl GraphBuilder {
    /// Each row of the last axis by its own smallest and largest element, as [`mixed_feelings::backend::Cpu`] does.
    ///
    /// `QuantizeLinear` knows one scale a tensor or a fixed number of them along an axis, and here every row has its own.
    /// So the levels are made of elementary operators, and `MatMulInteger` takes the exact integer products, in which
    /// runtimes are fast.
    pub fn row_levels(&mut self, x: &Value) -> RowLevels {
        let of = |part: &str| format!("{x}.row.{part}");
        let (zero, one, most) =
            (self.scalar("zero", 0.0), self.scalar("one", 1.0), self.scalar("levels", LEVELS.into()));
        let step = self.scalar("step", (1.0 / LEVELS).into());
        let least = self.scalar("least.scale", f32::MIN_POSITIVE.into());
        let last = || vec![ints("axes", &[-1]), int("keepdims", 1)];
        let low = self.op_with("ReduceMin", &of("smallest"), &[x], last());
        let low = self.op("Min", &of("low"), &[&low, &zero]);
        let high = self.op_with("ReduceMax", &of("largest"), &[x], last());
        let high = self.op("Max", &of("high"), &[&high, &zero]);
        let range = self.op("Sub", &of("range"), &[&high, &low]);
        let scale = self.op("Mul", &of("fine"), &[&range, &step]);
        // A row of zeros has no range, and stays zeros.
        let scale = self.op("Max", &of("scale"), &[&scale, &least]);
        let down = self.op("Neg", &of("down"), &[&low]);
        let zero_point = self.op("Div", &of("zero.real"), &[&down, &scale]);
        let zero_point = self.op("Round", &of("zero"), &[&zero_point]);
        let inverse = self.op("Div", &of("inverse"), &[&one, &scale]);
        let levels = self.op("Mul", &of("steps"), &[x, &inverse]);
        let levels = self.op("Add", &of("shifted"), &[&levels, &zero_point]);
        let levels = self.op("Round", &of("rounded"), &[&levels]);
        let levels = self.op("Clip", &of("held"), &[&levels, &zero, &most]);
        RowLevels {
            levels: self.cast(&of("levels"), &levels, ElementType::Uint8),
            zero: self.cast(&of("zero.int"), &zero_point, ElementType::Int32),
            scale,
        }
    }

    /// The matrix product of rows and int8 weights `[inputs, outputs]`, of which each output has a `scale` and the `sums`
    /// of its levels.
    pub fn integer_product(
        &mut self,
        name: &str,
        rows: &RowLevels,
        [weights, scale, sums]: [&Value; 3],
    ) -> Value {
        let of = |part: &str| format!("{name}.{part}");
        // As u8 times i8: the other order of signs, levels without their zero point, would overflow where a processor
        // adds two such products in 16 bits. Levels of 7 bits cannot.
        let products = self.op("MatMulInteger", &of("integers"), &[&rows.levels, weights]);
        let zeros = self.op("Mul", &of("zeros"), &[&rows.zero, sums]);
        let exact = self.op("Sub", &of("exact"), &[&products, &zeros]);
        let exact = self.cast(&of("reals"), &exact, ElementType::Float);
        let scale = self.op("Mul", &of("scales"), &[&rows.scale, scale]);
        self.op("Mul", name, &[&exact, &scale])
    }

    /// Attention of several heads: `query`, `key` and `value` are `[batch, items, width]`, `bias` is added to the scores.
    pub fn attention(
        &mut self,
        name: &str,
        [query, key, value]: [&Value; 3],
        bias: Option<&Value>,
        (width, heads): (usize, usize),
    ) -> Value {
        let of = |part: &str| format!("{name}.{part}");
        let head = width / heads;
        let apart = self.integers(&format!("split.{heads}.{head}"), &[0, 0, heads as i64, head as i64]);
        let mut split = |part: &str, x: &Value, order: [i64; 4]| {
            let parts = self.op("Reshape", &of(&format!("{part}.split")), &[x, &apart]);
            self.op_with("Transpose", &of(&format!("{part}.heads")), &[&parts], vec![ints("perm", &order)])
        };
        let query = split("query", query, [0, 2, 1, 3]);
        let key = split("key", key, [0, 2, 3, 1]);
        let value = split("value", value, [0, 2, 1, 3]);
        let product = self.op("MatMul", &of("products"), &[&query, &key]);
        let divisor = self.scalar(&format!("sqrt.{head}"), (head as f64).sqrt());
        let mut scores = self.op("Div", &of("scores"), &[&product, &divisor]);
        if let Some(bias) = bias {
            scores = self.op("Add", &of("masked"), &[&scores, bias]);
        }
        let probabilities = self.op_with("Softmax", &of("probabilities"), &[&scores], vec![int("axis", -1)]);
        let context = self.op("MatMul", &of("context.heads"), &[&probabilities, &value]);
        let order = vec![ints("perm", &[0, 2, 1, 3])];
        let context = self.op_with("Transpose", &of("context.split"), &[&context], order);
        let together = self.integers(&format!("join.{width}"), &[0, 0, width as i64]);
        self.op("Reshape", &of("context"), &[&context, &together])
    }

    /// What [`attention`](Self::attention) adds to its scores for a mask `[batch, items]` of 1 and 0: 0 and -1e9, `[batch,
    /// 1, 1, items]`. In the steps by which exporters of BERT write it, because optimizers of attention look for them.
    pub fn key_bias(&mut self, name: &str, mask: &Value) -> Value {
        let (one, large) = (self.scalar("one", 1.0), self.scalar("large", -1e9));
        let (heads, queries) = (self.integers("axes.1", &[1]), self.integers("axes.2", &[2]));
        let mask = self.op("Unsqueeze", &format!("{name}.heads"), &[mask, &heads]);
        let mask = self.op("Unsqueeze", &format!("{name}.queries"), &[&mask, &queries]);
        let hidden = self.op("Sub", &format!("{name}.hidden"), &[&one, &mask]);
        self.op("Mul", name, &[&hidden, &large])
    }

    /// The mean of `[batch, items, width]` over the items that the mask `[batch, items]` marks with 1.
    pub fn mean_pool(&mut self, name: &str, items: &Value, mask: &Value) -> Value {
        let (axis, last) = (self.integers("axes.1", &[1]), self.integers("axes.2", &[2]));
        let wide = self.op("Unsqueeze", &format!("{name}.mask"), &[mask, &last]);
        let real = self.op("Mul", &format!("{name}.real"), &[items, &wide]);
        let gone = vec![int("keepdims", 0)];
        let sum = self.op_with("ReduceSum", &format!("{name}.sum"), &[&real, &axis], gone);
        let count = self.op("ReduceSum", &format!("{name}.count"), &[mask, &axis]);
        let one = self.scalar("one", 1.0);
        let count = self.op("Max", &format!("{name}.divisor"), &[&count, &one]);
        self.op("Div", name, &[&sum, &count])
    }

    /// 0, 1, 2, ... for the tokens of each row of `ids`. Counted, so that their shape is known to be that of `ids`: a slice
    /// of the table has axes of its own, and runtimes join a sum with a LayerNorm where they know that both addends are of
    /// one shape.
    pub fn positions(&mut self, name: &str, ids: &Value) -> Value {
        let (zero, one) = (self.constant("id.0", &[], &[0i64]), self.constant("id.1", &[], &[1i64]));
        let zeros = self.op("Mul", &format!("{name}.zeros"), &[ids, &zero]);
        let ones = self.op("Add", &format!("{name}.ones"), &[&zeros, &one]);
        self.op_with("CumSum", name, &[&ones, &one], vec![int("exclusive", 1)])
    }

    /// `x Φ(x)`, written with the error function as every runtime's optimizer knows it.
    pub fn gelu(&mut self, name: &str, x: &Value) -> Value {
        let (root, one, half) =
            (self.scalar("sqrt.2", 2f64.sqrt()), self.scalar("one", 1.0), self.scalar("half", 0.5));
        let scaled = self.op("Div", &format!("{name}.scaled"), &[x, &root]);
        let erf = self.op("Erf", &format!("{name}.erf"), &[&scaled]);
        let shifted = self.op("Add", &format!("{name}.shifted"), &[&erf, &one]);
        let product = self.op("Mul", &format!("{name}.product"), &[x, &shifted]);
        self.op("Mul", name, &[&product, &half])
    }

    /// Its approximation `x / 2 (1 + tanh(sqrt(2 / π) (x + 0.044715 x³)))` (Hendrycks & Gimpel 2016).
    pub fn gelu_new(&mut self, name: &str, x: &Value) -> Value {
        let (one, half) = (self.scalar("one", 1.0), self.scalar("half", 0.5));
        let cubic = self.scalar("gelu.cubic", 0.044715);
        let root = self.scalar("gelu.root", (2.0 / std::f64::consts::PI).sqrt());
        let square = self.op("Mul", &format!("{name}.square"), &[x, x]);
        let cube = self.op("Mul", &format!("{name}.cube"), &[&square, x]);
        let bent = self.op("Mul", &format!("{name}.bent"), &[&cube, &cubic]);
        let sum = self.op("Add", &format!("{name}.sum"), &[x, &bent]);
        let inner = self.op("Mul", &format!("{name}.inner"), &[&sum, &root]);
        let tanh = self.op("Tanh", &format!("{name}.tanh"), &[&inner]);
        let shifted = self.op("Add", &format!("{name}.shifted"), &[&tanh, &one]);
        let product = self.op("Mul", &format!("{name}.product"), &[x, &shifted]);
        self.op("Mul", name, &[&product, &half])
    }

    /// The activation of a CNN's floats, under the name `name` unless there is none.
    pub fn activate(&mut self, name: &str, x: &Value, activation: Activation) -> Value {
        match activation {
            Activation::None => x.clone(),
            Activation::Relu => self.op("Relu", name, &[x]),
            Activation::Relu6 => {
                let (least, most) = (self.scalar("zero", 0.0), self.scalar("six", 6.0));
                self.op("Clip", name, &[x, &least, &most])
            }
            Activation::HardSwish => self.op("HardSwish", name, &[x]),
        }
    }
}
