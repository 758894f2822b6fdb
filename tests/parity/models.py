"""Writes tests/parity/expected.json: what the reference implementations make of weights that both sides can compute.

    python -m venv venv && venv/bin/pip install torch torchvision timm transformers safetensors numpy
    venv/bin/python tests/parity/models.py [FOLDER_OF_PRETRAINED_WEIGHTS]

No weights are stored: element i of the tensor called NAME is a hash of (NAME, i), here and in tests/parity/hashed.rs.
The references run in float64. Of each output are kept: its shape, its norm, its dot product with hashed numbers (which
no element escapes) and a few samples, evenly spread. Without a folder, expectations of real weights stay as they are.
"""

import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
import transformers
from safetensors.torch import load_file

EXPECTED = Path(__file__).parent / "expected.json"
SAMPLES = 24
MASK = (1 << 64) - 1


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def uniform(name, count):
    """`count` float64 in 0..1 with 24 random bits each: SplitMix64 started at the FNV-1a hash of the name."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 24)


def between(name, shape, low, high):
    """Float32 numbers, as float64."""
    values = low + (high - low) * uniform(name, int(np.prod(shape)))
    return torch.from_numpy(values.astype(np.float32).astype(np.float64).reshape(shape))


def weight(name, shape):
    """A tensor of a model: its kind is told by name and rank."""
    if name.endswith("running_var"):
        return between(name, shape, 0.5, 1.5)
    if len(shape) > 1:
        bound = np.sqrt((6.0 if len(shape) == 4 else 3.0) / np.prod(shape[1:]))
        return between(name, shape, -bound, bound)
    if name.endswith("weight"):
        return between(name, shape, 0.5, 1.0)
    return between(name, shape, -0.1, 0.1)


def filled(module):
    """The module in float64 and inference mode, each of its tensors hashed."""
    module = module.double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(weight(name, tuple(tensor.shape)))
    return module


def summary(tensor):
    flat = tensor.detach().double().contiguous().flatten()
    count = len(flat)
    samples = [float(f"{flat[i * count // SAMPLES]:.9g}") for i in range(SAMPLES)] if count > SAMPLES else flat.tolist()
    return {
        "shape": list(tensor.shape),
        "norm": float(flat.norm()),
        "probe": float(flat @ between("probe", (count,), -1, 1)),
        "samples": samples,
    }


def pixels(batch, side):
    return between("pixels", (batch, 3, side, side), -2, 2)


def tokens(vocabulary):
    """Two texts of 24 tokens; the last ten of the second are padding."""
    ids = torch.from_numpy((uniform("ids", 48) * vocabulary).astype(np.int64).reshape(2, 24))
    mask = torch.ones(2, 24, dtype=torch.int64)
    mask[1, 14:] = 0
    return ids, mask


def photo(side, mean, std):
    """A synthetic photo of waves, exact in integers, normalised."""
    y, x = np.mgrid[0:side, 0:side]
    waves = [np.abs((x * (2 + c) + y * (5 - c) + x * y // 64) % 510 - 255) for c in range(3)]
    normal = [(np.float32(w / 255.0) - np.float32(m)) / np.float32(s) for w, m, s in zip(waves, mean, std)]
    return torch.from_numpy(np.stack(normal).astype(np.float64))[None]


def image_models():
    yield "resnet18", torchvision.models.resnet18(weights=None), 224
    yield "resnet50", torchvision.models.resnet50(weights=None), 224
    yield "efficientnet_lite0", timm.create_model("tf_efficientnet_lite0", num_classes=0), 224
    yield "efficientnet_lite2", timm.create_model("tf_efficientnet_lite2", num_classes=0), 260
    yield "mobilenet_v3_small", timm.create_model("mobilenetv3_small_100", num_classes=0), 224
    yield "mobilenet_v3_large", timm.create_model("mobilenetv3_large_100", num_classes=0), 224


def grid(model, x):
    """The last grid, before pooling."""
    if hasattr(model, "forward_features"):
        return model.forward_features(x)
    layers = torch.nn.Sequential(*list(model.children())[:-2])
    return layers.train(model.training)(x)


def images():
    for name, model, side in image_models():
        with torch.no_grad():
            yield f"{name}/grid", summary(grid(filled(model), pixels(1, side)))


def training():
    """One step of whole networks in training mode: the grid, statistics and gradients from end to end."""
    for name, model, statistics, parameters in [
        (
            "resnet18",
            torchvision.models.resnet18(weights=None),
            ["bn1.running_mean", "layer4.1.bn2.running_var"],
            ["conv1.weight", "layer2.0.downsample.0.weight", "layer3.0.bn1.weight"],
        ),
        (
            "efficientnet_lite0",
            timm.create_model("tf_efficientnet_lite0", num_classes=0),
            ["bn1.running_mean", "blocks.6.0.bn3.running_var"],
            ["conv_stem.weight", "blocks.2.0.conv_dw.weight", "blocks.5.1.bn2.bias"],
        ),
        (
            "mobilenet_v3_small",
            timm.create_model("mobilenetv3_small_100", num_classes=0),
            ["bn1.running_mean", "blocks.5.0.bn1.running_var"],
            ["conv_stem.weight", "blocks.0.0.se.conv_expand.bias", "blocks.2.0.se.conv_reduce.weight"],
        ),
    ]:
        model = filled(model).train()
        output = grid(model, pixels(3, 64))
        (output * between("probe", tuple(output.shape), -1, 1)).sum().backward()
        yield f"{name}/train/grid", summary(output)
        for statistic in statistics:
            yield f"{name}/train/{statistic}", summary(model.state_dict()[statistic])
        for parameter in parameters:
            yield f"{name}/train/{parameter}", summary(dict(model.named_parameters())[parameter].grad)


def batch_norm():
    norm = filled(torch.nn.BatchNorm2d(5, eps=1e-3)).train()
    x = between("x", (4, 5, 3, 2), -2, 3).requires_grad_()
    for step in range(2):
        output = norm(x * (step + 1))
    (output * between("probe", tuple(output.shape), -1, 1)).sum().backward()
    yield "batch_norm/output", summary(output)
    yield "batch_norm/input gradient", summary(x.grad)
    yield "batch_norm/running_mean", summary(norm.running_mean)
    yield "batch_norm/running_var", summary(norm.running_var)


def texts():
    minilm = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    for name, config in [("bert_base", {}), ("minilm", minilm), ("minilm_gelu_new", minilm | {"hidden_act": "gelu_new"})]:
        config = transformers.BertConfig(**config, attn_implementation="eager")
        model = filled(transformers.BertModel(config, add_pooling_layer=False))
        ids, mask = tokens(config.vocab_size)
        with torch.no_grad():
            yield f"{name}/hidden", summary(model(input_ids=ids, attention_mask=mask).last_hidden_state)


def fusions():
    attention = filled(torch.nn.MultiheadAttention(512, 8, batch_first=True))
    x = between("x", (2, 7, 512), -1, 1)
    hidden = torch.zeros(2, 7, dtype=torch.bool)
    hidden[1, 5:] = True
    with torch.no_grad():
        yield "attention/output", summary(attention(x, x, x)[0])
        yield "attention/masked", summary(attention(x, x, x, key_padding_mask=hidden)[0])
    width = 512
    modules = torch.nn.ModuleDict(
        {
            "heads": torch.nn.ModuleDict({"text": torch.nn.Linear(768, 3), "image": torch.nn.Linear(2048, 3)}),
            "fusion": torch.nn.ModuleDict(
                {
                    "text": torch.nn.Linear(768, width),
                    "image": torch.nn.Linear(2048, width),
                    "attention": torch.nn.MultiheadAttention(width, 8, batch_first=True),
                    "norm": torch.nn.LayerNorm(width),
                    "classifier": torch.nn.Linear(width, 3),
                }
            ),
        }
    )
    modules = filled(modules)
    fusion = modules["fusion"]
    modality = weight("fusion.modality", (2, width))
    text, image = between("text", (2, 24, 768), -1, 1), between("image", (2, 2048, 7, 7), 0, 2)
    mask = tokens(4)[1].double()
    pooled = [(text * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), image.mean((2, 3))]

    def classify(items, mask):
        attended, _ = fusion["attention"](items, items, items, key_padding_mask=mask == 0)
        normed = fusion["norm"](items + attended)
        return fusion["classifier"]((normed * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    with torch.no_grad():
        items = torch.stack([fusion["text"](pooled[0]), fusion["image"](pooled[1])], 1) + modality
        yield "fusion/pooled", summary(classify(items, torch.ones(2, 2).double()))
        cells = fusion["image"](image.flatten(2).transpose(1, 2)) + modality[1]
        items = torch.cat([fusion["text"](text) + modality[0], cells], 1)
        yield "fusion/tokens", summary(classify(items, torch.cat([mask, torch.ones(2, 49).double()], 1)))
        logits = [modules["heads"]["text"](pooled[0]), modules["heads"]["image"](pooled[1])]
        yield "fusion/text head", summary(logits[0])
        yield "fusion/image head", summary(logits[1])
        missing = weight("fusion.missing.image", (width,)).expand(2, width)
        items = torch.stack([fusion["text"](pooled[0]), missing], 1) + modality
        yield "fusion/pooled without image", summary(classify(items, torch.ones(2, 2).double()))
        text_p, image_p = logits[0].softmax(1), logits[1].softmax(1)
        p = text_p[:, 2] * image_p[:, 0] + text_p[:, 0] * image_p[:, 2]
        scale, bias = weight("contradiction.scale", (1,)), weight("contradiction.bias", (1,))
        yield "fusion/contradiction", summary(p.logit(1e-6) * scale + bias)


def checkpoints():
    """Number of tensors and a hash of the sorted `name shape` lines of each architecture's checkpoint."""
    for name in [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]:
        yield name, getattr(torchvision.models, name)(weights=None)
    for size in range(5):
        yield f"efficientnet_lite{size}", timm.create_model(f"tf_efficientnet_lite{size}", num_classes=0)
    for size in ["small", "large"]:
        model = timm.create_model(f"mobilenetv3_{size}_100", num_classes=0)
        del model.conv_head  # behind the mean over the grid
        yield f"mobilenet_v3_{size}", model


