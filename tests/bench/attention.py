"""Puts onnxruntime's own attention operator where the exporter wrote attention out.

onnxruntime's transformer optimizer knows attention by the shapes that PyTorch's exporter leaves; ours are others. The
operator is what it would have put there, and the quantisation tools know it.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SELF = ".attention.self"


def fuse_attention(model, heads):
    """Replaces the attention of each encoder layer in place; returns how many there were."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    layers = [name.removesuffix(".context") for name in nodes if name.endswith(f"{SELF}.context")]
    if not layers:
        return 0
    mask = "text.mask.int32"
    kept = [helper.make_node("Cast", ["attention_mask"], [mask], mask, to=TensorProto.INT32)]
    for node in graph.node:
        layer = next((layer for layer in layers if node.name == layer or node.name.startswith(f"{layer}.")), None)
        if layer is None:
            kept.append(node)
        elif node.name == f"{layer}.context":
            kept.append(operator(layer, node, nodes, constants, graph, heads, mask))
    del graph.node[:]
    graph.node.extend(kept)
    drop_unused(graph)
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return len(layers)


def operator(layer, node, nodes, constants, graph, heads, mask):
    parts = ("query", "key", "value")
    products = [nodes[f"{layer}.{part}.product"] for part in parts]
    weight = np.concatenate([value(constants[product.input[1]]) for product in products], axis=1)
    bias = np.concatenate([value(constants[nodes[f"{layer}.{part}"].input[1]]) for part in parts])
    graph.initializer.append(numpy_helper.from_array(weight, f"{layer}.weight"))
    graph.initializer.append(numpy_helper.from_array(bias, f"{layer}.bias"))
    inputs = [products[0].input[0], f"{layer}.weight", f"{layer}.bias", mask]
    name = f"{layer}.fused"
    return helper.make_node("Attention", inputs, node.output, name, domain="com.microsoft", num_heads=heads)


def value(tensor):
    return numpy_helper.to_array(tensor)


def drop_unused(graph):
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
