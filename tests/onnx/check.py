"""Runs the ONNX files of a folder in onnxruntime and holds their outputs to what is expected.

    python tests/onnx/check.py FOLDER

Beside each NAME.onnx lies NAME.json:

    {"bound": 1e-4, "batches": [{"what": "two posts",
     "inputs": {"input_ids": {"type": "int64", "dims": [2, 4], "data": [...]}, ...},
     "outputs": {"text_logits": [0.1, null, ...], ...}}]}

Expected outputs are flat; null stands for a number that means nothing. Each file must pass ONNX's own checker too.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def difference(expected, found):
    """The largest difference, relative to what is expected where that is above 1."""
    if len(expected) != found.size:
        return float("inf")
    pairs = [(a, b) for a, b in zip(expected, found.ravel().tolist()) if a is not None]
    # A comparison with NaN is false, so that NaN would pass for small.
    return max((abs(a - b) / max(1.0, abs(a)) if b == b else float("inf") for a, b in pairs), default=0.0)


def check(path):
    onnx.checker.check_model(str(path), full_check=True)
    case = json.loads(path.with_suffix(".json").read_text())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest, where = 0.0, ""
    for batch in case["batches"]:
        inputs = {
            name: np.array(tensor["data"], dtype=tensor["type"]).reshape(tensor["dims"])
            for name, tensor in batch["inputs"].items()
        }
        names = list(batch["outputs"])
        for name, found in zip(names, session.run(names, inputs)):
            off = difference(batch["outputs"][name], found)
            if off >= largest:
                largest, where = off, f"{name} of {batch['what']}"
    good = largest <= case["bound"]
    print(f"{'ok  ' if good else 'FAIL'} {path.stem}: {largest:.1e} of {case['bound']:.0e} in {where}")
    return good


def main():
    paths = sorted(Path(sys.argv[1]).glob("*.onnx"))
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    good = [check(path) for path in paths]
    if not good or not all(good):
        sys.exit(f"{len(good) - sum(good)} of {len(good)} files differ")


if __name__ == "__main__":
    main()
