import numpy as np
import pytest
from network_oracles import ALL_OPTIMIZERS, make_hyper

from skbn.network import optimizers
from skbn.network.optimizers import RunningSums, Stepper

each_optimizer = pytest.mark.parametrize("name", ALL_OPTIMIZERS)


class Descent:
    """An optimiser at work on vectors of its own."""

    def __init__(self, name, start, *members, n_decayed=0, dtype=np.float64):
        self.optimizer = ALL_OPTIMIZERS[name]
        self.w = np.array(start, dtype, ndmin=2)
        self.gradient = np.zeros_like(self.w)
        self.vectors = [np.zeros_like(self.w) for _ in range(self.optimizer.n_vectors)]
        self.sums = np.zeros((2, len(self.w), 1))
        self.n_decayed = n_decayed
        self.set_hyper(*members or [{}] * len(self.w))

    def set_hyper(self, *members):
        self.hyper = make_hyper(*members)
        hyper = {key: value.astype(self.w.dtype) for key, value in self.hyper.items()}
        self.step = Stepper(
            self.optimizer, self.w, self.gradient, self.vectors, self.n_decayed, hyper
        )

    def follow(self, gradient, n_steps, fraction=lambda progress: 1.0):
        fractions = np.array([fraction(t / n_steps) for t in range(n_steps)])
        rates = self.hyper["learning_rate_init"] * fractions[:, None, None]
        betas = np.stack([self.hyper["beta_1"], self.hyper["beta_2"]])
        sums = RunningSums(betas, n_steps)(self.sums)
        self.sums = sums[-1]
        scalars = self.optimizer.scalars(rates, sums[:, 0], sums[:, 1], self.hyper)
        rates, *scalars = (array.astype(self.w.dtype) for array in (rates, *scalars))
        for rate, *of_step in zip(rates, *scalars, strict=True):
            self.gradient[...] = gradient(self.w)
            self.step(rate, of_step)
        return self.w

    def given(self, gradients):
        """Take a step for each of the gradients."""
        steps = iter(gradients)
        return self.follow(lambda w: next(steps), len(gradients))


def falling(progress):
    return 1 - progress


def random_gradients(n_steps, *shape):
    return np.random.default_rng(0).standard_normal((n_steps, *shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_example_of_the_course(dtype):
    """Gradient descent at rate 0.01 on w^2 - 10 w + 25 from w = 0."""
    descent = Descent("sgd", [0.0], {"learning_rate_init": 0.01, "momentum": 0}, dtype=dtype)
    assert descent.follow(lambda w: 2 * w - 10, 1)[0, 0] == pytest.approx(0.1)
    w = descent.follow(lambda w: 2 * w - 10, 1000)[0, 0]
    assert 4.9999 <= w < 5


@each_optimizer
def test_parabola(name):
    curvature, lowest = np.array([1.0, 10.0, 0.1]), np.array([3.0, -2.0, 0.5])
    descent = Descent(name, [0.0, 0.0, 0.0], {"learning_rate_init": 0.05})
    w = descent.follow(lambda w: curvature * (w - lowest), 3000, falling)
    np.testing.assert_allclose(w[0], lowest, atol=1e-3)


@each_optimizer
def test_rosenbrock(name):
    def gradient(w):
        x, y = w.T
        return np.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], axis=1)

    descent = Descent(name, [0.0, 0.0], {"learning_rate_init": 1e-3, "beta_2": 0.999})
    w = descent.follow(gradient, 10_000, falling)
    np.testing.assert_allclose(w[0], [1, 1], atol=1e-3)


# Each optimiser's textbook, one number at a time. An optimiser that is added gets its own here.


def plain_momentum(w, gradients, rate, h):
    v = 0.0
    for g in gradients:
        v = h["momentum"] * v - rate * g
        w += v
    return w


def plain_nesterov(w, gradients, rate, h):
    v = 0.0
    for g in gradients:
        v = h["momentum"] * v - rate * g
        w += h["momentum"] * v - rate * g
    return w


def plain_rmsprop(w, gradients, rate, h):
    s = 0.0
    for g in gradients:
        s = h["beta_2"] * s + (1 - h["beta_2"]) * g**2
        w -= rate * g / (s**0.5 + h["epsilon"])
    return w


def plain_adam(w, gradients, rate, h):
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = h["beta_1"] * m + (1 - h["beta_1"]) * g
        v = h["beta_2"] * v + (1 - h["beta_2"]) * g**2
        m_hat, v_hat = m / (1 - h["beta_1"] ** t), v / (1 - h["beta_2"] ** t)
        w -= rate * m_hat / (v_hat**0.5 + h["epsilon"])
    return w


TEXTBOOK = {
    "sgd": plain_momentum,
    "nesterov": plain_nesterov,
    "rmsprop": plain_rmsprop,
    "adam": plain_adam,
    "adamw": plain_adam,
}


