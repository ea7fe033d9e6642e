"""Made-up sessions, which remember for themselves what their lines are."""

import numpy as np
import pandas as pd

MEASURES = ["loss", "learning_rate", "validation_loss"]


class Session:
    """A log in the making; losses fall slowly, or as they are given.

    ``line`` has an entry of measures for each epoch that no rewind has undone, and ``left`` each
    line that a rewind left, from the epoch gone back to: lists of (epoch, measures).
    """

    def __init__(self, validation=True, seed=0):
        self.rows, self.line, self.left, self.branch = [], [], [], 0
        self.measures = MEASURES[: 3 if validation else 2]
        self.rng = np.random.default_rng(seed)

    def add(self, event, asked_by="session", epoch=None, **columns):
        place = {"epoch": len(self.line) if epoch is None else epoch, "branch": self.branch}
        time = pd.Timestamp(2026, 11, 29, 12, 0, len(self.rows) % 60, tz="UTC")
        self.rows.append(place | {"event": event, "time": time, "asked_by": asked_by} | columns)
        return self

    def train(self, n=1, **given):
        for _ in range(n):
            loss = 2 * 0.97 ** len(self.line) * self.rng.uniform(0.95, 1)
            entry = {"loss": loss, "learning_rate": 0.003, "validation_loss": 1.1 * loss} | given
            entry = {name: float(entry[name]) for name in self.measures}
            self.line.append((len(self.line) + 1, entry))
            self.add("epoch", **entry)
        return self

    def set(self, asked_by="session", **params):
        return self.add("change", asked_by, **params)

    def rewind(self, epoch, asked_by="session"):
        if self.line[epoch:]:
            self.left.append(self.line[max(epoch - 1, 0) :])
        self.line, self.branch = self.line[:epoch], self.branch + 1
        return self.add("rewind", asked_by, epoch)

    @property
    def log_(self):
        log = pd.DataFrame(self.rows)
        params = log.columns.difference(["epoch", "branch", "event", "time", "asked_by", *MEASURES])
        return log.astype(dict.fromkeys(params, object))


def story():
    """The course's story: a rate too high on the third day, and back to the second."""
    session = Session().train(20).set(learning_rate_init=0.01)
    session.train(5, learning_rate=0.01).train(15, learning_rate=0.01, loss=1.5, validation_loss=2)
    session.rewind(25).set(learning_rate_init=0.003).train(40)
    return session.add("stop", "patience")


def random_session(seed):
    """Epochs, changes, rewinds and stops in any order, with a few losses that are odd."""
    rng = np.random.default_rng(seed)
    session = Session(validation=bool(rng.random() < 0.7), seed=seed).train(int(rng.integers(1, 9)))
    odd = [np.nan, np.inf, 1e6, 0.0]
    for _ in range(int(rng.integers(25))):
        kind = rng.choice(["train", "odd", "set", "rewind", "stop"], p=[0.5, 0.1, 0.2, 0.15, 0.05])
        asked_by = str(rng.choice(["session", "terminal"]))
        if kind == "train":
            session.train(int(rng.integers(1, 12)))
        elif kind == "odd":
            session.train(loss=rng.choice(odd), validation_loss=rng.choice(odd))
        elif kind == "set":
            names = rng.permutation(["learning_rate_init", "dropout", "alpha"])[
                : rng.integers(1, 4)
            ]
            session.set(asked_by, **{str(name): float(rng.random()) for name in names})
        elif kind == "rewind":
            session.rewind(int(rng.integers(len(session.line) + 1)), asked_by)
        else:
            session.add("stop", "patience")
    return session
