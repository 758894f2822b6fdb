"""Runs the ONNX files of a folder in onnxruntime and holds their outputs to what is expected.

    python tests/onnx/check.py FOLDER

Each file must pass ONNX's own checker. Beside each NAME.onnx lies NAME.json:

    [{"optimize": true, "bound": 1e-4, "quorum": 1.0, "batches": [{"what": "two posts",
     "inputs": {"input_ids": {"type": "int64", "dims": [2, 4], "data": [...]}, ...},
     "outputs": {"text_logits": [0.1, null, ...], ...}}]}, ...]

Expected outputs are flat; null stands for a number that means nothing. Of the batches, the share `quorum` must be within
the bound, in a session that rewrites the graph, or with `optimize` false in one that runs it as it is written.
"""

import json
import math
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


def differences(session, batches):
    """Of each batch the largest difference, and where it is."""
    for batch in batches:
        inputs = {
            name: np.array(tensor["data"], dtype=tensor["type"]).reshape(tensor["dims"])
            for name, tensor in batch["inputs"].items()
        }
        names = list(batch["outputs"])
        found = session.run(names, inputs)
        yield max(
            (difference(batch["outputs"][name], value), f"{name} of {batch['what']}")
            for name, value in zip(names, found)
        )


def check(path):
    onnx.checker.check_model(str(path), full_check=True)
    good = True
    for run in json.loads(path.with_suffix(".json").read_text()):
        options = onnxruntime.SessionOptions()
        if not run["optimize"]:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        ranked = sorted(differences(session, run["batches"]))
        count = math.ceil(run["quorum"] * len(ranked))
        off, where = ranked[count - 1]
        verdict = "ok  " if off <= run["bound"] else "FAIL"
        how = "" if run["optimize"] else ", as written"
        print(f"{verdict} {path.stem}{how}: {off:.1e} of {run['bound']:g} in {where}, {count} of {len(ranked)}")
        good = good and off <= run["bound"]
    return good


def main():
    paths = sorted(Path(sys.argv[1]).glob("*.onnx"))
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    good = [check(path) for path in paths]
    if not good or not all(good):
        sys.exit(f"{len(good) - sum(good)} of {len(good)} files differ")


if __name__ == "__main__":
    main()
