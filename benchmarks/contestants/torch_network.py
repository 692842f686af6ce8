"""The network and the loss in PyTorch, shared by the PyTorch contestants."""

import contextlib

import torch
from contestants.weights import DECODER, ENCODER, layers
from torch import nn
from torch.nn import functional


def mlp(weights: str, network: str) -> nn.Sequential:
    """Build `"encoder"` or `"decoder"` with the weights in the file."""
    parts: list[nn.Module] = []
    for kernel, bias in layers(weights, network):
        linear = nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias))
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class Network(nn.Module):
    """Encoder and decoder."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.encoder = mlp(weights, ENCODER)
        self.decoder = mlp(weights, DECODER)

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=-1)
        return mean, log_variance

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the negative ELBO with one sample and a closed-form KL, averaged over the batch."""
        mean, log_variance = self.posterior(x)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = self.decoder(z).float()
        missed = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (missed + kl) / len(x)


def autocast(dtype: str) -> contextlib.AbstractContextManager:
    """Return the context of the forward pass."""
    if dtype == "bfloat16":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext()
