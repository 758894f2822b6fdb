"""Makes of an exported ONNX file every form in which onnxruntime may be fastest, with onnxruntime's own tools.

Which of them it is, the benchmark finds out where it runs. Text: dynamic quantisation of the matrix products, by tensor
and by channel, of the plain graph and of the one whose attention, LayerNorm and GELU its transformer optimizer has fused.
Image: static quantisation of everything, as QDQ and as QOperator. The whole model: both.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers import optimizer


class RandomInputs(CalibrationDataReader):
    """Smooth random pictures: the ranges decide about the answer, not about the time."""

    def __init__(self, model, count=4):
        rng = np.random.default_rng(1)
        self.rows = iter([{i.name: self.value(i, rng) for i in model.graph.input} for _ in range(count)])

    @staticmethod
    def value(declared, rng):
        if declared.name == "pixel_values":
            side = declared.type.tensor_type.shape.dim[3].dim_value
            coarse = rng.uniform(-1, 1, (1, 3, side // 16, side // 16))
            return coarse.repeat(16, axis=2).repeat(16, axis=3).astype(np.float32)
        if declared.name in ("has_text", "has_image"):
            return np.ones(1, np.float32)
        ids = rng.integers(1000, 2000, (1, 32)) if declared.name == "input_ids" else np.ones((1, 32))
        return ids.astype(np.int64)

    def get_next(self):
        return next(self.rows, None)


class Variants:
    def __init__(self, source):
        self.source = source
        self.list = [{"numbers": "f32", "name": "as exported", "file": source.name}]

    def path(self, short):
        return self.source.with_name(f"{self.source.stem}.{short}.onnx")

    def add(self, numbers, name, path):
        self.list.append({"numbers": numbers, "name": name, "file": path.name})

    def attempt(self, numbers, name, short, make):
        """A form that a tool cannot make is left out: it could not have been anybody's choice."""
        path = self.path(short)
        try:
            make(path)
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # the tools raise whatever comes
            print(f"  not {name}: {type(error).__name__}: {str(error)[:200]}", flush=True)
            return None
        print(f"  {name}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
        self.add(numbers, name, path)
        return path


def dynamic(source, per_channel, nodes=None):
    weights = {"weight_type": QuantType.QInt8, "per_channel": per_channel, "nodes_to_quantize": nodes}
    # The types of what comes out of fused operators, which shape inference does not know.
    weights["extra_options"] = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    return lambda path: quantize_dynamic(source, path, **weights)


def static(source, form, nodes=None):
    def make(path):
        quantize_static(
            source,
            path,
            RandomInputs(onnx.load(source)),
            quant_format=form,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=nodes,
        )

    return make


def fuse(source, heads, hidden):
    def make(path):
        # Level 0: only the fusions of transformers; the others happen when a session opens the file.
        fused = optimizer.optimize_model(
            str(source), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=0, use_gpu=False
        )
        found = {name: count for name, count in fused.get_fused_operator_statistics().items() if count}
        print(f"  fused: {found}", flush=True)
        fused.save_model_to_file(str(path))

    return make


def text(variants, source, arguments):
    for channels, name in ((False, "by tensor"), (True, "by channel")):
        variants.attempt("int8", f"dynamic {name}", f"dynamic-{int(channels)}", dynamic(source, channels))
    fused = variants.attempt("f32", "fused", "fused", fuse(variants.source, arguments.heads, arguments.hidden))
    if fused:
        for channels, name in ((False, "by tensor"), (True, "by channel")):
            variants.attempt(
                "int8", f"fused, dynamic {name}", f"fused-dynamic-{int(channels)}", dynamic(fused, channels)
            )


def image(variants, source):
    for form in (QuantFormat.QOperator, QuantFormat.QDQ):
        variants.attempt("int8", f"static {form.name}", f"static-{form.name}", static(source, form))


def whole(variants, source, arguments):
    """Both ways in one graph: the matrix products of the text first, then the nodes of the picture, or those not at all."""
    fused = variants.attempt("f32", "fused", "fused", fuse(variants.source, arguments.heads, arguments.hidden))
    bases = [("", "", source)] + ([("fused, ", "fused-", fused)] if fused else [])
    for said, short, base in bases:
        nodes = onnx.load(base).graph.node
        # Not its last two, the mean: the dynamic way has already named the numbers of what they give.
        ends = ("image.mean", "image.pooled")
        of_picture = [node.name for node in nodes if node.name.startswith("image.") and node.name not in ends]
        rest = [node.name for node in nodes if not node.name.startswith("image.")]
        half = variants.attempt(
            "int8", f"{said}dynamic text, float picture", f"{short}half", dynamic(base, True, rest)
        )
        for form in (QuantFormat.QOperator, QuantFormat.QDQ) if half else ():
            name = f"{said}dynamic text, static {form.name} picture"
            variants.attempt("int8", name, f"{short}{form.name}", static(half, form, of_picture))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--part", choices=("text", "image", "model"), required=True)
    parser.add_argument("--heads", type=int, required=True)
    parser.add_argument("--hidden", type=int, required=True)
    parser.add_argument("--list", type=Path, required=True, help="the file that names what was made")
    arguments = parser.parse_args()

    variants = Variants(arguments.source)
    source = variants.path("prepared")
    try:
        quant_pre_process(arguments.source, source, skip_symbolic_shape=arguments.part != "image")
    except Exception as error:
        print(f"  not prepared: {type(error).__name__}: {str(error)[:200]}", flush=True)
        source = arguments.source
    if arguments.part == "text":
        text(variants, source, arguments)
    elif arguments.part == "image":
        image(variants, source)
    else:
        whole(variants, source, arguments)
    if source != arguments.source:
        source.unlink()
    if not any(variant["numbers"] == "int8" for variant in variants.list):
        raise SystemExit(f"onnxruntime's tools made no int8 form of {arguments.source}")
    arguments.list.write_text(json.dumps(variants.list, indent=1))


main()
