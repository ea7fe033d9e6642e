"""The same training in PyTorch, in float64."""

from itertools import pairwise

import numpy as np
import pytest
from network_oracles import (
    ALL_OPTIMIZERS,
    PLAIN,
    held_loss,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    make_weights,
    member_values,
    run,
    scatter,
)

from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture
from skbn.network.inference import TrainedNetwork

pytestmark = pytest.mark.slow

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


def torch_cross_entropy(logits, labels, h):
    return torch.nn.functional.cross_entropy(logits, labels, label_smoothing=h["label_smoothing"])


def torch_focal(logits, labels, h, weights=1.0):
    """Lin et al.'s equation with smoothed labels, forward only."""
    p, n_classes = torch.softmax(logits, dim=1), logits.shape[1]
    y = torch.nn.functional.one_hot(labels, n_classes).double()
    y = (1 - h["label_smoothing"]) * y + h["label_smoothing"] / n_classes
    return (weights * (-y * (1 - p) ** h["focal_gamma"] * torch.log(p)).sum(dim=1)).mean()


TORCH_LOSSES = {"cross_entropy": torch_cross_entropy, "focal": torch_focal}


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

    def train(self, optimizer, criterion, x, labels, edges, n_epochs, h):
        """Give the mean loss of each epoch."""
        x, labels, means = torch.tensor(x), torch.tensor(labels), []
        for _ in range(n_epochs):
            total = 0.0
            for start, end in pairwise(edges):
                optimizer.zero_grad()
                loss = criterion(self.network(x[start:end]), labels[start:end], h)
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

    def trained(self):
        """Give the trained parameters by (kind, layer)."""
        linear = [module for module in self.network if isinstance(module, torch.nn.Linear)]
        found = {("weights", layer): module.weight for layer, module in enumerate(linear)}
        found["bias", len(linear) - 1] = linear[-1].bias
        for layer, norm in enumerate(self.normed):
            found["gamma", layer], found["beta", layer] = norm.weight, norm.bias
        return found

    def parameters(self):
        """Give the arrays by (kind, layer)."""
        found = {key: in_rows(value) for key, value in self.trained().items()}
        for layer, norm in enumerate(self.normed):
            found["mean", layer] = norm.running_mean[None]
            found["var", layer] = norm.running_var[None]
        return {key: value.detach().numpy() for key, value in found.items()}


def in_rows(value):
    """Transpose a matrix, and make a row of a vector, as skbn has them."""
    return value.T if value.ndim == 2 else value[None]


def train_both(
    optimizer, activation="silu", n_epochs=15, tolerance=1e-7, loss="cross_entropy", **changes
):
    """Train both networks on the same batches and compare everything."""
    h = {**PLAIN, "learning_rate_init": 0.02, "alpha": 0.05, **changes}
    n, m = 60, 12  # Batches of one size: PyTorch's variances have one correction.
    architecture, data = Architecture(5, (7, 6), 3, activation, loss=loss), make_data(n)
    state, hyper = make_state(architecture, optimizer=optimizer), make_hyper(h)
    twin = Twin(architecture, state.theta, h["bn_momentum"], h["bn_epsilon"])
    how = make_settings(optimizer, batch_size=m, shuffle=False)
    epochs = run(n_epochs, architecture, how, hyper, state, data)
    theirs = torch_optimizer(optimizer, twin.groups(h["alpha"]), h)
    rows = data.x, data.labels, range(0, n + 1, m)
    losses = twin.train(theirs, TORCH_LOSSES[loss], *rows, n_epochs, h)
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


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", ["adam", "nesterov"])
def test_trajectories_of_the_focal_loss(optimizer, smoothing, gamma):
    train_both(optimizer, loss="focal", focal_gamma=gamma, label_smoothing=smoothing)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_of_the_focal_loss(smoothing, gamma):
    h = {**PLAIN, "label_smoothing": smoothing, "focal_gamma": gamma}
    architecture, data = Architecture(5, (7, 6), 3, "silu", loss="focal"), make_data(40)
    theta, weights = scatter(make_state(architecture).theta), make_weights("random", 1, 40)
    rows = 40, data.labels[None], None, weights  # the moments of batch norm are not weighted
    loss, gradient = held_loss(architecture, theta, make_hyper(h), *rows)
    twin = Twin(architecture, theta, h["bn_momentum"], h["bn_epsilon"])
    for kind, values in (("gamma", "weight"), ("beta", "bias")):
        for layer, norm in enumerate(twin.normed):
            getattr(norm, values).data = twin.values[kind, layer][0].clone()
    labels = torch.tensor(data.labels)
    expected = torch_focal(twin.network(torch.tensor(data.x)), labels, h, torch.tensor(weights[0]))
    expected.backward()
    assert loss(data.x) == pytest.approx(expected.item(), rel=1e-12)
    mine = member_values(architecture, gradient)
    for key, value in twin.trained().items():
        np.testing.assert_allclose(
            mine[key], in_rows(value.grad).numpy(), rtol=1e-10, atol=1e-13, err_msg=str(key)
        )


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
