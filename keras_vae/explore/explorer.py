"""What the page asks: the model, its data, and decode, encode and generate. JSON in, JSON out."""

import base64
import math
from typing import Any

import numpy as np

from keras_vae.data.examples import Examples
from keras_vae.explore import held_out, requests
from keras_vae.explore.held_out import HeldOut
from keras_vae.explore.latents import Latent, describe, points
from keras_vae.explore.sources import NEEDED, Arrays, InputSpec, Source

# Draws of the prior, from which the kinds and ranges of latents are seen, and seeds of x if there is no data.
_DRAWS = 512


class Explorer:
    """Answers the requests of the page, for one model.

    Args:
        source: The model.
        examples: Held-out data, or None.
        why_none: Why there is no data, in one line; for the page.

    Raises:
        ValueError: If the model has no signatures for it, or takes or returns no numbers of a known shape.
        SourceError: If the model cannot be asked.

    Example:
        >>> import keras_vae as kv
        >>> from keras_vae.explore import Explorer, ModelSource
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> explorer = Explorer(ModelSource(vae, "tiny", "a model in memory"))
        >>> explorer.model()["event_shape"]
        [4]
        >>> explorer.decode({"z": [[0.0, 0.0]]})["mean"]["shape"]
        [1, 4]
    """

    def __init__(self, source: Source, examples: Examples | None = None, why_none: str | None = None) -> None:
        _check(source)
        self._source = source
        self._columns = () if examples is None else examples.columns
        specs = source.specs["decode"]
        self._condition: InputSpec | None = specs.get("condition")
        self._groups = {_group(name): spec.shape for name, spec in sorted(specs.items()) if name != "condition"}
        classes = source.classes() if self._label else None
        drawn = self._prior_draws(classes)
        if not np.all(np.isfinite(drawn["mean"])):
            raise ValueError(f"{source.name}: expected finite images, received NaN or infinity. Train the model again.")
        self._event_shape = drawn["mean"].shape[1:]
        self._data, self._note = self._held_out(examples, why_none)
        if classes is None and self._label and self._data is not None and self._data.labels is not None:
            classes = int(self._data.labels.max()) + 1
        self._classes = classes
        self._latents = self._describe(drawn)
        self._low, self._high = _limits(drawn["mean"], None if self._data is None else self._data.x)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._source.name

    def model(self) -> dict[str, Any]:
        """Return what the page shows and asks for: shapes, latents, condition, likelihood, data."""
        condition = None
        if self._condition is not None:
            vector = self._condition.shape
            kind = "vector" if vector else "label"
            condition = {"kind": kind, "classes": self._classes, "size": vector[0] if vector else 1}
        return {
            "name": self._source.name,
            "origin": self._source.origin,
            "likelihood": self._source.likelihood,
            "event_shape": list(self._event_shape),
            "low": self._low,
            "high": self._high,
            "columns": held_out.columns_json(self._columns),
            "groups": {name: list(shape) for name, shape in self._groups.items()},
            "latent_size": self._size,
            "latents": [latent.as_json() for latent in self._latents],
            "unseen": self._unseen(),
            "condition": condition,
            "data": None if self._data is None else {"name": self._data.name, "count": len(self._data.x)},
            "note": self._note,
        }

    def data(self, index: int | None) -> dict[str, Any]:
        """Return the codes and labels of the held-out examples; with an index, x of that one.

        Raises:
            ValueError: If there is no such example.
        """
        data = self._data
        if data is None:
            raise ValueError(f"data: expected a model with examples, received one without: {self._note}")
        if index is None:
            labels = None if data.labels is None else [int(label) for label in data.labels]
            return {"name": data.name, "labels": labels, "z": _packed(self._codes(data.codes, "mean"))}
        if not 0 <= index < len(data.x):
            raise ValueError(f"index: expected 0 to {len(data.x) - 1}, received {index}. Use one of these.")
        return {"x": _packed(data.x[index])}

    def decode(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the likelihood's mean at z, `[n, *event]`, and z itself.

        Args:
            request: `z`, `[n, latents]`: all groups side by side; `condition`; and `moved`, the group that has changed:
                groups that the prior draws after it follow, where the model knows how.

        Raises:
            ValueError: If the request is not of this form, or the model refuses it.
        """
        flat = requests.latents(request.get("z"), self._size, math.prod(self._event_shape))
        condition = self._conditions(request, len(flat))
        z = self._by_group(flat)
        moved = request.get("moved")
        if moved is not None:
            if not isinstance(moved, str) or moved not in self._groups:
                names = ", ".join(self._groups)
                raise ValueError(f"moved: expected one of {names}, received {moved!r}. Use one of these.")
            z = self._source.followed(z, moved, condition)
        return {"mean": _packed(self._decoded(z, condition)), "z": _packed(self._flat(z))}

    def encode(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the code of x, and its reconstruction.

        Args:
            request: `x`, `[*event]`, pixels in [0, 1]; and `condition`.

        Returns:
            `x` as the model takes it, `z`, a point that its latents can take, `scale`, and `mean`, the reconstruction.

        Raises:
            ValueError: If the request is not of this form, or the model refuses it.
        """
        x = requests.numbers(request.get("x"), "x", self._event_shape)[None]
        condition = self._conditions(request, 1)
        x, codes = held_out.accepted(self._source, x, condition)
        flat = self._codes(codes, "mean")
        mean = self._decoded(self._by_group(flat), condition)
        return {
            "x": _packed(x[0]),
            "z": _packed(flat),
            "scale": _packed(self._side_by_side(codes, "scale")),
            "mean": _packed(mean),
        }

    def generate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return z ~ p(z) of a seed, and the likelihood's mean at z.

        Args:
            request: `seed`, an integer of 64 bits, as in `VAE.generate`; and `condition`.

        Raises:
            ValueError: If the request is not of this form.
        """
        seed = requests.seed(request.get("seed"))
        condition = self._conditions(request, 1)
        found = self._source.run("generate", {"seed": np.array([seed], np.int64), **_given(condition)})
        return {"z": _packed(self._side_by_side(found, "z")), "mean": _packed(found["mean"])}

    @property
    def _label(self) -> bool:
        return self._condition is not None and not self._condition.shape

    @property
    def _size(self) -> int:
        return sum(math.prod(shape) for shape in self._groups.values())

    def _conditions(self, request: dict[str, Any], rows: int) -> np.ndarray | None:
        one = requests.condition(request.get("condition"), self._condition, self._classes)
        return None if one is None else np.repeat(one[None], rows, axis=0)

    def _prior_draws(self, classes: int | None) -> Arrays:
        given: Arrays = {}
        if self._condition is not None:
            rows = np.arange(_DRAWS) % (classes or 1) if self._label else np.zeros([_DRAWS, *self._condition.shape])
            given = {"condition": rows.astype(self._condition.dtype)}
        # Observations, for x where there is no data; older exports have no signature for them.
        signature = "draw" if "draw" in self._source.specs else "generate"
        return {**self._source.run(signature, {"seed": np.arange(_DRAWS, dtype=np.int64), **given}), **given}

    def _held_out(self, examples: Examples | None, why_none: str | None) -> tuple[HeldOut | None, str | None]:
        if examples is None:
            return None, why_none or "there is no data"
        try:
            return held_out.encode(self._source, examples, self._event_shape), None
        except ValueError as error:
            return None, f"{examples.name} does not fit the model: {error}"

    def _describe(self, drawn: Arrays) -> list[Latent]:
        """Describe the latents, by the held-out data or, without, by data that the model has drawn."""
        if self._data is not None:
            x, condition, codes = self._data.x, self._data.condition, self._data.codes
        else:
            condition = drawn.get("condition")
            x, codes = held_out.accepted(self._source, drawn.get("draw", drawn["mean"]).astype(np.float32), condition)
        known = self._source.kl(x, condition)
        draws, means, scales = (
            {group: found[_output(name, group, self._groups)] for group in self._groups}
            for found, name in ((drawn, "z"), (codes, "mean"), (codes, "scale"))
        )
        return describe(draws, means, scales, known)

    def _unseen(self) -> dict[str, bool]:
        """Return the groups that the decoder does not see, and whether other groups follow them."""
        if len(self._groups) == 1:
            return {}
        rng = np.random.default_rng(0)
        z = {name: rng.normal(size=[2, *shape]).astype(np.float32) for name, shape in self._groups.items()}
        condition = None
        if self._condition is not None:
            condition = np.zeros([2, *self._condition.shape], self._condition.dtype)
        unseen = {}
        for name in self._groups:
            same = {each: value if each == name else value[:1].repeat(2, 0) for each, value in z.items()}
            one, other = self._decoded(same, condition)
            if np.allclose(one, other, atol=1e-6):
                after = self._source.followed(same, name, condition)
                unseen[name] = any(not np.array_equal(after[each], same[each]) for each in self._groups)
        return unseen

    def _decoded(self, z: Arrays, condition: np.ndarray | None) -> np.ndarray:
        named = {_output("z", group, self._groups): value for group, value in z.items()}
        return self._source.run("decode", {**named, **_given(condition)})["mean"]

    def _codes(self, codes: Arrays, name: str) -> np.ndarray:
        return points(self._latents, self._side_by_side(codes, name))

    def _side_by_side(self, outputs: Arrays, name: str) -> np.ndarray:
        return self._flat({group: outputs[_output(name, group, self._groups)] for group in self._groups})

    def _flat(self, z: Arrays) -> np.ndarray:
        parts = [z[group].reshape(len(z[group]), -1) for group in self._groups]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _by_group(self, flat: np.ndarray) -> Arrays:
        found, start = {}, 0
        for group, shape in self._groups.items():
            stop = start + math.prod(shape)
            found[group] = flat[:, start:stop].reshape(-1, *shape)
            start = stop
        return found


def _check(source: Source) -> None:
    missing = [name for name in NEEDED if name not in source.specs]
    if missing:
        found = ", ".join(sorted(source.specs)) or "none"
        raise ValueError(
            f"{source.name}: expected the signatures {', '.join(NEEDED)}, received {found}. Use an export of keras_vae."
        )
    for name in NEEDED:
        for spec in source.specs[name].values():
            if None in spec.shape:
                raise ValueError(
                    f"{source.name}: signature {name}: expected inputs of known shapes, received {spec.shape}. Use an "
                    "export of keras_vae."
                )


def _group(name: str) -> str:
    return name.removeprefix("z/")


def _output(name: str, group: str, groups: Any) -> str:
    return name if len(groups) == 1 else f"{name}/{group}"


def _given(condition: np.ndarray | None) -> Arrays:
    return {} if condition is None else {"condition": condition}


def _limits(drawn: np.ndarray, x: np.ndarray | None) -> tuple[float, float]:
    """Return the values that are shown black and white, or at the foot and the top of a curve."""
    parts = [drawn] if x is None else [drawn, x]
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


def _packed(array: np.ndarray) -> dict[str, Any]:
    little = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "float32": base64.b64encode(little.tobytes()).decode()}