def fingerprints():
    for name, model in checkpoints():
        state = {k: v for k, v in model.state_dict().items() if v.is_floating_point() and not k.startswith("fc.")}
        lines = sorted(f"{k} {' '.join(map(str, v.shape))}\n" for k, v in state.items())
        yield f"{name}/checkpoint", {"tensors": len(lines), "hash": f"{fnv1a(''.join(lines)):016x}"}


def real(folder):
    """Pretrained weights on fixed inputs."""
    state = lambda name: {k: v.double() for k, v in load_file(folder / name / "model.safetensors").items()}
    config = transformers.BertConfig.from_pretrained(folder / "all-minilm-l6-v2", attn_implementation="eager")
    model = transformers.BertModel(config, add_pooling_layer=False).double().eval()
    print(model.load_state_dict(state("all-minilm-l6-v2"), strict=False))
    ids = torch.tensor([[101, 1045, 2293, 2023, 1010, 2025, 999, 102], [101, 6659, 4633, 102, 0, 0, 0, 0]])
    with torch.no_grad():
        yield "real/minilm/hidden", summary(model(input_ids=ids, attention_mask=(ids > 0).long()).last_hidden_state)
    lite = ([127 / 255] * 3, [128 / 255] * 3)
    for name, model, side, (mean, std) in [
        ("efficientnet-lite0", timm.create_model("tf_efficientnet_lite0", num_classes=0), 224, lite),
        ("efficientnet-lite2", timm.create_model("tf_efficientnet_lite2", num_classes=0), 260, lite),
        ("resnet50-research", torchvision.models.resnet50(weights=None), 224, ([0] * 3, [1] * 3)),
    ]:
        model = model.double().eval()
        print(model.load_state_dict(state(name), strict=False))
        with torch.no_grad():
            features = grid(model, photo(side, mean, std))
            yield f"real/{name}/grid", summary(features)
            yield f"real/{name}/pooled", summary(features.mean((2, 3)))


def main():
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    expected = {name: value for name, value in expected.items() if name.startswith("real/")}
    for part in [images, training, batch_norm, texts, fusions, fingerprints]:
        expected.update(part())
    if len(sys.argv) > 1:
        expected.update(real(Path(sys.argv[1])))
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(expected.items())]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name, value in sorted(expected.items()):
        print(name, value.get("shape"), value.get("norm"), value.get("samples", [])[:4])


main()