@each_optimizer
def test_steps_are_those_of_the_textbook(name):
    members = [
        {"momentum": 0.8, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3, "learning_rate_init": 0.1},
        {
            "momentum": 0.0,
            "beta_1": 0.0,
            "beta_2": 0.99,
            "epsilon": 0.1,
            "learning_rate_init": 0.02,
        },
    ]
    start, gradients = random_gradients(1, 2, 5)[0], random_gradients(30, 2, 5)
    w = Descent(name, start, *members).given(gradients)
    for k, h in enumerate(members):
        for i in range(5):
            expected = TEXTBOOK[name](start[k, i], gradients[:, k, i], h["learning_rate_init"], h)
            assert w[k, i] == pytest.approx(expected, rel=1e-11)


@each_optimizer
def test_weight_decay_touches_the_decayed_zone_only(name):
    """In the gradient or, decoupled, as W <- W - rate alpha W before the step."""
    start, gradients = random_gradients(1, 6)[0], random_gradients(10, 1, 6)
    alpha, rate, zone = 0.3, 0.05, np.arange(6) < 4
    decayed = Descent(name, start, {"alpha": alpha}, n_decayed=4)
    by_hand, free = Descent(name, start), Descent(name, start)
    for gradient in gradients:
        decayed.given([gradient])
        free.given([gradient])
        if ALL_OPTIMIZERS[name].decoupled:
            by_hand.w -= rate * alpha * zone * by_hand.w
            by_hand.given([gradient])
        else:
            by_hand.given([gradient + alpha * zone * by_hand.w])
    np.testing.assert_allclose(decayed.w, by_hand.w, rtol=1e-13)
    np.testing.assert_array_equal(decayed.w[0, 4:], free.w[0, 4:])
    assert not np.isclose(decayed.w[0, :4], free.w[0, :4], rtol=1e-3).any()


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_beta_changed_on_the_way_leaves_a_proper_weighted_mean(name):
    """Each moment is sum(c_i g_i) / sum(c_i), c_i the product of the betas that came later."""
    before, after = {"beta_1": 0.9, "beta_2": 0.9}, {"beta_1": 0.5, "beta_2": 0.99}
    epsilon, rate, gradients = 1e-3, 0.05, random_gradients(9, 1, 4)
    descent = Descent(name, np.zeros(4), {**before, "epsilon": epsilon})
    descent.given(gradients[:5])
    descent.set_hyper({**after, "epsilon": epsilon})
    descent.given(gradients[5:8])
    start = descent.w.copy()
    descent.given(gradients[8:])

    def mean(beta, values):
        betas = [before[beta]] * 5 + [after[beta]] * 4
        weights = [np.prod(betas[i + 1 :]) for i in range(9)]
        return np.average(values, axis=0, weights=weights)

    first, second = mean("beta_1", gradients), mean("beta_2", gradients**2)
    expected = start - rate * first / (np.sqrt(second) + epsilon)
    np.testing.assert_allclose(descent.w, expected, rtol=1e-12)


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_running_sums_by_recursion(start):
    decay = np.array([[0.0], [0.5], [0.999], [1 - 1e-9]])
    total = np.full_like(decay, start)
    for sums in RunningSums(decay, 50)(total.copy()):
        total = decay * total + 1
        np.testing.assert_allclose(sums, total, rtol=1e-6)


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 7, 16])
def test_blocks_do_not_show(monkeypatch, name, dtype, block):
    start, gradients = random_gradients(1, 3, 50)[0], random_gradients(5, 3, 50).astype(dtype)
    members = [{"alpha": alpha, "learning_rate_init": 0.1 * alpha} for alpha in (0, 0.1, 0.3)]

    def result():
        descent = Descent(name, start, *members, n_decayed=31, dtype=dtype)
        return [descent.given(gradients), *descent.vectors]

    whole = result()
    monkeypatch.setattr(optimizers, "BLOCK_SIZE", block)
    for mine, expected in zip(result(), whole, strict=True):
        np.testing.assert_array_equal(mine, expected)


@each_optimizer
def test_all_members_move_by_their_own_rate(name):
    members = [{"learning_rate_init": rate} for rate in (0.0, 0.1, 0.2)]
    w = Descent(name, np.ones((3, 4)), *members).given(np.ones((1, 3, 4)))
    np.testing.assert_array_equal(w[0], 1)
    np.testing.assert_allclose(1 - w[2], 2 * (1 - w[1]))
    assert (w[1] < 1).all()


class Watched(dict):
    """Hyperparameters that note which of them are read."""

    def __init__(self, *args):
        super().__init__(*args)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


@each_optimizer
def test_an_optimizer_names_what_it_reads(name):
    optimizer, hyper = ALL_OPTIMIZERS[name], Watched(make_hyper({}))
    one = np.ones((1, 1))
    scalars = optimizer.scalars(one, one, one, hyper)
    # The sums of Adam's betas are made for it.
    hyper.read |= {"beta_1", "beta_2"} if len(scalars) > 1 else set()
    optimizer.step(one, one, [np.ones((1, 1)) for _ in range(optimizer.n_vectors)], scalars, hyper)
    assert hyper.read == set(optimizer.reads)
