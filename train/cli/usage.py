"""What `python -m train` and each of its commands take, as it is shown."""

from __future__ import annotations

USAGES = {
    "run": """\
    python -m train run RECIPE [--start CKPT] [--key value …]
        train; RECIPE is a name or a .yaml file; CKPT lends its weights to the phases after its own;
        `python -m train run RECIPE --help` lists the keys""",
    "resume": """\
    python -m train resume runs/NAME/last.pt
        continue a stopped run""",
    "recipes": """\
    python -m train recipes
        list the recipes""",
    "evaluate": """\
    python -m train evaluate CKPT [--epsilon 0.01 0.3] [--policy never entropy] [--max-drop 0.3%]
        [--json]
        accuracy, timesteps and tokens on the test images, per exit policy and halting margin""",
    "energy": """\
    python -m train energy CKPT [CKPT …] [--constants.memory-pj-per-byte 1.25] [--json]
        estimated energy per image and module, from firing rates measured on the test images""",
    "figure": """\
    python -m train figure heatmap|tokens|tradeoff|energy|curves FILE… --out figure.png
        the papers' figures, from checkpoints or (curves) from runs' folders;
        `python -m train figure heatmap --help` lists the options""",
    "sweep": """\
    python -m train sweep RECIPE --over halting.ponder_weight=1e-3,1e-2 [--over …] [--json]
        [--key value …]
        train a grid of values; go on where it stopped;
        `python -m train sweep RECIPE --help` lists the keys""",
    "import": """\
    python -m train import FILE --arch NAME [--out CKPT] [--classes-file names.txt] [--key value …]
        bring in a checkpoint of the Spikformer, Spikingformer or Spike-driven Transformer
        repositories, or of SpikingJelly's models;
        `python -m train import FILE --arch NAME --help` lists the keys""",
}

USAGE = "Train spiking vision transformers.\n\n" + "\n".join(USAGES.values()) + "\n"
