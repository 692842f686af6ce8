"""The machine's limit: time of the matrix products alone in PyTorch, with preallocated outputs."""

import torch
from contestants.choose import repeatedly
from contestants.products import Product, decoder_pass, training_step
from contestants.worker import Measure, Task, serve


def operand(shape: tuple[int, int], transposed: bool, dtype: torch.dtype) -> torch.Tensor:
    stored = torch.randn(shape).to(dtype)
    return stored.t() if transposed else stored


def repeat(products: list[Product], task: Task) -> Measure:
    torch.set_num_threads(task.threads)
    dtype = getattr(torch, task.dtype)
    operands = [
        (
            operand(p.left, p.transpose_left, dtype),
            operand(p.right, p.transpose_right, dtype),
            torch.empty(p.m, p.n, dtype=dtype),
        )
        for p in products
    ]

    @torch.inference_mode()
    def step() -> None:
        for left, right, into in operands:
            torch.mm(left, right, out=into)

    return repeatedly(step)


def training(task: Task) -> Measure:
    return repeat(training_step(task.batch_size), task)


def log_likelihood(task: Task) -> Measure:
    return repeat(decoder_pass(task.batch_size), task)


if __name__ == "__main__":
    serve(training=training, log_likelihood=log_likelihood)
