"""The machine's limit: time of the matrix products alone in TensorFlow, in one graph."""

import tensorflow as tf
from contestants.choose import repeatedly
from contestants.products import Product, decoder_pass, training_step
from contestants.worker import Measure, Task, serve


def repeat(products: list[Product], task: Task) -> Measure:
    dtype = tf.as_dtype(task.dtype)
    # Pass them as arguments, so that no product is constant-folded.
    operands = [(tf.cast(tf.random.normal(p.left), dtype), tf.cast(tf.random.normal(p.right), dtype)) for p in products]

    @tf.function
    def step(operands: list[tuple[tf.Tensor, tf.Tensor]]) -> list[tf.Tensor]:
        return [
            tf.matmul(left, right, transpose_a=p.transpose_left, transpose_b=p.transpose_right)
            for p, (left, right) in zip(products, operands, strict=True)
        ]

    return repeatedly(lambda: step(operands)[-1].numpy())


def training(task: Task) -> Measure:
    return repeat(training_step(task.batch_size), task)


def log_likelihood(task: Task) -> Measure:
    return repeat(decoder_pass(task.batch_size), task)


if __name__ == "__main__":
    serve(training=training, log_likelihood=log_likelihood)
