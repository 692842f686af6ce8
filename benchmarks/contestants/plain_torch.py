"""A plain PyTorch loop, optionally with torch.compile: bytes in memory, binarized per batch, fused Adam."""

import math

import numpy as np
import torch
from contestants.choose import fastest
from contestants.torch_network import Network, autocast
from contestants.worker import Measure, Task, serve
from torch.nn import functional

# Rows in one decoder call: each is tried, and the fastest is measured.
CHUNK_ROWS = (1000, 4000, 10_000)


def training(task: Task) -> Measure:
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    pixels = torch.from_numpy(np.load(task.images))
    network = Network(task.weights)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def loss_of(gray: torch.Tensor) -> torch.Tensor:
        # Below a pixel with probability pixel / 255. Drawing bytes from 0 to 254 is faster than drawing floats,
        # except when compiled, where floats fuse with the comparison.
        noise = 255 * torch.rand(gray.shape) if task.compiled else torch.randint(255, gray.shape, dtype=torch.uint8)
        x = (noise < gray).float()
        with autocast(task.dtype):
            return network.loss(x)

    step_loss = torch.compile(loss_of) if task.compiled else loss_of

    def measure() -> dict[str, float]:
        total = torch.zeros(())
        for rows in torch.randperm(len(pixels)).split(task.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss = step_loss(pixels[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return {"loss": float(total) / len(pixels)}

    return measure


def log_likelihood(task: Task) -> Measure:
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    images = torch.from_numpy(np.load(task.images)).float()
    network = Network(task.weights)

    def log_weights(x: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor, samples: int) -> torch.Tensor:
        noise = torch.randn(samples, *mean.shape)
        z = mean + torch.exp(0.5 * log_variance) * noise
        with autocast(task.dtype):
            logits = network.decoder(z.flatten(0, 1)).float().unflatten(0, (samples, len(x)))
        likelihood = (logits * x).sum(-1) - functional.softplus(logits).sum(-1)
        # The normalizing constants of prior and posterior cancel.
        return likelihood - 0.5 * (z.square() - noise.square() - log_variance).sum(-1)

    chunk_log_weights = torch.compile(log_weights) if task.compiled else log_weights

    @torch.inference_mode()
    def estimate(chunk_rows: int) -> float:
        found = []
        for x in images.split(task.batch_size):
            with autocast(task.dtype):
                mean, log_variance = network.posterior(x)
            samples = min(chunk_rows // len(x), task.num_samples)
            chunks = [samples] * (task.num_samples // samples)
            chunks += [task.num_samples % samples] if task.num_samples % samples else []
            sums = [chunk_log_weights(x, mean, log_variance, size).logsumexp(0) for size in chunks]
            found.append(torch.stack(sums).logsumexp(0) - math.log(task.num_samples))
        return float(torch.cat(found).double().mean())

    return fastest(estimate, CHUNK_ROWS)


if __name__ == "__main__":
    serve(training=training, log_likelihood=log_likelihood)
