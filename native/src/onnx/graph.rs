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
        self.push("Identity", &[value], name.into(), vec![]);
        self.graph.output.push(value_info(name, ElementType::Float, axes));
    }

    /// The constant `tensor`, read as float32.
    ///
    /// # Errors
    /// Those of candle.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) -> candle_core::Result<Value> {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(self.floats(name, tensor.dims(), &values))
    }

    /// Constant floats in row-major order.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Value {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, ElementType::Float, dims, raw)
    }

    /// Constant int8 numbers in row-major order.
    pub fn int8(&mut self, name: &str, dims: &[usize], values: &[i8]) -> Value {
        self.constant(name, ElementType::Int8, dims, values.iter().map(|&v| v as u8).collect())
    }

    /// Constant uint8 numbers in row-major order; without axes where `dims` is empty.
    pub fn uint8(&mut self, name: &str, dims: &[usize], values: &[u8]) -> Value {
        self.constant(name, ElementType::Uint8, dims, values.to_vec())
    }

    /// A constant list of 32-bit integers.
    pub fn int32(&mut self, name: &str, values: &[i32]) -> Value {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, ElementType::Int32, &[values.len()], raw)
    }

    /// A constant float without axes.
    pub fn scalar(&mut self, name: &str, value: f64) -> Value {
        self.constant(name, ElementType::Float, &[], (value as f32).to_le_bytes().into())
    }

    /// A constant integer without axes.
    pub fn integer(&mut self, name: &str, value: i64) -> Value {
        self.constant(name, ElementType::Int64, &[], value.to_le_bytes().into())
    }

    /// A constant list of integers: a shape, axes, or places.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> Value {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, ElementType::Int64, &[values.len()], raw)
    }

    /// A node with one output, `name`.
    pub fn op(&mut self, op: &str, name: &str, inputs: &[&Value]) -> Value {
        self.op_with(op, name, inputs, vec![])
    }

    /// A node that makes another element type of `x`.
    pub fn cast(&mut self, name: &str, x: &Value, to: ElementType) -> Value {
        self.op_with("Cast", name, &[x], vec![int("to", to as usize)])
    }

    /// A node with settings.
    pub fn op_with(&mut self, op: &str, name: &str, inputs: &[&Value], attributes: Vec<Attribute>) -> Value {
        self.push(op, inputs, name.into(), attributes);
        name.into()
    }

    fn push(&mut self, op: &str, inputs: &[&Value], output: Value, attribute: Vec<Attribute>) {
        self.graph.node.push(Node {
            input: inputs.iter().map(|&input| input.clone()).collect(),
            name: output.clone(),
            output: vec![output],
            op_type: op.into(),
            attribute,
        });
    }

    fn constant(&mut self, name: &str, element: ElementType, dims: &[usize], raw: Vec<u8>) -> Value {
        if !self.graph.initializer.iter().any(|known| known.name == name) {
            self.graph.initializer.push(TensorProto {
                dims: dims.iter().map(|&d| d as i64).collect(),
                data_type: Some(element as i32),
                name: name.into(),
                raw_data: Some(raw),
            });
        }
        name.into()
    }
}

/// A setting that is an integer.
pub fn int(name: &str, value: usize) -> Attribute {
    signed(name, value as i64)
}

/// A setting that may be negative: an axis from the end.
pub fn signed(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(value), r#type: 2, ..Attribute::default() }
}

/// A setting that is a list of integers.
pub fn ints(name: &str, values: &[usize]) -> Attribute {
    signed_list(name, &values.iter().map(|&v| v as i64).collect::<Vec<_>>())
}

/// A setting that is a list of integers, of which some may be negative: axes from the end.
pub fn signed_list(name: &str, values: &[i64]) -> Attribute {
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
