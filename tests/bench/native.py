"""onnxruntime for the native half of the benchmark: reads one JSON request a line, writes one JSON answer a line.

{"inputs": {"ids": [[...]], "picture": null or {"file": "RGB of all pictures", "side": 224, "mean": [...], "std": [...]}}}
                                                    what the models will be asked; answers {}
{"open": "FILE.onnx", "output": "text_logits"}      answers {"model": N}
{"run": N, "question": I}                           answers {"ms": T, "logits": [...]}
{"close": N}                                        answers {}
An answer may be {"error": "..."} instead.
"""

import json
import sys
import time

import numpy as np
import onnxruntime


def options():
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.inter_op_num_threads = 1
    chosen.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    chosen.log_severity_level = 3
    return chosen


def read_pictures(picture):
    """`[1, 3, side, side]` normalised, one a picture."""
    if picture is None:
        return []
    pixels = np.fromfile(picture["file"], np.uint8).reshape(-1, 1, picture["side"], picture["side"], 3)
    mean, std = (np.array(picture[name], np.float32) for name in ("mean", "std"))
    planes = ((pixels / np.float32(255) - mean) / std).transpose(0, 1, 4, 2, 3)
    return [np.ascontiguousarray(plane, np.float32) for plane in planes]


def feeds(ids, pictures, question):
    asked = {}
    if ids:
        text = np.array([ids[question % len(ids)]], np.int64)
        asked |= {"input_ids": text, "attention_mask": np.ones_like(text)}
    if pictures:
        asked["pixel_values"] = pictures[question % len(pictures)]
    if ids and pictures:
        asked |= {"has_text": np.ones(1, np.float32), "has_image": np.ones(1, np.float32)}
    return asked


class Server:
    def __init__(self):
        self.models = []
        self.questions = []

    def answer(self, request):
        if "inputs" in request:
            given = request["inputs"]
            pictures = read_pictures(given["picture"])
            self.questions = [feeds(given["ids"], pictures, question) for question in range(4)]
            return {}
        if "open" in request:
            session = onnxruntime.InferenceSession(request["open"], options(), ["CPUExecutionProvider"])
            self.models.append((session, [request["output"]]))
            return {"model": len(self.models) - 1}
        if "close" in request:
            self.models[request["close"]] = None
            return {}
        session, outputs = self.models[request["run"]]
        asked = self.questions[request["question"] % len(self.questions)]
        began = time.perf_counter()
        said = session.run(outputs, asked)
        ms = 1000 * (time.perf_counter() - began)
        return {"ms": ms, "logits": said[0].ravel().tolist()}


def main():
    server = Server()
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps(answer), flush=True)


main()
