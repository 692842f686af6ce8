"""SavedModels in the manner of TensorFlow 1, with signatures of any method; and one call to run any signature."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.core.errors import RequestError
from serving.core.servable import Servable
from serving.wire import tensors

v1 = tf.compat.v1

PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))
WEIGHTS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
LABELS = ["cat", "dog", "owl"]

Signatures = dict[str, meta_graph_pb2.SignatureDef]


def signature(inputs: dict, outputs: dict, method: str = PREDICT) -> meta_graph_pb2.SignatureDef:
    infos = [
        {name: v1.saved_model.build_tensor_info(value) for name, value in part.items()} for part in (inputs, outputs)
    ]
    return v1.saved_model.build_signature_def(*infos, method)


def save_graph(path: Path, build: Callable[[], Signatures], tags: Sequence[Sequence[str]] = (("serve",),)) -> Path:
    """Saves the graph that `build` makes; with several sets of tags, the first gets all signatures, others none."""
    builder = v1.saved_model.Builder(str(path))
    for number, names in enumerate(tags):
        with tf.Graph().as_default(), v1.Session() as session:
            signatures = build()
            main_op = v1.tables_initializer()
            session.run([v1.global_variables_initializer(), main_op])
            rest = {
                "main_op": main_op,
                "assets_collection": v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
                "strip_default_attrs": True,
            }
            if number == 0:
                builder.add_meta_graph_and_variables(session, names, signatures, **rest)
            else:
                builder.add_meta_graph(names, {}, **rest)
    builder.save()
    return path


def animals(vocabulary: Path) -> Signatures:
    """Scores two features of an Example for three classes, whose names are in a file; adds them up, too."""
    vocabulary.write_text("\n".join(LABELS))
    examples = v1.placeholder(tf.string, [None], name="examples")
    others = v1.placeholder(tf.string, [None], name="others")
    x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([2], tf.float32)})["x"]
    weights = v1.get_variable("weights", initializer=WEIGHTS, use_resource=False)
    scores = tf.matmul(x, weights)
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
        ),
        "?",
    )
    classes = table.lookup(tf.tile(tf.range(3, dtype=tf.int64)[None], [tf.shape(x)[0], 1]))
    total = tf.reduce_sum(x, 1)
    inputs = {"inputs": examples}

    def classify(**outputs: tf.Tensor) -> meta_graph_pb2.SignatureDef:
        return signature(inputs, outputs, CLASSIFY)

    def regress(**outputs: tf.Tensor) -> meta_graph_pb2.SignatureDef:
        return signature(inputs, outputs, REGRESS)

    return {
        "serving_default": classify(classes=classes, scores=scores),
        "scores": classify(scores=scores),
        "classes": classify(classes=classes),
        "regress": regress(outputs=total[:, None]),
        "regress_flat": regress(outputs=total),
        "predict": signature({"x": x}, {"scores": scores, "again": scores, "x": tf.identity(x)}),
        "others": signature({"inputs": others}, {"outputs": tf.zeros(tf.shape(others))}, REGRESS),
        # What follows is wrong in one way each.
        "two_inputs": signature({"inputs": examples, "others": others}, {"outputs": total}, REGRESS),
        "misnamed_input": signature({"x": examples}, {"outputs": total, "scores": scores}, CLASSIFY),
        "misnamed_regress_input": signature({"x": examples}, {"outputs": total}, REGRESS),
        "misnamed_output": regress(output=total),
        "three_outputs": classify(a=total, b=total, c=total),
        "flat_scores": classify(scores=total),
        "integer_scores": classify(scores=tf.cast(scores, tf.int64)),
        "five_scores": classify(scores=tf.zeros([5, 2])),
        "float_classes": classify(classes=scores),
        "uneven": classify(classes=classes, scores=scores[:, :2]),
        "latin": classify(classes=tf.fill([tf.shape(x)[0], 1], b"\xe9t\xe9")),
        "wide": regress(outputs=scores),
        "five_values": regress(outputs=tf.zeros([5])),
        "integer_values": regress(outputs=tf.cast(total, tf.int32)),
    }


def example(*x: float, **words: str) -> tf.train.Example:
    message = tf.train.Example()
    if x:
        message.features.feature["x"].float_list.value.extend(x)
    for name, word in words.items():
        message.features.feature[name].bytes_list.value.append(word.encode())
    return message


def run(servable: Servable, name: str = "", **inputs: Any) -> dict[str, np.ndarray]:
    """Answers as a client would read it."""
    outputs = servable.signature(name).run({key: tf.make_tensor_proto(value) for key, value in inputs.items()})
    answer = {}
    for key, array in outputs.items():
        proto = tensor_pb2.TensorProto()
        tensors.to_proto(array, proto)
        answer[key] = tf.make_ndarray(proto)
    return answer


def run_refusal(servable: Servable, name: str, **inputs: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(RequestError) as caught:
        run(servable, name, **inputs)
    return caught.value.code, caught.value.details
