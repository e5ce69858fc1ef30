"""The training loop: steps, epochs, what is logged and saved in between."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from spikehalt.console import is_quiet
from spikehalt.errors import OutOfMemoryError
from train.data import Split
from train.data.augment import scaled_to
from train.loop.phase import saving
from train.loop.phase.losses import total_loss
from train.loop.phase.memory import is_out_of_memory, largest_fitting_batch
from train.loop.phase.phase import Phase
from train.loop.reports.progress import Extent, progress
from train.measure.evaluate import evaluate
from train.parallel.distributed import rank_and_world, sum_over_processes
from train.silence import listening, silence_loss


class Report(NamedTuple):
    """What a step reports: its loss, and whether any process wants to stop or to save."""

    loss: float
    stop: bool
    save: bool


class EpochFigures(NamedTuple):
    """Mean training loss of an epoch, and the validation accuracy after it."""

    loss: float
    accuracy: float


def train_phase(phase: Phase) -> None:
    """Run the phase to its end from where it stands.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once a resumable checkpoint is written.
        DivergedError: the loss is no longer finite; the last checkpoint is named.
    """
    extent = Extent(
        phase.name,
        phase.settings.epochs,
        phase.steps_per_epoch,
        phase.config.batch_size,
        phase.timesteps_of_epochs,
    )
    with progress(extent, shown=phase.fabric.is_global_zero and not is_quiet()) as reporter:
        while phase.position.epoch < phase.settings.epochs:
            for report in epoch(phase):
                reporter.step(phase.steps_done, report.loss)
                saving.check_finite(phase, report.loss)
                if report.save or report.stop:
                    saving.save(phase)
                if report.stop:
                    path = saving.last_path(phase)
                    raise KeyboardInterrupt(f"stopped; to go on: python -m train resume {path}")
            figures = finish_epoch(phase)
            reporter.epoch(phase.position.epoch, figures.loss, figures.accuracy)


def epoch(phase: Phase) -> Iterator[Report]:
    """Steps of the current epoch that are still to do.

    Yields each step's report one step late, so that reading it does not make the device wait.
    """
    phase.model.train()
    previous: Tensor | None = None
    for batch in phase.batches():
        said = step_that_fits(phase, batch)
        if previous is not None:
            yield _read(previous)
        previous = said
    if previous is not None:
        yield _read(previous)


def step_that_fits(phase: Phase, batch: Split) -> Tensor:
    """`train_step`.

    Raises:
        OutOfMemoryError: the batch does not fit; a size that does was found by trying.
    """
    try:
        return train_step(phase, batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the handler: the exception's traceback would keep the failed step's tensors.
    raise OutOfMemoryError(_what_fits(phase, batch))


def _what_fits(phase: Phase, batch: Split) -> str:
    size, world = len(batch), rank_and_world()[1]
    problem = f"out of memory at batch_size {size * world} in phase {phase.name}"
    if world > 1:  # steps of several processes wait for each other: none can try alone
        return f"{problem}, {size} images in each of {world} processes: halve it"
    everything = torch.arange(size)
    fits = largest_fitting_batch(lambda n: train_step(phase, batch.take(everything[:n])), size)
    if fits == 0:
        return f"{problem}, and not even 2 images fit: use a smaller model or another device"
    return f"{problem}; {fits} fits (tried): --batch-size {fits}"


def train_step(phase: Phase, batch: Split) -> Tensor:
    """One optimiser step; returns loss, stop and save flags summed over processes, float64 [3]."""
    loss = batch_loss(phase, batch)
    phase.optimizer.zero_grad()
    phase.fabric.backward(loss)
    if phase.config.clip_norm:
        clip_gradients(phase)
    phase.optimizer.step()
    phase.advance_average()
    advance_schedule(phase)
    phase.position.step += 1
    flags = torch.tensor(
        [phase.interrupt.requested, saving.save_is_due(phase)], dtype=torch.float64
    )
    mean = loss.detach().double() / rank_and_world()[1]
    said = sum_over_processes(torch.cat([mean.view(1), flags.to(loss.device)]))
    phase.position.loss_sum += said[0]
    return said


def clip_gradients(phase: Phase) -> None:
    """Scale gradients down to the configured norm.

    A norm that is not finite is no error here: in fp16 the loss scaler skips such a step; otherwise
    the next loss shows it. Checking here would also make the device wait in every step.
    """
    phase.fabric.clip_gradients(
        phase.model, phase.optimizer, max_norm=phase.config.clip_norm, error_if_nonfinite=False
    )


def advance_schedule(phase: Phase) -> None:
    """Set the next step's learning rate.

    In fp16 the loss scaler may have skipped the optimiser's first step, which PyTorch would take
    for a wrong order of calls.
    """
    if phase.steps_done > 0:
        phase.scheduler.step()
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
        phase.scheduler.step()


def batch_loss(phase: Phase, batch: Split) -> Tensor:
    """Loss of a batch, augmented and mixed as configured."""
    images, targets = phase.augment(batch.images), batch.labels
    mix = phase.mix
    if mix is not None:
        images, targets = mix(images, targets)
    taught = _taught(phase, images)
    images = scaled_to(phase.image_side, images)
    config = phase.config.loss
    timesteps = phase.network.first_timesteps(phase.timesteps)
    with timesteps, listening(phase.network, wanted=config.silence > 0) as heard:
        output = phase.model(images)
    loss = total_loss(output, targets, config, phase.settings.ponder_weight, taught)
    return loss + config.silence * silence_loss(heard, config.silence_of) if heard else loss


@torch.no_grad()
def _taught(phase: Phase, images: Tensor) -> Tensor | None:
    """The teacher's logits [B, N_c]; it sees every image at the model's own size."""
    if phase.teacher is None:
        return None
    with phase.fabric.autocast():
        return phase.teacher(images.float())


def _read(said: Tensor) -> Report:
    loss, stop, save = said.tolist()
    return Report(loss, stop > 0, save > 0)


def finish_epoch(phase: Phase) -> EpochFigures:
    """Evaluate, log, leave a resumable checkpoint."""
    done = phase.position
    loss = float(done.loss_sum) / phase.steps_per_epoch
    saving.check_finite(phase, loss)
    result = evaluate(phase.kept, phase.data.validation)
    phase.log.write(
        phase=phase.name,
        epoch=done.epoch + 1,
        loss=round(loss, 5),
        learning_rate=phase.scheduler.get_last_lr()[0],
        validation_accuracy=round(result.accuracy[-1], 5),
        validation_accuracy_t1=round(result.accuracy[0], 5),
        average_tokens=round(result.average_tokens, 5),
    )
    phase.start_epoch(done.epoch + 1)
    saving.save(phase)
    return EpochFigures(loss, result.accuracy[-1])
