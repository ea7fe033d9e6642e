"""The same training in PyTorch, in float64."""

from itertools import pairwise

import numpy as np
import pytest
from network_oracles import (
    ALL_OPTIMIZERS,
    PLAIN,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    member_values,
    run,
)

from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture
from skbn.network.inference import TrainedNetwork

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # The networks are tiny: threads only wait for each other.

TORCH_ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "mish": torch.nn.Mish,
    "tanh": torch.nn.Tanh,
    "logistic": torch.nn.Sigmoid,
    "identity": torch.nn.Identity,
}


def torch_optimizer(name, groups, h):
    rate, betas = h["learning_rate_init"], (h["beta_1"], h["beta_2"])
    make = {
        "sgd": lambda: torch.optim.SGD(groups, rate, h["momentum"]),
        "nesterov": lambda: torch.optim.SGD(groups, rate, h["momentum"], nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(groups, rate, alpha=betas[1], eps=h["epsilon"]),
        "adam": lambda: torch.optim.Adam(groups, rate, betas, h["epsilon"]),
        "adamw": lambda: torch.optim.AdamW(groups, rate, betas, h["epsilon"]),
    }
    return make[name]()


class Twin:
    """A PyTorch network with the parameters of the one member of ``theta``."""

    def __init__(self, architecture, theta, bn_momentum, bn_epsilon):
        self.values = {
            key: torch.tensor(value) for key, value in member_values(architecture, theta).items()
        }
        modules, self.normed = [], []
        for layer, n_units in enumerate((*architecture.hidden_layer_sizes, None)):
            n_in, n_out = self.values["weights", layer].shape
            modules.append(torch.nn.Linear(n_in, n_out, bias=n_units is None, dtype=torch.float64))
            modules[-1].weight.data = self.values["weights", layer].T.clone()
            if n_units is None:
                modules[-1].bias.data = self.values["bias", layer][0].clone()
                break
            norm = torch.nn.BatchNorm1d(n_out, bn_epsilon, 1 - bn_momentum, dtype=torch.float64)
            self.normed.append(norm)
            modules += [norm, TORCH_ACTIVATIONS[architecture.activations[layer]]()]
        self.network, self.bn_momentum = torch.nn.Sequential(*modules), bn_momentum

    def groups(self, alpha):
        """Weight decay for the weight matrices only."""
        parameters = list(self.network.parameters())
        return [
            {"params": [p for p in parameters if p.ndim == 2], "weight_decay": alpha},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ]

    def train(self, optimizer, x, labels, edges, n_epochs, h):
        """Give the mean loss of each epoch."""
        x, labels, means = torch.tensor(x), torch.tensor(labels), []
        for _ in range(n_epochs):
            total = 0.0
            for start, end in pairwise(edges):
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(
                    self.network(x[start:end]),
                    labels[start:end],
                    label_smoothing=h["label_smoothing"],
                )
                loss.backward()
                if h["max_grad_norm"] is not None:
                    limit = h["max_grad_norm"]
                    torch.nn.utils.clip_grad_norm_(self.network.parameters(), limit)
                optimizer.step()
                total += loss.item() * (end - start)
            means.append(total / edges[-1])
        return means

    def correct_statistics(self, n_steps, m):
        """Correct for the start of the averages, at 0 and 1, and for the unbiased variance."""
        begun = self.bn_momentum**n_steps
        for norm in self.normed:
            norm.running_mean /= 1 - begun
            norm.running_var -= begun
            norm.running_var *= (m - 1) / m / (1 - begun)

    def parameters(self):
        """Give the arrays by (kind, layer)."""
        linear = [module for module in self.network if isinstance(module, torch.nn.Linear)]
        found = {("weights", layer): module.weight.T for layer, module in enumerate(linear)}
        found["bias", len(linear) - 1] = linear[-1].bias[None]
        for layer, norm in enumerate(self.normed):
            found["gamma", layer], found["beta", layer] = norm.weight[None], norm.bias[None]
            found["mean", layer] = norm.running_mean[None]
            found["var", layer] = norm.running_var[None]
        return {key: value.detach().numpy() for key, value in found.items()}


def train_both(optimizer, activation="silu", n_epochs=15, tolerance=1e-7, **changes):
    """Train both networks on the same batches and compare everything."""
    h = {**PLAIN, "learning_rate_init": 0.02, "alpha": 0.05, **changes}
    n, m = 60, 12  # Batches of one size: PyTorch's variances have one correction.
    architecture, data = Architecture(5, (7, 6), 3, activation), make_data(n)
    state, hyper = make_state(architecture, optimizer=optimizer), make_hyper(h)
    twin = Twin(architecture, state.theta, h["bn_momentum"], h["bn_epsilon"])
    how = make_settings(optimizer, batch_size=m, shuffle=False)
    epochs = run(n_epochs, architecture, how, hyper, state, data)
    theirs = torch_optimizer(optimizer, twin.groups(h["alpha"]), h)
    losses = twin.train(theirs, data.x, data.labels, range(0, n + 1, m), n_epochs, h)
    twin.correct_statistics(n_epochs * n // m, m)

    np.testing.assert_allclose([epoch.loss[0] for epoch in epochs], losses, rtol=tolerance)
    value, expected = member_values(architecture, state.theta), twin.parameters()
    assert value.keys() == expected.keys()
    for key in value:
        np.testing.assert_allclose(
            value[key], expected[key], rtol=tolerance, atol=tolerance, err_msg=str(key)
        )
    network = TrainedNetwork(architecture, state.theta, hyper["bn_epsilon"])
    twin.network.eval()
    np.testing.assert_allclose(
        network.logits(data.x)[0],
        twin.network(torch.tensor(data.x)).detach().numpy(),
        rtol=100 * tolerance,
        atol=100 * tolerance,
    )
    return epochs


@pytest.mark.parametrize("optimizer", ALL_OPTIMIZERS)
def test_trajectories(optimizer):
    epochs = train_both(optimizer)
    assert epochs[-1].loss < 0.9 * epochs[0].loss


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_trajectories_with_each_activation(activation):
    train_both("sgd", activation, n_epochs=12)


@pytest.mark.parametrize("mixed", [("relu", "tanh"), ("gelu", "leaky_relu"), ("elu", "mish")])
def test_trajectories_with_an_activation_of_each_layer(mixed):
    train_both("adam", mixed)


@pytest.mark.parametrize("optimizer", ALL_OPTIMIZERS)
def test_trajectories_with_clipping(optimizer):
    # PyTorch divides by the norm plus 1e-6.
    epochs = train_both(optimizer, n_epochs=4, max_grad_norm=0.2, tolerance=1e-4)
    assert min(epoch.gradient_norm for epoch in epochs) > 0.2


def test_trajectories_with_other_hyperparameters():
    changes = {"label_smoothing": 0.1, "bn_momentum": 0.6, "bn_epsilon": 0.01, "beta_1": 0.7}
    train_both("adamw", epsilon=1e-3, beta_2=0.9, **changes)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = np.concatenate([-np.geomspace(1e-3, 30, 50), np.geomspace(1e-3, 30, 50)])
    theirs = torch.tensor(x, requires_grad=True)
    outputs = TORCH_ACTIVATIONS[name]()(theirs)
    outputs.sum().backward()
    y = np.empty_like(x)
    ACTIVATIONS[name].forward(x, y)
    np.testing.assert_allclose(y, outputs.detach().numpy(), rtol=1e-12, atol=1e-14)
    derivative = ACTIVATIONS[name].derivative(x, y)
    np.testing.assert_allclose(derivative, theirs.grad.numpy(), rtol=1e-12, atol=1e-14)
