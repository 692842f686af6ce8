"""Strategies for Classify, Regress and MultiInference: examples that fit, that do not, and that are no examples."""

from collections.abc import Callable

import tensorflow as tf
from fuzzing import PREDICTION, Call, names, seeds, serialized
from hypothesis import strategies as st
from tensorflow_serving.apis import classification_pb2, inference_pb2, input_pb2, model_pb2, regression_pb2

_METHODS = {"Classify": classification_pb2.ClassificationRequest, "Regress": regression_pb2.RegressionRequest}
_FITTING = {"Classify": ["", "serving_default", "scores", "classes"], "Regress": ["regress", "regress_flat", "others"]}
_UNFIT = ["predict", "two_inputs", "misnamed_input", "flat_scores", "five_scores", "uneven", "latin", "wide", "nope"]
_TASK_METHODS = [tf.saved_model.CLASSIFY_METHOD_NAME, tf.saved_model.REGRESS_METHOD_NAME, "", "nope"]
_numbers = st.sampled_from([0.0, 1.0, -2.5, 7.25, float("nan"), float("inf"), 3e38])
_kinds = st.integers(0, 7)


@st.composite
def _features(draw: Callable) -> tf.train.Example:
    example = tf.train.Example()
    kind = draw(_kinds)
    feature = example.features.feature[draw(names) if kind == 1 else "x"]
    if kind == 2:
        feature.int64_list.value.extend([draw(seeds)] * 2)
    elif kind == 3:
        feature.bytes_list.value.append(draw(st.binary(max_size=9)))
    elif kind == 4:
        feature.float_list.value.extend([1.0] * draw(seeds) if draw(seeds) % 9 == 0 else [1.0])
    elif kind != 5:
        feature.float_list.value.extend(draw(st.lists(_numbers, min_size=2, max_size=2)))
    return example


def _fill_input(draw: Callable, target: input_pb2.Input) -> None:
    kind = draw(_kinds)
    if kind == 0:
        return
    entries = target.example_list
    if kind < 3:
        entries = target.example_list_with_context
        entries.context.CopyFrom(draw(_features()))
    entries.SetInParent()
    if kind < 6:  # examples that fit together
        for _ in range(draw(st.sampled_from([0, 1, 1, 2, 2, 3]))):
            numbers = draw(st.lists(_numbers, min_size=2, max_size=2))
            entries.examples.add().features.feature["x"].float_list.value.extend(numbers)
    else:
        entries.examples.extend(draw(st.lists(_features(), max_size=3)))


def _fill_spec(draw: Callable, spec: model_pb2.ModelSpec, fitting: list[str]) -> None:
    kind = draw(_kinds)
    spec.name = draw(names) if kind == 0 else "animals"
    spec.signature_name = draw(st.sampled_from(fitting if kind < 6 else [*_UNFIT, *fitting]))
    if kind == 7:
        spec.version.value = draw(st.sampled_from([0, 1, -1]))


@st.composite
def example_calls(draw: Callable) -> Call:
    if draw(st.booleans()):
        name = draw(st.sampled_from(list(_METHODS)))
        request = _METHODS[name]()
        _fill_spec(draw, request.model_spec, _FITTING[name])
    else:
        name, request = "MultiInference", inference_pb2.MultiInferenceRequest()
        for _ in range(draw(st.integers(0, 3))):
            task = request.tasks.add(method_name=draw(st.sampled_from(_TASK_METHODS)))
            _fill_spec(draw, task.model_spec, [*_FITTING["Classify"], *_FITTING["Regress"]])
    _fill_input(draw, request.input)
    return Call(PREDICTION + name, serialized(request))
