"""Trains the network of moments on `Material`. Resumes where it stopped.

Each step takes groups of four sounds of one family, two versions of each, cut at the same frame.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from lab.checkpoints import Checkpoint, descend, draws
from lab.moments.augmentation import augmented
from lab.moments.losses import PairLoss, Sums, Versions, frames_found, passage_sums
from lab.moments.material import Material
from lab.precision import mixed_precision
from unheard.auditing.moment_network import RANGE, WIDTH, MomentNetwork, levels

STEPS, GROUPS, ROUNDS = 3_150, 48, 6
FRAMES = 96
"""Of a crop: 2.4 s."""
REAL_SHARE, HELD_OUT = 0.3, 0.06
"""Groups that are real, and families that only measure."""
PEAK, WARMUP, LINE_RATE, WEIGHT_DECAY = 2e-3, 200, 10.0, 2e-2
"""Of the learning rate; the line of log ratios learns that much faster."""
PAIRS, PAIRS_FROM = 0.4, 500
"""Weight of the loss of pairs, and the step at which it is whole."""


class Deck:
    """Training's sounds on a device, from which groups and crops are drawn."""

    def __init__(self, material: Material, device: str) -> None:
        self.below = torch.from_numpy(material.below).to(device)
        self.first, self.frames, self.versions, piece = (
            torch.from_numpy(some.astype("int64")).to(device)
            for some in (material.first, material.frames, material.versions, material.piece)
        )
        self.kin = piece[:, None] == piece
        one, other = torch.from_numpy(material.alike.astype("int64")).to(device)
        self.kin[one, other] = self.kin[other, one] = True
        shuffled = torch.Generator().manual_seed(4)
        self.families: dict[str, list[Tensor]] = {"training": [], "held out": []}
        self.everything: dict[str, Tensor] = {}
        for real in (True, False):
            members = [
                torch.tensor([n for n, its in enumerate(material.family) if its == family], device=device)
                for family in sorted(set(material.family[material.real == real]))
            ]
            if not members:
                continue
            order = torch.randperm(len(members), generator=shuffled).tolist()
            held = max(2, round(HELD_OUT * len(members)))
            for side, some in (("held out", order[:held]), ("training", order[held:])):
                self.families[side].append(_table([members[n] for n in some], device))
        for side, tables in self.families.items():
            self.everything[side] = torch.cat([table[table >= 0] for table in tables])

    def groups(self, number: int, side: str) -> Tensor:
        """Numbers of sounds `[4 * number]`, each four of a family; others fill up a family of fewer."""
        tables = self.families[side]
        real = max(1, round(number * REAL_SHARE)) if len(tables) == 2 else 0
        sizes = [real, number - real] if real else [number]
        found = []
        for table, size in zip(tables, sizes, strict=True):
            rows = table[self._below_of(torch.full((size,), len(table), device=table.device))]
            order = torch.rand(rows.shape, device=rows.device).masked_fill(rows < 0, -1)
            found.append(rows.gather(1, order.topk(4, dim=1).indices))
        numbers, everything = torch.cat(found), self.everything[side]
        others = everything[self._below_of(torch.full_like(numbers, len(everything)))]
        return torch.where(numbers < 0, others, numbers).flatten()

    def crops(self, numbers: Tensor) -> Tensor:
        """Decibels `[2, sounds, FRAMES, BANDS]` of two versions, often of the sound itself and one."""
        frames, versions = self.frames[numbers], self.versions[numbers]
        over = (frames - FRAMES).abs() + 1
        start = torch.where(frames < FRAMES, -self._below_of(over), self._below_of(over))
        start = start.clamp(min=-(FRAMES // 3))
        one = self._below_of(versions) * (torch.rand(len(numbers), device=frames.device) < 0.5)
        other = 1 + self._below_of(versions - 1)
        other = torch.where(other == one, 0, other)
        swapped = torch.rand(len(numbers), device=frames.device) < 0.5
        one, other = torch.where(swapped, other, one), torch.where(swapped, one, other)
        at = start[:, None] + torch.arange(FRAMES, device=frames.device)
        inside = ((at >= 0) & (at < frames[:, None]))[:, :, None]
        rows = [self.first[numbers] + version * frames for version in (one, other)]
        found = [
            -self.below[(row[:, None] + at.clamp(min=0)).clamp(max=len(self.below) - 1)].float()
            for row in rows
        ]
        return torch.stack([version.where(inside, version.new_tensor(-120.0)) for version in found])

    @staticmethod
    def _below_of(ends: Tensor) -> Tensor:
        """A random whole number from 0 to each of `ends`, exclusive."""
        return (torch.rand(ends.shape, device=ends.device) * ends).long()


def _table(families: list[Tensor], device: str) -> Tensor:
    """Numbers of sounds, a family a row, -1 where there are no more; four columns at least."""
    table = torch.full((len(families), max(4, *map(len, families))), -1, device=device)
    for row, members in zip(table, families, strict=True):
        row[: len(members)] = members
    return table


def losses(
    network: MomentNetwork, pairs: PairLoss, deck: Deck, numbers: Tensor, change: bool
) -> tuple[Tensor, Tensor, Tensor, Sums]:
    """Of some sounds: the loss of frames, the share of frames found, the loss of pairs, and their sums.

    With `change` they are augmented, and passages of them judged; without it they are whole.
    """
    decibels = deck.crops(numbers)
    device = decibels.device
    shown = decibels.flatten(0, 1)
    heard = levels(augmented(shown) if change else shown)
    with mixed_precision(device.type):
        vectors, weights = network(heard)
    shape = decibels.shape[:3]
    versions = Versions(
        vectors.view(*shape, -1),
        weights.view(shape),
        (heard.amax(dim=2) > 0).view(shape),
        deck.kin[numbers][:, numbers],
    )
    loud = (decibels.amax(dim=3) > decibels.amax(dim=(2, 3))[:, :, None] - RANGE).all(dim=0)
    frames, share = frames_found(versions, loud)
    sums = passage_sums(network, versions, whole=not change)
    return frames, share, pairs(sums), sums


@torch.no_grad()
def measure(network: MomentNetwork, pairs: PairLoss, deck: Deck, groups: int) -> dict[str, float]:
    """Of families held out: both losses, the share of frames found, and of copies above 99 % of relatives."""
    found, copies, relatives = [], [], []
    for _ in range(ROUNDS):
        frames, share, pair, sums = losses(network, pairs, deck, deck.groups(groups, "held out"), False)
        found.append(torch.stack([frames, share, pair]))
        copies.append(sums.copies[sums.counted])
        relatives.append(sums.relatives[sums.relatives_counted])
    bound = torch.cat(relatives).quantile(0.99)
    mean = torch.stack(found).mean(dim=0).tolist()
    above = (torch.cat(copies) > bound).float().mean().item()
    names = ("held-out loss", "held-out frames found", "held-out pairs")
    return {**dict(zip(names, mean, strict=True)), "held-out copies above": above}


def learning_rate(step: int, steps: int) -> float:
    """A linear warm-up under a half cosine."""
    decay = 0.5 + 0.5 * math.cos(math.pi * step / steps)
    return PEAK * min(1.0, (step + 1) / WARMUP) * decay + 1e-5


def train(
    material: Material,
    folder: Path,
    device: str,
    steps: int = STEPS,
    groups: int = GROUPS,
    width: int = WIDTH,
) -> MomentNetwork:
    """The trained network; `folder` gets checkpoints."""
    torch.manual_seed(11)
    deck = Deck(material, device)
    network, pairs = MomentNetwork(width).to(device), PairLoss().to(device)
    matrices = [weights for weights in network.parameters() if weights.ndim > 1]
    vectors = [w for name, w in network.named_parameters() if w.ndim < 2 and name != "line"]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": WEIGHT_DECAY, "faster": 1.0},
            {"params": vectors, "weight_decay": 0.0, "faster": 1.0},
            {"params": [network.line, *pairs.parameters()], "weight_decay": 0.0, "faster": LINE_RATE},
        ]
    )
    checkpoint = Checkpoint(folder)
    checkpoint.resume(network=network, pairs=pairs, optimizer=optimizer)
    for step in range(checkpoint.step, steps):
        draws(step, 11)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps) * group["faster"]
        frames, share, pair, _ = losses(network, pairs, deck, deck.groups(groups, "training"), True)
        loss = frames + PAIRS * min(1.0, step / PAIRS_FROM) * pair
        descend(loss, optimizer)
        done = step + 1
        if done % 500 == 0 or done == steps:
            entry = {"step": done, "loss": frames.item(), "frames found": share.item(), "pairs": pair.item()}
            checkpoint.record(
                entry | measure(network, pairs, deck, groups // 2),
                network=network,
                pairs=pairs,
                optimizer=optimizer,
            )
    return network.cpu().eval()


def save(network: MomentNetwork, path: Path) -> None:
    """The weights, in half precision, for `unheard.auditing.moment_network.load`."""
    halves = {name: value.half().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(halves, path)
