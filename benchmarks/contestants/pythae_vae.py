"""pythae: its VAE with an encoder and decoder of the same sizes, its BaseTrainer, and its `get_nll`."""

import tempfile

import numpy as np
import torch
from contestants.choose import fastest
from contestants.torch_network import mlp
from contestants.weights import DECODER, ENCODER
from contestants.worker import Measure, Task, serve
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig

# Samples per example in one call, `batch_size` of get_nll: each is tried, and the fastest is measured.
SAMPLES_AT_ONCE = (100, 500, 1000)


class Encoder(BaseEncoder):
    """The same encoder in the form that pythae expects."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.network = mlp(weights, ENCODER)

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Return mean and log-variance."""
        mean, log_variance = self.network(x).chunk(2, dim=-1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """The same decoder in the form that pythae expects."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.network = mlp(weights, DECODER)

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Return the probabilities that its "bce" loss expects."""
        return ModelOutput(reconstruction=torch.sigmoid(self.network(z)))


class BinarizingVAE(VAE):
    """Dynamic binarization per batch, which pythae does not have."""

    def forward(self, inputs: BaseDataset, **kwargs) -> ModelOutput:
        """Binarize, then continue as pythae does."""
        return super().forward({"data": torch.bernoulli(inputs["data"])}, **kwargs)


def new_model(task: Task, kind: type[VAE]) -> VAE:
    torch.set_num_threads(task.threads)
    config = VAEConfig(input_dim=(784,), latent_dim=20, reconstruction_loss="bce")
    return kind(config, encoder=Encoder(task.weights), decoder=Decoder(task.weights))


def training(task: Task) -> Measure:
    if task.dtype != "float32":
        raise ValueError(
            f"pythae supports amp only on CUDA and not with its bce loss: expected float32, received {task.dtype}"
        )
    images = torch.from_numpy(np.load(task.images)).float() / 255
    folder = tempfile.TemporaryDirectory()
    config = BaseTrainerConfig(
        output_dir=folder.name,
        per_device_train_batch_size=task.batch_size,
        learning_rate=1e-3,
        optimizer_params={"eps": 1e-7, "fused": True},
    )
    data = BaseDataset(images, torch.zeros(len(images)))
    trainer = BaseTrainer(new_model(task, BinarizingVAE), data, training_config=config)
    trainer.prepare_training()
    epoch = 0

    def measure() -> dict[str, float]:
        # One epoch of its `train`, without the model copy that `train` makes after each epoch.
        nonlocal epoch
        epoch += 1
        assert folder.name
        return {"loss": trainer.train_step(epoch)}

    return measure


def log_likelihood(task: Task) -> Measure:
    model = new_model(task, VAE)
    torch.manual_seed(0)
    images = torch.from_numpy(np.load(task.images)).float()

    @torch.no_grad()
    def estimate(at_once: int) -> float:
        return float(model.get_nll(images, n_samples=task.num_samples, batch_size=at_once))

    return fastest(estimate, SAMPLES_AT_ONCE)


if __name__ == "__main__":
    serve(training=training, log_likelihood=log_likelihood)
