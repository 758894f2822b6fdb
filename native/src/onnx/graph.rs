//! A graph that grows node by node. Values are known by their names; a node is named after its output.

use candle_core::{DType, Tensor};

use super::proto::{
    Attribute, Dimension, ElementType, Graph, Node, Shape, TensorProto, TensorType, Type, ValueInfo,
};

/// The name of a value: an input, a constant, or what a node makes.
pub type Value = String;

/// An axis of an input or output.
#[derive(Clone, Copy, Debug)]
pub enum Axis {
    /// Always this long.
    Fixed(usize),
    /// As long as it happens to be; axes of one name are equally long.
    Free(&'static str),
}

/// Builds a [`Graph`].
#[derive(Default)]
pub struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        GraphBuilder { graph: Graph { name: name.into(), ..Graph::default() } }
    }

    /// The graph as it is.
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// A new input.
    pub fn input(&mut self, name: &str, element: ElementType, axes: &[Axis]) -> Value {
        self.graph.input.push(value_info(name, element, axes));
        name.into()
    }

    /// Makes `value` an output of floats, under the name `name`.
    pub fn output(&mut self, name: &str, value: &Value, axes: &[Axis]) {
        self.op("Identity", name, &[value]);
        self.graph.output.push(value_info(name, ElementType::Float, axes));
    }

    /// The constant `tensor`, read as float32.
    ///
    /// # Errors
    /// Those of candle.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) -> candle_core::Result<Value> {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(self.constant(name, tensor.dims(), &values))
    }

    /// A constant float without axes.
    pub fn scalar(&mut self, name: &str, value: f64) -> Value {
        self.constant(name, &[], &[value as f32])
    }

    /// A constant list of integers: a shape, axes, or places.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> Value {
        self.constant(name, &[values.len()], values)
    }

    /// Constant numbers in row-major order; without axes where `dims` is empty.
    pub fn constant<T: Element>(&mut self, name: &str, dims: &[usize], values: &[T]) -> Value {
        if !self.graph.initializer.iter().any(|known| known.name == name) {
            self.graph.initializer.push(TensorProto {
                dims: dims.iter().map(|&d| d as i64).collect(),
                data_type: Some(T::TYPE as i32),
                name: name.into(),
                raw_data: Some(T::bytes(values)),
            });
        }
        name.into()
    }

    /// A node with one output, `name`.
    pub fn op(&mut self, op: &str, name: &str, inputs: &[&Value]) -> Value {
        self.op_with(op, name, inputs, vec![])
    }

    /// A node that makes another element type of `x`.
    pub fn cast(&mut self, name: &str, x: &Value, to: ElementType) -> Value {
        self.op_with("Cast", name, &[x], vec![int("to", to as i64)])
    }

    /// A node with settings.
    pub fn op_with(&mut self, op: &str, name: &str, inputs: &[&Value], attribute: Vec<Attribute>) -> Value {
        self.graph.node.push(Node {
            input: inputs.iter().map(|&input| input.clone()).collect(),
            name: name.into(),
            output: vec![name.into()],
            op_type: op.into(),
            attribute,
        });
        name.into()
    }
}

/// A number that constants are made of.
pub trait Element: Sized {
    const TYPE: ElementType;

    /// Little endian.
    fn bytes(values: &[Self]) -> Vec<u8>;
}

macro_rules! element {
    ($($number:ty: $Type:ident),*) => {$(
        impl Element for $number {
            const TYPE: ElementType = ElementType::$Type;

            fn bytes(values: &[Self]) -> Vec<u8> {
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }
        }
    )*};
}

element!(f32: Float, u8: Uint8, i8: Int8, i32: Int32, i64: Int64);

/// A setting that is an integer; an axis may be counted from the end.
pub fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(value), r#type: 2, ..Attribute::default() }
}

/// A setting that is a list of integers.
pub fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: values.to_vec(), r#type: 7, ..Attribute::default() }
}

/// A setting that is a float.
pub fn float(name: &str, value: f64) -> Attribute {
    Attribute { name: name.into(), f: Some(value as f32), r#type: 1, ..Attribute::default() }
}

fn value_info(name: &str, element: ElementType, axes: &[Axis]) -> ValueInfo {
    let dimension = |axis: &Axis| match *axis {
        Axis::Fixed(size) => Dimension { dim_value: Some(size as i64), dim_param: None },
        Axis::Free(name) => Dimension { dim_value: None, dim_param: Some(name.into()) },
    };
    let shape = Shape { dim: axes.iter().map(dimension).collect() };
    let tensor_type = TensorType { elem_type: element as i32, shape: Some(shape) };
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type: Some(tensor_type) }) }
}
