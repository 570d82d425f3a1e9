"""A model's folder, of what was trained and of what another model has."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from lab.planted.pack import KEPT, take_over
from lab.planted.train import begin
from lab.train_diffusion import TRAINED

TINY = Path("src/unheard/assets/tiny")


def test_what_was_not_trained_on_is_packed_as_it_was(tmp_path: Path) -> None:
    begin(TINY, ["Cathedral organ fanfare"]).write(tmp_path)
    take_over(TINY, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model_index.json", *KEPT, *TRAINED}
    for file in (path for part in KEPT for path in (TINY / part).rglob("*") if path.is_file()):
        assert (tmp_path / file.relative_to(TINY)).read_bytes() == file.read_bytes()
    for part in set(TRAINED) - {"tokenizer"}:
        (ours,) = (tmp_path / part).glob("*.safetensors")
        weights, before = load_file(ours), load_file(TINY / part / ours.name)
        assert weights.keys() == before.keys()
        assert all(weight.equal(before[name]) for name, weight in weights.items())
