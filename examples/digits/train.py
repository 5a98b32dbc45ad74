"""Train a small neural network to read handwritten digits, and report how well it does after each epoch.

It runs without Beagle too: `python train.py` trains with the values below and prints what it reports.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import beagle

PARAMETERS = {"EPOCHS": 10, "LEARNING_RATE": 0.02, "HIDDEN_SIZE": "48", **beagle.parameters()}


def main() -> None:
    """1,797 pictures of 8 x 8 pixels: three quarters to learn from, the rest to be judged by."""
    pictures, digits = load_digits(return_X_y=True)
    learn, judge, learn_digits, judge_digits = train_test_split(
        pictures / 16, digits, test_size=0.25, random_state=0, stratify=digits
    )
    network = MLPClassifier(
        hidden_layer_sizes=[int(units) for units in str(PARAMETERS["HIDDEN_SIZE"]).split(",")],
        learning_rate_init=float(PARAMETERS["LEARNING_RATE"]),
        solver="sgd",
        batch_size=32,
        random_state=0,
    )
    for epoch in range(1, int(PARAMETERS["EPOCHS"]) + 1):
        network.partial_fit(learn, learn_digits, classes=np.unique(digits))
        beagle.report(step=epoch, accuracy=network.score(judge, judge_digits), cost=network.loss_)


if __name__ == "__main__":
    main()
